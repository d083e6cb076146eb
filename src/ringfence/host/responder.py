"""One thread that answers the kernel: read a question, decide, mark, answer, report.

Pinned to its processor, with its scanner pinned there too, so that question and answer need no interrupt between
processors.  It reads exactly one event at a time: what it has read, no other thread can answer.

The age of a question: an event cannot be older than the last moment at which the kernel's queue was empty.  The threads
share that moment, so that what waited behind a hung scanner has its deadline shortened by the wait.  While one of them
waits in its read, the queue is empty; when none does, whoever comes next looks (FIONREAD) before it reads, and counts
as waiting only if it saw nothing.  Where the others have taken meanwhile all that it saw, it has waited as well.

When every thread is held up, `host/usher.py` goes on reading.
"""

import fcntl
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from ringfence.decide.gate import (
    GO_ON_HOT,
    SCAN_IT,
    Answer,
    MarkWish,
    Plan,
    Question,
    on_no_verdict,
    on_question,
    on_verdict,
)
from ringfence.host import fanotify
from ringfence.host.fanotify import EVENT, EXEC_PERMISSION, FIONREAD, OPEN_PERMISSION, RESPONSE
from ringfence.host.gate_room import Case, GateRoom
from ringfence.host.quick_calls import close, write
from ringfence.host.scanner_link import ScannerFault, ScannerLink
from ringfence.host.scanner_slots import Slot
from ringfence.model.limits import GIVE_WAY_NS_MAX, GIVE_WAY_PAUSE_MS, QUESTION_DEADLINE_MS, SPARE_LOOK_MS
from ringfence.model.records import AlertSource
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire.catalogue import FLAG_DEEP, FLAG_DIGEST, FLAG_KNOWN, PURPOSE_SYNCHRONOUS

_NANOSECONDS: Final = 1_000_000
_EMPTY_COUNT: Final = bytes(4)
_WORTH_KNOWING: Final = FLAG_DIGEST | FLAG_DEEP | FLAG_KNOWN
_NEW: Final = FLAG_DIGEST | FLAG_DEEP
_NOT_SKIPPED: Final = UnknownReason.NONE
_CLEAN: Final = Outcome.CLEAN
_DENY: Final = Answer.DENY
_NO_MARK: Final = MarkWish.NONE
"""Enumerations look their members up slowly: what every question needs is looked up once."""


def source_of(mask: int) -> str:
    """Which question this event is."""
    if mask & EXEC_PERMISSION:
        return AlertSource.EXEC
    return AlertSource.OPEN if mask & OPEN_PERMISSION else AlertSource.ACCESS


