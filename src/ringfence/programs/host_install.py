"""`ringfence host install`: run the sensor as a hardened systemd service of this machine."""

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from ringfence.control.listening import parse_address
from ringfence.host.boot_store import BootStore
from ringfence.host.boot_units import guard_text, health_text
from ringfence.host.marks import Place, PlaceKind
from ringfence.host.places import resolve_all
from ringfence.host.systemd_unit import DEFAULT_STATE, GUARD_UNIT, HEALTH_UNIT, UNIT_NAME, Installation, unit_text
from ringfence.model.errors import KernelLacks, PathRefused, PrivilegeMissing, UsageRefused
from ringfence.model.verdict import Mode
from ringfence.programs import boot_guard

UNIT_DIRECTORY: Final = Path("/etc/systemd/system")
SYSTEMD_RUNS: Final = Path("/run/systemd/system")
"""This directory exists exactly where systemd is the running init, see sd_booted(3)."""


def command(
    protect: Annotated[list[str], typer.Option(help="A directory, or filesystem:PATH; may be given several times.")],
    state: Annotated[Path, typer.Option(help="The state directory of the service.")] = Path(DEFAULT_STATE),
    listen: Annotated[str, typer.Option(help="Address and port of the console.")] = "127.0.0.1:8443",
    mode: Annotated[str, typer.Option(help="observe or enforce.")] = "observe",
    content: Annotated[Path | None, typer.Option(help="A release file; the packaged baseline by default.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Ask at every open too, see `ringfence up --help`.")] = False,
    allow_unproven: Annotated[
        bool, typer.Option("--allow-unproven", help="Take releases without a proof, see `ringfence up --help`.")
    ] = False,
    no_console: Annotated[
        bool, typer.Option("--no-console", help="Start no control plane, see `ringfence up --help`.")
    ] = False,
    fail_closed: Annotated[
        list[Path] | None, typer.Option(help="Refuse files below this path when there is no verdict in time.")
    ] = None,
    unit_directory: Annotated[Path, typer.Option(help="Where the unit file goes.")] = UNIT_DIRECTORY,
    image: Annotated[
        bool, typer.Option("--image", help="This is a disk image: write and enable the units, start nothing.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the unit files and change nothing.")] = False,
) -> None:
    r"""Install Ringfence as a hardened systemd service, enabled but not started.

    A new installation observes: read its alerts for a while, then install again with `--mode enforce`.

    \b
    Examples:
      ringfence host install --protect /srv --dry-run
      ringfence host install --protect /srv --protect /home && systemctl start ringfence
    """
    checked = _installation(protect, state, listen, mode, content)
    closed = _closed_paths(fail_closed or [], checked.protected)
    asked = dataclasses.replace(checked, strict=strict, fail_closed=closed, allow_unproven=allow_unproven)
    units = _units(dataclasses.replace(asked, no_console=no_console))
    if dry_run:
        print("\n".join(f"# === {name}\n{text}" for name, text in units.items()), end="")
        return
    if os.geteuid() != 0:
        raise PrivilegeMissing("installing a service needs root", "run it with sudo, or add --dry-run to see the unit")
    if unit_directory == UNIT_DIRECTORY and not image and not SYSTEMD_RUNS.is_dir():
        raise KernelLacks(
            "systemd does not run on this machine",
            "add --dry-run and give ExecStart's command to your service manager, or --image where this is a disk image",
        )
    for name, text in units.items():
        _write_durably(unit_directory / name, text)
        print(f"wrote {unit_directory / name}")
    if unit_directory == UNIT_DIRECTORY:
        _make_boot_record(checked.state)
        if not image:
            _systemctl("daemon-reload")
        _systemctl("enable", UNIT_NAME)
        print(f"enabled; start it with: systemctl start {UNIT_NAME.removesuffix('.service')}")


def _units(installation: Installation) -> dict[str, str]:
    """Every unit file by its name.  Raises PathRefused for a word that none may hold."""
    return {
        UNIT_NAME: unit_text(installation),
        GUARD_UNIT: guard_text(installation, str(Path(boot_guard.__file__).absolute())),
        HEALTH_UNIT: health_text(installation),
    }


def _make_boot_record(state: str) -> None:
    """The guard's record at its full size, while there is room; one that is there stays."""
    store = BootStore(state)
    found, lost = store.load()
    if found is None and lost:
        store.make()


def _installation(protect: list[str], state: Path, listen: str, mode: str, content: Path | None) -> Installation:
    """Check what the person named; raises PathRefused or UsageRefused.  `unit_text` checks what it can spell."""
    if mode.upper() not in Mode.__members__:
        raise UsageRefused(f"there is no mode '{mode}'", "say --mode observe or --mode enforce")
    parse_address(listen)
    if not listen.isprintable():
        raise UsageRefused(f"{listen!a} is no address to listen on", "write HOST:PORT, for example 127.0.0.1:8443")
    places, _ = resolve_all(protect)
    if content is not None and not content.is_file():
        raise PathRefused(f"{content} is not a file", "name a release file, see `ringfence content build --help`")
    return Installation(
        program=(sys.executable, "-I", "-m", "ringfence.programs.cli"),
        state=str(state.absolute()),
        protected=tuple(places),
        listen=listen,
        mode=mode.lower(),
        content=None if content is None else str(content.resolve()),
    )


def _closed_paths(named: list[Path], protected: Sequence[Place]) -> tuple[str, ...]:
    """The paths of `--fail-closed`, resolved; raises PathRefused for one that is missing or not protected."""
    resolved = []
    for path in named:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise PathRefused(f"--fail-closed {path}: {_why(error)}", "name what exists below --protect") from error
        if not any(_covers(place, real) for place in protected):
            raise PathRefused(
                f"--fail-closed {path} is neither a protected directory nor below one",
                "name a path below --protect, or protect its directory too",
            )
        resolved.append(str(real))
    return tuple(resolved)


def _covers(place: Place, path: Path) -> bool:
    if place.kind is PlaceKind.FILE_SYSTEM:
        return path.stat().st_dev == Path(place.path).stat().st_dev
    return path.is_relative_to(place.path)


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it does not resolve"


def _write_durably(target: Path, text: str) -> None:
    """Replace `target` by `text` as a whole, on disk when this returns; raises PathRefused."""
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(target)
        directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise PathRefused(
            f"{target} cannot be written: {error.strerror}", "name a directory that exists with --unit-directory"
        ) from error


def _systemctl(*words: str) -> None:
    """Run systemctl; raises KernelLacks where it is missing or fails."""
    program = shutil.which("systemctl")
    if program is None:
        raise KernelLacks("systemctl is not on the path", "apt-get install systemd")
    finished = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise KernelLacks(
            f"systemctl {' '.join(words)}: {finished.stderr.strip()}", "correct what it says and install again"
        )
