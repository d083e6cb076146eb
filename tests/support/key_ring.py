"""Keys and documents of a small repository, made once for all the tests of a run.

Seeds are numbers: the same names give the same keys.  Sealed keys are made where a test is about sealing.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from tuf.api.metadata import Metadata

from ringfence.trust import roles
from ringfence.trust.ceremony import RoleKeys, add_signature, first_documents
from ringfence.trust.keys import open_key, sign_with, signer
from ringfence.wire.key_document import KeyDocument

NOON: Final = datetime(2026, 11, 27, 12, tzinfo=UTC)
"""A day of these tests."""

ROOT_OWNERS: Final = ("Ada", "Grace", "Mary")
CONTENT_OWNERS: Final = ("Lise", "Emmy", "Rosa")


@cache
def key(owner: str) -> KeyDocument:
    """The key of somebody, the same each time."""
    return open_key(owner, hashlib.sha256(owner.encode()).digest())


def keys(*owners: str) -> tuple[KeyDocument, ...]:
    """The keys of several."""
    return tuple(map(key, owners))


def role_keys() -> dict[str, RoleKeys]:
    """Who holds what."""
    return {
        roles.ROOT: RoleKeys(keys(*ROOT_OWNERS), 2),
        roles.CONTENT: RoleKeys(keys(*CONTENT_OWNERS), 2),
        roles.ROLLOUT: RoleKeys(keys("rollout server"), 1),
        roles.SNAPSHOT: RoleKeys(keys("snapshot server"), 1),
        roles.TIMESTAMP: RoleKeys(keys("timestamp server"), 1),
    }


def sign(document: Metadata[Any], *owners: str) -> Metadata[Any]:
    """Add the signatures of these owners, in place."""
    for one in keys(*owners):
        add_signature(document, sign_with(signer(one, ""), document.signed_bytes, one.owner))
    return document


def signed_documents(now: datetime = NOON, *, owners: Iterable[str] = ROOT_OWNERS[:2]) -> tuple[Metadata[Any], ...]:
    """Root, targets and content, version 1, signed by two of each three."""
    root, targets, content = first_documents(role_keys(), now)
    return sign(root, *owners), sign(targets, *owners), sign(content, *CONTENT_OWNERS[:2])
