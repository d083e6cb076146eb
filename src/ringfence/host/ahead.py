"""Scanning ahead: files that were written and closed, files that were skipped, hot files; nobody waits for them.

One thread of the gate.  It reads the close-after-write group, keeps a bounded queue of descriptors, gives up to
`AHEAD_IN_FLIGHT_MAX` of them to the idle scanner, and shares what comes back with the foreground: verdict cache, kernel
ignore mark, table of known hashes.

While no file is hot the group is polled, so that nobody's close() pays for waking us; while one is, we block on it,
because the end of a hot file's silence must not wait.  While files are being closed it is polled often: the kernel
compares each new event with those that wait, so that a long queue makes every close() slower.
"""

import os
import select
import time
from collections import deque
from typing import NamedTuple

from ringfence.decide.gate import GO_ON_QUIET, Question, on_ahead_verdict, on_no_verdict
from ringfence.host.fanotify import EVENT
from ringfence.host.gate_room import Case, GateRoom, now_ms
from ringfence.host.quick_calls import close, nobody_writes
from ringfence.host.scanner_link import Answered, ScannerFault, ScannerLink
from ringfence.model import limits
from ringfence.model.records import AlertSource
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire.catalogue import FLAG_DEEP, FLAG_DIGEST, FLAG_KNOWN, PURPOSE_AHEAD


class Waiting(NamedTuple):
    """One file that waits for the idle scanner, with a descriptor of ours."""

    descriptor: int
    pid: int
    source: str


class InFlight(NamedTuple):
    """One file that the idle scanner has."""

    job: int
    waiting: Waiting
    question: Question
    given_ms: int
    generation: int
    """Of the release that judges it."""


