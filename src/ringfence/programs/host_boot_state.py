"""`ringfence host boot-state`: the boot guard's record, for people and for scripts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from ringfence.host.boot_store import BootStore
from ringfence.host.sensor_state import SensorState
from ringfence.host.systemd_unit import DEFAULT_STATE
from ringfence.model import limits
from ringfence.model.boot import BootRecord, Level, Phase, Reason, outcome
from ringfence.model.errors import PathRefused

MEANING: Final = {
    Level.NORMAL: "the sensor goes on with what its own record says",
    Level.PREVIOUS: "the release that ran in the failed boots is not used, the good one before it is",
    Level.BASELINE: "only the packaged baseline is used",
    Level.OFF: "the sensor is off until `ringfence host sensor on`",
}
WHY: Final = {
    Reason.NONE: "boots are healthy",
    Reason.FAILED: f"{limits.BOOTS_FAILED_MAX} boots in a row ended without order before they were healthy",
    Reason.SHORT: f"{limits.BOOTS_SHORT_MAX} boots in a row ended before they were healthy",
    Reason.OVERDUE: f"a boot did not reach its default target within {limits.BOOT_OVERDUE_S} s",
    Reason.DAMAGED: "the record was lost or damaged; the sensor starts only when the machine is up",
    Reason.OPERATOR: "somebody said so on this host",
    Reason.RESCUED: "somebody said so from outside, with `ringfence rescue`",
}


def command(
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.")] = Path(DEFAULT_STATE),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show how the last boots went, and how much say the sensor has because of it.

    Example: ringfence host boot-state --state /var/lib/ringfence --json | jq .level
    """
    if not SensorState(state).directory.is_dir():
        raise PathRefused(f"{state}: not a directory", "name the state directory of the service with --state")
    record, damaged = BootStore(str(state)).load()
    if as_json:
        print(json.dumps(as_object(record, damaged=damaged), indent=2))
    elif record is None:
        lost = "the record is missing or damaged; the next boot begins a new one, carefully"
        print(lost if damaged else "no boot was counted yet")
    else:
        print("\n".join(as_lines(record)))


def as_object(record: BootRecord | None, *, damaged: bool) -> dict[str, object]:
    """The JSON shape."""
    if record is None:
        return {"counted": False, "damaged": damaged, "level": Level.NORMAL.word, "history": []}
    return {
        "counted": record.phase is not Phase.NONE,
        "damaged": damaged,
        "level": record.level.word,
        "reason": record.reason.name.lower(),
        "why": WHY[record.reason],
        "carried_out": record.settled,
        "lowered_at_unix_s": record.lowered_at_s,
        "boot": record.boot.hex(),
        "phase": record.phase.name.lower(),
        "boots": record.boots,
        "failed_in_a_row": record.failed,
        "short_in_a_row": record.short,
        "history": [_as_words(byte) for byte in record.history],
    }


def as_lines(record: BootRecord) -> list[str]:
    """What a person reads."""
    lines = [f"level {record.level.word}: {MEANING[record.level]}", f"why: {WHY[record.reason]}"]
    if record.level is not Level.NORMAL:
        lines.append(f"since: {_time(record.lowered_at_s)}")
    if record.level in (Level.PREVIOUS, Level.BASELINE):
        lines.append(f"carried out by the sensor: {'yes' if record.settled else 'not yet'}")
    lines.append(f"this boot: {record.phase.name.lower()}, the {record.boots}. that was counted")
    lines.append(f"in a row: {record.failed} failed, {record.short} short")
    if record.history:
        lines.append("before, oldest first:")
        lines += [f"  {' '.join(_as_words(byte).values())}" for byte in record.history]
    return lines


def _as_words(byte: int) -> dict[str, str]:
    level, phase, orderly = outcome(byte)
    return {"level": level.word, "came": phase.name.lower(), "ended": "in-order" if orderly else "without-order"}


def _time(at_s: int) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):
        return "a time that no clock shows"
