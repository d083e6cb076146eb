"""The boot guard's record on the disk, and the digest of the sensor's record beside it.

The file is made once, at its full size, and from then on only overwritten in place.  Whatever lies in its place (a
link, a pipe, a directory) is not followed and not waited for: it counts as a damaged record.
"""

import errno
import hashlib
import os
import stat
from typing import Final

from ringfence.model.boot import NO_DIGEST, BootRecord
from ringfence.model.errors import DiskFull
from ringfence.model.limits import ACTIVATION_RECORD_BYTES_MAX
from ringfence.wire.boot_record import FILE_BYTES, Slots, decode_file, writes

RECORD: Final = "boot/guard.record"
ACTIVATION: Final = "content/activation.record"
_SAFELY: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class BootStore:
    """`STATE/boot/guard.record`.  One process at a time writes to it."""

    def __init__(self, state: str) -> None:
        self.path = f"{state}/{RECORD}"
        self._activation = f"{state}/{ACTIVATION}"

    def load(self) -> tuple[BootRecord | None, bool]:
        """The newer sound record, and whether there is none because it was lost or damaged.  Never raises."""
        data = _read(self.path, FILE_BYTES)
        if data is None:
            return None, True
        slots = Slots(None, (0, 1)) if len(data) < FILE_BYTES else decode_file(data)
        return slots.record, slots.record is None and slots.damaged != ()

    def make(self) -> None:
        """Make an empty record, whatever lies there.  Raises DiskFull."""
        directory = os.path.dirname(self.path)
        part = f"{self.path}.part"
        try:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _SAFELY, 0o600)
            try:
                _write_all(descriptor, bytes(FILE_BYTES), 0)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if os.path.isdir(self.path) and not os.path.islink(self.path):
                os.rename(self.path, f"{self.path}.aside")
            os.rename(part, self.path)
            _sync(directory)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def write(self, record: BootRecord) -> None:
        """Write one record in place; on the disk when this returns.  Raises DiskFull."""
        try:
            descriptor = os.open(self.path, os.O_WRONLY | _SAFELY)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        try:
            for offset, slot in writes(record):
                _write_all(descriptor, slot, offset)
                os.fsync(descriptor)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        finally:
            os.close(descriptor)

    def switch(self, *, off: bool) -> None:
        """The file that keeps systemd from starting the sensor, even where the guard cannot run.  Raises DiskFull."""
        path = f"{os.path.dirname(self.path)}/off"
        try:
            if off:
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT | _SAFELY, 0o600))
            elif os.path.lexists(path):
                os.unlink(path)
        except OSError as error:
            raise _unwritable(path, error) from error

    def activation_digest(self) -> bytes:
        """SHA-256 of the sensor's activation record; `NO_DIGEST` while there is none that can be read."""
        data = _read(self._activation, ACTIVATION_RECORD_BYTES_MAX)
        return NO_DIGEST if data is None else hashlib.sha256(data).digest()


def _read(path: str, bytes_max: int) -> bytes | None:
    """The first bytes of a regular file; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _SAFELY)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return os.pread(descriptor, bytes_max, 0)
        finally:
            os.close(descriptor)
    except OSError:
        return None


def _write_all(descriptor: int, data: bytes, at: int) -> None:
    while data:
        written = os.pwrite(descriptor, data, at)
        data, at = data[written:], at + written


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: str, error: OSError) -> DiskFull:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{path} cannot be made: {error.strerror}", "free some space; the guard is careful meanwhile")
    return DiskFull(f"{path} cannot be written: {error.strerror}", "look at the disk and at the kernel's log")
