"""The gate's outbox: sightings on their way to the courier, kept until they are on its disk.

Bounded: past `SIGHTINGS_UNACKNOWLEDGED_MAX` the oldest goes and is counted (the courier sees `oldest_kept` jump and
records the loss).  Repeats of the same file version by the same process are held back.  Never blocks: what does not fit
the socket now is sent at the next turn.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue

from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.gate_room import Case, now_ms
from ringfence.host.lineage import lineage, with_executables
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.model.records import AlertResponse, AlertSource
from ringfence.model.verdict import Mode, Outcome, UnknownReason
from ringfence.wire.detections import (
    SIGHTING,
    SIGHTING_ACK,
    SeenFile,
    SeenProcess,
    Sighting,
    cut,
    decode_sighting_ack,
    encode_sighting,
)

Repeat = tuple[object, ...]


@dataclass(slots=True)
class Kept:
    """One sighting that is not acknowledged."""

    number: int
    build: Callable[[int], Sighting]
    """Makes the sighting for a given `oldest_kept`."""

    sent_ms: int = -1


@dataclass(slots=True)
class _Asked:
    """One lineage that a thread waits for."""

    pid: int
    processes: tuple[SeenProcess, ...] = ()
    done: threading.Event = field(default_factory=threading.Event)


class Outbox:
    """Sightings of one gate.

    `note` is called from any thread, `serve_lineage` from one of its own, the rest from the main thread.
    """

    def __init__(self, gate_id: int, courier: Channel, *, mode: Callable[[], Mode], release: Callable[[], int]) -> None:
        self._gate_id = gate_id
        self._courier = courier
        self._mode = mode
        self._release = release
        self._kept: deque[Kept] = deque()
        self._number = 0
        self._asked: SimpleQueue[_Asked] = SimpleQueue()
        self._repeats: dict[Repeat, int] = {}
        self._lock = threading.Lock()
        self.dropped = 0
        self.wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    @property
    def queued(self) -> int:
        """Sightings that the courier has not on its disk yet."""
        return len(self._kept)

    def fileno(self) -> int:
        """The courier's socket, for selectors."""
        return self._courier.fileno()

    def note(self, case: Case) -> None:
        """Make a sighting of a case while its descriptor is open and, where there is one, the asker waits."""
        if self._held_back(case):
            return
        seen = os.fstat(case.descriptor)
        file = SeenFile(
            path=cut(_path_of(case.descriptor), limits.SIGHTING_PATH_BYTES_MAX),
            size_bytes=case.question.look[2],
            device=case.question.key[0],
            inode=case.question.key[1],
            owner_uid=seen.st_uid,
        )
        processes = self._lineage(case.pid) if case.plan.response is not None and case.pid else ()
        at_unix_ms, mode, release = time.time_ns() // 1_000_000, self._mode(), self._release()
        unknown = case.plan.skipped is not UnknownReason.NONE
        with self._lock:
            self._number += 1
            number = self._number

            def build(oldest_kept: int) -> Sighting:
                return Sighting(
                    gate_id=self._gate_id,
                    number=number,
                    oldest_kept=oldest_kept,
                    at_unix_ms=at_unix_ms,
                    mode=mode,
                    source=AlertSource(case.source),
                    outcome=Outcome.UNKNOWN if unknown else _outcome(case.plan.response),
                    reason=case.plan.skipped,
                    response=case.plan.response,
                    will_rescan=case.plan.rescan,
                    release_index=release,
                    job=case.job,
                    top_rule=None if unknown else case.rule,
                    file=file,
                    processes=processes,
                )

            self._kept.append(Kept(number, build))
            if len(self._kept) > limits.SIGHTINGS_UNACKNOWLEDGED_MAX:
                self._kept.popleft()
                self.dropped += 1
        os.eventfd_write(self.wake, 1)

    def _lineage(self, pid: int) -> tuple[SeenProcess, ...]:
        """Let the thread that can open files of /proc read the lineage; nothing if it takes too long."""
        if self._asked.qsize() >= limits.LINEAGES_WAITING_MAX:
            return ()
        asked = _Asked(pid)
        self._asked.put(asked)
        asked.done.wait(limits.LINEAGE_WAIT_MS / 1000)
        return with_executables(asked.processes)

    def serve_lineage(self) -> None:
        """Wait for the next lineage that is asked for, and read it.

        In a thread of its own: a command line lies in its process's memory, and whoever maps that from a file system of
        theirs decides how long the reading takes.
        """
        asked = self._asked.get()
        asked.processes = lineage(asked.pid)
        asked.done.set()

    def _held_back(self, case: Case) -> bool:
        repeat: Repeat = (case.question.key, case.question.look, case.pid, case.plan.response, case.plan.skipped)
        now = now_ms()
        with self._lock:
            last = self._repeats.pop(repeat, None)
            if len(self._repeats) >= limits.SIGHTING_REPEATS_TRACKED_MAX:
                self._repeats.pop(next(iter(self._repeats)))
            held = last is not None and now - last < limits.SIGHTING_REPEAT_MS
            self._repeats[repeat] = last if held and last is not None else now
        return held

    def forget_repeats(self) -> None:
        """Another release or mode: everything is news again."""
        with self._lock:
            self._repeats.clear()

    def flush(self) -> None:
        """Send what was never sent, and again what the courier did not acknowledge in time."""
        try:
            os.eventfd_read(self.wake)
        except BlockingIOError:
            pass
        now = now_ms()
        with self._lock:
            waiting = [one for one in self._kept if one.sent_ms < 0 or now - one.sent_ms >= limits.SIGHTING_RESEND_MS]
            oldest_kept = self._kept[0].number if self._kept else 0
        for one in waiting:
            try:
                if not self._courier.try_send(SIGHTING, encode_sighting(one.build(oldest_kept))):
                    return
            except ChannelClosed:
                return
            one.sent_ms = now

    def take_acknowledgements(self) -> None:
        """Drop what the courier has on its disk.  Raises FrameRefused for anything but an acknowledgement."""
        for _ in range(limits.FRAMES_PER_TURN_MAX):
            received = self._courier.receive(wait=False)
            if received is None:
                return
            for descriptor in received.descriptors:
                os.close(descriptor)
            if received.frame.type != SIGHTING_ACK:
                raise FrameRefused(f"the courier sent a frame of type {received.frame.type}", "it is replaced")
            through = decode_sighting_ack(received.frame.body).accepted_through
            with self._lock:
                while self._kept and self._kept[0].number <= through:
                    self._kept.popleft()


def _path_of(descriptor: int) -> bytes:
    """The path as the kernel spells it; a placeholder where it cannot, because somebody nested directories too deep."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}".encode())
    except OSError:
        return b"(path longer than the kernel spells)"


def _outcome(response: AlertResponse | None) -> Outcome:
    return Outcome.SUSPICIOUS if response is AlertResponse.OBSERVED else Outcome.MALICIOUS
