"""A small world around the real courier: gates, a disk, a network and a server, all of them unreliable, from one seed.

The machine, its shell and the spool are the product's own.  The world kills the courier between any two operations on
the disk, cuts the power, fills the disk, loses requests and answers, delivers them late and twice, turns the clock
back, replaces gates, and at the end stops doing so.  Then everything must settle and the accounts must agree: `check`.
"""

import random
from collections import deque
from dataclasses import dataclass, field

from tests.sim.simulated_storage import Crash, SimulatedStorage

from ringfence.decide.courier import accepts
from ringfence.decide.courier_messages import (
    EventArrived,
    Failure,
    FindingsArrived,
    Now,
    SightingArrived,
    StatusArrived,
    TurnEnded,
)
from ringfence.host.courier_shell import CourierShell, Outcome
from ringfence.host.spool import Spool, SpoolBatch
from ringfence.model.errors import DiskFull
from ringfence.model.records import Alert, AlertResponse, AlertSource, HostEventKind, Lost, Record, SkippedFile
from ringfence.model.verdict import Mode, UnknownReason
from ringfence.model.verdict import Outcome as Verdict
from ringfence.wire.detections import Findings, SeenFile, Sighting
from ringfence.wire.sensor_reports import SeenRelease, SensorEvent, StatusReport
from ringfence.wire.uplink import decode_batch, encode_batch_lines

GATE_KEEPS = 6
HOST = "ab" * 16


class Violation(AssertionError):
    """A promise is broken.  The message says which, the test adds the seed."""


@dataclass(slots=True)
class Gate:
    """A gate's outbox: keeps what is not acknowledged, at most `GATE_KEEPS`, and sends again."""

    gate_id: int
    number: int = 0
    kept: deque[int] = field(default_factory=deque)
    acknowledged: set[int] = field(default_factory=set)
    dropped: set[int] = field(default_factory=set)
    channel: deque[Sighting] = field(default_factory=deque)
    alive: bool = True
    heard: int = 0

    def see(self) -> None:
        """Meet a file."""
        self.number += 1
        self.kept.append(self.number)
        if len(self.kept) > GATE_KEEPS:
            self.dropped.add(self.kept.popleft())

    def send(self, at_unix_ms: int) -> None:
        """Send everything that is kept, again."""
        for number in self.kept:
            if len(self.channel) < 2 * GATE_KEEPS:
                self.channel.append(sighting(self.gate_id, number, self.kept[0], at_unix_ms))

    def hear(self, through: int) -> None:
        """Take an acknowledgement."""
        if through > self.number:
            raise Violation(f"gate {self.gate_id} heard of {through} and has sent {self.number}")
        self.heard = max(self.heard, through)
        while self.kept and self.kept[0] <= through:
            self.acknowledged.add(self.kept.popleft())


def sighting(gate_id: int, number: int, oldest_kept: int, at_unix_ms: int) -> Sighting:
    """A sighting whose path tells which it is; each third one is a skipped file."""
    skipped = number % 3 == 0
    return Sighting(
        gate_id=gate_id,
        number=number,
        oldest_kept=oldest_kept,
        at_unix_ms=at_unix_ms,
        mode=Mode.ENFORCE,
        source=AlertSource.OPEN,
        outcome=Verdict.UNKNOWN if skipped else Verdict.MALICIOUS,
        reason=UnknownReason.DEADLINE_PASSED if skipped else UnknownReason.NONE,
        response=None if skipped else AlertResponse.BLOCKED,
        will_rescan=skipped,
        release_index=1,
        job=number,
        top_rule=None if skipped else 0,
        file=SeenFile(f"/{gate_id}/{number}".encode(), 1, 1, 1, 0),
        processes=(),
    )


class Server:
    """Keeps one record for each number of an epoch, in the order of its arrival."""

    def __init__(self) -> None:
        self.epochs: dict[str, dict[int, bytes]] = {}

    def take(self, body: bytes) -> int:
        """Take a batch.  Returns how far the epoch is taken."""
        batch = decode_batch(body)
        stored = self.epochs.setdefault(batch.epoch, {})
        lines = body.split(b"\n")[1:-1]
        for numbered, line in zip(batch.records, lines, strict=True):
            known = stored.setdefault(numbered.key.number, line)
            if known != line:
                raise Violation(f"the number {numbered.key} was used for two records")
        return max(stored)

    def gaps(self) -> int:
        """How many numbers are missing, as the server sees it."""
        return sum(max(stored) - len(stored) for stored in self.epochs.values())

    def records(self) -> list[Record]:
        """Everything that is stored, in order."""
        found: list[Record] = []
        for epoch, stored in self.epochs.items():
            for number in sorted(stored):
                body = encode_batch_lines(HOST, epoch, number, [stored[number]])
                found.append(decode_batch(body).records[0].record)
        return found


