"""What may be published next; the repository on disk has its own tests."""

import copy
from datetime import timedelta

import pytest
from tests.support.key_ring import NOON, sign, signed_documents

from ringfence.model.errors import SignatureRefused
from ringfence.trust import roles
from ringfence.trust.ceremony import renewed
from ringfence.trust.publication import (
    Offline,
    check_offline,
    check_rollouts,
    merged,
    next_rollout,
    next_snapshot,
    next_timestamp,
    timestamp_is_due,
)
from ringfence.wire.rollout import Rollout, RolloutEntry


def _offline() -> Offline:
    root, targets, content = signed_documents()
    return Offline((root,), targets, content)


def test_what_is_signed_and_new_may_be_published() -> None:
    check_offline(_offline(), None, NOON)
    check_offline(_offline(), _offline(), NOON)


@pytest.mark.parametrize(("days", "words"), [(91, "content has expired"), (366, "root has expired")])
def test_what_has_expired_may_not(days: int, words: str) -> None:
    with pytest.raises(SignatureRefused, match=words):
        check_offline(_offline(), None, NOON + timedelta(days=days))


def test_roots_follow_each_other_and_none_is_left_out() -> None:
    first = _offline()
    second = sign(renewed(first.roots[0], roles.ROOT, NOON), "Ada", "Mary")
    third = sign(renewed(second, roles.ROOT, NOON), "Ada", "Mary")
    check_offline(Offline((*first.roots, second, third), first.targets, first.content), first, NOON)
    with pytest.raises(SignatureRefused, match="root 3 does not follow root 1"):
        check_offline(Offline((*first.roots, third), first.targets, first.content), None, NOON)
    with pytest.raises(SignatureRefused, match="between 1 and 3 are missing"):
        check_offline(Offline((third,), first.targets, first.content), first, NOON)
    known = Offline((*first.roots, second), first.targets, first.content)
    both = merged(known, Offline((second, third), first.targets, first.content))
    assert [one.signed.version for one in both.roots] == [1, 2, 3]


def test_a_document_that_lacks_a_signature_is_refused() -> None:
    offline = _offline()
    offline.content.signatures.popitem()
    with pytest.raises(SignatureRefused, match="1 of 2 signatures are missing for content"):
        check_offline(offline, None, NOON)


def test_one_version_has_one_content() -> None:
    other = copy.deepcopy(_offline())
    other.targets.signed.expires = NOON + timedelta(days=30)
    other.targets.signatures.clear()
    sign(other.targets, "Ada", "Grace")
    with pytest.raises(SignatureRefused, match="targets 1 is not the one that is published"):
        check_offline(other, _offline(), NOON)


def test_a_channel_selects_only_what_content_vouches_for() -> None:
    with pytest.raises(SignatureRefused, match="does not vouch for"):
        check_rollouts([Rollout("stable", (RolloutEntry("ab" * 32, 1),))], _offline().content.signed)


def test_the_servers_documents_rise_only_when_they_must() -> None:
    offline = _offline()
    targets = offline.targets.signed
    first = next_rollout(None, {}, targets, NOON)
    assert first is not None
    sign(first, "rollout server")
    assert next_rollout(first, {}, targets, NOON) is None
    changed = next_rollout(first, {"stable": Rollout("stable", ())}, targets, NOON)
    assert changed is not None
    assert changed.signed.version == 2
    assert next_rollout(first, {}, targets, NOON + timedelta(days=4)) is not None
    snapshot = next_snapshot(None, {"targets": 1}, offline.root, NOON)
    assert snapshot is not None
    sign(snapshot, "snapshot server")
    assert next_snapshot(snapshot, {"targets": 1}, offline.root, NOON) is None
    assert next_snapshot(snapshot, {"targets": 2}, offline.root, NOON) is not None
    stamp = next_timestamp(None, snapshot, NOON)
    assert not timestamp_is_due(stamp, NOON + timedelta(hours=23))
    assert timestamp_is_due(stamp, NOON + timedelta(hours=24))
    assert next_timestamp(stamp, snapshot, NOON).signed.version == 2
