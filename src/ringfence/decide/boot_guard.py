"""How boots are counted, and when the sensor gets less say because the machine did not come up with it.

Pure: `begin` at the start of a boot, `step` for what happens in it; both give the record to be written.  Rules:

1. A boot is *healthy* when the default target was reached and the sensor has answered, both for `BOOT_SETTLE_S`.
2. A boot that ends without order before that has *failed*.  `BOOTS_FAILED_MAX` of them lower the level.
3. A boot that ends in order before that, within `BOOT_SHORT_S`, is *short*: a person in a hurry, or something that
   reboots the machine because content broke it.  `BOOTS_SHORT_MAX` boots in a row that were short or failed lower the
   level.
4. A boot that has not reached its default target after `BOOT_OVERDUE_S` lowers the level at once, without a reboot.
5. The ladder: normal, previous, baseline, off.  `off` stays until somebody says otherwise.  So without power cuts a
   machine that comes up without the sensor is up after at most `3 * BOOTS_FAILED_MAX` failed boots, and after at most
   `3 * BOOTS_SHORT_MAX` of whatever kind.
6. A healthy boot clears the counts.  It clears the level only if the sensor has carried that out durably, which shows
   in its activation record being another one than at the lowering.  Otherwise the same order is given again at the next
   boot: what hurt the machine lives in the state, and nothing but the sensor's own record keeps it from coming back.
7. Once the sensor has carried a level out it is not ordered again, or each further boot would cost another release.
8. *Who cannot count comes late.*  If the record is lost, damaged or cannot be written, the order is *careful*: start
   only when the machine has reached its default target without the sensor, and take the last boot for one that failed.
   Nothing of the sensor can then keep the machine from coming up, however often it boots: a counter that does not count
   makes no loop.
9. Clocks decide nothing.  The same boot counts once, however often `begin` is called in it.
"""

from dataclasses import dataclass, replace

from ringfence.model import limits
from ringfence.model.boot import (
    BOOT_ID_BYTES,
    NO_DIGEST,
    BootOrder,
    BootRecord,
    Level,
    Phase,
    Reason,
    outcome_byte,
)

UNKNOWN_BOOT = bytes(BOOT_ID_BYTES)
"""The name of no boot."""

FIRST = BootRecord(1, UNKNOWN_BOOT)
"""The record of an installation."""


@dataclass(frozen=True, slots=True)
class Up:
    """The default target is reached."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """The boot is `BOOT_SHORT_S` old, and up."""


@dataclass(frozen=True, slots=True)
class Healthy:
    """Rule 1.  `activation`: the digest of the sensor's record now."""

    activation: bytes


@dataclass(frozen=True, slots=True)
class Overdue:
    """Rule 4; the sensor does not run now.  `activation`: the digest of its record."""

    activation: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The machine goes down in order."""

    uptime_s: int


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody sets the level.  `activation`: the digest of the sensor's record now."""

    level: Level
    reason: Reason
    activation: bytes


Event = Up | Lasting | Healthy | Overdue | Ended | Told


def begin(
    found: BootRecord | None, boot: bytes, activation: bytes, now_s: int, *, damaged: bool = False
) -> tuple[BootRecord, BootOrder]:
    """Count a boot: the record to be written, and what the sensor is told if that succeeds.

    `found` is the newer record that is sound; None with `damaged`: there was one.  None without: an installation.
    """
    if found is None:
        record = replace(FIRST, boot=boot, phase=Phase.BEGUN, boots=1, written_at_s=now_s)
        if not damaged:
            return record, BootOrder(Level.NORMAL, clean=True)
        record = replace(record, reason=Reason.DAMAGED, failed=1, short=1)
        return record, BootOrder(Level.NORMAL, clean=False, careful=True, reason=Reason.DAMAGED)
    if found.boot == boot and boot != UNKNOWN_BOOT and found.phase is not Phase.NONE:
        return found, order_of(found, clean=True)
    record = _judged(found, activation, now_s)
    record = replace(
        record,
        sequence=found.sequence + 1,
        boot=boot,
        phase=Phase.BEGUN,
        orderly=False,
        written_at_s=now_s,
        boots=min(found.boots + 1, (1 << 32) - 1),
        settled=record.settled or record.before != activation,
        history=_longer_history(found),
    )
    return record, order_of(record, clean=found.phase is Phase.NONE or found.orderly)


