"""One thread that goes on reading while every thread that answers is held up by its scanner.

It has no scanner.  What can be answered without one (known files, our own, those of which the asker has waited for the
verdict already) it answers at once.  What needs one it holds: the spare thread takes it as soon as it is free, and at
its deadline it goes on without a verdict.  So a few files that hang do not make every other open wait behind them.

While anybody is free it sleeps: the spare thread wakes it when it takes up a question itself.
"""

import threading
import time
from collections.abc import Sequence
from typing import Final

from ringfence.decide.gate import GO_ON_HOT, SCAN_IT, on_question
from ringfence.host.fanotify import EXEC_PERMISSION
from ringfence.host.gate_room import GateRoom, Held
from ringfence.host.responder import Responder, all_held_up
from ringfence.host.scanner_slots import Slot
from ringfence.model.limits import HELD_QUESTIONS_MAX, QUESTIONS_PENDING_MAX, SPARE_LOOK_MS

_NANOSECONDS: Final = 1_000_000


class Usher:
    """The thread, and what it holds: `room.held`."""

    def __init__(self, room: GateRoom, responders: Sequence[Responder]) -> None:
        self._room = room
        self._responders = responders
        nobody = Slot(len(room.slots.slots), -1, idle=False, is_late=True)
        self._responder = Responder(room, nobody)
        self._needed = threading.Event()

    @property
    def oldest_ns(self) -> int:
        """Since when the oldest question in hand has waited, monotonic; 0 when there is none."""
        asked = [held.asked_ns for held in list(self._room.held)]
        return min(asked, default=self._responder.busy_since_ns)

    def wake(self) -> None:
        """The last free thread has taken up a question."""
        self._needed.set()

    def run(self) -> None:
        """Usher for ever."""
        while True:
            self._needed.wait()
            self._needed.clear()
            while True:
                time.sleep(SPARE_LOOK_MS / 1000)  # who has just woken us is not busy yet
                if not self.turn():
                    break

    def turn(self) -> bool:
        """Settle what can be settled, read what nobody else can; whether there will be more to do."""
        for _ in range(len(self._room.held)):
            try:
                held = self._room.held.popleft()
            except IndexError:
                break  # the spare thread has taken it
            self._settle_or_hold(held, 0)
        while all_held_up(self._responders) and self._responder.pending():
            question = self._responder.read()
            if question is None:
                continue
            *asked, pending = question
            self._settle_or_hold(Held(*asked), pending)
        return bool(self._room.held) or all(one.busy_since_ns for one in self._responders)

    def _settle_or_hold(self, held: Held, pending: int) -> None:
        now_ns = time.monotonic_ns()
        try:
            needs_scanner = self._needs_scanner(held, now_ns)
        except OSError:
            self._responder.settle(*held, pending, now_ns)  # it cannot be looked at: that is answered there
            return
        if needs_scanner and len(self._room.held) < HELD_QUESTIONS_MAX:
            self._room.held.append(held)
        else:
            self._responder.settle(*held, QUESTIONS_PENDING_MAX + 1 if needs_scanner else pending, now_ns)

    def _needs_scanner(self, held: Held, now_ns: int) -> bool:
        room = self._room
        question = room.look(held.descriptor, executes=bool(held.mask & EXEC_PERMISSION), pid=held.pid)
        budget_ms = self._responder.budget_ms(question, held.pid, held.asked_ns, now_ns)
        plan = on_question(room.state, question, budget_ms=budget_ms, pending=0, now_ms=now_ns // _NANOSECONDS)
        return plan is SCAN_IT or (plan is GO_ON_HOT and room.closes(held.descriptor))
