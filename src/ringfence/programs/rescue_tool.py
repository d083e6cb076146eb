"""`ringfence rescue`, as one file that needs nothing but Python: `python3 rescue.pyz --root /mnt`.

It shows what the boot guard and the sensor have written on the disk of a machine that does not boot, and takes the
sensor back: to the release before, to the package's baseline, or off.  It follows no link of that disk, and keeps what
it takes away.
"""

import argparse
import json
import os
import sys
import time
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Final

from ringfence.host.rescue_disk import RescueDisk, digest_or_none
from ringfence.model.activation import ActivationState
from ringfence.model.boot import BootRecord, Level, Phase, outcome
from ringfence.model.errors import FrameRefused, InternalError, RingfenceError
from ringfence.wire.activation_record import decode_activation

DEFAULT_STATE: Final = "/var/lib/ringfence"
LEVELS: Final = {level.word: level for level in Level}
MODULES: Final = (
    "__init__.py",
    "decide/__init__.py",
    "decide/boot_guard.py",
    "host/__init__.py",
    "host/rescue_disk.py",
    "model/__init__.py",
    "model/activation.py",
    "model/boot.py",
    "model/errors.py",
    "model/limits.py",
    "programs/__init__.py",
    "programs/rescue_tool.py",
    "wire/__init__.py",
    "wire/activation_record.py",
    "wire/boot_record.py",
)
"""What the one file holds, below the package."""

MEANING: Final = {
    Level.NORMAL: "the sensor goes on as if no boot had failed",
    Level.PREVIOUS: "the sensor refuses the release that ran, and runs the good one before it",
    Level.BASELINE: "the sensor runs the release of its package; its releases and its record are kept aside",
    Level.OFF: "the sensor does not start until `ringfence host sensor on`",
}


def main(words: Sequence[str]) -> int:
    """Show or repair; the exit status."""
    parser = argparse.ArgumentParser(prog="rescue", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", required=True, help="where the disk of the machine is mounted")
    parser.add_argument("--state", default=DEFAULT_STATE, help=f"its state directory ({DEFAULT_STATE})")
    parser.add_argument("--to", choices=list(LEVELS), help="take the sensor back; without it, only show")
    parser.add_argument("--dry-run", action="store_true", help="say what --to would do, and do nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    asked = parser.parse_args(words)
    try:
        told = run(asked.root, asked.state, None if asked.to is None else LEVELS[asked.to], dry_run=asked.dry_run)
    except RingfenceError as error:
        print(error.operator_text(), file=sys.stderr)
        return error.exit_status
    print(json.dumps(told, indent=2) if asked.json else "\n".join(lines_of(told)))
    return 0


def run(root: str, state: str, level: Level | None, *, dry_run: bool) -> dict[str, object]:
    """Look, repair if a level is given, and look again; what a person must know.  Raises PathRefused or DiskFull."""
    disk = RescueDisk(root, state)
    try:
        told = _seen(disk)
        if level is not None:
            told["to"] = level.word
            told["means"] = MEANING[level]
            told["done"] = not dry_run
            told["kept_as"] = "" if dry_run else _repair(disk, level)
        return told
    finally:
        disk.close()


def _repair(disk: RescueDisk, level: Level) -> str:
    """Set the level; the name under which content is kept, "" where it stays.

    The order counts: whatever breaks off in between, the record already says the new level.
    """
    disk.set_level(level, digest_or_none(disk.activation_record()), max(0, int(time.time())))
    return disk.set_content_aside() if level is Level.BASELINE else ""


def _seen(disk: RescueDisk) -> dict[str, object]:
    """What is on the disk."""
    record, lost = disk.boot_record()
    told: dict[str, object] = {"state": disk.path, "made_by": disk.marker(), "boot_record": _boots(record, lost=lost)}
    data = disk.activation_record()
    try:
        activation = decode_activation(data) if data else None
        told["damaged"] = ""
    except (FrameRefused, InternalError) as error:
        activation, told["damaged"] = None, f"the activation record is damaged: {error}"
    told["releases"] = None if activation is None else _releases(activation)
    told["files"] = disk.releases()
    return told


def _boots(record: BootRecord | None, *, lost: bool) -> dict[str, object]:
    if record is None:
        return {"level": Level.NORMAL.word, "lost": lost, "history": []}
    history = [outcome(byte) for byte in record.history]
    return {
        "level": record.level.word,
        "lost": False,
        "reason": record.reason.name.lower(),
        "carried_out": record.settled,
        "phase": record.phase.name.lower(),
        "boots": record.boots,
        "failed_in_a_row": record.failed,
        "written_at": _time(record.written_at_s),
        "history": [_ended(*one) for one in history],
    }


def _ended(level: Level, phase: Phase, ordered: bool) -> str:
    return f"{level.word} {phase.name.lower()}{'' if ordered else ', cut off'}"


def _releases(state: ActivationState) -> dict[str, object]:
    tried = state.candidate
    return {
        "runs": None if state.arrival.release is None else state.arrival.release.label,
        "chain": [one.release.label for one in state.chain],
        "trying": None if tried is None else f"{tried.release.label} {tried.stage}, start {tried.attempts}",
        "refused": [f"{one.release.label} {one.reason}: {one.text}".rstrip(": ") for one in state.refused],
    }


def _time(at_s: int) -> str:
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):
        return "a time that no clock shows"


def lines_of(told: dict[str, object]) -> list[str]:
    """What a person reads."""
    lines: list[str] = []
    for name, value in told.items():
        if isinstance(value, dict):
            lines.append(f"{name.replace('_', ' ')}:")
            lines += [f"  {line}" for line in lines_of(value)]
        elif isinstance(value, list):
            lines.append(f"{name.replace('_', ' ')}: {'' if value else 'none'}".rstrip())
            lines += [f"  {one}" for one in value]
        elif value not in ("", None):
            lines.append(f"{name.replace('_', ' ')}: {value}")
    if "to" not in told and not isinstance(told.get("level"), str) and "boot_record" in told:
        lines.append("to repair: --to previous, --to baseline or --to off (with --dry-run first)")
    return lines


def tool() -> bytes:
    """The one file: this program and what it imports, for any Python from 3.11 on."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    packed = BytesIO()
    packed.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
        for name in MODULES:
            with open(f"{package}/{name}", "rb") as file:
                archive.writestr(zipfile.ZipInfo(f"ringfence/{name}"), file.read())
        archive.writestr(zipfile.ZipInfo("__main__.py"), _START)
    return packed.getvalue()


_START: Final = """\
import sys
if sys.version_info < (3, 11):
    sys.exit("rescue: this needs Python 3.11 or later; start another rescue system, or copy the disk's image to one")
from ringfence.programs.rescue_tool import main
sys.exit(main(sys.argv[1:]))
"""