def _rounded(budget_ms: int) -> int:
    """The wait for a scanner, in steps of an eighth of the deadline: setting it anew costs two system calls."""
    step = QUESTION_DEADLINE_MS // 8
    return max(step // 2, -(-budget_ms // step) * step)


def all_held_up(responders: "Sequence[Responder]") -> bool:
    """Whether each of them has been at one question for a while."""
    since = [one.busy_since_ns for one in responders]
    return all(since) and time.monotonic_ns() - max(since) >= SPARE_LOOK_MS * _NANOSECONDS


class Responder:
    """One answering thread and its scanner's slot."""

    def __init__(self, room: GateRoom, slot: Slot) -> None:
        self._room = room
        self._slot = slot
        self._group = room.marks.questions
        self._job = slot.number << 48
        self._busy_until_ns = 0
        self.busy_since_ns = 0
        """Monotonic time at which the question in hand was read; 0 when none is."""

    def run(self) -> None:
        """Answer for ever, on the slot's own processor."""
        os.sched_setaffinity(0, {self._slot.processor})
        while True:
            self.answer_next()

    def run_spare(self, pinned: "Sequence[Responder]", wake_usher: Callable[[], None]) -> None:
        """Answer only while every pinned thread has been at one question for a while.

        A spare that waited in the read as well would be woken, and sent back to sleep, by every single question.
        """
        held = self._room.held
        while True:
            time.sleep(SPARE_LOOK_MS / 1000)
            while True:
                if held:
                    wake_usher()
                    with suppress(IndexError):  # the usher has settled it just now
                        self.settle(*held.popleft(), len(held), time.monotonic_ns())
                elif all_held_up(pinned) and self.pending():
                    wake_usher()
                    self.answer_next()
                else:
                    break

    def pending(self) -> int:
        """Questions that wait in the kernel."""
        count_bytes = int.from_bytes(fcntl.ioctl(self._group, FIONREAD, _EMPTY_COUNT), "little")
        return count_bytes // EVENT.size

    def answer_next(self) -> None:
        """Wait for one question and deal with it.  Errors of a single file never end the thread."""
        if (question := self.read()) is not None:
            self.settle(*question, time.monotonic_ns())

    def read(self) -> tuple[int, int, int, int, int] | None:
        """Wait for one event: mask, descriptor, pid, when it was asked at the earliest, how many more wait; or None."""
        room, number = self._room, self._slot.number
        pending = 0 if room.waiting else self.pending()
        taken = 0
        if pending:
            taken = sum(room.taken.values())
        else:
            room.waiting.add(number)
        try:
            event = os.read(self._group, EVENT.size)
        except OSError:
            # the kernel could not open the file for us and has answered that question itself: the next one is waiting
            room.counters.overflows += 1
            return None
        finally:
            room.waiting.discard(number)
            room.taken[number] += 1
        if pending and sum(room.taken.values()) - taken > pending:
            pending = 0  # the others took what was there
        if not pending:
            room.empty_at_ns = time.monotonic_ns()  # we were waiting: this event was taken the moment it came
        _, _, _, _, mask, descriptor, pid = EVENT.unpack(event)
        if descriptor < 0:
            room.counters.overflows += 1
            return None
        return mask, descriptor, pid, room.empty_at_ns, pending

    def settle(self, mask: int, descriptor: int, pid: int, asked_ns: int, pending: int, now_ns: int) -> None:
        """Deal with one event that was read."""
        self.busy_since_ns = now_ns
        try:
            self._answer(mask, descriptor, pid, asked_ns, pending, now_ns)
        except OSError:
            self._reply(descriptor, fanotify.ALLOW)  # the file itself cannot be looked at; a second answer is refused
        finally:
            close(descriptor)
            self.busy_since_ns = 0

    def _answer(self, mask: int, descriptor: int, pid: int, asked_ns: int, pending: int, now_ns: int) -> None:
        room, counters = self._room, self._room.counters
        counters.questions += 1
        generation = room.release_generation
        executes = bool(mask & EXEC_PERMISSION)
        question = room.look(descriptor, executes=executes, pid=pid)
        now_ms = now_ns // _NANOSECONDS
        budget_ms = self.budget_ms(question, pid, asked_ns, now_ns)
        plan = on_question(room.state, question, budget_ms=budget_ms, pending=pending, now_ms=now_ms)
        rule = job = 0
        quarantined = False
        if plan is GO_ON_HOT and room.closes(descriptor):
            plan = SCAN_IT
        if plan is SCAN_IT:
            plan, rule, job, quarantined = self._scan(question, descriptor, budget_ms, now_ms)
        else:
            self._count_unscanned(question, executes=executes, known=plan.skipped is _NOT_SKIPPED)
            if plan.response is not None:
                known = room.state.cache.recall(question.key, question.look)
                rule = known.rule if known is not None else 0
        if plan.skipped is not _NOT_SKIPPED:
            plan = self._closing(plan, descriptor)
        if plan.response is not None:
            case = Case(plan, question, descriptor, pid, source_of(mask), job, rule, quarantined)
            self._report(case)  # before the answer: the asker and its ancestors are still there to be read
        # the mark comes before the answer: the asker, once free, asks its next question at once, and must find this
        # thread waiting on its own processor, not still at work
        room.mark(descriptor, question, plan)
        if generation != room.release_generation:
            room.unlearn(descriptor, question)  # decided by a release that is no longer the active one
        if plan.answer is _DENY:
            counters.denied += 1
            self._reply(descriptor, fanotify.DENY)
        else:
            self._reply(descriptor, fanotify.ALLOW)
        if plan.skipped is not _NOT_SKIPPED:
            now_ms, asked_ms = time.monotonic_ns() // _NANOSECONDS, asked_ns // _NANOSECONDS
            room.state.overdue.note(pid, question.key, question.look, now_ms - asked_ms, now_ms)
            self._tell_skipped(Case(plan, question, descriptor, pid, source_of(mask), job, rule, quarantined))
        if room.shadow is not None:
            room.shadow.offer(descriptor, question)
        if plan.rescan and not room.rescan(descriptor) and plan.mark is not _NO_MARK:
            room.unlearn(descriptor, question)  # nobody is going to scan it: the next question must come

    def budget_ms(self, question: Question, pid: int, asked_ns: int, now_ns: int) -> int:
        """What is left of the deadline, after what the asker has spent of it on questions before."""
        left_ms = QUESTION_DEADLINE_MS - (now_ns - asked_ns) // _NANOSECONDS
        if overdue := self._room.state.overdue:
            left_ms -= overdue.waited_ms(pid, question.key, question.look, now_ns // _NANOSECONDS)
        return left_ms

    def _tell_skipped(self, case: Case) -> None:
        """Report a file that went on without a verdict, and remember who may be to blame."""
        self._report(case)
        if case.job:  # somebody was asked: what is skipped without that harms nobody
            pair = (case.question.key, case.question.look)
            self._room.suspects.note(pair, case.descriptor, case.job, PURPOSE_SYNCHRONOUS, case.plan.skipped)

    def _scan(self, question: Question, descriptor: int, budget_ms: int, now_ms: int) -> tuple[Plan, int, int, bool]:
        room, slot = self._room, self._slot
        self._job += 1
        known = room.known  # first of all: what an old release calls clean must never be known to a new one
        generation = room.release_generation  # before the link: an old link must never pass for a new one
        link = slot.link
        if link is None:
            link, budget_ms = self._await_scanner(question, budget_ms)
        if link is None:
            plan, quarantined = on_no_verdict(room.state, question, UnknownReason.SCANNER_ABSENT)
            return plan, 0, self._job, quarantined
        room.counters.scans += 1
        try:
            link.limit_wait(_rounded(budget_ms))
            answered = link.ask(self._job, descriptor, question.look[2])
            self._give_way()
        except ScannerFault as fault:
            room.failed(slot, question, fault.reason, generation)
            room.slots.fault(slot, link)
            strike = generation == room.release_generation  # else the file did it to a release that is gone
            plan, quarantined = on_no_verdict(room.state, question, fault.reason, strike=strike)
            room.counters.pairs_quarantined += quarantined
            return plan, 0, self._job, quarantined
        if generation != room.release_generation:  # the old release spoke: ask the new one, in what is left of the time
            left_ms = budget_ms - (time.monotonic_ns() // _NANOSECONDS - now_ms)
            if left_ms > 0:
                return self._scan(question, descriptor, left_ms, now_ms)
            plan, quarantined = on_no_verdict(room.state, question, UnknownReason.SCANNER_ABSENT)
            return plan, 0, self._job, quarantined
        room.answered_generation = generation
        verdict = answered.verdict
        if room.recent is not None and not room.counters.scans & room.recent.every_mask:
            room.recent.remember(descriptor)
        if verdict.outcome is _CLEAN:
            flags = answered.flags
            if flags & _WORTH_KNOWING == _NEW:
                known.add(answered.digest)
            elif flags & FLAG_KNOWN:
                room.counters.scans_known_hash += 1
            return on_verdict(room.state, question, verdict, vital=False, now_ms=now_ms), verdict.rule, self._job, False
        with room.judging:
            vital = question.key in room.vital_files
            plan = on_verdict(room.state, question, verdict, vital=vital, now_ms=now_ms)
        return plan, verdict.rule, self._job, False

    def _give_way(self) -> None:
        """Let the scanner, which has spoken, fall asleep before the asker is woken.

        With both of us at work here the kernel would take the asker to another processor, which first has to wake and
        whose caches hold nothing of all this: 75 µs instead of 46 for a file of 4 KiB.  But where somebody else wants
        this processor, giving way costs a slice of time; then nobody is let pass for a while.
        """
        begin_ns = time.monotonic_ns()
        if begin_ns >= self._busy_until_ns:
            os.sched_yield()
            if time.monotonic_ns() - begin_ns > GIVE_WAY_NS_MAX:
                self._busy_until_ns = begin_ns + GIVE_WAY_PAUSE_MS * _NANOSECONDS

    def _await_scanner(self, question: Question, budget_ms: int) -> tuple[ScannerLink | None, int]:
        """A scanner that is being replaced, and what is left of the time.

        Nobody waits where none is on its way; nor do vital files, because it may be the scanner's own birth that reads
        them: Ringfence does not wait for itself.
        """
        room = self._room
        if room.slots.zygote is None or question.key in room.vital_files:
            return None, budget_ms
        begin_ns = time.monotonic_ns()
        link = self._slot.borrow(budget_ms)
        left_ms = budget_ms - (time.monotonic_ns() - begin_ns) // _NANOSECONDS
        return (link if left_ms > 0 else None), left_ms

    def _closing(self, plan: Plan, descriptor: int) -> Plan:
        """The plan after policy: a path that fails closed is refused when there is no verdict."""
        counters = self._room.counters
        counters.deadline_passed += plan.skipped is UnknownReason.DEADLINE_PASSED
        counters.queue_full += plan.skipped is UnknownReason.QUEUE_FULL
        if self._room.closes(descriptor):
            return plan.refused()
        counters.allowed_unknown += 1
        return plan

    def _report(self, case: Case) -> None:
        """Report without ever changing the answer: what cannot be told is still refused."""
        try:
            self._room.report(case)
        except OSError:
            pass  # the outbox counts what it could not keep

    def _count_unscanned(self, question: Question, *, executes: bool, known: bool) -> None:
        counters = self._room.counters
        counters.questions_exec += executes
        if question.own:
            counters.own_questions += 1
        elif not question.regular:
            counters.not_regular += 1
        elif question.look[2] == 0:
            counters.empty_files += 1
        elif known:
            counters.cache_hits += 1

    def _reply(self, descriptor: int, answer: int) -> None:
        write(self._group, RESPONSE.pack(descriptor, answer))  # refused: the asker was killed, or has its answer
