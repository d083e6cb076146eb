"""One look for an update: refresh, choose, fetch, judge.  The same for a host's updater and for a publisher's judge.

1. The trust begins at the root that the host was given, and goes on along the chain of roots.
2. A channel's document selects; only `content` vouches.  What it selects must be the very release and version.
3. A patch against the release that the host holds is tried first, and whatever is wrong with it costs only that: the
   whole file is fetched.
4. What is given out is exactly the signed file.
"""

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tuf.api.metadata import Metadata, TargetFile
from tuf.api.serialization import DeserializationError

from ringfence.host.content_http import NotFetched
from ringfence.host.durable import write_durably
from ringfence.host.update_client import MemoryFetcher, UpdateClient, fits
from ringfence.model import limits
from ringfence.model.errors import ContentRefused, SignatureRefused
from ringfence.model.update import UpdateMemory
from ringfence.trust import roles
from ringfence.trust.update_memory import advanced, first_expiry_s
from ringfence.wire.patch import apply_patch, packed, tar_of, zstd_version
from ringfence.wire.rollout import decode_rollout
from ringfence.wire.target_note import ReleaseNote, decode_note
from ringfence.wire.update_memory import FILE, decode_memory, encode_memory

METADATA_URL: Final = "metadata"
TARGETS_URL: Final = "targets"
"""Folders of the repository; the fetcher knows which server."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WAY_OUT: Final = "the running release stays; tell whoever publishes the channel"


@dataclass(frozen=True, slots=True)
class Selected:
    """The release that a channel gets, as content vouches for it."""

    sha256: str
    note: ReleaseNote
    target: TargetFile


@dataclass(frozen=True, slots=True)
class Fetched:
    """A verified release.  `patched`: it was made from the one that the host holds."""

    data: bytes
    patched: bool


class Look:
    """One look with the metadata in one directory."""

    def __init__(self, directory: Path, fetcher: MemoryFetcher, root: bytes) -> None:
        """Begin at `root`.  Raises SignatureRefused when it is none."""
        self._directory = directory
        self._client = UpdateClient(
            str(directory), fetcher, root=root, metadata_url=METADATA_URL, targets_url=TARGETS_URL
        )

    def select(self, channel: str, now: datetime) -> Selected | None:
        """What the channel gets; None: nothing.  Raises SignatureRefused, NotFetched or DiskFull."""
        self._client.refresh()
        rollout = self._client.find(roles.rollout_path(channel))
        selected = None if rollout is None else self._selected(rollout, channel)
        memory = advanced(remembered(self._directory), believed(self._directory), now, _EPOCH)
        write_durably(self._directory / FILE, encode_memory(memory))
        return selected

    def _selected(self, rollout: TargetFile, channel: str) -> Selected | None:
        if rollout.length > limits.METADATA_ROLLOUT_BYTES_MAX:
            raise SignatureRefused(f"the rollout of {channel} has {rollout.length} bytes", _WAY_OUT)
        entry = decode_rollout(self._client.download(rollout), channel=channel).newest
        if entry is None:
            return None
        path = roles.release_path(entry.sha256)
        target = self._client.find(path)
        if target is None:
            raise SignatureRefused(f"the channel {channel} selects a release that content does not vouch for", _WAY_OUT)
        note = decode_note(target.custom, target=path)
        if note.version != entry.version or target.hashes.get("sha256") != entry.sha256:
            raise SignatureRefused(f"the channel {channel} and content say different things about {path}", _WAY_OUT)
        if target.length > limits.RELEASE_BYTES_MAX:
            raise SignatureRefused(f"{path} has {target.length} bytes", _WAY_OUT)
        return Selected(entry.sha256, note, target)

    def fetch(self, selected: Selected, held: bytes) -> Fetched:
        """The release; `held` is the one that the host has, b"" for none.  Raises SignatureRefused or NotFetched."""
        patched = self._patched(selected, held) if held else None
        if patched is not None:
            return Fetched(patched, patched=True)
        return Fetched(self._client.download(selected.target), patched=False)

    def _patched(self, selected: Selected, held: bytes) -> bytes | None:
        """Rule 3."""
        note = selected.note
        if note.zstd != zstd_version():
            return None
        path = roles.patch_path(hashlib.sha256(held).hexdigest(), selected.sha256)
        try:
            target = self._client.find(path)
            if target is None or target.length >= selected.target.length or target.length > limits.PATCH_BYTES_MAX:
                return None
            tar = apply_patch(tar_of(held), self._client.download(target), note.tar_bytes)
        except (ContentRefused, SignatureRefused, NotFetched):
            return None
        if hashlib.sha256(tar).hexdigest() != note.tar_sha256:
            return None
        data = packed(tar, note.level)
        return data if fits(selected.target, data) else None


def remembered(directory: Path) -> UpdateMemory:
    """What the last look left; nothing where it is missing or damaged."""
    try:
        return decode_memory((directory / FILE).read_bytes())
    except (OSError, ContentRefused):
        return UpdateMemory()


def believed(directory: Path) -> dict[str, Metadata[Any]]:
    """The documents in the directory, which the client has verified; those that cannot be read are left out."""
    found: dict[str, Metadata[Any]] = {}
    for role, rule in roles.RULES.items():
        try:
            with open(os.path.join(directory, f"{role}.json"), "rb") as file:
                found[role] = Metadata[Any].from_bytes(file.read(rule.bytes_max + 1))
        except (OSError, DeserializationError):
            continue
    return found


def expires_at_s(directory: Path) -> int:
    """When the first of the documents that the host believes expires; 0: it believes none."""
    return first_expiry_s(believed(directory), _EPOCH)
