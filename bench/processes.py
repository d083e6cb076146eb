"""Processes of a subject: who belongs to it, what they cost, and how to end them by their own ids."""

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path
from typing import Final

PR_SET_CHILD_SUBREAPER: Final = 36
PROC: Final = Path("/proc")
GONE: Final = (FileNotFoundError, ProcessLookupError)


def adopt_orphans() -> None:
    """From now on a descendant whose parent ends becomes a child of this process, so that none gets lost."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of(pid: int) -> list[int]:
    """Direct children of a process; none when it is gone."""
    found: list[int] = []
    with contextlib.suppress(*GONE):
        for task in (PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(*GONE):
                found += [int(word) for word in (task / "children").read_text().split()]
    return found


def family_of(pid: int) -> list[int]:
    """A process and all its descendants, parents first."""
    found = [pid]
    for member in found:
        found += [child for child in children_of(member) if child not in found]
    return found


def start_of(pid: int) -> int:
    """Start of a process in clock ticks since boot: with the pid its identity.  0 when it is gone."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except (*GONE, IndexError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def cpu_ns(pids: list[int]) -> int:
    """CPU time so far of the living threads of `pids`."""
    total = 0
    for pid in pids:
        with contextlib.suppress(*GONE):
            for task in (PROC / str(pid) / "task").iterdir():
                with contextlib.suppress(*GONE):
                    total += int((task / "schedstat").read_text().split()[0])
    return total


def pss_bytes(pids: list[int]) -> int:
    """Proportional set size of `pids` together."""
    total = 0
    for pid in pids:
        with contextlib.suppress(*GONE):
            for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def wait_quiet(pids: list[int], limit_s: float, share: float = 0.03, window_s: float = 0.3) -> float:
    """Wait until `pids` together use less than `share` of one processor.  Returns the seconds waited."""
    begin = time.monotonic()
    before = cpu_ns(pids)
    while time.monotonic() - begin < limit_s:
        time.sleep(window_s)
        after = cpu_ns(pids)
        if after - before < share * window_s * 1e9:
            break
        before = after
    return time.monotonic() - begin


def end_all(identities: dict[int, int]) -> None:
    """SIGKILL every process that is still the one it was: pid -> start, as from `start_of`."""
    for pid, started in identities.items():
        if started and start_of(pid) == started:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def reap(pids: list[int]) -> None:
    """Collect those of `pids` that have ended and were adopted."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
