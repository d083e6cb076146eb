"""The state directory on the disk of a machine that does not boot, seen from outside.

Everything goes through descriptors of directories, one name after the other, and no name may be a link: whatever lies
on that disk, nothing outside it is read or written.  What is taken away is kept, beside its old place, under a name
that no one else has.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ringfence.decide import boot_guard as machine
from ringfence.model.boot import NO_DIGEST, BootRecord, Level, Reason
from ringfence.model.errors import DiskFull, PathRefused
from ringfence.model.limits import ACTIVATION_RECORD_BYTES_MAX, RESCUED_KEPT_ENTRIES_MAX, STATE_MARKER_BYTES_MAX
from ringfence.wire.boot_record import FILE_BYTES, decode_file, writes

MARKER: Final = "ringfence-state.json"
_WAY_OUT: Final = "mount the machine's disk, and name where with --root and its state directory with --state"
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class RescueDisk:
    """One state directory below one root."""

    def __init__(self, root: str, state: str) -> None:
        """Open it.  Raises PathRefused for what is no state directory of a sensor, and for links on the way."""
        self.path = os.path.join(root, state.lstrip("/"))
        self._state = _descend(root, state)
        names = os.listdir(self._state)
        if MARKER not in names and not {"boot", "content", "host"} & set(names):
            os.close(self._state)
            raise PathRefused(f"{self.path} is not the state directory of a sensor", _WAY_OUT)

    def close(self) -> None:
        """Let go of it."""
        os.close(self._state)

    def boot_record(self) -> tuple[BootRecord | None, bool]:
        """The boot guard's record, and whether there was one that is lost."""
        data = self.read("boot", "guard.record", FILE_BYTES)
        slots = decode_file(data)
        lost = slots.record is None and (len(data) < FILE_BYTES or slots.damaged != ())
        return slots.record, lost

    def activation_record(self) -> bytes:
        """The sensor's own record; b"" where there is none that can be read."""
        return self.read("content", "activation.record", ACTIVATION_RECORD_BYTES_MAX)

    def releases(self) -> list[str]:
        """The digests of the releases that are kept, sorted; a name that is none is left out."""
        try:
            with self._inside("content") as content:
                descriptor = os.open("releases", _DIRECTORY, dir_fd=content)
                try:
                    names = os.listdir(descriptor)
                finally:
                    os.close(descriptor)
        except OSError:
            return []
        return sorted(name.removesuffix(".release") for name in names if name.endswith(".release"))

    def marker(self) -> str:
        """What the state directory says about itself, for people."""
        try:
            return _read(self._state, MARKER, STATE_MARKER_BYTES_MAX).decode("utf-8", "backslashreplace")
        except OSError:
            return ""

    def read(self, folder: str, name: str, bytes_max: int) -> bytes:
        """The first bytes of a regular file; b"" for everything else."""
        try:
            with self._inside(folder) as descriptor:
                return _read(descriptor, name, bytes_max)
        except OSError:
            return b""

    def set_level(self, level: Level, activation: bytes, now_s: int) -> None:
        """Write the boot guard's record anew, at `level`.  Raises DiskFull."""
        record, _ = self.boot_record()
        told = machine.step(record or machine.FIRST, machine.Told(level, Reason.RESCUED, activation), now_s)
        try:
            with self._inside("boot", make=True) as boot:
                self._make_record(boot)
                descriptor = os.open("guard.record", os.O_WRONLY | _FILE, dir_fd=boot)
                try:
                    for offset, slot in writes(told):
                        os.pwrite(descriptor, slot, offset)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                self._switch(boot, off=level is Level.OFF)
                os.fsync(boot)
        except OSError as error:
            raise _unwritable(f"{self.path}/boot", error) from error

    def _make_record(self, boot: int) -> None:
        """A record that can be overwritten in place; whatever else has its name is kept under another."""
        try:
            seen = os.stat("guard.record", dir_fd=boot, follow_symlinks=False)
            if stat.S_ISREG(seen.st_mode) and seen.st_size >= FILE_BYTES and seen.st_nlink == 1:
                return
            _set_aside(boot, "guard.record")
        except FileNotFoundError:
            pass  # it is made now
        descriptor = os.open("guard.record", os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=boot)
        try:
            os.write(descriptor, bytes(FILE_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @staticmethod
    def _switch(boot: int, *, off: bool) -> None:
        """The file whose presence keeps systemd from starting the sensor, even where the guard itself cannot run."""
        try:
            os.unlink("off", dir_fd=boot)
        except FileNotFoundError:
            pass  # it was not off
        except IsADirectoryError:
            _set_aside(boot, "off")
        if off:
            os.close(os.open("off", os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=boot))

    def set_content_aside(self) -> str:
        """Give the sensor no content but its package's; the name under which the old one is kept, "" if there is none.

        Raises DiskFull.
        """
        try:
            os.stat("content", dir_fd=self._state, follow_symlinks=False)
        except FileNotFoundError:
            return ""
        try:
            kept = _set_aside(self._state, "content")
            os.fsync(self._state)
        except OSError as error:
            raise _unwritable(f"{self.path}/content", error) from error
        return kept

    @contextmanager
    def _inside(self, folder: str, *, make: bool = False) -> Iterator[int]:
        """A folder of the state directory.  Raises OSError for a link, and for everything that is no directory."""
        if make:
            try:
                os.mkdir(folder, 0o700, dir_fd=self._state)
            except FileExistsError:
                pass  # what it is shows when it is opened
        descriptor = os.open(folder, _DIRECTORY, dir_fd=self._state)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _descend(root: str, path: str) -> int:
    """A descriptor of the directory `path` below `root`, reached through directories only.  Raises PathRefused."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise PathRefused(f"--state {path!a} does not lead to a directory below the root", _WAY_OUT)
    try:
        here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise PathRefused(f"--root {root}: {error.strerror}", _WAY_OUT) from error
    walked = root.rstrip("/")
    for part in parts:
        walked += f"/{part}"
        try:
            below = os.open(part, _DIRECTORY, dir_fd=here)
        except OSError as error:
            link = "it is a link; name the directory that it leads to, on that disk" if _is_link(part, here) else None
            raise PathRefused(f"{walked}: {link or error.strerror}", _WAY_OUT) from error
        finally:
            os.close(here)
        here = below
    return here


def _is_link(name: str, directory: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _read(directory: int, name: str, bytes_max: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | _FILE, dir_fd=directory)
    try:
        return os.read(descriptor, bytes_max) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    finally:
        os.close(descriptor)


def _set_aside(directory: int, name: str) -> str:
    """Give what is called `name` another name, which nothing has; returns it.  Raises OSError."""
    names = set(os.listdir(directory))
    for number in range(1, RESCUED_KEPT_ENTRIES_MAX + 1):
        kept = f"{name}.rescued-{number}"
        if kept not in names:
            os.rename(name, kept, src_dir_fd=directory, dst_dir_fd=directory)
            return kept
    raise FileExistsError(0, f"{RESCUED_KEPT_ENTRIES_MAX} older ones are kept already: remove some")


def _unwritable(path: str, error: OSError) -> DiskFull:
    return DiskFull(f"{path} cannot be written: {error.strerror}", "mount the disk writable, and make room on it")


def digest_or_none(data: bytes) -> bytes:
    """What the boot guard compares the sensor's record with."""
    return hashlib.sha256(data).digest() if data else NO_DIGEST
