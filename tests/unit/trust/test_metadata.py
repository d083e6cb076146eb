"""Signed metadata that people exchange: strict, ours in shape, and no key counts twice."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.signer import SSlibKey
from tests.support.key_ring import NOON, key, sign, signed_documents

from ringfence.model.errors import SignatureRefused
from ringfence.trust import roles
from ringfence.trust.keys import verifying_key
from ringfence.trust.metadata import (
    days_left,
    decode_metadata,
    encode_metadata,
    quorum,
    read_root,
    require_signed,
)
from ringfence.wire import canonical

ROOT, TARGETS, CONTENT = (encode_metadata(one) for one in signed_documents())
BY_ROLE = {roles.ROOT: ROOT, roles.TARGETS: TARGETS, roles.CONTENT: CONTENT}


@pytest.mark.parametrize("role", BY_ROLE)
def test_a_document_comes_back_as_it_was(role: str) -> None:
    assert encode_metadata(decode_metadata(BY_ROLE[role], role, file="x")) == BY_ROLE[role]


def _root(change: Callable[[dict[str, Any]], object]) -> bytes:
    table = json.loads(ROOT)
    change(table)
    return canonical.encode(table)


def _targets(change: Callable[[dict[str, Any]], object]) -> bytes:
    table = json.loads(TARGETS)
    change(table)
    return canonical.encode(table)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.update(more=1), "unknown field"),
        (lambda t: t["signed"].update(more=1), "unknown field"),
        (lambda t: t["signed"]["roles"]["root"].update(more=1), "unknown field"),
        (lambda t: next(iter(t["signed"]["keys"].values())).update(more=1), "unknown field"),
        (lambda t: t["signatures"][0].update(more=1), "unknown field"),
        (lambda t: t["signed"].update(consistent_snapshot=False), "consistent snapshots"),
        (lambda t: t["signed"].update(_type="targets"), "is no metadata"),
        (lambda t: t["signed"].update(version=0), "is no metadata"),
        (lambda t: t["signed"].update(expires="soon"), "is no metadata"),
        (lambda t: t["signed"]["roles"].pop("snapshot"), "is no metadata"),
        (lambda t: t["signed"]["roles"]["root"].update(threshold=0), "is no metadata"),
        (lambda t: t["signed"]["roles"]["root"]["keyids"].append(t["signed"]["roles"]["root"]["keyids"][0]),
         "is no metadata"),
        (lambda t: t["signatures"].append(t["signatures"][0]), "is no metadata"),
        (lambda t: t["signed"]["roles"]["timestamp"]["keyids"].clear(), "which no role uses"),
        (lambda t: t.pop("signatures"), "is no metadata"),
    ],
)
def test_a_root_that_is_off_is_refused(change: Callable[[dict[str, Any]], object], words: str) -> None:
    with pytest.raises(SignatureRefused, match=r"1\.root\.json") as refused:
        decode_metadata(_root(change), roles.ROOT, file="1.root.json")
    assert words in refused.value.what


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t["signed"]["targets"].update({"releases/x": {"length": 1, "hashes": {"sha256": "ab" * 32}}}),
         "vouches for files itself"),
        (lambda t: t["signed"].pop("delegations"), "must delegate"),
        (lambda t: t["signed"]["delegations"]["roles"].reverse(), "must delegate"),
        (lambda t: t["signed"]["delegations"]["roles"][0].update(paths=["*"]), "delegates other paths"),
        (lambda t: t["signed"]["delegations"]["roles"][1].update(paths=["releases/*"]), "delegates other paths"),
        (lambda t: t["signed"]["delegations"]["roles"][0].update(terminating=False), "delegates other paths"),
        (lambda t: t["signed"]["delegations"].update(more=1), "unknown field"),
    ],
)
def test_targets_that_delegate_otherwise_are_refused(change: Callable[[dict[str, Any]], object], words: str) -> None:
    with pytest.raises(SignatureRefused) as refused:
        decode_metadata(_targets(change), roles.TARGETS, file="1.targets.json")
    assert words in refused.value.what


def test_a_foreign_rollout_key_cannot_vouch_for_a_release() -> None:
    table = json.loads(CONTENT)
    table["signed"]["targets"]["releases/x"] = {"length": 1, "hashes": {"sha256": "ab" * 32}}
    with pytest.raises(SignatureRefused, match="not its own"):
        decode_metadata(canonical.encode(table), roles.ROLLOUT, file="1.rollout.json")


def test_a_key_under_two_identifiers_counts_once() -> None:
    """Ada alone would reach the threshold of two."""
    root, _, _ = signed_documents()
    twin = verifying_key(key("Ada"))
    again = SSlibKey("ab" * 32, twin.keytype, twin.scheme, twin.keyval)
    root.signed.keys[again.keyid] = again
    root.signed.roles[roles.ROOT].keyids.append(again.keyid)
    with pytest.raises(SignatureRefused, match="counts one key twice for the role root"):
        decode_metadata(encode_metadata(root), roles.ROOT, file="1.root.json")


def test_white_space_and_foreign_order_are_refused_with_their_place() -> None:
    with pytest.raises(SignatureRefused, match=r"1\.root\.json:byte 1"):
        decode_metadata(json.dumps(json.loads(ROOT)).encode(), roles.ROOT, file="1.root.json")


def test_a_threshold_is_met_by_different_people_only() -> None:
    root, _, _ = signed_documents(owners=("Ada",))
    assert quorum(root.signed, roles.ROOT, root).missing == 1
    with pytest.raises(SignatureRefused, match="1 of 2 signatures are missing"):
        require_signed(root.signed, roles.ROOT, root, file="1.root.json")
    sign(root, "Ada")
    assert quorum(root.signed, roles.ROOT, root).missing == 1
    sign(root, "Mary")
    assert [one.signed for one in quorum(root.signed, roles.ROOT, root).keys] == [True, False, True]
    assert read_root(encode_metadata(root), file="1.root.json").signed.version == 1


def test_a_signature_over_other_bytes_counts_for_nothing() -> None:
    root, _, _ = signed_documents()
    root.signed.version = 2
    assert quorum(root.signed, roles.ROOT, root).missing == 2


def test_days_are_counted_down_and_below_nothing() -> None:
    root, _, _ = signed_documents()
    assert days_left(root.signed, NOON) == 365
    assert days_left(root.signed, NOON + timedelta(days=366)) == -1


@given(st.sampled_from(sorted(BY_ROLE)), st.integers(0, 20_000), st.integers(0, 255))
def test_no_changed_byte_is_taken_for_signed(role: str, at: int, byte: int) -> None:
    data = bytearray(BY_ROLE[role])
    at %= len(data)
    if data[at] == byte:
        return
    data[at] = byte
    root, targets, _ = signed_documents()
    delegator = targets.signed if role == roles.CONTENT else root.signed
    try:
        found = decode_metadata(bytes(data), role, file="x")
    except SignatureRefused:
        return
    before = decode_metadata(BY_ROLE[role], role, file="x")
    missing = quorum(delegator, role, found).missing
    assert missing or found.signed == before.signed
