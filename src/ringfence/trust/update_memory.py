"""A memory of what was believed, beside the metadata itself.  Pure.

The update client takes local metadata that is damaged for missing, as the specification says, and would then believe
older metadata from whoever serves it.  So the highest versions are kept in a record of their own:

1. A role's version never falls below what was believed under the same keys.
2. Nothing is believed that had expired when a look last succeeded: a clock that was set back opens no door.
3. Other keys or another threshold begin anew: that is how a repository recovers from a key that ran its version up.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from tuf.api.metadata import Metadata, Root, Targets

from ringfence.model.errors import SignatureRefused
from ringfence.model.update import RoleMemory, UpdateMemory
from ringfence.trust import roles
from ringfence.trust.metadata import delegator_of, require_distinct_keys

_WAY_OUT: Final = (
    "the running release stays; if a server or a proxy of yours is between, look at it, else tell whoever publishes"
)


def advanced(
    memory: UpdateMemory, documents: Mapping[str, Metadata[Any]], now: datetime, epoch: datetime
) -> UpdateMemory:
    """The memory after these documents were verified.  Raises SignatureRefused when they go back.

    `documents` are the newest of each role, root among them.  `epoch` is the beginning of time, for arithmetic.
    """
    root: Root = documents[roles.ROOT].signed
    targets: Targets | None = documents[roles.TARGETS].signed if roles.TARGETS in documents else None
    now_s = max(int((now - epoch).total_seconds()), memory.seen_at_s)
    known = {one.role: one for one in memory.roles}
    for role, document in documents.items():
        delegator = delegator_of(role, root, targets)
        require_distinct_keys(delegator, role, role)
        keys = fingerprint(delegator, role)
        version = document.signed.version
        before = known.get(role)
        if before is not None and before.keys == keys and version < before.version:
            raise SignatureRefused(f"older than what is known: {role} {version} after {before.version}", _WAY_OUT)
        if (document.signed.expires - epoch).total_seconds() <= now_s:
            raise SignatureRefused(
                f"expired: {role} ended at {document.signed.expires:%Y-%m-%d %H:%M}, and this host has seen later days",
                _WAY_OUT,
            )
        known[role] = RoleMemory(role, version, keys)
    return UpdateMemory(tuple(known[role] for role in sorted(known)), now_s)


def fingerprint(delegator: Root | Targets, role: str) -> str:
    """A digest of a role's keys and threshold."""
    held = delegator.get_delegated_role(role)
    words = "\n".join([str(held.threshold), *sorted(held.keyids)])
    return hashlib.sha256(words.encode()).hexdigest()


def first_expiry_s(documents: Mapping[str, Metadata[Any]], epoch: datetime) -> int:
    """When the first of these documents expires; 0 without any."""
    return min((int((one.signed.expires - epoch).total_seconds()) for one in documents.values()), default=0)
