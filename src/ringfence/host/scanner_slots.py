"""The gate's scanners: a fixed number of slots, filled by the zygote, refilled when one faults.

Threads that answer the kernel only ever `borrow` a link, wait a bounded moment for one that is being replaced, and
report a fault; the gate's main thread talks to the zygote.  No thread that answers the kernel ever waits for the
zygote.
"""

import os
import select
import signal
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from ringfence.host.channel import Channel, ChannelClosed, Received
from ringfence.host.scanner_link import ScannerLink
from ringfence.model.limits import SCANNER_WAIT_MS, SCANNERS_ENDED_PROCESSES_MAX
from ringfence.wire import catalogue
from ringfence.wire.frames import Frame, unpack_exact

_CRASHES: Final = frozenset(
    {
        signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP,
        signal.SIGXCPU,
    }
)
"""What a process does to itself.  SIGKILL, SIGTERM and their kin come from somebody else."""

_OWN_FAILURE: Final = 70
"""Exit status of a scanner that met an error of its own: out of memory, say."""


def is_crash(status: int) -> bool:
    """Whether a scanner with this wait status has ended by itself and against its will."""
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) in _CRASHES
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) == _OWN_FAILURE


def is_crash_code(code: int) -> bool:
    """The same of an exit status as `Popen.returncode` gives it.  An error of our own tree is no crash."""
    return -code in _CRASHES or code == _OWN_FAILURE


@dataclass(slots=True)
class Slot:
    """One place for a scanner.  `processor` -1 means any."""

    number: int
    processor: int
    idle: bool
    link: ScannerLink | None = None
    pending: ScannerLink | None = None
    filled: threading.Event = field(default_factory=threading.Event)
    pid: int = 0
    used: tuple[tuple[int, int], ...] = ()
    """When the last looks were, and how much processor time the scanner had used then; nanoseconds."""

    is_late: bool = False
    """A replacement did not come in time: until it comes nobody waits for it again."""

    def borrow(self, wait_ms: int) -> ScannerLink | None:
        """The link, after waiting at most `wait_ms` (and never more than `SCANNER_WAIT_MS`) for a replacement.

        Only one question waits so for an empty slot: a program that starts asks many, one after the other.
        """
        if self.link is None and not self.is_late:
            self.is_late = not self.filled.wait(max(0, min(wait_ms, SCANNER_WAIT_MS)) / 1000)
        return self.link


