"""`ringfence host sensor on|off`: the operator's word to the boot guard, and at once to the service."""

import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from ringfence.decide import boot_guard as machine
from ringfence.host import boot_level
from ringfence.host.boot_store import BootStore
from ringfence.host.systemd_unit import DEFAULT_STATE, RUN_DIRECTORY, UNIT_NAME
from ringfence.model.boot import BootOrder, Level, Reason
from ringfence.model.errors import KernelLacks, PathRefused, PrivilegeMissing, UsageRefused
from ringfence.model.limits import UNIT_STOP_S
from ringfence.programs.boot_guard import now_s
from ringfence.programs.host_install import SYSTEMD_RUNS


def command(
    word: Annotated[str, typer.Argument(help="on or off", metavar="on|off")],
    state: Annotated[Path, typer.Option(help="The state directory of the service.")] = Path(DEFAULT_STATE),
    next_boot: Annotated[
        bool, typer.Option("--next-boot", help="Only write it down: the service is neither stopped nor started.")
    ] = False,
) -> None:
    r"""Switch the sensor off until told otherwise, over every boot, or on again.

    The boot guard switches it off by itself where boots fail even with the baseline; this is how it comes back.

    \b
    Examples:
      ringfence host sensor off
      ringfence host sensor on --state /var/lib/ringfence
    """
    if word not in ("on", "off"):
        raise UsageRefused(f"the sensor cannot be switched to {word!a}", "say `on` or `off`")
    if os.geteuid() != 0:
        raise PrivilegeMissing("only root may switch the sensor", "run it again with sudo")
    if not state.is_dir():
        raise PathRefused(f"{state}: not a directory", "name the state directory of the service with --state")
    level = Level.NORMAL if word == "on" else Level.OFF
    _write_down(str(state), level)
    print(f"the sensor is {word} from the next boot on" if next_boot else f"the sensor is {word}")
    if not next_boot and SYSTEMD_RUNS.is_dir():
        boot_level.leave(RUN_DIRECTORY, BootOrder(level, clean=True, reason=Reason.OPERATOR))
        _service("stop" if level is Level.OFF else "start")


def _write_down(state: str, level: Level) -> None:
    """Set the level in the record.  Raises DiskFull."""
    store = BootStore(state)
    record, lost = store.load()
    if record is None and lost:
        store.make()
    told = machine.Told(level, Reason.OPERATOR, store.activation_digest())
    store.write(machine.step(record or machine.FIRST, told, now_s()))
    store.switch(off=level is Level.OFF)


def _service(verb: str) -> None:
    """Raises KernelLacks where systemctl fails."""
    words = ["systemctl", verb, UNIT_NAME]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=2 * UNIT_STOP_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KernelLacks(f"`{' '.join(words)}`: {error}", "run it yourself; the boot guard has its word") from error
    if done.returncode != 0:
        raise KernelLacks(f"`{' '.join(words)}`: {done.stderr.strip()}", "see what systemd says about the service")
