"""The published repository: static files that any web server can serve, changed all at once or not at all.

    DIR/current -> generations/00000007          what is served
    DIR/generations/00000007/metadata/           every root, N.targets.json, …, timestamp.json
    DIR/generations/00000007/targets/            releases, patches, rollouts, each under its digest

1. One publisher at a time: a lock, waited for with a bound.
2. A generation is complete, durable and judged before the link `current` is replaced, which is one atomic act: a power
   cut at any step leaves what was served before, or what is served now.  What an interrupted publisher has left is
   removed by the next one.
3. The files of the generation before stay in the next one, so that a host in the middle of a refresh finds them.
4. The server's own roles are signed here, with the keys in `DIR/../keys`.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tuf.api.metadata import Metadata, TargetFile, Targets

from ringfence.control.online_keys import OnlineKeys
from ringfence.control.tls import write_durably
from ringfence.model.errors import AddressInUse, DiskFull, SignatureRefused
from ringfence.model.limits import PUBLISH_LOCK_LOOK_MS, PUBLISH_LOCK_MS
from ringfence.trust import publication, roles
from ringfence.trust.metadata import decode_metadata, encode_metadata
from ringfence.trust.publication import Offline, Online
from ringfence.wire.rollout import Rollout, decode_rollout

CURRENT: Final = "current"
_MODE: Final = 0o644
_UNFINISHED: Final = ".unfinished"
_DAMAGED: Final = "restore the server's repository from a copy, or publish from the trust directory into a new one"

Judge = Callable[[Path], None]
"""Looks at a complete generation before it is served; raises when a host would refuse it."""


class Published:
    """One generation, read and checked."""

    def __init__(self, path: Path) -> None:
        """Read the generation at `path`.  Raises SignatureRefused when it is damaged."""
        self.path = path
        timestamp = self._document(roles.TIMESTAMP, None)
        snapshot = self._document(roles.SNAPSHOT, timestamp.signed.snapshot_meta.version)
        versions = {name.removesuffix(".json"): meta.version for name, meta in snapshot.signed.meta.items()}
        roots = sorted(int(file.name.partition(".")[0]) for file in (path / "metadata").glob("*.root.json"))
        try:
            self.offline = Offline(
                tuple(self._document(roles.ROOT, version) for version in roots),
                self._document(roles.TARGETS, versions[roles.TARGETS]),
                self._document(roles.CONTENT, versions[roles.CONTENT]),
            )
            self.online = Online(self._document(roles.ROLLOUT, versions[roles.ROLLOUT]), snapshot, timestamp)
        except KeyError as error:
            raise SignatureRefused(f"{path}: the snapshot does not name {error}", _DAMAGED) from error
        self.rollouts = {channel: self._rollout(channel) for channel in self._channels()}

    def _document(self, role: str, version: int | None) -> Metadata[Any]:
        file = self.path / "metadata" / (f"{role}.json" if version is None else f"{version}.{role}.json")
        try:
            return decode_metadata(file.read_bytes(), role, file=str(file))
        except OSError as error:
            raise SignatureRefused(f"{file}: {error.strerror}", _DAMAGED) from error

    def _channels(self) -> list[str]:
        return [path.removeprefix("rollouts/").removesuffix(".json") for path in self.online.rollout.signed.targets]

    def _rollout(self, channel: str) -> Rollout:
        target = self.online.rollout.signed.targets[roles.rollout_path(channel)]
        return decode_rollout((self.path / "targets" / served_name(target)).read_bytes(), channel=channel)


class Repository:
    """The repository below one directory."""

    def __init__(self, path: Path, keys: OnlineKeys) -> None:
        self.path = path
        self._keys = keys

    def published(self) -> Published | None:
        """What is served; None where nothing is.  Raises SignatureRefused when it is damaged."""
        current = self.path / CURRENT
        return Published(current.resolve()) if current.is_symlink() else None

    def publish(
        self,
        offered: Offline,
        files: Callable[[str], Path],
        rollouts: Mapping[str, Rollout],
        now: datetime,
        judge: Judge,
    ) -> Published:
        """Serve what people have signed, with these channels changed.  `files` finds the file of a target.

        Raises SignatureRefused for what may not be published, AddressInUse while another publisher is at work,
        DiskFull, and whatever `judge` raises.  What was served before is served on.
        """
        with self._locked():
            before = self.published()
            publication.check_offline(offered, before.offline if before else None, now)
            offline = publication.merged(before.offline if before else None, offered)
            wanted = {**(before.rollouts if before else {}), **rollouts}
            publication.check_rollouts(list(wanted.values()), offline.content.signed)
            return self._next(before, offline, wanted, files, now, judge)

    def renew(self, now: datetime) -> Published | None:
        """Sign the server's own roles again where their time has come; None where nothing was due."""
        with self._locked():
            before = self.published()
            if before is None or not publication.timestamp_is_due(before.online.timestamp, now):
                return None
            return self._next(before, before.offline, before.rollouts, _no_file, now, lambda _: None)

    def _next(
        self,
        before: Published | None,
        offline: Offline,
        rollouts: Mapping[str, Rollout],
        files: Callable[[str], Path],
        now: datetime,
        judge: Judge,
    ) -> Published:
        """Make the next generation and serve it."""
        online = self._signed(before, offline, rollouts, now)
        publication.require_online(offline, online)
        number = online.timestamp.signed.version
        name = f"{number:08}"
        building = self.path / "generations" / f"{name}{_UNFINISHED}"
        try:
            self._remove_leftovers()
            _fill(building, before, offline, online, rollouts, files)
            judge(building)
            finished = building.with_name(name)
            building.rename(finished)
            _sync(finished.parent)
            self._serve(name)
        except OSError as error:
            shutil.rmtree(building, ignore_errors=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(f"no room below {self.path}", "make room; what was served is served on") from error
            raise
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            raise
        self._remove_leftovers(keep=before.path.name if before else "")
        return Published(finished)

    def _signed(
        self, before: Published | None, offline: Offline, rollouts: Mapping[str, Rollout], now: datetime
    ) -> Online:
        """The server's documents: new ones are signed."""
        known = before.online if before else None
        rollout = publication.next_rollout(known.rollout if known else None, rollouts, offline.targets.signed, now)
        rollout = self._with_signature(roles.ROLLOUT, rollout) or _required(known).rollout
        versions = {
            roles.TARGETS: offline.targets.signed.version,
            roles.CONTENT: offline.content.signed.version,
            roles.ROLLOUT: rollout.signed.version,
        }
        snapshot = publication.next_snapshot(known.snapshot if known else None, versions, offline.root, now)
        snapshot = self._with_signature(roles.SNAPSHOT, snapshot) or _required(known).snapshot
        timestamp = publication.next_timestamp(known.timestamp if known else None, snapshot, now)
        self._with_signature(roles.TIMESTAMP, timestamp)
        return Online(rollout, snapshot, timestamp)

    def _with_signature(self, role: str, document: Metadata[Any] | None) -> Metadata[Any] | None:
        if document is not None:
            signature = self._keys.sign(role, document.signed_bytes)
            document.signatures[signature.keyid] = signature
        return document

    def _serve(self, name: str) -> None:
        """The one atomic act."""
        link = self.path / f"{CURRENT}{_UNFINISHED}"
        link.unlink(missing_ok=True)
        link.symlink_to(Path("generations") / name)
        link.replace(self.path / CURRENT)
        _sync(self.path)

    def _remove_leftovers(self, keep: str = "") -> None:
        """Generations that are not served, but for the one before: a host may be in the middle of it."""
        generations = self.path / "generations"
        generations.mkdir(parents=True, exist_ok=True)
        current = (self.path / CURRENT).resolve().name
        for entry in generations.iterdir():
            if entry.name not in (current, keep):
                shutil.rmtree(entry, ignore_errors=True)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Rule 1."""
        self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            deadline = time.monotonic() + PUBLISH_LOCK_MS / 1_000
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() >= deadline:
                        raise AddressInUse(
                            f"somebody else publishes into {self.path}", "wait until they are done, and run it again"
                        ) from error
                    time.sleep(PUBLISH_LOCK_LOOK_MS / 1_000)
            yield
        finally:
            os.close(descriptor)


def served_name(target: TargetFile) -> str:
    """Where a target lies below `targets/`: its digest stands before its name."""
    folder, slash, name = target.path.rpartition("/")
    return f"{folder}{slash}{target.hashes['sha256']}.{name}"


def _fill(
    building: Path,
    before: Published | None,
    offline: Offline,
    online: Online,
    rollouts: Mapping[str, Rollout],
    files: Callable[[str], Path],
) -> None:
    """Write a whole generation, durably.  Raises SignatureRefused for a file that is not what was signed."""
    metadata, targets = building / "metadata", building / "targets"
    for folder in (metadata, *(targets / name for name in ("releases", "patches", "rollouts"))):
        folder.mkdir(parents=True)
    documents = _documents(offline, online)
    if before is not None:  # rule 3
        for name in set(_documents(before.offline, before.online)) - set(documents):
            os.link(before.path / "metadata" / name, metadata / name)
    for name, document in documents.items():
        write_durably(metadata / name, encode_metadata(document), _MODE)
    for channel in rollouts:
        target = online.rollout.signed.targets[roles.rollout_path(channel)]
        write_durably(targets / served_name(target), publication.rollout_bytes(rollouts[channel]), _MODE)
    earlier = _served(before)
    for target in offline.content.signed.targets.values():
        if served_name(target) not in earlier:
            _bring(files(target.path), targets / served_name(target), target)
    for name, file in earlier.items():  # rule 3, and what is signed again
        if not (targets / name).exists():
            os.link(file, targets / name)
    for folder in (metadata, *(one for one in targets.iterdir()), targets, building):
        _sync(folder)


def _served(before: Published | None) -> dict[str, Path]:
    """The files of the generation before, by their names; only those that it still vouches for itself."""
    if before is None:
        return {}
    signed: list[Targets] = [before.offline.content.signed, before.online.rollout.signed]
    names = [served_name(target) for one in signed for target in one.targets.values()]
    return {name: before.path / "targets" / name for name in names}


def _bring(source: Path, place: Path, target: TargetFile) -> None:
    """Put a target's file in its place, if it is what was signed."""
    try:
        data = source.read_bytes()
    except OSError as error:
        way_out = "publish from the directory that holds the file"
        raise SignatureRefused(f"{source}: {error.strerror}", way_out) from error
    if len(data) != target.length or hashlib.sha256(data).hexdigest() != target.hashes.get("sha256"):
        raise SignatureRefused(f"{source} is not the file that was signed", "get it again from whoever signed it")
    write_durably(place, data, _MODE)


def _documents(offline: Offline, online: Online) -> dict[str, Metadata[Any]]:
    """Every document of a generation under the name that it is served by."""
    found: dict[str, Metadata[Any]] = {f"{one.signed.version}.{roles.ROOT}.json": one for one in offline.roots}
    versioned: dict[str, Metadata[Any]] = {
        roles.TARGETS: offline.targets,
        roles.CONTENT: offline.content,
        roles.ROLLOUT: online.rollout,
        roles.SNAPSHOT: online.snapshot,
    }
    found |= {f"{document.signed.version}.{role}.json": document for role, document in versioned.items()}
    return {**found, f"{roles.TIMESTAMP}.json": online.timestamp}


def _required(known: Online | None) -> Online:
    if known is None:
        raise AssertionError("a first publication signs every document")
    return known


def _no_file(path: str) -> Path:
    raise SignatureRefused(f"{path} is signed but not in the repository", _DAMAGED)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
