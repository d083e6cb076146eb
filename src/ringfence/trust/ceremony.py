"""What people decide at a ceremony, as new versions of documents that they then sign.  Pure: nothing is signed here.

1. `first_documents`: root, targets and an empty content, version 1.
2. `with_keys`: the next version of the document that names a role's keys, with other keys.  The thresholds stay
   reachable, and one person's loss never stops the others: a revocation that leaves fewer keys than must agree is
   refused.
3. `renewed`: the next version with nothing new but its expiry.
4. `signature`: one more signature, only of a key that the role has; a new root also takes those of the root before it.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from securesystemslib.signer import Key, Signature
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, Role, Root, Signed, Targets

from ringfence.model import limits
from ringfence.model.errors import SignatureRefused, UsageRefused
from ringfence.trust import roles
from ringfence.trust.keys import owner_of, verifying_key
from ringfence.trust.metadata import delegator_of, require_distinct_keys
from ringfence.wire.key_document import KeyDocument

_TOP_LEVEL: Final = (roles.ROOT, roles.TARGETS, roles.SNAPSHOT, roles.TIMESTAMP)


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """The keys of one role and how many must agree."""

    keys: tuple[KeyDocument, ...]
    threshold: int


def first_documents(given: Mapping[str, RoleKeys], now: datetime) -> tuple[Metadata[Any], ...]:
    """Root, targets and content of a new repository, unsigned.  `given` has every role but targets, which is root's.

    Raises UsageRefused when a threshold cannot be reached.
    """
    given = {**given, roles.TARGETS: given[roles.ROOT]}
    root = Root(version=1, expires=_expiry(roles.ROOT, now), consistent_snapshot=True)
    for name in _TOP_LEVEL:
        root.roles[name] = Role([], given[name].threshold)
        for key in given[name].keys:
            root.add_key(verifying_key(key), name)
        _check_role(root, name)
    delegations = Delegations({}, {})
    for name in (roles.CONTENT, roles.ROLLOUT):
        rule = roles.RULES[name]
        delegated = DelegatedRole(name, [], given[name].threshold, terminating=True, paths=list(rule.paths))
        delegations.roles = {**(delegations.roles or {}), name: delegated}
    targets = Targets(version=1, expires=_expiry(roles.TARGETS, now), delegations=delegations)
    for name in (roles.CONTENT, roles.ROLLOUT):
        for key in given[name].keys:
            targets.add_key(verifying_key(key), name)
        _check_role(targets, name)
    content = Targets(version=1, expires=_expiry(roles.CONTENT, now))
    return Metadata(root), Metadata(targets), Metadata(content)


def with_keys(
    document: Metadata[Any],
    role: str,
    *,
    added: Sequence[KeyDocument],
    removed: Sequence[str],
    threshold: int | None,
    now: datetime,
) -> Metadata[Any]:
    """The next version of `document`, root or targets, in which `role` has other keys; targets' are root's own.

    Raises UsageRefused.
    `removed` are identifiers of keys, or their beginnings if no other key begins so.
    """
    signed = copy.deepcopy(document.signed)
    for name in (roles.ROOT, roles.TARGETS) if role == roles.ROOT else (role,):
        held = signed.get_delegated_role(name)
        for word in removed:
            signed.revoke_key(_the_one(word, held.keyids, name), name)
        for key in added:
            signed.add_key(verifying_key(key), name)
        if threshold is not None:
            held.threshold = threshold
        _check_role(signed, name)
    return _next(signed, roles.ROOT if isinstance(signed, Root) else roles.TARGETS, now)


def renewed(document: Metadata[Any], role: str, now: datetime) -> Metadata[Any]:
    """The next version with a later expiry, unsigned."""
    return _next(copy.deepcopy(document.signed), role, now)


def _next(signed: Signed, role: str, now: datetime) -> Metadata[Any]:
    signed.version += 1
    signed.expires = _expiry(role, now)
    return Metadata(signed)


def may_sign(
    keyid: str, role: str, document: Metadata[Any], *, root: Root | None, targets: Targets | None
) -> tuple[str, ...]:
    """As what a key may sign `document`: the names of the documents that list it for `role`.  Raises SignatureRefused.

    `root` is the root before a new root, or the one in force; `targets` the targets in force.
    """
    naming: list[tuple[str, Root | Targets]] = []
    if role == roles.ROOT:
        naming.append(("the new root", document.signed))
        if root is not None:
            naming.append(("the root before it", root))
    elif root is not None:
        naming.append((roles.RULES[role].delegator, delegator_of(role, root, targets)))
    found = tuple(words for words, one in naming if keyid in one.get_delegated_role(role).keyids)
    if not found:
        raise SignatureRefused(
            f"the key {keyid[:16]}… is not one of {role}'s",
            "sign with a key of that role; `ringfence keys show` lists them",
        )
    return found


def add_signature(document: Metadata[Any], signature: Signature) -> None:
    """Put one signature beside the others; the same key's earlier one is replaced."""
    document.signatures[signature.keyid] = signature


def names_of(delegator: Root | Targets, role: str) -> tuple[tuple[str, str], ...]:
    """(identifier, owner) of a role's keys."""
    keys: list[Key] = [delegator.get_key(keyid) for keyid in delegator.get_delegated_role(role).keyids]
    return tuple((key.keyid, owner_of(key)) for key in keys)


def expiry(role: str, now: datetime) -> datetime:
    """When a document of `role` that is made now expires."""
    return _expiry(role, now)


def _expiry(role: str, now: datetime) -> datetime:
    return (now + timedelta(days=roles.RULES[role].life_days)).replace(microsecond=0)


def _the_one(word: str, keyids: Sequence[str], role: str) -> str:
    found = [keyid for keyid in keyids if keyid.startswith(word)]
    if len(found) != 1:
        raise UsageRefused(
            f"{word!r} is the beginning of {len(found)} identifiers of {role}'s keys",
            "copy the identifier from `ringfence keys show`",
        )
    return found[0]


def _check_role(delegator: Root | Targets, role: str) -> None:
    """Refuse a threshold that cannot be reached, and one key under two identifiers."""
    held = delegator.get_delegated_role(role)
    count, threshold = len(held.keyids), held.threshold
    if not 1 <= threshold <= count:
        raise UsageRefused(
            f"the role {role} would have {count} keys of which {threshold} must agree",
            "add a key with --add, or say another threshold",
        )
    if count > limits.KEYS_PER_ROLE_MAX:
        raise UsageRefused(
            f"the role {role} would have {count} keys, more than {limits.KEYS_PER_ROLE_MAX}", "remove one with it"
        )
    require_distinct_keys(delegator, role, role)
