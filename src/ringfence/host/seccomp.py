"""A seccomp filter that allows a list of system calls and answers EPERM to every other.

Rules, in filter order: another architecture kills the process; x32 numbers kill it; `clone` is allowed only for
threads unless the profile may fork; `clone3`, whose flags a filter cannot see, answers ENOSYS so that libc falls back
to `clone`; the allowed numbers; everything else EPERM.
Source: Documentation/userspace-api/seccomp_filter.rst, seccomp(2).
"""

import ctypes
import errno
import os
import struct
from typing import Final

from ringfence.host.kernel import syscall
from ringfence.host.syscalls import AUDIT_ARCHITECTURE, numbers

MACHINE: Final = os.uname().machine
"""Read now: a process that is already sandboxed cannot ask."""

KILL_PROCESS: Final = 0x80000000
ERRNO: Final = 0x00050000
ALLOW: Final = 0x7FFF0000
EPERM: Final = 1
ENOSYS: Final = 38
CLONE_THREAD: Final = 0x00010000
X32_BIT: Final = 0x40000000

_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_DATA_NUMBER: Final = 0
_DATA_ARCHITECTURE: Final = 4
_DATA_ARGUMENT_0: Final = 16

SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_FILTER_FLAG_TSYNC: Final = 1


def _instruction(code: int, if_true: int, if_false: int, value: int) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def program(names: frozenset[str], *, may_fork: bool, machine: str) -> bytes:
    """The filter as an array of `struct sock_filter`."""
    clone = numbers(frozenset({"clone"}), machine)[0]
    clone3 = numbers(frozenset({"clone3"}), machine)[0]
    code = [
        _instruction(_LOAD, 0, 0, _DATA_ARCHITECTURE),
        _instruction(_EQUAL, 1, 0, AUDIT_ARCHITECTURE[machine]),
        _instruction(_RETURN, 0, 0, KILL_PROCESS),
        _instruction(_LOAD, 0, 0, _DATA_NUMBER),
        _instruction(_AT_LEAST, 0, 1, X32_BIT),
        _instruction(_RETURN, 0, 0, KILL_PROCESS),
        _instruction(_EQUAL, 0, 1, clone3),
        _instruction(_RETURN, 0, 0, ERRNO | ENOSYS),
    ]
    if may_fork:
        code += [_instruction(_EQUAL, 0, 1, clone), _instruction(_RETURN, 0, 0, ALLOW)]
    elif "clone" in names:
        code += [
            _instruction(_EQUAL, 0, 4, clone),
            _instruction(_LOAD, 0, 0, _DATA_ARGUMENT_0),
            _instruction(_ANY_BIT, 0, 1, CLONE_THREAD),
            _instruction(_RETURN, 0, 0, ALLOW),
            _instruction(_RETURN, 0, 0, ERRNO | EPERM),
        ]
    for number in numbers(names - {"clone", "clone3"}, machine):
        code += [_instruction(_EQUAL, 0, 1, number), _instruction(_RETURN, 0, 0, ALLOW)]
    code.append(_instruction(_RETURN, 0, 0, ERRNO | EPERM))
    return b"".join(code)


def install(names: frozenset[str], *, may_fork: bool, all_threads: bool) -> None:
    """Install the filter on this thread, or on all of this process.  It cannot be taken back.  Raises OSError."""
    code = program(names, may_fork=may_fork, machine=MACHINE)
    buffer = ctypes.create_string_buffer(code, len(code))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer)), 16)
    number = numbers(frozenset({"seccomp"}), MACHINE)[0]
    refused_by = syscall(
        number,
        ctypes.c_ulong(SECCOMP_SET_MODE_FILTER),
        ctypes.c_ulong(SECCOMP_FILTER_FLAG_TSYNC if all_threads else 0),
        ctypes.c_void_p(ctypes.addressof(head)),
    )
    if refused_by:  # with TSYNC a failure is the number of the thread that could not take the filter, not -1
        raise OSError(errno.ESRCH, f"thread {refused_by} cannot take the system call filter", "seccomp")
