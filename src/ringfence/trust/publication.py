"""What a repository may publish next, given what it has published.  Pure.

1. Nothing goes back: every root follows the one before, targets and content only rise, a version has one content.
2. Everything that people sign is signed by enough of them, under the newest root, and has not expired.
3. A channel gets only releases that content vouches for.
4. The server's own roles are made here, unsigned: a new version of rollout where a channel or a key has changed or its
   life is half over, of snapshot where anything below it has changed, of timestamp always.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from ringfence.model.errors import SignatureRefused
from ringfence.trust import roles
from ringfence.trust.ceremony import expiry
from ringfence.trust.metadata import delegator_of, encode_metadata, quorum, require_signed
from ringfence.wire.rollout import Rollout, encode_rollout
from ringfence.wire.target_note import decode_note

_WAY_OUT: Final = "publish from the newest trust directory; nothing was published"


@dataclass(frozen=True, slots=True)
class Offline:
    """What people have signed: every root, and the newest targets and content."""

    roots: tuple[Metadata[Root], ...]
    targets: Metadata[Targets]
    content: Metadata[Targets]

    @property
    def root(self) -> Root:
        """The newest root."""
        return self.roots[-1].signed


@dataclass(frozen=True, slots=True)
class Online:
    """What the server has signed."""

    rollout: Metadata[Targets]
    snapshot: Metadata[Snapshot]
    timestamp: Metadata[Timestamp]


def check_offline(offered: Offline, published: Offline | None, now: datetime) -> None:
    """Rules 1 and 2.  Raises SignatureRefused."""
    for before, after in zip(offered.roots, offered.roots[1:], strict=False):
        if after.signed.version != before.signed.version + 1:
            _refuse(f"root {after.signed.version} does not follow root {before.signed.version}")
        require_signed(before.signed, roles.ROOT, after, file=f"{after.signed.version}.root.json")
    first = offered.roots[0]
    require_signed(first.signed, roles.ROOT, first, file=f"{first.signed.version}.root.json")
    newest = offered.roots[-1]
    require_signed(newest.signed, roles.ROOT, newest, file=f"{newest.signed.version}.root.json")
    require_signed(offered.root, roles.TARGETS, offered.targets, file="targets.json")
    require_signed(offered.targets.signed, roles.CONTENT, offered.content, file="content.json")
    for role, document in ((roles.ROOT, newest), (roles.TARGETS, offered.targets), (roles.CONTENT, offered.content)):
        if document.signed.expires <= now:
            _refuse(f"{role} has expired", f"renew it with `ringfence keys renew DIR --role {role}`")
    if published is not None:
        _check_advance(offered, published)


def _check_advance(offered: Offline, published: Offline) -> None:
    known = {one.signed.version: encode_metadata(one) for one in published.roots}
    if offered.root.version < published.root.version:
        _refuse(f"root {published.root.version} is published already, and this ends with {offered.root.version}")
    for one in offered.roots:
        if known.get(one.signed.version, encode_metadata(one)) != encode_metadata(one):
            _refuse(f"root {one.signed.version} is not the one that is published")
    if offered.roots[0].signed.version > published.root.version + 1:
        _refuse(f"the roots between {published.root.version} and {offered.roots[0].signed.version} are missing")
    for role, mine, theirs in (
        (roles.TARGETS, offered.targets, published.targets),
        (roles.CONTENT, offered.content, published.content),
    ):
        if mine.signed.version < theirs.signed.version:
            _refuse(f"{role} {theirs.signed.version} is published already, and this is {mine.signed.version}")
        if mine.signed.version == theirs.signed.version and mine.signed != theirs.signed:
            _refuse(f"{role} {mine.signed.version} is not the one that is published under this version")


def check_rollouts(rollouts: Sequence[Rollout], content: Targets) -> None:
    """Rule 3.  Raises SignatureRefused."""
    for rollout in rollouts:
        for entry in rollout.releases:
            path = roles.release_path(entry.sha256)
            target = content.targets.get(path)
            if target is None:
                _refuse(f"the channel {rollout.channel} names {entry.sha256[:16]}…, which content does not vouch for")
            if decode_note(target.custom, target=path).version != entry.version:
                _refuse(f"the channel {rollout.channel} names {entry.sha256[:16]}… as version {entry.version}")


def next_rollout(
    before: Metadata[Targets] | None, rollouts: Mapping[str, Rollout], targets: Targets, now: datetime
) -> Metadata[Targets] | None:
    """Rule 4: the next rollout document, or None where the one before holds."""
    wanted = {
        path: TargetFile.from_data(path, encode_rollout(rollout), ["sha256"])
        for channel, rollout in sorted(rollouts.items())
        for path in [roles.rollout_path(channel)]
    }
    if before is not None and before.signed.targets == wanted and _holds(before, roles.ROLLOUT, targets, now):
        return None
    version = 1 if before is None else before.signed.version + 1
    return Metadata(Targets(version=version, expires=expiry(roles.ROLLOUT, now), targets=wanted))


def rollout_bytes(rollout: Rollout) -> bytes:
    """The file of a channel's target."""
    return encode_rollout(rollout)


