"""The processor time of another process, in one system call and without a file."""

import time


def processor_ns(pid: int) -> int:
    """Processor time that a process has used; 0 when it is gone.

    The number of the clock is made of the pid, see clock_getcpuclockid(3).
    """
    try:
        return time.clock_gettime_ns(~pid << 3 | 2) if pid > 0 else 0
    except OSError:
        return 0
