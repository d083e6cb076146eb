"""Why a scanner of the active release failed: by itself on a file, or at somebody else's hand.

The main thread of the gate looks.  What counts against a release is told to the warden, one file at a time: a scanner
that ended by a signal of its own, and one that computed for far longer than an honest scan of what somebody waits for
takes.  One that was killed or stopped from outside, or that a busy machine starved, counts against nobody.  That a
release has answered nothing at all (`decide/mute.py`) is told as well.
"""

import time
from collections.abc import Callable

from ringfence.decide.mute import Muteness
from ringfence.host.gate_room import Fault, GateRoom
from ringfence.host.processor_time import processor_ns
from ringfence.host.scanner_slots import is_crash
from ringfence.model import limits
from ringfence.model.verdict import UnknownReason
from ringfence.wire.catalogue import FAULT_BURNT, FAULT_DIED, FAULT_KILLED, FAULT_MUTE

Tell = Callable[[int, int, bool, tuple[int, int]], None]
"""What is done with a fault: what happened, to which pid, whether the file is older than the release, and the file."""

NO_FILE = (0, 0)
_NANOSECONDS = 1_000_000
_LOOKS = limits.QUESTION_DEADLINE_MS // limits.SCANNER_LOOK_MS
"""At the processor time of one scanner: so many back."""


class ScannerFaults:
    """What waits to be understood."""

    def __init__(self, room: GateRoom, tell: Tell) -> None:
        self._room = room
        self._tell = tell
        self._dying: list[tuple[Fault, int]] = []
        """Faults whose scanner has died, and until when the zygote's word is waited for."""

        self._ended_before: frozenset[int] = frozenset()
        self._muteness = Muteness(len(room.slots.foreground))

    def look(self) -> None:
        """One look.  Call it before the faulty scanners are replaced: one that burns its time must still be there."""
        now_ns = time.monotonic_ns()
        self._sample(now_ns)
        while self._room.faults:
            fault = self._room.faults.popleft()
            if fault.generation != self._room.release_generation:
                continue
            if fault.reason is UnknownReason.DEADLINE_PASSED:
                self._look_at_late(fault)
            elif fault.reason is UnknownReason.SCANNER_GARBAGE:
                self._tell(FAULT_DIED, fault.pid, fault.older, fault.key)
            else:
                self._dying.append((fault, now_ns + limits.SHADOW_END_MS * _NANOSECONDS))
        self._settle_dying(now_ns)

    def _look_at_late(self, fault: Fault) -> None:
        used_ms = _used_ms(fault)
        if used_ms >= limits.SCANNER_BURNT_MS:
            self._tell(FAULT_BURNT, fault.pid, fault.older, fault.key)
        answered = self._room.answered_generation
        if not fault.slot.idle and self._muteness.late(
            fault.generation, answered, fault.key, fault.size_bytes, used_ms, is_older=fault.older
        ):
            self._tell(FAULT_MUTE, fault.pid, fault.older, fault.key)

    def _sample(self, now_ns: int) -> None:
        for slot in self._room.slots.slots:
            if slot.link is None:
                continue
            if not slot.used or now_ns - slot.used[-1][0] >= limits.SCANNER_LOOK_MS * _NANOSECONDS:
                slot.used = (*slot.used[1 - _LOOKS :], (now_ns, processor_ns(slot.pid)))

    def _settle_dying(self, now_ns: int) -> None:
        ended = self._room.slots.ended
        waiting = []
        for fault, limit_ns in self._dying:
            if fault.generation != self._room.release_generation:
                continue
            if fault.pid in ended:
                what = FAULT_DIED if is_crash(ended.pop(fault.pid)) else FAULT_KILLED
                self._tell(what, fault.pid, fault.older, fault.key)
            elif now_ns < limit_ns:
                waiting.append((fault, limit_ns))
        self._dying = waiting
        for pid in self._ended_before:  # nobody had given it a file: it died at its birth, or idle
            if is_crash(ended.pop(pid, 0)):
                self._tell(FAULT_DIED, pid, True, NO_FILE)
        self._ended_before = frozenset(ended)


def _used_ms(fault: Fault) -> int:
    """How long the scanner has computed since the oldest look, which is about a question's deadline ago."""
    if not fault.slot.used:
        return 0
    return (processor_ns(fault.pid) - fault.slot.used[0][1]) // _NANOSECONDS
