"""New releases in the content metadata: the next document, the files beside it, patches from older releases.

1. A release is decoded as a host decodes it, and must be proven unless the author says `unproven`, which is then
   part of what everybody signs.
2. A version of a name is used once.  The same bytes again are *signed again*: hosts that convicted them may try again.
3. Past its bound the oldest releases leave, and the patches that lead to them.
4. A patch is kept where it is less than half of the whole file.
"""

import copy
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from tuf.api.metadata import Metadata, TargetFile, Targets

from ringfence.author.ceremonies import in_force
from ringfence.author.trust_directory import TrustDirectory
from ringfence.author.whole_file import write_whole
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.limits import SIGNED_PATCHES_RECORDS_MAX, SIGNED_RELEASES_RECORDS_MAX
from ringfence.model.release import Release
from ringfence.trust import roles
from ringfence.trust.ceremony import expiry
from ringfence.wire.patch import make_patch, tar_of, zstd_version
from ringfence.wire.release import COMPRESSION_LEVEL, decode_release
from ringfence.wire.target_note import ReleaseNote, decode_note, note_table

_PATCH_SHARE: Final = 2
"""A patch that has more than one part in so many of the whole file is not worth its place."""


@dataclass(frozen=True, slots=True)
class SignedRelease:
    """A release that content vouches for, or is about to."""

    sha256: str
    note: ReleaseNote


def releases_of(content: Targets) -> list[SignedRelease]:
    """The releases of a content document, by name and version.  Raises SignatureRefused for a note that is off."""
    found = [
        SignedRelease(target.hashes["sha256"], decode_note(target.custom, target=path))
        for path, target in content.targets.items()
        if path.startswith(roles.RELEASE_PREFIX)
    ]
    return sorted(found, key=lambda one: (one.note.name, one.note.version))


def add_releases(
    directory: TrustDirectory, releases: Sequence[tuple[str, bytes]], *, unproven: bool, now: datetime
) -> Path:
    """Write the next content document with these releases, given as (name of the file, bytes); returns its path.

    Raises ContentRefused for a release that is off, unproven, or old; SignatureRefused while an earlier document waits.
    """
    document = in_force(directory.chain(), roles.CONTENT)
    content: Targets = copy.deepcopy(document.signed)
    content.version += 1
    content.expires = expiry(roles.CONTENT, now)
    for file, data in releases:
        release = _checked(file, data, unproven=unproven)
        _add(content, directory, file, data, release)
    _prune(content)
    return directory.write(roles.CONTENT, Metadata(content))


def _checked(file: str, data: bytes, *, unproven: bool) -> Release:
    """Rule 1."""
    release = decode_release(data)
    if not release.manifest.proof_sha256 and not unproven:
        raise ContentRefused(
            "nobody has proven this release",
            "prove it with `ringfence content prove`; --unproven signs it all the same, and hosts refuse it by default",
            file=file,
        )
    return release


def _add(content: Targets, directory: TrustDirectory, file: str, data: bytes, release: Release) -> None:
    manifest = release.manifest
    sha256 = hashlib.sha256(data).hexdigest()
    for known in releases_of(content):
        if known.sha256 == sha256 or known.note.name != manifest.name:
            continue
        if known.note.version >= manifest.version:
            raise ContentRefused(
                f"{manifest.name} version {manifest.version} comes after version {known.note.version}, which is signed",
                "build it with a higher version: versions are used once, and only rise",
                file=file,
            )
    tar = tar_of(data)
    note = ReleaseNote(
        name=manifest.name,
        version=manifest.version,
        signed_version=content.version,
        unproven=not manifest.proof_sha256,
        tar_sha256=hashlib.sha256(tar).hexdigest(),
        tar_bytes=len(tar),
        zstd=zstd_version(),
        level=COMPRESSION_LEVEL,
    )
    older = [one for one in releases_of(content) if one.note.name == manifest.name and one.sha256 != sha256]
    path = roles.release_path(sha256)
    target = TargetFile.from_data(path, data, ["sha256"])
    target.unrecognized_fields["custom"] = note_table(note)
    content.targets[path] = target
    _store(directory, path, data)
    for one in older[-SIGNED_PATCHES_RECORDS_MAX:]:
        _add_patch(content, directory, one.sha256, sha256, tar, len(data) // _PATCH_SHARE)


def _add_patch(
    content: Targets, directory: TrustDirectory, old: str, new: str, new_tar: bytes, bytes_max: int
) -> None:
    """Rule 4.  An older release whose file is not here gets no patch."""
    try:
        old_file = (directory.target_files / roles.release_path(old)).read_bytes()
    except FileNotFoundError:
        return
    if hashlib.sha256(old_file).hexdigest() != old:
        raise PathRefused(
            f"{directory.target_files / roles.release_path(old)} is damaged", "get it from the published repository"
        )
    patch = make_patch(tar_of(old_file), new_tar)
    if len(patch) > bytes_max:
        return
    path = roles.patch_path(old, new)
    content.targets[path] = TargetFile.from_data(path, patch, ["sha256"])
    _store(directory, path, patch)


def _store(directory: TrustDirectory, path: str, data: bytes) -> None:
    file = directory.target_files / path
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, data)


def _prune(content: Targets) -> None:
    """Rule 3."""
    by_name: dict[str, list[SignedRelease]] = {}
    for one in releases_of(content):
        by_name.setdefault(one.note.name, []).append(one)
    room = SIGNED_RELEASES_RECORDS_MAX // max(1, len(by_name))
    kept: set[str] = set()
    reached: set[str] = set()
    for releases in by_name.values():
        kept |= {one.sha256 for one in releases[-room:]}
        reached |= {one.sha256 for one in releases[-SIGNED_PATCHES_RECORDS_MAX:]}
    for path in list(content.targets):
        words = path.rpartition("/")[2].partition(".")[0].split("-")
        is_release = path.startswith(roles.RELEASE_PREFIX)
        if (is_release and words[0] not in kept) or (not is_release and words[-1] not in reached & kept):
            del content.targets[path]
