"""A gate's room without a kernel: real files, a fake scanner, marks that are only written down.

The group of questions is one end of a SEQPACKET pair: what the test sends is an event, what comes back is an answer.
"""

import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from ringfence.decide.gate import GateState
from ringfence.host import known_table
from ringfence.host.fanotify import ACCESS_PERMISSION, EVENT, RESPONSE
from ringfence.host.gate_room import Case, GateRoom
from ringfence.host.known_table import KnownTable
from ringfence.host.marks import Marks
from ringfence.host.responder import Responder
from ringfence.host.scanner_link import ScannerLink
from ringfence.host.scanner_slots import ScannerSlots
from ringfence.model.verdict import Mode, Outcome, UnknownReason
from ringfence.wire import catalogue
from ringfence.wire.frames import FRAME_VERSION, HEADER

DIGEST = bytes(range(32))


class WrittenMarks:
    """What would have been marked, by inode, in order."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.kernel = ours
        self.questions = theirs.detach()
        ours_closes, theirs_closes = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        theirs_closes.setblocking(False)
        self.close_events = ours_closes
        self.closes = theirs_closes.detach()
        self.acts: list[tuple[str, int]] = []

    def silence(self, descriptor: int) -> None:
        self._note("silence", descriptor)

    def silence_hot(self, descriptor: int) -> None:
        self._note("silence_hot", descriptor)

    def wake(self, descriptor: int) -> None:
        self._note("wake", descriptor)

    def forget_files(self) -> None:
        self.acts.append(("forget_files", 0))

    def _note(self, act: str, descriptor: int) -> None:
        self.acts.append((act, os.fstat(descriptor).st_ino))

    def silenced(self, inode: int) -> bool:
        """Whether the file is silent after all that."""
        acts = [act for act, one in self.acts if one in (inode, 0)]
        return bool(acts) and acts[-1].startswith("silence")

    def close(self) -> None:
        self.kernel.close()
        self.close_events.close()
        os.close(self.questions)
        os.close(self.closes)


class FakeScanner:
    """The scanner's end of one link."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.end = ours
        self.link = ScannerLink(theirs)
        self.jobs: list[int] = []

    def take(self) -> int:
        """The next job; its descriptor is closed."""
        message, passed, _, _ = socket.recv_fds(self.end, 256, 4)
        for descriptor in passed:
            os.close(descriptor)
        job = int(catalogue.SCAN_BODY.unpack_from(message, HEADER.size)[0])
        self.jobs.append(job)
        return job

    def answer(
        self,
        job: int,
        outcome: Outcome = Outcome.CLEAN,
        reason: UnknownReason = UnknownReason.NONE,
        flags: int = catalogue.FLAG_DEEP | catalogue.FLAG_DIGEST,
        digest: bytes = DIGEST,
    ) -> None:
        """Send a verdict."""
        self.end.send(verdict(job, outcome, reason, flags=flags, digest=digest))

    def close(self) -> None:
        self.end.close()
        self.link.close()


def verdict(
    job: int,
    outcome: int = Outcome.CLEAN,
    reason: int = UnknownReason.NONE,
    *,
    flags: int = 0,
    digest: bytes = bytes(32),
    rule: int = 0,
) -> bytes:
    """The bytes of a VERDICT frame."""
    body = catalogue.VERDICT_BODY.pack(job, outcome, reason, flags, rule, digest)
    return HEADER.pack(FRAME_VERSION, catalogue.VERDICT, len(body)) + body


@dataclass(slots=True)
class GateWorld:
    """A room with one foreground slot, and one responder."""

    room: GateRoom
    marks: WrittenMarks
    scanner: FakeScanner
    idle_scanner: FakeScanner
    responder: Responder
    cases: list[Case]
    rescans: list[int]

    def ask(self, path: Path, *, mask: int = ACCESS_PERMISSION) -> int:
        """One question about a file, answered with what the responder says."""
        self.send(path, mask=mask)
        self.responder.answer_next()
        return self.hear()

    def send(self, path: Path, *, mask: int = ACCESS_PERMISSION) -> None:
        """Put a question into the queue; its descriptor is the responder's."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.marks.kernel.send(EVENT.pack(EVENT.size, 3, 0, EVENT.size, mask, descriptor, os.getppid()))

    def hear(self) -> int:
        """The answer that came."""
        self.marks.kernel.settimeout(5)
        _, answer = RESPONSE.unpack(self.marks.kernel.recv(64))
        return int(answer)


@contextmanager
def gate_world(
    mode: Mode = Mode.ENFORCE,
    *,
    report: Callable[[Case], None] | None = None,
    fails_closed: Callable[[int], bool] = lambda _: False,
    rescans_max: int = 100,
) -> Iterator[GateWorld]:
    """A room whose scanner's answers the test sends beforehand, or from another thread."""
    marks, scanner, idle_scanner = WrittenMarks(), FakeScanner(), FakeScanner()
    slots = ScannerSlots([-1], 0, 7)
    slots.slots[0].link = scanner.link
    slots.idle.link = idle_scanner.link
    writable, readable = known_table.create()
    cases: list[Case] = []
    rescans: list[int] = []

    def rescan(descriptor: int) -> bool:
        if len(rescans) < rescans_max:
            rescans.append(os.fstat(descriptor).st_ino)
            return True
        return False

    room = GateRoom(
        state=GateState(mode=mode, activated_ns=0),
        marks=cast("Marks", marks),
        slots=slots,
        known=KnownTable(writable, writable=True),
        vital_files=frozenset(),
        fails_closed=fails_closed,
        report=report or cases.append,
        rescan=rescan,
        own_pids=frozenset({-1}),
        empty_at_ns=time.monotonic_ns(),
    )
    world = GateWorld(room, marks, scanner, idle_scanner, Responder(room, slots.slots[0]), cases, rescans)
    try:
        yield world
    finally:
        for descriptor in (writable, readable, slots.wake, *room.hot_descriptors.values()):
            os.close(descriptor)
        scanner.close()
        idle_scanner.close()
        marks.close()


def deep_file(root: Path, content: bytes) -> int:
    """A file whose path is longer than any path that the kernel will spell; its descriptor."""
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(25):
        os.mkdir("d" * 200, dir_fd=directory)
        below = os.open("d" * 200, os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
        os.close(directory)
        directory = below
    descriptor = os.open("deep", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=directory)
    os.write(descriptor, content)
    os.close(directory)
    return descriptor


def event(descriptor: int, mask: int, pid: int) -> bytes:
    """One fanotify event."""
    return struct.pack("=IBBHQii", EVENT.size, 3, 0, EVENT.size, mask, descriptor, pid)