def next_snapshot(
    before: Metadata[Snapshot] | None, versions: Mapping[str, int], root: Root, now: datetime
) -> Metadata[Snapshot] | None:
    """Rule 4: the next snapshot document, or None where the one before holds."""
    meta = {f"{role}.json": MetaFile(version) for role, version in sorted(versions.items())}
    if before is not None and before.signed.meta == meta and _holds(before, roles.SNAPSHOT, root, now):
        return None
    version = 1 if before is None else before.signed.version + 1
    return Metadata(Snapshot(version=version, expires=expiry(roles.SNAPSHOT, now), meta=meta))


def next_timestamp(before: Metadata[Timestamp] | None, snapshot: Metadata[Snapshot], now: datetime) -> Metadata[Any]:
    """Rule 4: the next timestamp document.  It holds the snapshot's length and digest too."""
    data = encode_metadata(snapshot)
    meta = MetaFile.from_data(snapshot.signed.version, data, ["sha256"])
    version = 1 if before is None else before.signed.version + 1
    return Metadata(Timestamp(version=version, expires=expiry(roles.TIMESTAMP, now), snapshot_meta=meta))


def timestamp_is_due(timestamp: Metadata[Timestamp], now: datetime) -> bool:
    """Whether a third of a timestamp's life is over: a day of three, so that a weekend without a server is nothing."""
    life = timedelta(days=roles.RULES[roles.TIMESTAMP].life_days)
    return timestamp.signed.expires - now <= life - life / 3


def _holds(document: Metadata[Any], role: str, delegator: Root | Targets, now: datetime) -> bool:
    """Whether a document is signed by the keys of today and has half of its life before it."""
    half = timedelta(days=roles.RULES[role].life_days) / 2
    return not quorum(delegator, role, document).missing and document.signed.expires - now > half


def require_online(offline: Offline, online: Online) -> None:
    """Raise SignatureRefused unless the server's documents are signed by the keys that people named."""
    documents: dict[str, Metadata[Any]] = {
        roles.ROLLOUT: online.rollout, roles.SNAPSHOT: online.snapshot, roles.TIMESTAMP: online.timestamp,
    }  # fmt: skip
    for role, document in documents.items():
        delegator = delegator_of(role, offline.root, offline.targets.signed)
        if quorum(delegator, role, document).missing:
            raise SignatureRefused(
                f"the server's key for {role} is not one that root names",
                f"put the right key into the server's keys/{role}.key, or rotate it in with `ringfence keys rotate`",
            )


def merged(published: Offline | None, offered: Offline) -> Offline:
    """What is published next: every root that there is, and the newer documents."""
    roots = {one.signed.version: one for one in (*(published.roots if published else ()), *offered.roots)}
    return Offline(
        tuple(copy.deepcopy(roots[version]) for version in sorted(roots)), offered.targets, offered.content
    )


def _refuse(what: str, way_out: str = _WAY_OUT) -> NoReturn:
    raise SignatureRefused(what, way_out)