class ScannerSlots:
    """All slots and the channel to the zygote that fills them."""

    def __init__(self, processors: list[int], spares: int, gate_id: int) -> None:
        self.gate_id = gate_id
        layout = [(processor, False) for processor in processors] + [(-1, False)] * spares + [(-1, True)]
        self.slots = [Slot(number, processor, idle) for number, (processor, idle) in enumerate(layout)]
        self.zygote: Channel | None = None
        self.faults: deque[int] = deque()
        self.wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.restarts = 0
        self.wanted = False
        self.ended: dict[int, int] = {}
        """Wait status of scanners that ended by themselves, by pid, until somebody has asked."""


    @property
    def foreground(self) -> list[Slot]:
        """The slots of the threads that answer the kernel."""
        return [slot for slot in self.slots if not slot.idle]

    @property
    def idle(self) -> Slot:
        """The slot of the idle scanner."""
        return self.slots[-1]

    def fault(self, slot: Slot, link: ScannerLink | None) -> None:
        """This scanner must be replaced, unless it has been.  Called from any thread; returns at once."""
        if slot.link is not link:
            return
        slot.link = None
        slot.filled.clear()
        if link is not None:
            link.close()
        self.faults.append(slot.number)
        os.eventfd_write(self.wake, 1)

    def notice_deaths(self) -> None:
        """Empty the slots whose scanner has died while nobody was asking it.  Main thread only.

        The link is not closed here: a thread may be about to read from it, and must not meet another file under the
        same number.  It closes when the last thread lets go of it.
        """
        poll = select.poll()
        for slot in self.slots:
            if (link := slot.link) is not None:  # another thread may take it away at any moment
                poll.register(link.fileno(), 0)
        dead = {descriptor for descriptor, events in poll.poll(0) if events & (select.POLLHUP | select.POLLERR)}
        for slot in self.slots:
            if (link := slot.link) is not None and link.fileno() in dead:
                slot.link = None
                slot.filled.clear()
                self.faults.append(slot.number)

    def use_zygote(self, zygote: Channel | None) -> None:
        """Take every scanner from another zygote from now on, or from none.

        Every slot is empty until its new scanner is there: an old one would judge by the old release.
        """
        if self.zygote is not None:
            self.zygote.close()
        self.zygote = zygote
        for slot in self.slots:
            slot.filled.clear()
            slot.link = slot.pending = None
        self.ended.clear()
        if self.wanted and zygote is not None:
            self.fill()

    def fill(self) -> None:
        """From now on every slot is to have a scanner.  A standby has none: they would only cost memory."""
        self.wanted = True
        for slot in self.slots:
            if slot.link is None and slot.pending is None:
                self._ask_for(slot)

    def replace_faulty(self) -> None:
        """Ask the zygote for every slot that was reported.  Main thread only."""
        try:
            os.eventfd_read(self.wake)
        except BlockingIOError:
            pass
        while self.faults:
            slot = self.slots[self.faults.popleft()]
            if slot.pending is None and slot.link is None:
                self.restarts += 1
                self._kill(slot)
                self._ask_for(slot)

    def on_zygote(self, received: Received) -> None:
        """A SPAWNED frame: the slot is filled; a SCANNER_ENDED frame: how it ended.  Raises FrameRefused for others."""
        if received.frame.type == catalogue.SCANNER_ENDED:
            _, dead, status = unpack_exact(catalogue.SCANNER_ENDED_BODY, received.frame.body, "scanner_ended")
            while len(self.ended) >= SCANNERS_ENDED_PROCESSES_MAX:
                self.ended.pop(next(iter(self.ended)))
            self.ended[int(dead)] = int(status)
            return
        number, pid = _spawned(received.frame)
        slot = self.slots[number] if number < len(self.slots) else None
        if slot is None or slot.pending is None:
            return
        if pid <= 0:
            _drop_pending(slot)
            slot.link = None  # not closed: see `notice_deaths`
            slot.filled.clear()
            self.faults.append(number)
            os.eventfd_write(self.wake, 1)
            return
        # a thread may still be waiting on the old link: it goes when that thread lets go of it
        slot.link, slot.pending, slot.pid, slot.used = slot.pending, None, pid, ()
        slot.is_late = False
        slot.filled.set()

    def zygote_lost(self) -> None:
        """The zygote is gone; slots without a link stay empty until another one comes."""
        if self.zygote is not None:
            self.zygote.close()
            self.zygote = None
        for slot in self.slots:
            _drop_pending(slot)

    def _kill(self, slot: Slot) -> None:
        if self.zygote is not None:
            try:
                self.zygote.try_send(catalogue.KILL, catalogue.KILL_BODY.pack(slot.number))
            except ChannelClosed:
                self.zygote_lost()

    def _ask_for(self, slot: Slot) -> None:
        _drop_pending(slot)
        if self.zygote is None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        body = catalogue.SPAWN_BODY.pack(slot.number, slot.processor, slot.idle, self.gate_id)
        try:
            sent = self.zygote.try_send(catalogue.SPAWN, body, (theirs.fileno(),))
        except ChannelClosed:
            sent = False
            self.zygote_lost()
        theirs.close()
        if sent:
            slot.pending = ScannerLink(ours)
        else:
            ours.close()


def _drop_pending(slot: Slot) -> None:
    """Give up a link that was not handed out yet."""
    if slot.pending is not None:
        slot.pending.close()
        slot.pending = None


def _spawned(frame: Frame) -> tuple[int, int]:
    number, pid = unpack_exact(catalogue.SPAWNED_BODY, frame.body, "spawned")
    return int(number), int(pid)
