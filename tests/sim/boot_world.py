"""A machine that boots, on a bad disk, with content that hurts it: the boot guard's decisions and its record's bytes.

Simulated: two slots that tear when the power goes, a disk that turns read-only, sectors that swallow what they are
given, a record that somebody removes, clocks that say anything, and a sensor that carries out orders if its own record
can be written.  Real: `decide/boot_guard.py` and `wire/boot_record.py`, in the order in which `programs/boot_guard.py`
calls them.
"""

import random
from dataclasses import dataclass, field
from typing import Final

from ringfence.decide import boot_guard as machine
from ringfence.model import limits
from ringfence.model.boot import BootOrder, BootRecord, Level
from ringfence.wire.boot_record import FILE_BYTES, decode_file, writes

BASELINE: Final = 0
RELEASES: Final = 3
BOOTS_UNTIL_UP_MAX: Final = 3 * limits.BOOTS_SHORT_MAX
"""Boots in a row that do not come up because of the sensor, however they end: the ladder's three steps."""

FAILED_UNTIL_UP_MAX: Final = 3 * limits.BOOTS_FAILED_MAX
"""The same where each of them ends without order."""


class PowerCut(Exception):
    """The machine is dark."""


class Violation(AssertionError):
    """A promise is broken."""


class Unwritable(Exception):
    """The disk refuses."""


@dataclass(slots=True)
class Disk:
    """What survives."""

    data: bytearray | None = field(default_factory=lambda: bytearray(FILE_BYTES))
    activation: bytes = bytes(32)
    best: int = RELEASES - 1
    """The release that the sensor's own record says is to run."""

    writable: bool = True
    room: bool = True
    swallowed: frozenset[int] = frozenset()
    """Offsets whose writes are lost without an error."""


