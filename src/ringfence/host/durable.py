"""The one durable write, and a directory of files that are written durably.

`write_durably` in order: a temporary file in the same directory, its bytes, fsync, replace, fsync of the directory.
Whatever happens in between, the old content or the new one is there, never a mixture.  Not promised: that a failed
replacement leaves no temporary file (`Directory` removes them at its start), and anything about a disk that says it has
written what it has not.

Everything that stops a write becomes `DiskFull`, with the reason in its text.
"""

import errno
import os
from pathlib import Path
from typing import Final, Protocol

from ringfence.model.errors import DiskFull
from ringfence.model.limits import READ_PIECE_BYTES

_TEMPORARY: Final = ".unfinished"
_MODE: Final = 0o600


def write_durably(path: Path, data: bytes, *, mode: int = _MODE) -> None:
    """Replace the file at `path` by `data`.  Raises DiskFull."""
    temporary = path.with_name(f"{path.name}{_TEMPORARY}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise _disk_full(path, error) from error


def copy_durably(path: str, source: int, *, mode: int = _MODE) -> None:
    """Replace the file at `path` by what is behind the descriptor `source`.  Raises DiskFull, and gives back the space
    that the copy has taken.
    """
    temporary = f"{path}{_TEMPORARY}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        try:
            offset = 0
            while piece := os.pread(source, READ_PIECE_BYTES, offset):
                _write_all(descriptor, piece)
                offset += len(piece)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
        _sync_directory(Path(path).parent)
    except OSError as error:
        try:
            os.unlink(temporary)
        except OSError:
            pass  # it was not made, or the disk is read-only
        raise _disk_full(Path(path), error) from error


class Storage(Protocol):
    """A directory of files that can be appended to and replaced.  A simulation stands in for it in tests.

    What `append` has written is certain only after `sync`.  Every write raises DiskFull when it cannot be done.
    """

    def names(self) -> tuple[str, ...]:
        """The files, in the order of their names."""
        ...

    def read(self, name: str, offset: int = 0) -> bytes:
        """The bytes of a file from `offset` to its end; b"" when it is not there."""
        ...

    def append(self, name: str, data: bytes) -> None:
        """Write `data` at the end of a file that exists.  When that fails, the file ends where it did."""
        ...

    def sync(self, name: str) -> None:
        """Return when everything written to a file would survive the loss of power.

        When that fails, what was appended since the last success is taken back: a later sync could claim what the
        kernel has given up.
        """
        ...

    def replace(self, name: str, data: bytes) -> None:
        """Make a file that holds exactly `data`, durably."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...


class Directory:
    """`Storage` in a real directory.  One file is kept open for appending."""

    def __init__(self, path: Path) -> None:
        """Use the directory at `path`, which exists and is ours.  Removes unfinished replacements."""
        self._path = path
        self._name = ""
        self._descriptor = -1
        self._synced_bytes = 0
        for unfinished in sorted(path.glob(f"*{_TEMPORARY}")):
            unfinished.unlink(missing_ok=True)

    def names(self) -> tuple[str, ...]:
        """The files, in the order of their names."""
        return tuple(sorted(path.name for path in self._path.iterdir()))

    def read(self, name: str, offset: int = 0) -> bytes:
        """The bytes of a file from `offset` to its end; b"" when it is not there."""
        try:
            with (self._path / name).open("rb") as file:
                file.seek(offset)
                return file.read()
        except FileNotFoundError:
            return b""

    def append(self, name: str, data: bytes) -> None:
        """Write `data` at the end of a file that exists.  When that fails, the file ends where it did."""
        try:
            descriptor = self._opened(name)
            size = os.fstat(descriptor).st_size
            try:
                _write_all(descriptor, data)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        except OSError as error:
            raise _disk_full(self._path / name, error) from error

    def sync(self, name: str) -> None:
        """Return when everything written to a file would survive the loss of power, or take it back."""
        try:
            descriptor = self._opened(name)
            try:
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, self._synced_bytes)
                raise
            self._synced_bytes = os.fstat(descriptor).st_size
        except OSError as error:
            raise _disk_full(self._path / name, error) from error

    def replace(self, name: str, data: bytes) -> None:
        """Make a file that holds exactly `data`, durably."""
        if name == self._name:
            self.close()
        write_durably(self._path / name, data)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if name == self._name:
            self.close()
        (self._path / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file that is open for appending."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._name, self._descriptor = "", -1

    def _opened(self, name: str) -> int:
        if name != self._name:
            self.close()
            self._descriptor = os.open(self._path / name, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
            self._name = name
            self._synced_bytes = os.fstat(self._descriptor).st_size
        return self._descriptor


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _disk_full(path: Path, error: OSError) -> DiskFull:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    way_out = "free space there; nothing is lost meanwhile" if full else "look at the disk and at the kernel's log"
    return DiskFull(f"{path} cannot be written: {error.strerror}", way_out)
