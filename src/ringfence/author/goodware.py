"""Files that a release must leave alone: those of the machine's packages, our own, and whatever directories are named.

1. The list is sorted by path, each path once; links are not followed; what is no regular file is left out.
2. It is cut into batches at places that depend on the paths only, so that a new file changes one batch and no other.
3. A batch is known by the digest of its paths, sizes and contents; the list by the digest of its batches.  Contents are
   read again only where size, times or inode have changed since they were last read.
4. A file that vanishes, shrinks or cannot be read is counted, never fatal.
"""

import hashlib
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringfence.model.limits import (
    PROOF_BATCH_BYTES_MAX,
    PROOF_BATCH_FILES_MAX,
    PROOF_GOODWARE_FILE_BYTES_MAX,
    READ_PIECE_BYTES,
)

DPKG_INFO: Final = Path("/var/lib/dpkg/info")
CUT_ONE_IN: Final = 256
"""A batch ends at about every so manieth path, whatever comes before it."""

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class GoodFile:
    """One file of the list, as it was when it was listed."""

    path: str
    size_bytes: int
    state: str
    """Size, times and inode: what changes when the content does."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that are looked at together."""

    files: tuple[GoodFile, ...]

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def state_sha256(self) -> str:
        """Digest of what changes when a content does."""
        lines = (f"{file.path}\0{file.state}\n" for file in self.files)
        return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """A batch, read: what it held in the very moment."""

    sizes: tuple[int, ...]
    """0 for a file that could not be read."""

    sha256: str
    descriptor: int
    """A memory file with all contents, one behind the other; the caller's to close."""

    unreadable: int


def package_files(lists: Path = DPKG_INFO) -> list[str]:
    """The names of all files that packages own; none where there is no package manager that we know."""
    names: set[str] = set()
    for package in lists.glob("*.list"):
        names.update(package.read_text(encoding="utf-8", errors="surrogateescape").splitlines())
    return sorted(names)


def files_below(directory: Path) -> Iterator[str]:
    """The names of all files below `directory`, in no order.  Caches of compiled Python are left out: they change."""
    for root, directories, files in os.walk(directory):
        directories[:] = [name for name in directories if name != "__pycache__"]
        for name in files:
            yield os.path.join(root, name)  # noqa: PTH118 - a hundred thousand times


def listed(names: Iterable[str]) -> list[GoodFile]:
    """The regular files among `names`, in order.  Empty ones are left out: nothing can be found in them."""
    found = []
    for name in sorted(set(names)):
        try:
            status = os.lstat(name)
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= PROOF_GOODWARE_FILE_BYTES_MAX:
            state = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_dev} {status.st_ino}"
            found.append(GoodFile(name, status.st_size, state))
    return found


def batches_of(files: Sequence[GoodFile]) -> list[Batch]:
    """Rule 2.  A file over `PROOF_BATCH_BYTES_MAX` is a batch of its own."""
    made: list[Batch] = []
    batch: list[GoodFile] = []
    size_bytes = 0

    def close() -> None:
        nonlocal size_bytes
        if batch:
            made.append(Batch(tuple(batch)))
            batch.clear()
            size_bytes = 0

    for file in files:
        if file.size_bytes > PROOF_BATCH_BYTES_MAX:
            made.append(Batch((file,)))
            continue
        if len(batch) >= PROOF_BATCH_FILES_MAX or size_bytes + file.size_bytes > PROOF_BATCH_BYTES_MAX:
            close()
        batch.append(file)
        size_bytes += file.size_bytes
        if zlib.crc32(file.path.encode(errors="surrogateescape")) % CUT_ONE_IN == 0:
            close()
    close()
    return made


def read_batch(batch: Batch, known_sha256: str = "") -> ReadBatch:
    """Read every file of `batch` into a memory file.  `known_sha256`: its digest, if it need not be computed."""
    descriptor = os.memfd_create("goodware", os.MFD_CLOEXEC)
    digest = hashlib.sha256()
    sizes = []
    unreadable = 0
    for file in batch.files:
        content = hashlib.sha256()
        size = 0
        try:
            if known_sha256:
                for copied_bytes in _copied(file.path, descriptor):
                    size += copied_bytes
            else:
                for piece in _pieces(file.path):
                    content.update(piece)
                    size += _write(descriptor, piece)
        except OSError:
            unreadable += 1
        sizes.append(size)
        line = f"{file.path}\0{size}\0{content.hexdigest()}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return ReadBatch(tuple(sizes), known_sha256 or digest.hexdigest(), descriptor, unreadable)


def list_sha256(batches: Iterable[str]) -> str:
    """The digest of a whole list, from those of its batches in order."""
    return hashlib.sha256("\n".join(batches).encode()).hexdigest()


@contextmanager
def _opened(path: str) -> Iterator[tuple[int, int]]:
    """A file, and how much of it is read: of one that grows meanwhile no more than is allowed."""
    file = os.open(path, _OPEN)
    try:
        yield file, PROOF_GOODWARE_FILE_BYTES_MAX if stat.S_ISREG(os.fstat(file).st_mode) else 0
    finally:
        os.close(file)


def _pieces(path: str) -> Iterator[bytes]:
    """The content of a file."""
    with _opened(path) as (file, allowed):
        left = allowed
        while left > 0 and (piece := os.read(file, min(left, READ_PIECE_BYTES))):
            left -= len(piece)
            yield piece


def _copied(path: str, descriptor: int) -> Iterator[int]:
    """Copy as much of a file as `_pieces` gives, inside the kernel (sendfile(2)); says the bytes of each piece."""
    with _opened(path) as (file, allowed):
        left = allowed
        while left > 0 and (copied := os.sendfile(descriptor, file, None, min(left, READ_PIECE_BYTES))):
            left -= copied
            yield copied


def _write(descriptor: int, piece: bytes) -> int:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]
    return len(piece)
