"""The releases that this host keeps: one file for each, called by its SHA-256, in one directory.

A file is there whole or not at all, whenever the power goes.  Its name is its check: what no longer has that digest is
set aside under another name, counted, and never used.  What is loaded is a sealed copy in memory, so that the bytes
that were checked are the bytes that are used.  Nothing here reads what is inside a release.

A disk that is full or read-only costs the release that was to be kept, never one that is there.
"""

import errno
import fcntl
import hashlib
import os
import stat
from typing import Final

from ringfence.host.durable import copy_durably
from ringfence.model.errors import DiskFull
from ringfence.model.limits import READ_PIECE_BYTES, RELEASE_BYTES_MAX, RELEASE_STORE_BYTES_MAX, RELEASES_KEPT_MAX

_SUFFIX: Final = ".release"
_DAMAGED: Final = ".damaged"
_NAME_CHARACTERS: Final = frozenset("0123456789abcdef")
_DIGEST_CHARACTERS: Final = 64
SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class ReleaseStore:
    """The directory.  One process writes to it: the warden."""

    def __init__(self, directory: str) -> None:
        """Use the directory, which exists.  Removes what a write that was cut off has left."""
        self._directory = directory
        self.damaged = 0
        """Files that were found damaged and set aside, since this process began."""

        for name in self._names():
            if not name.endswith((_SUFFIX, _DAMAGED)):
                self._remove(name)

    def holds(self, sha256: str) -> bool:
        """Whether there is a file of this name; only `load` says whether it is sound."""
        return f"{sha256}{_SUFFIX}" in self._names()

    def kept(self) -> frozenset[str]:
        """The digests of everything that is kept."""
        return frozenset(name.removesuffix(_SUFFIX) for name in self._names() if name.endswith(_SUFFIX))

    def keep(self, sha256: str, descriptor: int) -> None:
        """Write down the release behind `descriptor`, a sealed memory file with this digest.  Raises DiskFull."""
        path = self._path(sha256)
        size = os.fstat(descriptor).st_size
        others = sum(self._size(name) for name in self._names() if name != os.path.basename(path))
        if others + size > RELEASE_STORE_BYTES_MAX or len(self.kept() - {sha256}) >= RELEASES_KEPT_MAX:
            raise DiskFull(
                f"{self._directory} holds {others} bytes; with this release it would hold more than is kept",
                "wait until the release that is being tried is settled: what is no longer needed goes then",
            )
        copy_durably(path, descriptor)

    def load(self, sha256: str) -> int | None:
        """A sealed memory file with the release, the caller's to close.  None: missing, or set aside as damaged."""
        path = self._path(sha256)
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError:
            self._set_aside(path)
            return None
        memory = os.memfd_create("ringfence-release", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            sound = stat.S_ISREG(os.fstat(source).st_mode) and _copy(source, memory) == sha256
        except OSError:
            sound = False  # the disk itself is damaged
        finally:
            os.close(source)
        if not sound:
            os.close(memory)
            self._set_aside(path)
            return None
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, SEALS)
        return memory

    def remove(self, sha256: str) -> None:
        """Remove one release, if it is there."""
        self._remove(f"{sha256}{_SUFFIX}")

    def retain(self, wanted: frozenset[str]) -> None:
        """Remove every other release.  What cannot be removed (a read-only disk) stays; it does no harm."""
        for digest in self.kept() - wanted:
            self._remove(f"{digest}{_SUFFIX}")

    def _path(self, sha256: str) -> str:
        if len(sha256) != _DIGEST_CHARACTERS or not _NAME_CHARACTERS.issuperset(sha256):
            raise ValueError(f"{sha256!r} is no digest")
        return f"{self._directory}/{sha256}{_SUFFIX}"

    def _names(self) -> list[str]:
        try:
            return os.listdir(self._directory)
        except OSError:
            return []

    def _size(self, name: str) -> int:
        try:
            return os.lstat(f"{self._directory}/{name}").st_size
        except OSError:
            return 0

    def _set_aside(self, path: str) -> None:
        """Keep the damaged file for whoever wants to know why; only the newest, or they would fill the disk."""
        self.damaged += 1
        for name in self._names():
            if name.endswith(_DAMAGED):
                self._remove(name)
        try:
            os.rename(path, path.removesuffix(_SUFFIX) + _DAMAGED)
        except OSError:
            pass  # read-only: it is found damaged again at the next load

    def _remove(self, name: str) -> None:
        try:
            os.unlink(f"{self._directory}/{name}")
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.EROFS, errno.EISDIR, errno.EPERM, errno.EIO):
                raise


def _copy(source: int, memory: int) -> str:
    """Copy a file into memory; the SHA-256 of what was copied, "" for one that is too large to be a release."""
    digest = hashlib.sha256()
    copied = 0
    while piece := os.read(source, READ_PIECE_BYTES):
        copied += len(piece)
        if copied > RELEASE_BYTES_MAX:
            return ""
        digest.update(piece)
        view = memoryview(piece)
        while view:
            view = view[os.write(memory, view) :]
    return digest.hexdigest()
