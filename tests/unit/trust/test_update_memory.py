"""What a host holds against old metadata, role by role."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.key_ring import NOON, keys, sign, signed_documents
from tuf.api.metadata import Metadata

from ringfence.model.errors import SignatureRefused
from ringfence.model.update import UpdateMemory
from ringfence.trust import roles
from ringfence.trust.ceremony import with_keys
from ringfence.trust.update_memory import advanced, fingerprint, first_expiry_s

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _documents(versions: dict[str, int] | None = None) -> dict[str, Metadata[Any]]:
    found = dict(zip(roles.OFFLINE, signed_documents(), strict=True))
    for role, version in (versions or {}).items():
        found[role].signed.version = version
    return found


def test_a_memory_takes_the_versions_and_the_time() -> None:
    memory = advanced(UpdateMemory(), _documents({"content": 5}), NOON, EPOCH)
    assert [(one.role, one.version) for one in memory.roles] == [("content", 5), ("root", 1), ("targets", 1)]
    assert memory.seen_at_s == int(NOON.timestamp())


def test_a_version_never_falls_under_the_same_keys() -> None:
    memory = advanced(UpdateMemory(), _documents({"content": 5}), NOON, EPOCH)
    assert advanced(memory, _documents({"content": 5}), NOON, EPOCH) == memory
    with pytest.raises(SignatureRefused, match="content 4 after 5"):
        advanced(memory, _documents({"content": 4}), NOON, EPOCH)


def test_other_keys_begin_a_new_count() -> None:
    memory = advanced(UpdateMemory(), _documents({"content": 2_000_000}), NOON, EPOCH)
    documents = _documents({"content": 6})
    targets = with_keys(
        documents["targets"], roles.CONTENT, added=keys("Hedy"), removed=[keys("Lise")[0].keyid], threshold=None,
        now=NOON,
    )  # fmt: skip
    documents["targets"] = sign(targets, "Ada", "Grace")
    after = advanced(memory, documents, NOON, EPOCH)
    assert {one.role: one.version for one in after.roles}["content"] == 6


def test_a_role_that_is_not_there_this_time_is_not_forgotten() -> None:
    memory = advanced(UpdateMemory(), _documents(), NOON, EPOCH)
    fewer = {role: document for role, document in _documents().items() if role != "content"}
    assert advanced(memory, fewer, NOON, EPOCH) == memory


def test_time_does_not_go_back() -> None:
    later = NOON + timedelta(days=80)
    memory = advanced(UpdateMemory(), _documents(), later, EPOCH)
    assert advanced(memory, _documents(), NOON, EPOCH).seen_at_s == memory.seen_at_s
    with pytest.raises(SignatureRefused, match="content ended"):
        advanced(UpdateMemory(memory.roles, memory.seen_at_s + 11 * 86_400), _documents(), NOON, EPOCH)


def test_the_first_expiry_is_the_one_that_counts() -> None:
    assert first_expiry_s(_documents(), EPOCH) == int((NOON + timedelta(days=90)).timestamp())
    assert first_expiry_s({}, EPOCH) == 0


def test_a_threshold_is_part_of_the_keys() -> None:
    root = _documents()["root"].signed
    before = fingerprint(root, roles.ROOT)
    root.roles["root"].threshold = 3
    assert fingerprint(root, roles.ROOT) != before
