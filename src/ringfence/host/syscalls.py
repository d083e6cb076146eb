"""System call numbers by name, for the seccomp filters.  Source: the kernel's tables of x86-64 and of the generic
table that arm64 uses (`arch/x86/entry/syscalls/syscall_64.tbl`, `include/uapi/asm-generic/unistd.h`).

A name that an architecture does not have (arm64 has no `poll`) is simply left out of that filter.
"""

from typing import Final

from ringfence.model.errors import KernelLacks

AUDIT_ARCHITECTURE: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

_NAMES: Final = """
accept4 288 242|bind 49 200|brk 12 214|capget 125 90|capset 126 91|clock_gettime 228 113|clock_nanosleep 230 115
clone 56 220|clone3 435 435|close 3 57|connect 42 203|dup 32 23|dup3 292 24|epoll_create1 291 20|epoll_ctl 233 21
epoll_pwait 281 22|epoll_pwait2 441 441|epoll_wait 232 -|eventfd2 290 19|exit 60 93|exit_group 231 94|fallocate 285 47
fanotify_init 300 262|fanotify_mark 301 263|fcntl 72 25|fdatasync 75 83|flock 73 32|fstat 5 80|fsync 74 82
ftruncate 77 46|futex 202 98|getcwd 79 17|getdents64 217 61|getegid 108 177|geteuid 107 175|getgid 104 176
getpeername 52 205|getpid 39 172|getppid 110 173|getrandom 318 278|getrusage 98 165|getsockname 51 204
getsockopt 55 209|gettid 186 178|getuid 102 174|ioctl 16 29|kill 62 129|landlock_add_rule 445 445
landlock_create_ruleset 444 444|landlock_restrict_self 446 446|lseek 8 62|lstat 6 -|madvise 28 233|membarrier 324 283
memfd_create 319 279|mkdir 83 -|mkdirat 258 34|mmap 9 222|mprotect 10 226|mremap 25 216|munmap 11 215|nanosleep 35 101
newfstatat 262 79|open 2 -|openat 257 56|pidfd_open 434 434|pidfd_send_signal 424 424|pipe2 293 59|poll 7 -
ppoll 271 73|prctl 157 167|pread64 17 67|preadv 295 69|prlimit64 302 261|pwrite64 18 68|read 0 63|readlink 89 -
readlinkat 267 78|recvfrom 45 207|recvmsg 47 212|rename 82 -|renameat 264 38|renameat2 316 276|restart_syscall 219 128
rseq 334 293|rt_sigaction 13 134|rt_sigprocmask 14 135|rt_sigreturn 15 139|sched_getaffinity 204 123
sched_setaffinity 203 122|sched_setscheduler 144 119|sched_yield 24 124|seccomp 317 277|sendmsg 46 211|sendto 44 206
set_robust_list 273 99|set_tid_address 218 96|setpriority 141 140|setsockopt 54 208|shutdown 48 210
sigaltstack 131 132|socket 41 198|socketpair 53 199|stat 4 -|statx 332 291|symlink 88 -|symlinkat 266 36
sysinfo 99 179|tgkill 234 131|uname 63 160|unlink 87 -|unlinkat 263 35|wait4 61 260|write 1 64|writev 20 66
"""


def _table() -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {"x86_64": {}, "aarch64": {}}
    for entry in _NAMES.replace("\n", "|").split("|"):
        if not entry.strip():
            continue
        name, x86, arm = entry.split()
        for machine, number in (("x86_64", x86), ("aarch64", arm)):
            if number != "-":
                table[machine][name] = int(number)
    return table


_TABLE: Final = _table()


def numbers(names: frozenset[str], machine: str) -> list[int]:
    """The sorted numbers of `names` on `machine` (as in `os.uname().machine`).

    Raises KernelLacks for an architecture without a table, KeyError for a name that no table has (our bug).
    """
    if machine not in _TABLE:
        raise KernelLacks(
            f"the sandbox has no system call table for {machine}",
            "run the sensor on x86-64 or arm64; other architectures are not supported yet",
        )
    for name in names:
        if all(name not in one for one in _TABLE.values()):
            raise KeyError(name)
    return sorted(_TABLE[machine][name] for name in names if name in _TABLE[machine])
