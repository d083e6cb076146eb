"""Vital files by identity: what a machine needs to boot, to log in and to repair itself, and Ringfence's own files.

(device, inode), never a path: a container can call anything `/bin/sh`.  Collected before the gate marks anything.
Package-owned files are vital by content instead: see `host/vouched.py`.
"""

import os
import sys
import sysconfig
from typing import Final

import ringfence
from ringfence.model.limits import OWN_FILES_MAX

PATHS: Final = (
    "/sbin/init",
    "/usr/lib/systemd/systemd",
    "/usr/lib/systemd/systemd-executor",
    "/lib/ld-linux-aarch64.so.1",
    "/lib64/ld-linux-x86-64.so.2",
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/aarch64-linux-gnu/libc.so.6",
    "/usr/lib64/libc.so.6",
    "/bin/sh",
    "/bin/bash",
    "/bin/dash",
    "/bin/login",
    "/bin/mount",
    "/bin/su",
    "/sbin/agetty",
    "/usr/bin/dpkg",
    "/usr/bin/rpm",
    "/usr/bin/sudo",
    "/usr/sbin/sshd",
    "/etc/ld.so.cache",
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/fstab",
)
"""Followed through links; what a machine does not have is left out."""

NOT_READ: Final = frozenset({"test", "tests", "idlelib", "lib2to3", "site-packages", "dist-packages"})
"""Directories inside a library that no process of ours reads.  Installed packages are trees of their own."""


def vital_files() -> frozenset[tuple[int, int]]:
    """(device, inode) of every vital file of this machine.  Never raises; unreadable trees are left out."""
    found: set[tuple[int, int]] = set()
    for path in PATHS:
        try:
            seen = os.stat(path)
        except OSError:
            continue
        found.add((seen.st_dev, seen.st_ino))
    for path in (sys.executable, f"{sys.prefix}/pyvenv.cfg"):
        try:
            seen = os.stat(path)
        except OSError:
            continue
        found.add((seen.st_dev, seen.st_ino))
    for root in _own_trees():
        _walk(root, found)
    return frozenset(found)


def _own_trees() -> tuple[str, ...]:
    """Ringfence's package, the interpreter's library and the packages beside it, with what Python has cached of them.

    Everything that one of our processes may read when it starts: whoever lets content block it has no sensor any more.
    """
    library = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return (os.path.dirname(ringfence.__file__), *dict.fromkeys(library))


def _walk(root: str, found: set[tuple[int, int]]) -> None:
    """Add the regular files below `root`; the directory listing already holds the inode numbers."""
    pending = [root]
    while pending and len(found) < OWN_FILES_MAX:
        directory = pending.pop()
        try:
            device = os.stat(directory).st_dev
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.name not in NOT_READ:
                            pending.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        found.add((device, entry.inode()))
        except OSError:
            continue
