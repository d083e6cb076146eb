"""Who runs, as which uid, with which capabilities, files, network and system calls.  The whole privilege layout.

By the rule of two no process combines hostile input, native parsers and privilege.  A test compares this table with
what the running processes really have, and with `docs/processes.md`.
"""

import dataclasses
from enum import StrEnum, unique
from typing import Final

from ringfence.host.landlock import Access
from ringfence.host.sandbox import CAP_DAC_READ_SEARCH, CAP_LEASE, CAP_SYS_PTRACE, Profile
from ringfence.model import limits


@unique
class Role(StrEnum):
    """The processes of a host."""

    WARDEN = "warden"
    GATE = "gate"
    WATCHDOG = "watchdog"
    ZYGOTE = "zygote"
    SCANNER = "scanner"
    EXAMINER = "examiner"
    APPRAISER = "appraiser"
    COURIER = "courier"
    UPDATER = "updater"
    REPLAYER = "replayer"


UID_GATE: Final = 64_101
UID_SCANNER: Final = 64_102
UID_COURIER: Final = 64_103
UID_UPDATER: Final = 64_105
UID_REPLAYER: Final = 64_104
"""Numbers without names in the password file: nobody logs in as them, and no two kinds share one, except that the
watchdog shares the gate's, because that is what lets it kill the gate without any capability."""

_INTERPRETER: Final = frozenset(
    """brk clock_gettime clock_nanosleep close exit exit_group fstat futex getpid gettid getrandom getrusage lseek
    madvise membarrier mmap mprotect mremap munmap nanosleep newfstatat poll ppoll read restart_syscall rseq
    rt_sigaction rt_sigprocmask rt_sigreturn sched_yield set_robust_list sigaltstack tgkill write writev
    epoll_wait epoll_pwait epoll_pwait2 getppid""".split()
)
"""What CPython and its allocator need to run code that is already loaded."""

_MESSAGES: Final = frozenset("recvfrom recvmsg sendmsg sendto getsockopt setsockopt".split())

_ANSWERING: Final = _INTERPRETER | _MESSAGES | frozenset(
    "dup fanotify_mark fcntl ioctl readlink readlinkat sched_setaffinity pread64".split()
)

GATE_THREAD: Final = Profile(
    name="answering thread",
    uid=UID_GATE,
    # inode marks need read permission on the file, leases on other people's files need CAP_LEASE, and the main
    # thread reads /proc/PID/exe for the lineage of an alert; ptrace(2) and process_vm_*(2) stay forbidden by the filter
    capabilities=frozenset({CAP_DAC_READ_SEARCH, CAP_LEASE, CAP_SYS_PTRACE}),
    syscalls=_ANSWERING,
    access=None,
    descriptors_max=limits.GATE_DESCRIPTORS_MAX,
)
"""The threads that read events.  No Landlock: the kernel opens the file of an event in the name of the thread that
reads it, and Landlock would refuse that, as it would refuse the link to the asker's executable.  Their filter has no
call that opens, makes, changes or runs a file, makes a socket or signals, which is what Landlock would guard."""

GATE: Final = Profile(
    name=Role.GATE,
    uid=UID_GATE,
    capabilities=GATE_THREAD.capabilities,
    syscalls=_ANSWERING | frozenset({"clone", "openat", "socketpair"}),
    access=Access(readable=("/proc",)),
    descriptors_max=limits.GATE_DESCRIPTORS_MAX,
)

WATCHDOG: Final = Profile(
    name=Role.WATCHDOG,
    uid=UID_GATE,
    capabilities=frozenset(),
    syscalls=_INTERPRETER | _MESSAGES | frozenset({"pidfd_send_signal", "fcntl"}),
    access=Access(signals=True),
)

SCANNER: Final = Profile(
    name=Role.SCANNER,
    uid=UID_SCANNER,
    capabilities=frozenset(),
    syscalls=_INTERPRETER | _MESSAGES | frozenset({"pread64"}),
    access=Access(),
    address_space_bytes_max=limits.SCANNER_ADDRESS_SPACE_BYTES_MAX,
    descriptors_max=limits.SCANNER_DESCRIPTORS_MAX,
)

ZYGOTE: Final = dataclasses.replace(
    SCANNER,
    name=Role.ZYGOTE,
    may_fork=True,
    # what a scanner needs between its birth and its own, tighter sandbox
    syscalls=SCANNER.syscalls
    | frozenset("clone wait4 kill prctl seccomp sched_setaffinity sched_setscheduler setpriority prlimit64".split())
    | frozenset("memfd_create fcntl ftruncate landlock_create_ruleset landlock_restrict_self getuid geteuid".split())
    | frozenset("set_tid_address dup socketpair ioctl".split()),
    file_bytes_max=limits.RULE_TABLE_BYTES_MAX,
)


def updater(metadata: str) -> Profile:
    """The updater's profile: its own directory, a memory file to give away, no network and nothing else."""
    return Profile(
        name=Role.UPDATER,
        uid=UID_UPDATER,
        capabilities=frozenset(),
        syscalls=_INTERPRETER
        | _MESSAGES
        | frozenset("dup fcntl fdatasync fsync ftruncate getdents64 getuid geteuid ioctl memfd_create mkdir".split())
        | frozenset("mkdirat open openat pread64 readlink readlinkat rename renameat renameat2 stat statx".split())
        | frozenset("symlink symlinkat unlink unlinkat sysinfo uname lstat getcwd".split()),
        access=Access(writable=(metadata,), links=True),
        address_space_bytes_max=limits.UPDATER_ADDRESS_SPACE_BYTES_MAX,
        file_bytes_max=limits.RELEASE_BYTES_MAX,
        descriptors_max=limits.SCANNER_DESCRIPTORS_MAX,
    )


def replayer(places: tuple[str, ...]) -> Profile:
    """The replayer's profile: it opens what lies below the protected places, whoever owns it, and reads none of it."""
    return Profile(
        name=Role.REPLAYER,
        uid=UID_REPLAYER,
        capabilities=frozenset({CAP_DAC_READ_SEARCH}),
        syscalls=_INTERPRETER | _MESSAGES | frozenset("openat fcntl getdents64 statx".split()),
        access=Access(readable=places),
        descriptors_max=limits.SCANNER_DESCRIPTORS_MAX,
    )


def courier(spool: str, readable: tuple[str, ...]) -> Profile:
    """The courier's profile: the network, its spool, and the identity and certificate files named."""
    return Profile(
        name=Role.COURIER,
        uid=UID_COURIER,
        capabilities=frozenset(),
        syscalls=_INTERPRETER
        | _MESSAGES
        | frozenset(
            "clone connect dup fcntl fdatasync flock fsync ftruncate getdents64 getpeername getsockname".split()
        )
        | frozenset(
            "ioctl mkdirat open openat pread64 pwrite64 rename renameat2 shutdown socket socketpair stat".split()
        )
        | frozenset("statx unlink unlinkat uname epoll_create1 epoll_ctl eventfd2 sysinfo fallocate".split())
        | frozenset("set_tid_address".split()),
        access=Access(readable=readable, writable=(spool,), connect=True),
        file_bytes_max=limits.SPOOL_FILE_BYTES_MAX,
    )