def order_of(record: BootRecord, *, clean: bool) -> BootOrder:
    """What the sensor is told for the boot of `record`.  Rules 7 and 8."""
    obeyed = record.settled and record.level is not Level.OFF
    careful = record.reason is Reason.DAMAGED
    return BootOrder(Level.NORMAL if obeyed else record.level, clean and not careful, careful, record.reason)


def uncounted(record: BootRecord) -> BootOrder:
    """What the sensor is told when `record` could not be written.  Rule 8."""
    level = Level.OFF if record.level is Level.OFF else Level.NORMAL
    return BootOrder(level, clean=False, careful=True, reason=Reason.UNWRITABLE)


def step(record: BootRecord, event: Event, now_s: int) -> BootRecord:
    """The record after something that happened in its boot; the same object when there is nothing to write."""
    after = _after(record, event, now_s)
    if after == record:
        return record
    return replace(after, sequence=record.sequence + 1, written_at_s=now_s)


def _after(record: BootRecord, event: Event, now_s: int) -> BootRecord:
    match event:
        case Up():
            return _at_least(record, Phase.UP)
        case Lasting():
            return _at_least(record, Phase.LASTING)
        case Healthy(activation):
            return _healed(record, activation)
        case Overdue(activation):
            if record.phase is not Phase.BEGUN or record.level is Level.OFF:
                return record
            return _lowered(record, activation, Reason.OVERDUE, now_s)
        case Ended(uptime_s):
            after = record
            if record.phase in (Phase.BEGUN, Phase.UP) and uptime_s >= limits.BOOT_SHORT_S:
                after = _at_least(record, Phase.LASTING)
            return after if record.phase is Phase.NONE else replace(after, orderly=True)
        case Told(level, reason, activation):
            return replace(
                record,
                level=level,
                reason=Reason.NONE if level is Level.NORMAL else reason,
                failed=0,
                short=0,
                before=activation,
                settled=level is Level.NORMAL,
                lowered_at_s=0 if level is Level.NORMAL else now_s,
            )


def _at_least(record: BootRecord, phase: Phase) -> BootRecord:
    return replace(record, phase=max(record.phase, phase))


def _healed(record: BootRecord, activation: bytes) -> BootRecord:
    """Rule 6."""
    record = replace(record, phase=Phase.HEALTHY, failed=0, short=0)
    if record.level is Level.OFF:
        return record
    if not (record.settled or record.before != activation):
        return record
    return replace(record, level=Level.NORMAL, reason=Reason.NONE, settled=True, before=NO_DIGEST, lowered_at_s=0)


def _judged(record: BootRecord, activation: bytes, now_s: int) -> BootRecord:
    """The counts after the end of the boot that `record` speaks of.  Rules 2 and 3."""
    if record.level is Level.OFF or record.phase not in (Phase.BEGUN, Phase.UP):
        return record
    failed, short = record.failed + (not record.orderly), record.short + 1
    if failed >= limits.BOOTS_FAILED_MAX:
        return _lowered(record, activation, Reason.FAILED, now_s)
    if short >= limits.BOOTS_SHORT_MAX:
        return _lowered(record, activation, Reason.SHORT, now_s)
    return replace(record, failed=failed, short=short)


def _lowered(record: BootRecord, activation: bytes, reason: Reason, now_s: int) -> BootRecord:
    return replace(
        record,
        level=Level(record.level + 1),
        reason=reason,
        failed=0,
        short=0,
        before=activation,
        settled=False,
        lowered_at_s=now_s,
    )


def _longer_history(record: BootRecord) -> bytes:
    if record.phase is Phase.NONE:
        return record.history
    last = outcome_byte(record.level, record.phase, orderly=record.orderly)
    return (record.history + bytes([last]))[-limits.BOOT_HISTORY_ENTRIES_MAX :]
