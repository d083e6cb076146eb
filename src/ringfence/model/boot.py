"""What the boot guard remembers of this machine's boots, and what it orders for the present one.

The constructor of `BootRecord` refuses records that cannot exist.  Wall time appears only in what people read: clocks
are wrong at boot, and no decision looks at them.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final

from ringfence.model import limits
from ringfence.model.errors import InternalError

BOOT_ID_BYTES: Final = 16
DIGEST_BYTES: Final = 32
NO_DIGEST: Final = bytes(DIGEST_BYTES)


@unique
class Level(IntEnum):
    """How far down the ladder this machine is."""

    NORMAL = 0
    """The sensor goes on with what its own record says."""

    PREVIOUS = 1
    """Not the release that ran in the boots that failed: the good one before it."""

    BASELINE = 2
    """The release of the package."""

    OFF = 3
    """No sensor until somebody says otherwise: the machine comes first."""

    @property
    def word(self) -> str:
        """How commands and files call it."""
        return self.name.lower()


@unique
class Phase(IntEnum):
    """How far the boot that a record speaks of has come."""

    NONE = 0
    """No boot was ever counted."""

    BEGUN = 1
    UP = 2
    """The default target was reached."""

    LASTING = 3
    """It did not become healthy, but the machine has run so long that nobody can say it does not boot."""

    HEALTHY = 4


@unique
class Reason(IntEnum):
    """Why the level is what it is."""

    NONE = 0
    FAILED = 1
    """Boots ended without order before they were healthy."""

    SHORT = 2
    """Boots ended before they were healthy, some of them in order: something reboots this machine."""

    OVERDUE = 3
    """A boot did not reach its default target in time."""

    DAMAGED = 4
    """The record was lost or damaged: nobody knows how the last boots went."""

    UNWRITABLE = 5
    """This boot cannot be counted.  It is never on disk, for it is the reason why nothing is."""

    OPERATOR = 6
    RESCUED = 7
    """Somebody set the level from outside, with `ringfence rescue`."""


@dataclass(frozen=True, slots=True)
class BootRecord:
    """What is on disk, twice."""

    sequence: int
    """How often it was written; the newer of the two copies has the greater one."""

    boot: bytes
    """The kernel's name of the boot that the next fields speak of."""

    phase: Phase = Phase.NONE
    orderly: bool = False
    """That boot ended in order."""

    level: Level = Level.NORMAL
    reason: Reason = Reason.NONE
    failed: int = 0
    """Boots in a row, at this level, that ended without order before they were healthy."""

    short: int = 0
    """The same and those that ended soon, but in order."""

    before: bytes = NO_DIGEST
    """SHA-256 of the activation record when the level was lowered: while it has not changed, nobody has obeyed."""

    settled: bool = True
    """The sensor has carried the level out, durably: from now on its own record says it."""

    written_at_s: int = 0
    lowered_at_s: int = 0
    boots: int = 0
    history: bytes = b""
    """The last boots, newest last: `outcome_byte` of each."""

    def __post_init__(self) -> None:
        _require(0 < self.sequence < (1 << 64) - 1, "it was written that often")
        _require(len(self.boot) == BOOT_ID_BYTES, "a boot has another name")
        _require(len(self.before) == DIGEST_BYTES, "a digest is no SHA-256")
        _require(0 <= self.failed < limits.BOOTS_FAILED_MAX, "more boots failed than a level lasts")
        _require(self.failed <= self.short < limits.BOOTS_SHORT_MAX, "more boots were short than a level lasts")
        _require(0 <= self.written_at_s < 1 << 64 and 0 <= self.lowered_at_s < 1 << 64, "a time before 1970")
        _require(0 <= self.boots < 1 << 32, "a number of boots")
        _require(len(self.history) <= limits.BOOT_HISTORY_ENTRIES_MAX, "a history that is too long")
        _require(all(_is_outcome(byte) for byte in self.history), "an outcome that no boot has")
        _require(self.reason is not Reason.UNWRITABLE, "the reason why it is not written")
        _require(self.level is Level.NORMAL or self.reason is not Reason.NONE, "a level without a reason")
        _require(self.phase is not Phase.NONE or not self.orderly, "no boot ended in order")


@dataclass(frozen=True, slots=True)
class BootOrder:
    """What the sensor is told for this boot."""

    level: Level
    """NORMAL also where the level was lowered and the sensor has carried that out: its record says the rest."""

    clean: bool
    """The boot before ended in order, or there was none."""

    careful: bool = False
    """Nobody knows how the last boots went, or this one cannot be counted: the sensor starts only when the machine is
    up, so that no boot can fail because of it."""

    reason: Reason = Reason.NONE


def outcome_byte(level: Level, phase: Phase, *, orderly: bool) -> int:
    """A boot in one byte: bits 4 and 5 its level, bit 3 an end in order, bits 0 to 2 how far it came."""
    return level << 4 | orderly << 3 | phase


def outcome(byte: int) -> tuple[Level, Phase, bool]:
    """Level, phase and whether the end was orderly, of one byte of a history."""
    return Level(byte >> 4), Phase(byte & 7), bool(byte & 8)


def _is_outcome(byte: int) -> bool:
    return byte >> 4 <= Level.OFF and Phase.BEGUN <= byte & 7 <= Phase.HEALTHY


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads like an assertion
    if not holds:
        raise InternalError(f"a boot record that cannot be: {what}", "report it with the boot record")
