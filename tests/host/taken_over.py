"""The place of every scanner of a live sensor, taken by the test: what a scanner that was taken over could do.

The scanners are stopped and their sockets duplicated (`pidfd_getfd`): the gate's next request comes to the test, and so
does its chance to answer.  Nothing in the product knows of it.
"""

import ctypes
import os
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.live_sensor import PATIENCE_S, LiveSensor

from ringfence.wire import catalogue
from ringfence.wire.frames import HEADER

_PIDFD_GETFD: Final = 438


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the gate."""

    scanner: int
    """The pid whose place we have."""

    job: int
    end: socket.socket

    def answer(self, message: bytes) -> None:
        """Say something to the gate."""
        self.end.send(message)


class TakenOver:
    """The ends of all scanners that are asked while somebody waits.  The idle one is stopped: it answers nobody."""

    def __init__(self, live: LiveSensor) -> None:
        self._live = live
        self._ends: dict[int, tuple[int, socket.socket]] = {}
        self._stopped = live.pids("scanner")
        for pid in self._stopped:
            live.signal(pid, signal.SIGSTOP)
        for pid in self._stopped:
            if os.sched_getscheduler(pid) != os.SCHED_IDLE:
                self._ends |= {end.fileno(): (pid, end) for end in _sockets_of(pid)}

    def asked(self) -> Asked:
        """The gate's next request; the file that came with it is closed."""
        poll = select.poll()
        for number in self._ends:
            poll.register(number, select.POLLIN)
        ready = poll.poll(PATIENCE_S * 1000)
        assert ready, "the gate asked nobody"
        scanner, end = self._ends[ready[0][0]]
        message, files, _, _ = socket.recv_fds(end, 256, 4)
        for file in files:
            os.close(file)
        assert len(message) == HEADER.size + catalogue.SCAN_BODY.size
        return Asked(scanner, catalogue.SCAN_BODY.unpack_from(message, HEADER.size)[0], end)

    def release(self) -> None:
        """Let those go on that are still there."""
        for _, end in self._ends.values():
            end.close()
        for pid in self._stopped:
            self._live.signal(pid, signal.SIGCONT)


@contextmanager
def taken_over(live: LiveSensor) -> Iterator[TakenOver]:
    """Have every scanner's place for a while."""
    places = TakenOver(live)
    try:
        yield places
    finally:
        places.release()


def _sockets_of(pid: int) -> Iterator[socket.socket]:
    """Duplicates of the sockets on which a process could be asked."""
    libc = ctypes.CDLL(None, use_errno=True)
    pidfd = os.pidfd_open(pid)
    try:
        for entry in sorted(Path(f"/proc/{pid}/fd").iterdir()):
            if str(entry.readlink()).startswith("socket:"):
                descriptor = libc.syscall(_PIDFD_GETFD, pidfd, int(entry.name), 0)
                assert descriptor >= 0, os.strerror(ctypes.get_errno())
                yield socket.socket(fileno=descriptor)
    finally:
        os.close(pidfd)
