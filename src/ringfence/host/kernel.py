"""System calls that Python does not wrap, by ctypes.

`PyDLL`, not `CDLL`, on the hot path: so short a call should not give up the interpreter lock and queue for it again.
"""

import ctypes
import os
from typing import Final

LIBC: Final = ctypes.PyDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
PR_SET_NAME: Final = 15


def failure(call: str) -> OSError:
    """The OSError for the errno that the last call left."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), call)


NEEDS_ADMINISTRATION: Final = (
    "run it on the host itself, or give the container or service the capability CAP_SYS_ADMIN"
)
"""The way out where the kernel refuses root: root without that capability is usual in a container."""


def prctl(*arguments: int) -> None:
    """prctl(2).  Raises OSError."""
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:5]]
    if LIBC.prctl(*padded) != 0:
        raise failure("prctl")


def call_myself(name: str) -> None:
    """Give this process the name that /proc/PID/comm shows.  Raises OSError."""
    text = ctypes.create_string_buffer(name.encode())
    prctl(PR_SET_NAME, ctypes.addressof(text))


def syscall(number: int, *arguments: object) -> int:
    """syscall(2) with ctypes arguments; -1 becomes OSError."""
    result = int(LIBC.syscall(ctypes.c_long(number), *arguments))
    if result < 0:
        raise failure(f"syscall {number}")
    return result
