"""Watches one boot until it is healthy: is the machine up, does the sensor answer?  Started with the sensor.

    python -I -m ringfence.programs.boot_health --state DIR --run DIR

What it sees becomes findings in `decide/boot_watch.py`; what they mean for the record is `decide/boot_guard.py`'s.
Where a boot hangs, it takes the sensor's say away without a reboot: stops the service, lowers the level, starts the
service.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Final

from ringfence.decide import boot_guard as machine
from ringfence.decide.boot_watch import Finding, Watch, look
from ringfence.host import boot_level
from ringfence.host.boot_store import BootStore
from ringfence.host.service_manager import is_up, systemctl
from ringfence.host.systemd_unit import UNIT_NAME
from ringfence.model import limits
from ringfence.model.boot import BootOrder, BootRecord, Level, Reason
from ringfence.model.errors import RingfenceError
from ringfence.programs.boot_guard import note
from ringfence.programs.host_frames import ask_warden
from ringfence.wire import catalogue
from ringfence.wire.sensor_reports import decode_status_report

_ANSWERING: Final = frozenset({b"armed"})


class Health:
    """The loop."""

    def __init__(self, state: Path, run: str, watch: Watch) -> None:
        self._state = state
        self._store = BootStore(str(state))
        self._run = run
        self._watch = watch

    def until_healthy(self) -> str:
        """Look, and act on what is found; the last words for the journal."""
        while True:
            up = is_up()
            self._watch, found = look(self._watch, up=up, answers=up and self._answers(), now_ms=now_ms())
            for finding in found:
                if last_words := self._act(finding):
                    return last_words
            time.sleep(limits.BOOT_LOOK_MS / 1000)

    def _answers(self) -> bool:
        """Whether a gate answers the kernel's questions, and the warden ours."""
        try:
            report = decode_status_report(ask_warden(self._state, catalogue.STATUS))
        except (RingfenceError, OSError):
            return False
        return any(one.role == b"gate" and one.state in _ANSWERING for one in report.processes)

    def _act(self, finding: Finding) -> str:
        match finding:
            case Finding.UP:
                self._note(machine.Up())
            case Finding.LASTING:
                self._note(machine.Lasting())
            case Finding.HEALTHY:
                self._note(machine.Healthy(self._store.activation_digest()))
                return "boot guard: this boot is healthy"
            case Finding.OVERDUE if not boot_level.peek(self._run).careful:
                return self._overdue()
            case Finding.OVERDUE:
                pass  # the sensor has not run yet
        return ""

    def _overdue(self) -> str:
        """The machine hangs on its way up: less say for the sensor, at once."""
        systemctl("stop", UNIT_NAME)
        record = self._note(machine.Overdue(self._store.activation_digest()))
        if record is None:  # it cannot be written down: for this boot at least, the machine comes first
            boot_level.leave(self._run, BootOrder(Level.OFF, clean=True, reason=Reason.OVERDUE))
            return "boot guard: the machine is not up in time, and that cannot be written down: the sensor is off"
        order = machine.order_of(record, clean=True)
        boot_level.leave(self._run, order)
        print(f"boot guard: the machine is not up in time: level {record.level.word}", flush=True)
        if order.level is Level.OFF:
            return "boot guard: the sensor is off until somebody says `ringfence host sensor on`"
        systemctl("start", "--no-block", UNIT_NAME)
        return ""

    def _note(self, event: machine.Event) -> BootRecord | None:
        try:
            return note(self._store, event)
        except RingfenceError as error:
            print(f"boot guard: {error.what}", file=sys.stderr, flush=True)
            return None


def now_ms() -> int:
    """Monotonic milliseconds: those of a suspended machine do not count."""
    return time.monotonic_ns() // 1_000_000


def main(words: list[str]) -> int:
    """Watch this boot; 0 when it is healthy or the sensor is off."""
    parser = argparse.ArgumentParser(prog="boot_health", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--settle-s", type=int, default=limits.BOOT_SETTLE_S)
    parser.add_argument("--overdue-s", type=int, default=limits.BOOT_OVERDUE_S)
    given = parser.parse_args(words)
    if os.path.exists(f"{given.run}/{boot_level.OFF}"):
        return 0
    watch = Watch(now_ms(), settle_ms=1000 * given.settle_s, overdue_ms=1000 * given.overdue_s)
    print(Health(given.state, given.run, watch).until_healthy(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
