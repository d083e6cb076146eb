"""Carries out what the courier's machine wants: the spool at once, the network through whoever sends.

The only code between `decide/courier.py` and the spool; the simulation drives exactly this, on a simulated disk.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ringfence.decide.courier import CourierState, begin, step
from ringfence.decide.courier_messages import (
    Acknowledge,
    BeginEpoch,
    Command,
    Delivered,
    DeliveryFailed,
    Event,
    Failure,
    Forget,
    NothingToSend,
    Now,
    SendNext,
    Store,
    Stored,
    StoringFailed,
)
from ringfence.host.spool import Spool, SpoolBatch
from ringfence.model.errors import DiskFull


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: how far the server has taken it, or why not."""

    batch: SpoolBatch
    accepted_through: int
    failure: Failure | None = None


class CourierShell:
    """The machine with its spool.

    `acknowledge` tells a gate, and must not wait; `send` starts to send a batch and returns at once, its outcome comes
    back through `sent`; `clock` and `jitter_permille` are what the machine may not read itself.
    """

    def __init__(
        self,
        spool: Spool,
        *,
        acknowledge: Callable[[int, int], None],
        send: Callable[[SpoolBatch], None],
        clock: Callable[[], Now],
        jitter_permille: Callable[[], int],
    ) -> None:
        self._spool = spool
        self._acknowledge = acknowledge
        self._send = send
        self._clock = clock
        self._jitter_permille = jitter_permille
        self.state: CourierState = begin(spool.gates.items(), spool.size_bytes)

    def feed(self, event: Event) -> None:
        """Give the machine an event, and carry out everything that follows from it."""
        waiting = deque([event])
        while waiting:
            self.state, commands = step(self.state, waiting.popleft(), self._clock())
            for command in commands:
                answer = self._perform(command)
                if answer is not None:
                    waiting.append(answer)

    def sent(self, outcome: Outcome) -> None:
        """Give the machine the outcome of the batch that was last sent."""
        batch, jitter = outcome.batch, self._jitter_permille()
        if outcome.failure is not None:
            self.feed(DeliveryFailed(outcome.failure, batch.epoch, batch.last_number, jitter))
            return
        last = self._spool.last
        self.feed(Delivered(batch.epoch, batch.first_number, batch.last_number, outcome.accepted_through, last, jitter))

    def _perform(self, command: Command) -> Event | None:
        """Carry out one command; returns the event that answers it, if one does."""
        match command:
            case Store(entries):
                try:
                    self._spool.append(entries)
                except DiskFull:
                    return StoringFailed()
                return Stored(self._spool.size_bytes)
            case Acknowledge(gate_id, through):
                self._acknowledge(gate_id, through)
            case SendNext(records_max):
                batch = self._spool.next_batch(records_max)
                if batch is None:
                    return NothingToSend()
                self._send(batch)
            case Forget(key):
                self._spool.forget(key)
            case BeginEpoch():
                try:
                    self._spool.begin_epoch(self._clock().unix_ms)
                except DiskFull:
                    return None  # the next answer of the server says the same again
        return None
