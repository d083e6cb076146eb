"""Machines that do not come up, and a boot counter that must not loop itself: greenboot#26.

Each boot is real as far as the guard can see: its program is run as the early unit runs it, on a state directory that
outlives the boot, and under a boot's own name, which a mount of our own puts over the kernel's.  The content is the
worst there is: no boot comes up in which the sensor starts before the machine is up.
"""

import errno
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from faults.outcome import Case, NotHeldError
from faults.stage import Stage
from ringfence.decide.boot_guard import FIRST
from ringfence.host import boot_level
from ringfence.host.boot_store import BootStore
from ringfence.model.boot import BootOrder, Level
from ringfence.model.limits import BOOTS_FAILED_MAX
from ringfence.programs import boot_guard

BOOTS_SHOWN: Final = 40
"""After so many boots without an end we believe that there is none."""

BOOTS_UP: Final = 3
"""So often in a row it must come up: each of these boots is cut off as well, so that the counter has its say again."""

FAILED_BOOTS_MAX: Final = (Level.OFF - Level.NORMAL) * BOOTS_FAILED_MAX
STATE_BYTES: Final = 262_144
GUARD: Final = boot_guard.__file__
BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"

Found = TypeVar("Found")
Disk = Callable[[Path], None]
"""What becomes of the state's file system before the boots."""


def counter_that_loops(stage: Stage, case: Case) -> str:
    """R46.  With no guard, with a counter that cannot count, and with ours on every disk that we can think of."""
    del stage
    without = _boots(lambda _: BootOrder(Level.NORMAL, clean=True))
    naive = _on(_read_only, lambda state: _boots(lambda _: _counted_naively(state)))
    case.damage = f"no guard: no end after {without} boots; a counter on a read-only disk: no end after {naive}"
    case.need("the damage is real", holds=(without, naive) == (BOOTS_SHOWN, BOOTS_SHOWN))
    said = []
    for word, disk, failed_max in DISKS:
        failed, level = _on(disk, _guarded)
        case.need(f"{word}: the machine is up after {failed} failed boots", holds=failed <= failed_max)
        said.append(f"{word} {failed} ({level})")
    return "boots that failed before the machine came up for good, and the sensor then: " + ", ".join(said)


def _guarded(state: Path) -> tuple[int, str]:
    """How many boots failed under the guard, and how much say the sensor has at the end."""
    failed = _boots(lambda number: _begin(state, number))
    if failed == BOOTS_SHOWN:
        raise NotHeldError(f"no end after {failed} boots")
    return failed, "off" if _begin(state, BOOTS_SHOWN + 1).level is Level.OFF else "starts when the machine is up"


def _boots(order_of: Callable[[int], BootOrder]) -> int:
    """Boot until the machine comes up `BOOTS_UP` times in a row; how many boots failed before."""
    failed = row = 0
    for number in range(BOOTS_SHOWN):
        up = _comes_up(order_of(number))
        failed, row = failed + (not up), row + 1 if up else 0
        if row == BOOTS_UP:
            return failed
    return BOOTS_SHOWN


def _comes_up(order: BootOrder) -> bool:
    """Whether a machine comes up that no sensor may touch before it is up."""
    return order.level is Level.OFF or order.careful


def _begin(state: Path, number: int) -> BootOrder:
    """The early unit of one boot, whose /run is new; the boot then ends without order."""
    with tempfile.TemporaryDirectory(prefix="ringfence-boot-") as work:
        name, run = Path(work) / "boot_id", Path(work) / "run"
        name.write_text(f"{uuid.UUID(int=number + 1)}\n")
        script = f'mount --bind "$0" {BOOT_ID} && exec "$@"'
        words = [sys.executable, "-I", "-S", GUARD, "begin", str(state), str(run)]
        begun = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, str(name), *words],
            check=False, capture_output=True, text=True, timeout=60,
        )
        if not (run / boot_level.ORDER).exists():
            raise NotHeldError(f"the guard left no order: {begun.stderr or begun.stdout}")
        return boot_level.take(str(run)).order


def _counted_naively(state: Path) -> BootOrder:
    """A counter of the usual kind: it reads how often it has tried, writes one more, and goes on if that fails."""
    path = state / "counter"
    try:
        tries = int(path.read_text()) + 1
    except (OSError, ValueError):
        tries = 1
    try:
        path.write_text(f"{tries}")
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.ENOSPC):
            raise
    return BootOrder(Level.OFF if tries > FAILED_BOOTS_MAX else Level.NORMAL, clean=True)


# --- disks ------------------------------------------------------------------------------------------------------


def _on(disk: Disk, act: Callable[[Path], Found]) -> Found:
    with _state() as state:
        disk(state)
        return act(state)


@contextmanager
def _state() -> Iterator[Path]:
    """A file system of its own, small, and with nothing on it."""
    with tempfile.TemporaryDirectory(prefix="ringfence-boots-") as work:
        state = Path(work)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={STATE_BYTES}", "ringfence-test", work], check=True)
        try:
            yield state
        finally:
            subprocess.run(["umount", work], check=True)


def _good(state: Path) -> None:
    """The record as an installation makes it."""
    store = BootStore(str(state))
    store.make()
    store.write(FIRST)


def _fill(state: Path) -> None:
    with (state / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def _full(state: Path) -> None:
    _good(state)
    _fill(state)


def _read_only(state: Path) -> None:
    _good(state)
    subprocess.run(["mount", "-o", "remount,ro", str(state)], check=True)


def _damaged(state: Path) -> None:
    _good(state)
    record = state / "boot" / "guard.record"
    record.write_bytes(b"\xff" * record.stat().st_size)


def _damaged_and_full(state: Path) -> None:
    _damaged(state)
    _fill(state)


DISKS: Final[tuple[tuple[str, Disk, int], ...]] = (
    ("sound", _good, FAILED_BOOTS_MAX),
    ("full", _full, FAILED_BOOTS_MAX),
    ("never written and full", _fill, 0),
    ("read-only", _read_only, 0),
    ("record damaged", _damaged, FAILED_BOOTS_MAX),
    ("record damaged and full", _damaged_and_full, FAILED_BOOTS_MAX),
)
"""Word, what is done, and how many boots may fail: who cannot count at all lets the machine come up at once."""
