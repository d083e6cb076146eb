"""A small ctypes binding for fanotify.  Source: fanotify(7), fanotify_init(2), fanotify_mark(2).

The argument types matter: the mask is 64 bits wide and without `argtypes` ctypes would pass 32.
"""

import ctypes
import errno
import os
import struct
from typing import Final

from ringfence.host.kernel import LIBC, NEEDS_ADMINISTRATION, failure
from ringfence.model.errors import KernelLacks, PrivilegeMissing

CLASS_NOTIFICATION: Final = 0x0
CLASS_CONTENT: Final = 0x4
CLOSE_ON_EXEC: Final = 0x1
NONBLOCK: Final = 0x2
UNLIMITED_QUEUE: Final = 0x10
UNLIMITED_MARKS: Final = 0x20

CLOSE_WRITE: Final = 0x8
QUEUE_OVERFLOW: Final = 0x4000
OPEN_PERMISSION: Final = 0x10000
ACCESS_PERMISSION: Final = 0x20000
EXEC_PERMISSION: Final = 0x40000

MARK_ADD: Final = 0x1
MARK_REMOVE: Final = 0x2
MARK_FLUSH: Final = 0x80
MARK_INODE: Final = 0x0
MARK_MOUNT: Final = 0x10
MARK_FILE_SYSTEM: Final = 0x100
IGNORED_SURVIVES_MODIFY: Final = 0x40
EVICTABLE: Final = 0x200
IGNORE: Final = 0x400

ALLOW: Final = 1
DENY: Final = 2

AT_FDCWD: Final = -100
O_LARGEFILE: Final = 0o100000
"""Not in `os` on 64-bit; the kernel wants the real bit."""

EVENT: Final = struct.Struct("=IBBHQii")
"""event_len, vers, reserved, metadata_len, mask, fd, pid: 24 bytes."""

RESPONSE: Final = struct.Struct("=iI")
"""fd, ALLOW or DENY."""

FIONREAD: Final = 0x541B

_init = LIBC.fanotify_init
_init.argtypes = (ctypes.c_uint, ctypes.c_uint)
_init.restype = ctypes.c_int

raw_mark = LIBC.fanotify_mark
"""fanotify_mark(2) for the hot path: -1 instead of an exception."""
raw_mark.argtypes = (ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p)
raw_mark.restype = ctypes.c_int


def permission_group() -> int:
    """A group for permission events, its queue unlimited: overflow loses questions.  Raises KernelLacks,
    PrivilegeMissing, OSError.
    """
    return _group(CLASS_CONTENT | CLOSE_ON_EXEC | UNLIMITED_QUEUE | UNLIMITED_MARKS)


def notification_group() -> int:
    """A non-blocking group for close-after-write, with the kernel's bounded queue; an overflow is an event."""
    return _group(CLASS_NOTIFICATION | CLOSE_ON_EXEC | UNLIMITED_MARKS | NONBLOCK)


def _group(flags: int) -> int:
    """A group whose events' files are opened without waiting.

    Otherwise anybody could hold up whoever reads the group, for as long as the kernel waits for the owner of a write
    lease or for the other end of a pipe.  The kernel itself refuses a question whose file it cannot open for us.
    """
    descriptor = int(_init(flags, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | O_LARGEFILE))
    if descriptor >= 0:
        return descriptor
    error = failure("fanotify_init")
    if error.errno == errno.EPERM:
        raise PrivilegeMissing(
            "the kernel lets only processes with CAP_SYS_ADMIN answer its questions (fanotify_init)",
            NEEDS_ADMINISTRATION,
        ) from error
    if error.errno in (22, 38):
        raise KernelLacks(
            "this kernel has no fanotify permission events",
            "use a kernel with CONFIG_FANOTIFY_ACCESS_PERMISSIONS=y (Linux 5.9 or later)",
        ) from error
    raise error


def mark(group: int, flags: int, mask: int, directory: int = AT_FDCWD, path: str | None = None) -> None:
    """fanotify_mark(2).  Raises OSError."""
    if raw_mark(group, flags, mask, directory, None if path is None else os.fsencode(path)) < 0:
        raise failure("fanotify_mark")