class Ahead:
    """The thread's state."""

    def __init__(self, room: GateRoom) -> None:
        self._room = room
        self._slot = room.slots.idle
        self._queue: deque[Waiting] = deque()
        self._flying: deque[InFlight] = deque()
        self._link: ScannerLink | None = None
        self._job = self._slot.number << 48
        self._oldest_since_ms = 0
        self._busy = False
        """Whether the last look at the group found closed files."""
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def rescan(self, descriptor: int) -> bool:
        """Queue a file by a duplicate of its descriptor.  Called from any thread; never blocks.  False: no room."""
        if len(self._queue) >= limits.AHEAD_QUEUE_MAX:
            self._room.counters.ahead_dropped += 1
            return False
        self._queue.append(Waiting(os.dup(descriptor), 0, AlertSource.RESCAN))
        os.eventfd_write(self._wake, 1)
        return True

    def run(self) -> None:
        """Work for ever."""
        while True:
            self.turn()

    def turn(self) -> None:
        """One round: wait, take events, time, verdicts, and hand out work."""
        self._wait()
        self._take_closed()
        now = now_ms()
        self._tend_hot(now)
        self._take_verdicts(now)
        self._hand_out(now)
        self._room.counters.ahead_queued = len(self._queue) + len(self._flying)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if self._link is not None and self._flying:
            poll.register(self._link.fileno(), select.POLLIN)
        if self._room.hot.awaits_close():
            poll.register(self._room.marks.closes, select.POLLIN)
        poll.poll(limits.AHEAD_POLL_BUSY_MS if self._busy else limits.AHEAD_POLL_MS)
        if self._flying:
            time.sleep(limits.AHEAD_PAUSE_MS / 1000)  # let verdicts gather: one wake-up for many of them
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            pass

    def _take_closed(self) -> None:
        room = self._room
        self._busy = False
        while True:
            try:
                events = os.read(room.marks.closes, EVENT.size * limits.EVENT_CLOSE_WRITE_BATCH_MAX)
            except BlockingIOError:
                return
            self._busy = True
            for _, _, _, _, _, descriptor, pid in EVENT.iter_unpack(events):
                if descriptor < 0:
                    room.counters.overflows += 1
                    continue
                room.counters.closed_after_write += 1
                self._closed(descriptor, pid)

    def _closed(self, descriptor: int, pid: int) -> None:
        room = self._room
        seen = os.fstat(descriptor)
        key = (seen.st_dev, seen.st_ino)
        if key in room.hot:
            with room.judging:
                ended = room.hot.closed(key, now_ms())
                if ended:
                    room.cool(key)
            if not ended:
                close(descriptor)
                return
        elif room.state.cache.recall(key, (seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size)) is None:
            room.marks.wake(descriptor)  # what was written through a mapping did not clear the mark
        if len(self._queue) >= limits.AHEAD_QUEUE_MAX:
            room.counters.ahead_dropped += 1
            close(descriptor)
            return
        self._queue.append(Waiting(descriptor, pid, AlertSource.CLOSE_WRITE))

    def _tend_hot(self, now: int) -> None:
        room = self._room
        if not len(room.hot):
            return
        with room.judging:
            for key in room.hot.overdue(now):
                room.cool(key)
            due = room.hot.due(now)
        for key in due:
            descriptor = room.hot_descriptors.get(key, -1)
            if descriptor >= 0:
                self.rescan(descriptor)

    def _hand_out(self, now: int) -> None:
        generation = self._room.release_generation  # before the link: an old link must never pass for a new one
        link = self._slot.link
        if link is not self._link:
            self._requeue()
            self._link = link
            if link is not None:
                link.limit_wait(limits.HEARTBEAT_INTERVAL_MS)
        if link is None:
            return
        while self._queue and len(self._flying) < limits.AHEAD_IN_FLIGHT_MAX:
            waiting = self._queue.popleft()
            if not self._give(link, waiting, now, generation):
                return

    def _give(self, link: ScannerLink, waiting: Waiting, now: int, generation: int) -> bool:
        """Hand one file to the scanner unless its verdict is known.  False when the scanner is gone."""
        room = self._room
        try:
            question = room.look(waiting.descriptor, executes=False, pid=waiting.pid)
        except OSError:
            close(waiting.descriptor)
            return True
        known = room.state.cache.recall(question.key, question.look)
        if question.regular and question.look[2]:
            room.suspects.sample((question.key, question.look), waiting.descriptor, now)
        settled = known is not None and known.deep and question.key not in room.hot
        if not question.regular or not question.look[2] or settled:
            close(waiting.descriptor)
            return True
        self._job += 1
        try:
            link.send(self._job, waiting.descriptor, question.look[2], PURPOSE_AHEAD)
        except ScannerFault:
            self._queue.appendleft(waiting)
            self._fault(link)
            return False
        self._flying.append(InFlight(self._job, waiting, question, now, generation))
        return True

    def _take_verdicts(self, now: int) -> None:
        link = self._link
        if link is None or not self._flying:
            return
        while self._flying:
            try:
                answered = link.receive_now()
            except ScannerFault as fault:
                self._struck(link, fault.reason)
                return
            if answered is None:
                break
            if answered.job != self._flying[0].job:
                self._struck(link, UnknownReason.SCANNER_GARBAGE)
                return
            self._settle(self._flying.popleft(), answered, now)
            self._oldest_since_ms = now
        if self._flying and now - max(self._flying[0].given_ms, self._oldest_since_ms) > limits.AHEAD_DEADLINE_MS:
            self._struck(link, UnknownReason.DEADLINE_PASSED)

    def _settle(self, flying: InFlight, answered: Answered, now: int) -> None:
        room, question, waiting = self._room, flying.question, flying.waiting
        known = room.known  # first of all: what an old release calls clean must never be known to a new one
        if flying.generation != room.release_generation:
            self._queue.appendleft(waiting)  # the release before spoke: ask the new one
            return
        room.counters.ahead_scans += 1
        wanted = FLAG_DIGEST | FLAG_DEEP
        if answered.verdict.outcome is Outcome.CLEAN and answered.flags & (wanted | FLAG_KNOWN) == wanted:
            known.add(answered.digest)
        vital = answered.verdict.outcome is Outcome.MALICIOUS and question.key in room.vital_files
        with room.judging:
            plan = on_ahead_verdict(room.state, question, answered.verdict, vital=vital, now_ms=now)
        if plan.response is not None:
            room.marks.wake(waiting.descriptor)  # a quick look may have silenced it: the next question must come
        if plan.response is not None or plan.skipped is not UnknownReason.NONE:
            case = Case(
                plan, question, waiting.descriptor, waiting.pid, waiting.source, flying.job, answered.verdict.rule
            )
            room.report(case)
        if plan.skipped is not UnknownReason.NONE:
            pair = (question.key, question.look)
            room.suspects.note(pair, waiting.descriptor, flying.job, PURPOSE_AHEAD, plan.skipped)
        if question.key in room.hot:
            clean = plan.response is None and plan.skipped is UnknownReason.NONE
            self._settle_hot(flying, clean=clean, now=now)
        elif plan is GO_ON_QUIET:
            room.silence(waiting.descriptor, question)
        if flying.generation != room.release_generation:
            room.unlearn(waiting.descriptor, question)
        close(waiting.descriptor)

    def _settle_hot(self, flying: InFlight, *, clean: bool, now: int) -> None:
        room, key, descriptor = self._room, flying.question.key, flying.waiting.descriptor
        if not clean:
            with room.judging:
                room.hot.remove(key)
                room.cool(key)
            return
        quiet = nobody_writes(descriptor) and room.unchanged(descriptor, flying.question)
        with room.judging:
            if room.hot.scanned(key, quiet=quiet, now_ms=now):
                room.cool(key)

    def _struck(self, link: ScannerLink, reason: UnknownReason) -> None:
        """The idle scanner failed on the oldest file in flight; the others wait again."""
        flying = self._flying.popleft()
        # a starved machine makes the idle scanner late on any file: that is not the file's fault, and no strike
        slow = reason is UnknownReason.DEADLINE_PASSED
        strike = not slow and flying.generation == self._room.release_generation
        plan, quarantined = on_no_verdict(self._room.state, flying.question, reason, strike=strike)
        self._room.counters.pairs_quarantined += quarantined
        if not slow:
            self._room.failed(self._slot, flying.question, reason, flying.generation)
        case = Case(
            plan, flying.question, flying.waiting.descriptor, 0, flying.waiting.source, flying.job, 0, quarantined
        )
        self._room.report(case)
        pair = (flying.question.key, flying.question.look)
        self._room.suspects.note(pair, flying.waiting.descriptor, flying.job, PURPOSE_AHEAD, reason)
        if quarantined or slow:
            # a quick look may have called it clean: without the long one, that no longer holds
            self._room.unlearn(flying.waiting.descriptor, flying.question)
            close(flying.waiting.descriptor)
        else:
            self._queue.append(flying.waiting)
        self._fault(link)

    def _fault(self, link: ScannerLink) -> None:
        self._room.slots.fault(self._slot, link)
        self._requeue()
        self._link = None

    def _requeue(self) -> None:
        while self._flying:
            self._queue.appendleft(self._flying.pop().waiting)
