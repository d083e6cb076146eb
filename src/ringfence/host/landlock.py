"""Landlock: no file but those named, no TCP but the port named, no signal and no abstract socket outside.

An older kernel handles fewer rights; what it knows is used (ABI 1 = Linux 5.13 is the oldest accepted).
Source: Documentation/userspace-api/landlock.rst, landlock_create_ruleset(2).
"""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ringfence.host.kernel import LIBC, syscall
from ringfence.model.errors import KernelLacks

CREATE_RULESET: Final = 444
ADD_RULE: Final = 445
RESTRICT_SELF: Final = 446
VERSION_FLAG: Final = 1
RULE_PATH_BENEATH: Final = 1
RULE_NET_PORT: Final = 2

READ_FILE: Final = 1 << 2
READ_DIR: Final = 1 << 3
TRUNCATE: Final = 1 << 14
FILE_RIGHTS: Final = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
FILE_RIGHTS_NEWEST: Final = (1 << 16) - 1
ONE_FILE_RIGHTS: Final = (1 << 1) | READ_FILE | TRUNCATE
"""Of the rights given here, those that a rule on a single file may carry."""

CONNECT_TCP: Final = 1 << 1
NET_RIGHTS: Final = 0b11
SCOPE_RIGHTS: Final = 0b11
SCOPE_SIGNAL: Final = 1 << 1
ABI_NET: Final = 4
ABI_SCOPE: Final = 6
MAKE_SYMBOLIC_LINK: Final = 1 << 12
WRITE_RIGHTS: Final = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << 13) | TRUNCATE
"""write file, remove dir, remove file, make dir, make regular file, refer, truncate."""


@dataclass(frozen=True, slots=True)
class Access:
    """What stays reachable: trees to read, trees to read and write, and whether any TCP connect is allowed."""

    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    connect: bool = False
    signals: bool = False
    """Whether processes outside the sandbox may be signalled, as far as the uid allows."""

    links: bool = False
    """Whether symbolic links may be made in the writable trees."""

    def reads(self, path: str) -> bool:
        """Whether a path lies in a tree that stays readable."""
        trees = (*self.readable, *self.writable)
        return any(path == tree or path.startswith(f"{tree.rstrip('/')}/") for tree in trees)



def abi() -> int:
    """The kernel's Landlock ABI, 0 without Landlock."""
    version = int(LIBC.syscall(ctypes.c_long(CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_ulong(VERSION_FLAG)))
    return max(version, 0)


def restrict(access: Access) -> int:
    """Restrict this thread and its future children.  Returns the ABI used.  Raises KernelLacks or OSError."""
    version = abi()
    if version < 1:
        raise KernelLacks(
            "this kernel has no Landlock, so the sensor's processes cannot be kept from files",
            "boot with `lsm=landlock,…` in the kernel's command line, or use Linux 5.13 or later",
        )
    files = FILE_RIGHTS.get(version, FILE_RIGHTS_NEWEST)
    net = NET_RIGHTS & ~(CONNECT_TCP if access.connect else 0)
    size = 24 if version >= ABI_SCOPE else 16 if version >= ABI_NET else 8
    scope = SCOPE_RIGHTS & ~(SCOPE_SIGNAL if access.signals else 0)
    attributes = struct.pack("QQQ", files, net, scope)[:size]
    buffer = ctypes.create_string_buffer(attributes, size)
    ruleset = syscall(CREATE_RULESET, buffer, ctypes.c_size_t(size), ctypes.c_ulong(0))
    try:
        _allow(ruleset, access.readable, (READ_FILE | READ_DIR) & files)
        links = MAKE_SYMBOLIC_LINK if access.links else 0
        _allow(ruleset, access.writable, (READ_FILE | READ_DIR | WRITE_RIGHTS | links) & files)
        syscall(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_ulong(0))
    finally:
        os.close(ruleset)
    return version


def _allow(ruleset: int, paths: Iterable[str], rights: int) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            mine = rights if stat.S_ISDIR(os.fstat(descriptor).st_mode) else rights & ONE_FILE_RIGHTS
            rule = ctypes.create_string_buffer(struct.pack("=Qi", mine, descriptor), 12)
            syscall(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(RULE_PATH_BENEATH), rule, ctypes.c_ulong(0))
        finally:
            os.close(descriptor)