class World:
    """Everything of one seed."""

    def __init__(self, seed: int, *, flips: bool = False) -> None:
        self.random = random.Random(seed)
        self.flips = flips
        self.storage = SimulatedStorage(random.Random(seed + 1))
        self.server = Server()
        self.gates = {1: Gate(1)}
        self.requests: deque[SpoolBatch] = deque()
        self.late: list[bytes] = []
        self.shell: CourierShell | None = None
        self.monotonic_ms = 0
        self.unix_ms = 10_000_000
        self.epochs = 0
        self.faults = True
        self.trace: list[str] = []

    def run(self, steps: int) -> None:
        """Live `steps` turns with faults, then settle and check."""
        for _ in range(steps):
            self._turn()
        self.faults = False
        self.storage.full, self.storage.fuse = False, -1
        for _ in range(40):
            for gate in self.gates.values():
                if gate.alive:
                    gate.send(self.unix_ms)
            self._with_courier(self._read_everything)
            while self.requests:
                self._with_courier(self._answer)
            self._pass_time(2_000_000)
            if not any(gate.kept or gate.channel for gate in self.gates.values() if gate.alive) and self._is_idle():
                break
        self.check()

    def _is_idle(self) -> bool:
        return self.shell is not None and self.shell.state.delivery.idle

    def check(self) -> None:
        """The accounts: every sighting once, or counted."""
        found: dict[tuple[int, int], int] = {}
        order: dict[int, int] = {}
        lost: dict[str, int] = {}
        for record in self.server.records():
            if isinstance(record, Lost):
                lost[record.source] = lost.get(record.source, 0) + record.count
            if isinstance(record, Alert | SkippedFile):
                path = record.file.path if isinstance(record, Alert) else record.path
                gate_id, number = (int(word) for word in path.split("/")[1:])
                found[gate_id, number] = found.get((gate_id, number), 0) + 1
                if number < order.get(gate_id, 0) and not self.storage.damaged:
                    raise Violation(f"gate {gate_id}: {number} came after {order[gate_id]}")
                order[gate_id] = number
        self._check_counts(found, lost)

    def _check_counts(self, found: dict[tuple[int, int], int], lost: dict[str, int]) -> None:
        missing = dropped = 0
        for gate in self.gates.values():
            if gate.alive and gate.kept:
                raise Violation(f"gate {gate.gate_id} still waits for {gate.kept[0]}")
            missing += sum((gate.gate_id, number) not in found for number in gate.acknowledged)
            dropped += sum((gate.gate_id, number) not in found for number in gate.dropped if number <= gate.heard)
        counted = lost.get("skipped", 0) + lost.get("spool_damaged", 0)
        if not self.storage.damaged:
            if twice := [key for key, times in found.items() if times > 1]:
                raise Violation(f"{twice[0]} was delivered twice")
            if not self.storage.torn and missing > counted:
                raise Violation(f"{missing} acknowledged sightings are gone, {counted} are counted")
            if not self.storage.torn and self.server.gaps():
                raise Violation(f"the server sees a gap of {self.server.gaps()} and nothing was damaged")
            all_dropped = sum(
                (one.gate_id, number) not in found for one in self.gates.values() for number in one.dropped
            )
            if not self.storage.torn and lost.get("gate", 0) > all_dropped:
                raise Violation(f"{lost['gate']} sightings are said to be lost at gates, {all_dropped} are")
        unsized = self.storage.damaged and (self.server.gaps() or "spool_damaged" in lost)
        if unsized:  # a lost record may itself have been a count
            return
        if missing + dropped > counted + lost.get("gate", 0) + self.server.gaps():
            raise Violation(f"{missing} and {dropped} sightings are gone, not all of them counted: {lost}")

    def _turn(self) -> None:
        chance = self.random.random
        gate = self.random.choice([one for one in self.gates.values() if one.alive])
        if chance() < 0.7:
            for _ in range(self.random.randrange(1, 4)):
                gate.see()
        if chance() < 0.6:
            gate.send(self.unix_ms)
        if chance() < 0.08:
            self.storage.full = not self.storage.full
        if chance() < 0.15:
            self.storage.fuse = self.random.randrange(8)
        if chance() < 0.04:
            gate.alive = False
            self.gates[len(self.gates) + 1] = Gate(len(self.gates) + 1)
        self._with_courier(self._read_some)
        if self.requests and chance() < 0.6:
            self._with_courier(self._answer)
        if self.late and chance() < 0.3:
            self.server.take(self.late.pop(self.random.randrange(len(self.late))))
        if chance() < 0.05:
            self._die(power=chance() < 0.5)
        self._pass_time(self.random.choice([1, 100, 2_000, 400_000]))

    def _with_courier(self, act: object) -> None:
        """Let the courier act; it is started when there is none, and dies when the fuse burns down."""
        try:
            if self.shell is None:
                self._start()
            if self.shell is not None and callable(act):
                act(self.shell)
        except Crash:
            self._die(power=self.random.random() < 0.3)
        except DiskFull:
            self.shell = None  # it could not even start; it tries again

    def _start(self) -> None:
        self.monotonic_ms = 0
        self.shell = CourierShell(
            Spool(self.storage, self._new_epoch, self.unix_ms),
            acknowledge=self._acknowledge,
            send=self.requests.append,
            clock=lambda: Now(self.monotonic_ms, self.unix_ms),
            jitter_permille=lambda: self.random.randrange(1_000),
        )

    def _die(self, *, power: bool) -> None:
        self.shell = None
        self.storage.fuse = -1
        self.requests.clear()
        if power:
            self.storage.lose_power()
            for gate in self.gates.values():
                gate.channel.clear()
        if self.flips and self.storage.files and self.random.random() < 0.5:
            self.storage.flip_a_bit()

    def _new_epoch(self) -> str:
        self.epochs += 1
        return f"{self.epochs:016x}"

    def _acknowledge(self, gate_id: int, through: int) -> None:
        self.trace.append(f"ack {gate_id} {through}")
        if gate_id in self.gates:
            self.gates[gate_id].hear(through)

    def _read_some(self, shell: CourierShell) -> None:
        self._read(shell, self.random.randrange(8))

    def _read_everything(self, shell: CourierShell) -> None:
        self._read(shell, 1_000)

    def _read(self, shell: CourierShell, frames: int) -> None:
        chance = self.random.random
        if chance() < 0.2:
            release = SeenRelease(1, b"simulated", 1, bytes(32))
            shell.feed(StatusArrived(StatusReport(self.unix_ms, Mode.ENFORCE, release, (), (), ())))
        if chance() < 0.2:
            shell.feed(EventArrived(SensorEvent(self.unix_ms, HostEventKind.PROCESS_DIED, b"scanner", b"")))
        for gate in self.gates.values():
            for _ in range(frames):
                if not gate.channel or not accepts(shell.state):
                    break
                found = gate.channel.popleft()
                if chance() < 0.5:
                    shell.feed(FindingsArrived(Findings(found.gate_id, found.job, 1, None, (0, 1), ())))
                shell.feed(SightingArrived(found))
        shell.feed(TurnEnded())

    def _answer(self, shell: CourierShell) -> None:
        batch = self.requests.popleft()
        body = encode_batch_lines(HOST, batch.epoch, batch.first_number, batch.lines)
        chance = self.random.random() if self.faults else 1.0
        if chance < 0.15:
            shell.sent(Outcome(batch, 0, Failure.UNREACHABLE))
        elif chance < 0.3:
            self.late.append(body)
            shell.sent(Outcome(batch, 0, Failure.UNREACHABLE))
        elif chance < 0.35:
            shell.sent(Outcome(batch, 0, Failure.CREDENTIAL))
        else:
            through = self.server.take(body)
            if chance < 0.5:
                shell.sent(Outcome(batch, 0, Failure.UNREACHABLE))
            else:
                if chance < 0.6:
                    self.late.append(body)
                shell.sent(Outcome(batch, through))

    def _pass_time(self, ms: int) -> None:
        self.monotonic_ms += ms
        self.unix_ms = max(0, self.unix_ms + self.random.choice([ms, ms, -5 * ms]))
