"""Dropping privileges, and proving it.

`enter(profile)` in order: parent-death signal, resource limits, groups and uid, capabilities, parent-death signal again
(the kernel clears it when the uid changes), not dumpable, no new privileges, Landlock, seccomp; then `prove` *tries*
what must be impossible and raises if it works.  Everything that the process needs (modules, rules, sockets) exists
before.

The profiles themselves stand in `host/processes.py`.
"""

import ctypes
import os
import resource
import signal
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ringfence.host import landlock, seccomp
from ringfence.host.kernel import LIBC, failure, prctl
from ringfence.model.errors import InternalError
from ringfence.model.limits import PROCESS_DESCRIPTORS_MAX

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
PR_SET_KEEPCAPS: Final = 8
PR_CAPBSET_DROP: Final = 24
PR_SET_NO_NEW_PRIVS: Final = 38
CAPABILITY_VERSION_3: Final = 0x20080522
CAPABILITY_LAST: Final = 40

CAP_DAC_READ_SEARCH: Final = 2
CAP_KILL: Final = 5
CAP_SYS_PTRACE: Final = 19
CAP_SYS_ADMIN: Final = 21
CAP_SYS_NICE: Final = 23
CAP_LEASE: Final = 28


_SECRET: Final = "/etc/shadow"  # noqa: S105 - the file that nobody may open


@dataclass(frozen=True, slots=True)
class Profile:
    """What a process may still do after `enter`."""

    name: str
    uid: int
    capabilities: frozenset[int]
    syscalls: frozenset[str]
    access: landlock.Access | None
    """What Landlock leaves reachable; None: no Landlock, because the filter has no call that it would guard."""

    may_fork: bool = False
    address_space_bytes_max: int = 0
    """RLIMIT_AS; 0 leaves it as it is."""

    file_bytes_max: int = 0
    """RLIMIT_FSIZE: 0 means that no file can be written."""

    descriptors_max: int = PROCESS_DESCRIPTORS_MAX


def enter(profile: Profile) -> None:
    """Drop to `profile` and prove it.  Raises OSError or KernelLacks when a step fails, InternalError when a forbidden
    act still works.  The caller exits in either case: half a sandbox is none.
    """
    drop(profile)
    lock(profile, all_threads=True)


def drop(profile: Profile) -> None:
    """The part that holds for the whole process and for every thread started afterwards."""
    die_with_parent()
    _limit(profile)
    _become(profile)
    die_with_parent()
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def lock(profile: Profile, *, all_threads: bool) -> None:
    """The part that a thread may have of its own, and the proof.  `all_threads`: the filter holds for those that
    exist already, too (Landlock never does).
    """
    if profile.access is not None:
        landlock.restrict(profile.access)
    seccomp.install(profile.syscalls, may_fork=profile.may_fork, all_threads=all_threads)
    prove(profile)


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent dies."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit(profile: Profile) -> None:
    limits = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, profile.file_bytes_max),
        (resource.RLIMIT_NOFILE, profile.descriptors_max),
    ]
    if profile.address_space_bytes_max:
        limits.append((resource.RLIMIT_AS, profile.address_space_bytes_max))
    for what, wanted in limits:
        hard = resource.getrlimit(what)[1]
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(what, (limit, limit))


def _become(profile: Profile) -> None:
    """Change uid and keep exactly the profile's capabilities.  Does nothing to the uid when not started as root."""
    if os.getuid() != 0:
        return
    prctl(PR_SET_KEEPCAPS, 1)
    for capability in range(CAPABILITY_LAST + 1):
        if capability not in profile.capabilities:
            LIBC.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0)
    if profile.uid:
        os.setgroups([])
        os.setresgid(profile.uid, profile.uid, profile.uid)
        os.setresuid(profile.uid, profile.uid, profile.uid)
    set_capabilities(profile.capabilities)


def set_capabilities(capabilities: frozenset[int]) -> None:
    """Make `capabilities` the permitted and effective set of this thread; none are inheritable.  Raises OSError."""
    bits = sum(1 << capability for capability in capabilities)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    head = ctypes.create_string_buffer(struct.pack("Ii", CAPABILITY_VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(struct.pack("IIIIII", low, low, 0, high, high, 0), 24)
    if LIBC.capset(head, data) != 0:
        raise failure("capset")


def prove(profile: Profile) -> None:
    """Try what must be impossible now.  Raises InternalError naming the first act that still works."""
    acts: dict[str, Callable[[], object]] = {}
    if profile.access is None or not profile.access.reads(_SECRET):
        acts[f"open {_SECRET}"] = lambda: os.close(os.open(_SECRET, os.O_RDONLY | os.O_CLOEXEC))
    acts |= {
        "make a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(),
        "trace the parent": lambda: _trace(os.getppid()),
        "run a program": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606 - must fail; nothing runs
    }
    if profile.uid:
        acts["become root"] = lambda: os.setresuid(0, 0, 0)
    if profile.access is None or not profile.access.connect:
        acts["make a TCP socket"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
    if profile.access is None or not profile.access.writable:
        acts["write a file"] = lambda: os.close(os.open("/tmp/ringfence-proof", os.O_WRONLY | os.O_CREAT, 0o600))  # noqa: S108
    for act, attempt in acts.items():
        try:
            attempt()
        except (OSError, PermissionError):
            continue
        raise InternalError(
            f"the sandbox of {profile.name} is broken: it could {act}",
            "the process has ended itself; report this with the kernel's version",
        )


def _trace(pid: int) -> None:
    """PTRACE_ATTACH to `pid`; raises OSError when refused."""
    if LIBC.ptrace(ctypes.c_long(16), ctypes.c_long(pid), None, None) != 0:
        raise failure("ptrace")