class World:
    """One machine over many boots."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.disk = Disk()
        self.harmful = frozenset(number for number in range(RELEASES) if self.chance.random() < 0.5)
        self.harms_by = self.chance.choice(["crash", "reboot", "hang"])
        self.boots = 0
        self.down_in_a_row = 0
        self.down_while_calm = 0
        self.healthy_in_a_row = 0
        self.off = False
        self.trace: list[str] = []
        self.faults = self.chance.random() < 0.7
        self.only_content = not self.faults
        self.full_for_ever = self.only_content and self.chance.random() < 0.3
        self.disk.room = not self.full_for_ever
        self.runs: int | None = None
        self.dark = False

    def run(self, boots: int = 60) -> None:
        """Live.  From some boot on nothing goes wrong any more but what content does."""
        for number in range(boots):
            if number == boots // 3:
                self.faults = False
                self.disk.writable = True
                self.disk.room = not self.full_for_ever
                self.disk.swallowed = frozenset()
            self._weather()
            try:
                self._boot()
            except PowerCut:
                self.dark = True
                self.trace.append(f"{self.boots}: the power goes")
                self.down_in_a_row = 0
            self._check()

    def _weather(self) -> None:
        chance, disk = self.chance, self.disk
        if not self.faults:
            return
        if chance.random() < 0.1:
            disk.writable = chance.random() < 0.5
        disk.room = chance.random() < 0.7
        if chance.random() < 0.05:
            disk.swallowed = frozenset({chance.choice([0, 4096])}) if chance.random() < 0.5 else frozenset()
        if chance.random() < 0.03:
            disk.data = None if chance.random() < 0.5 else bytearray(chance.randbytes(FILE_BYTES))
        if disk.data is not None and chance.random() < 0.05:
            disk.data[chance.randrange(FILE_BYTES)] ^= 1 << chance.randrange(8)

    # --- what the programs do ---

    def _boot(self) -> None:
        self.boots += 1
        self.name = self.chance.randbytes(16)
        self._may_lose_power()
        order = self._begin()
        self.trace.append(f"{self.boots}: {order.level.word}{', late' if order.careful else ''}, runs {self.disk.best}")
        self._may_lose_power()
        self.off = order.level is Level.OFF
        self._live(order)

    def _begin(self) -> BootOrder:
        found, damaged = self._load()
        record, order = machine.begin(found, self.name, self.disk.activation, self._clock(), damaged=damaged)
        try:
            if found is None and damaged:
                self._make()
            self._write(record)
        except Unwritable:
            return machine.uncounted(record)
        return order

    def _live(self, order: BootOrder) -> None:
        """Sensor and machine, until the machine goes down."""
        hung = 0
        while not order.careful:
            runs = self._obey(order)
            if runs is None or runs not in self.harmful:
                break
            self._may_lose_power()
            if self.harms_by == "crash":
                self.trace.append(f"   {runs} takes it down")
                self.down_in_a_row += 1
                return
            if self.harms_by == "reboot":
                self.trace.append(f"   {runs} makes it reboot")
                self.down_in_a_row += 1
                self._note(machine.Ended(self.chance.randrange(limits.BOOT_SHORT_S)))
                return
            self.trace.append(f"   {runs} makes it hang")
            hung += 1
            if hung > len(Level):
                raise Violation("it hangs for ever, and nobody lowers the level")
            after = self._note(machine.Overdue(self.disk.activation))
            order = BootOrder(Level.OFF, clean=True) if after is None else machine.order_of(after, clean=True)
        self.down_in_a_row = 0
        self._note(machine.Up())
        self._may_lose_power()
        runs = self._obey(order) if order.careful else runs
        self.runs = runs
        if runs in self.harmful and self.harms_by != "hang":  # it was up, and goes down again
            if self.harms_by == "reboot":
                self._note(machine.Ended(limits.BOOT_SETTLE_S))
            return
        if runs is not None and runs not in self.harmful:
            self._note(machine.Healthy(self.disk.activation))
            self.healthy_in_a_row += 1
        if self.chance.random() < 0.7:
            self._note(machine.Ended(self.chance.randrange(10_000)))

    def _obey(self, order: BootOrder) -> int | None:
        """The sensor's own machine in small: which release runs; None: nothing does."""
        if order.level is Level.OFF:
            return None
        wanted = {Level.PREVIOUS: max(self.disk.best - 1, BASELINE), Level.BASELINE: BASELINE}.get(order.level)
        if wanted is None:
            return self.disk.best
        if self.disk.writable and self.disk.room:
            self.disk.best = wanted
            self.disk.activation = self.chance.randbytes(32)
            self._may_lose_power()
        return wanted

    def _note(self, event: machine.Event) -> BootRecord | None:
        record, _ = self._load()
        if record is None or record.boot != self.name:
            return None
        after = machine.step(record, event, self._clock())
        try:
            if after is not record:
                self._write(after)
        except Unwritable:
            return None
        return after

    # --- the disk ---

    def _load(self) -> tuple[BootRecord | None, bool]:
        if self.disk.data is None:
            return None, True
        slots = decode_file(bytes(self.disk.data))
        return slots.record, slots.record is None and slots.damaged != ()

    def _make(self) -> None:
        if not (self.disk.writable and self.disk.room):
            raise Unwritable
        self.disk.data = bytearray(FILE_BYTES)

    def _write(self, record: BootRecord) -> None:
        if not self.disk.writable or self.disk.data is None:
            raise Unwritable
        for offset, slot in writes(record):
            if offset in self.disk.swallowed:
                continue
            if self.faults and self.chance.random() < 0.05:
                torn = self.chance.randrange(len(slot))
                self.disk.data[offset : offset + torn] = slot[:torn]
                raise PowerCut
            self.disk.data[offset : offset + len(slot)] = slot

    def _may_lose_power(self) -> None:
        if self.faults and self.chance.random() < 0.04:
            raise PowerCut

    def _clock(self) -> int:
        return self.chance.choice([0, 1_700_000_000, 2**62, self.chance.randrange(2**40)])

    # --- the promises ---

    def _check(self) -> None:
        bound = FAILED_UNTIL_UP_MAX if self.harms_by == "crash" else BOOTS_UNTIL_UP_MAX
        if self.down_in_a_row > bound and not self.faults:
            raise Violation(f"{self.down_in_a_row} boots in a row did not come up")
        if self.faults:
            return
        self.down_while_calm += self.down_in_a_row > 0
        if self.down_while_calm > bound:
            raise Violation(f"{self.down_while_calm} boots did not come up although nothing but content went wrong")


def ends_well(world: World) -> None:
    """What holds when nothing but content has hurt the machine for most of its life.  Raises Violation."""
    if world.down_in_a_row:
        raise Violation("the machine does not come up")
    sound = frozenset(range(RELEASES)) - world.harmful
    if not world.off and world.runs in world.harmful:
        raise Violation("what hurts the machine is still to run")
    if world.only_content and sound and (world.off or world.runs != max(sound)):
        raise Violation("it did not stop at the newest release that is sound")
    if world.only_content and not sound and not world.off:
        raise Violation("nothing is sound and the sensor runs")
