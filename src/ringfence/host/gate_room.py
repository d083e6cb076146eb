"""What the threads of one gate share: decisions, marks, scanners, counters, the outbox of sightings.

Under the interpreter lock each single operation on it is atomic; what needs more than one is done under `judging`,
which only the paths that follow a scan take, never a question that is answered from memory.
"""

import os
import stat
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ringfence.decide.gate import GateState, MarkWish, Plan, Question
from ringfence.decide.hot import HotFiles
from ringfence.host.channel import Channel
from ringfence.host.known_table import KnownTable
from ringfence.host.marks import Marks
from ringfence.host.quick_calls import nobody_writes
from ringfence.host.scanner_slots import ScannerSlots, Slot
from ringfence.host.shadow import Shadow
from ringfence.host.suspects import Suspects
from ringfence.model.limits import FAULTS_WAITING_FILES_MAX
from ringfence.model.verdict import UnknownReason
from ringfence.wire.catalogue import GateCounters

_QUIET: Final = MarkWish.QUIET
_NO_WISH: Final = MarkWish.NONE
"""Enumerations look their members up slowly: what every question needs is looked up once."""


def now_ms() -> int:
    """Monotonic milliseconds."""
    return time.monotonic_ns() // 1_000_000


class Held(NamedTuple):
    """A question that was read and is not answered; its descriptor is whoever's who takes it."""

    mask: int
    descriptor: int
    pid: int
    asked_ns: int
    """Monotonic time before which nobody can have asked it."""


