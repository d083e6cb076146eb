"""System calls on an event's descriptor that are over at once, made without giving up the interpreter lock.

`os` and `fcntl` give the lock away around every call.  The gate's threads then meet each other ten times for each
question, and each meeting costs a wake-up of a thread on another processor, some ten times the call itself.  What may
wait (reading questions, asking a scanner) still gives the lock away.
Source: fcntl(2), write(2), close(2).
"""

import ctypes
import fcntl
from typing import Final

from ringfence.host.kernel import LIBC

_fcntl = LIBC.fcntl
_fcntl.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long)
_fcntl.restype = ctypes.c_int
_write = LIBC.write
_write.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
_write.restype = ctypes.c_ssize_t

close = LIBC.close
"""close(2): -1 instead of an exception."""
close.argtypes = (ctypes.c_int,)
close.restype = ctypes.c_int

_SETLEASE: Final = fcntl.F_SETLEASE
_READ_LEASE: Final = fcntl.F_RDLCK
_NO_LEASE: Final = fcntl.F_UNLCK


def nobody_writes(descriptor: int) -> bool:
    """Whether nobody has the file open for writing or mapped shared and writable: a read lease is granted only then.

    The lease is given back at once.  Needs CAP_LEASE for other people's files; an unsupported file system says False.
    """
    taken = _fcntl(descriptor, _SETLEASE, _READ_LEASE) == 0
    return bool(taken and _fcntl(descriptor, _SETLEASE, _NO_LEASE) == 0)


def write(descriptor: int, data: bytes) -> bool:
    """write(2) of a short message.  False: it was refused, or not taken whole."""
    return bool(_write(descriptor, data, len(data)) == len(data))