@dataclass(slots=True)
class GateRoom:
    """Everything that the gate's threads share."""

    state: GateState
    marks: Marks
    slots: ScannerSlots
    known: KnownTable
    vital_files: frozenset[tuple[int, int]]
    fails_closed: Callable[[int], bool]
    """Whether policy wants the file behind this descriptor refused without a verdict."""

    report: Callable[["Case"], None]
    """Put a detection or a skipped file into the outbox; never blocks."""

    rescan: Callable[[int], bool]
    """Give the file behind this descriptor to the idle scanner; takes a duplicate; never blocks.  False: no room."""

    counters: GateCounters = field(default_factory=GateCounters)
    suspects: Suspects = field(default_factory=Suspects)
    hot: HotFiles = field(default_factory=HotFiles)
    hot_descriptors: dict[tuple[int, int], int] = field(default_factory=dict)
    judging: threading.Lock = field(default_factory=threading.Lock)
    own_pids: frozenset[int] = field(default_factory=lambda: frozenset({os.getpid()}))
    release_generation: int = 0
    """Counts the releases of this gate: a verdict that was asked for under another one is not remembered."""

    answered_generation: int = -1
    """The last release, counted so, of which a scanner has given a verdict while somebody waited."""

    waiting: set[int] = field(default_factory=set)
    """Slots whose threads saw the kernel's queue empty and wait in their read: while there is one, it still is."""

    taken: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """Events that each slot's thread has read."""

    held: "deque[Held]" = field(default_factory=deque)
    """Questions that were read while every scanner was busy, and wait for one.  Bounded by `HELD_QUESTIONS_MAX`."""

    empty_at_ns: int = 0
    """Last moment at which the kernel's queue of questions was seen empty."""

    shadow: Shadow | None = None
    """What every question is offered to after its answer, while a candidate is compared; else None."""

    recent: Shadow | None = None
    """What remembers a file that was scanned, for a trial that comes later."""

    faults: "deque[Fault]" = field(default_factory=lambda: deque(maxlen=FAULTS_WAITING_FILES_MAX))
    """Scanners that failed on a file, and have not been looked into."""

    def look(self, descriptor: int, *, executes: bool, pid: int) -> Question:
        """What the file behind an event looks like now.  Raises OSError."""
        seen = os.fstat(descriptor)
        return Question(
            (seen.st_dev, seen.st_ino),
            (seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size),
            executes,
            stat.S_ISREG(seen.st_mode),
            pid in self.own_pids,
        )

    def unchanged(self, descriptor: int, question: Question) -> bool:
        """Whether the file still looks as it did."""
        seen = os.fstat(descriptor)
        return (seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size) == question.look

    def mark(self, descriptor: int, question: Question, plan: Plan) -> None:
        """Carry out the plan's wish for the ignore mark."""
        wish = plan.mark
        if wish is _QUIET and self.silence(descriptor, question):
            return
        if wish is not _NO_WISH:
            self.heat(descriptor, question)

    def silence(self, descriptor: int, question: Question) -> bool:
        """Silence the file until it changes, after a second look that makes it safe.  False: somebody may write it."""
        if not nobody_writes(descriptor):
            return False
        self.marks.silence(descriptor)
        self.counters.ignore_marks += 1
        if not self.unchanged(descriptor, question):  # written between scan and mark: that write would stay unseen
            self.unlearn(descriptor, question)
            self.counters.stale_looks += 1
        return True

    def unlearn(self, descriptor: int, question: Question) -> None:
        """Let the file ask again: what was remembered or marked just now does not hold."""
        self.state.cache.forget(question.key)
        self.marks.wake(descriptor)

    def heat(self, descriptor: int, question: Question) -> None:
        """Silence reads of a file that is being written; it is scanned again and again at idle priority.

        Not where policy fails closed: there each version is scanned before it is read.
        """
        if self.closes(descriptor):
            return
        key = question.key
        # table, descriptor and mark change together: a mark that outlives its entry would hide the file for ever
        with self.judging:
            if key not in self.hot:
                ours = os.dup(descriptor)
                if not self.hot.add(key, now_ms()):
                    os.close(ours)
                    return
                self.hot_descriptors[key] = ours
            self.marks.silence_hot(descriptor)
        self.counters.hot_marks += 1

    def closes(self, descriptor: int) -> bool:
        """Whether policy refuses this file without a verdict."""
        try:
            return self.fails_closed(descriptor)
        except OSError:
            return True  # too long to be spelled: it may be below a path that fails closed

    def change_release(self, activated_ns: int, zygote: Channel | None, known: KnownTable | None = None) -> None:
        """Another release, or none: every verdict is forgotten, every file asks again.  Main thread only.

        The slots are emptied before the generation changes: a thread that reads the new one meets no scanner of the
        release before, whose word would pass for the new one's.  What is asked for in between is asked for again.
        """
        self.slots.use_zygote(zygote)
        with self.judging:
            self.release_generation += 1
            if known is not None:
                self.known = known
            self.state.new_release(activated_ns)
        self.marks.forget_files()

    def failed(self, slot: Slot, question: Question, reason: UnknownReason, generation: int) -> None:
        """A scanner failed on this file: the main thread finds out what became of it.  `generation`: whose it was."""
        older = question.look[1] < self.state.activated_ns
        size_bytes = question.look[2]
        self.faults.append(Fault(slot, slot.pid, reason, question.key, size_bytes, older, generation))

    def cool(self, key: tuple[int, int]) -> None:
        """End a hot file's silence: the next read asks.  Call it with `judging` held, where the file leaves `hot`."""
        descriptor = self.hot_descriptors.pop(key, -1)
        if descriptor >= 0:
            self.marks.wake(descriptor)
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Fault:
    """A scanner that died or was given up with a file in hand."""

    slot: Slot
    pid: int
    reason: UnknownReason
    key: tuple[int, int]
    size_bytes: int
    older: bool
    """The file has not changed since the release became active: nobody can have made it to hurt the release."""

    generation: int


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to report: the plan, the question, and what the scan said."""

    plan: Plan
    question: Question
    descriptor: int
    pid: int
    """The asker, still waiting; 0 when nobody waits."""

    source: str
    job: int
    rule: int
    quarantined: bool = False
