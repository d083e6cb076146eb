"""The boot guard's programs on a real disk: full, read-only, with strange things where its files should be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.machine import kernel_requires

from ringfence.host import boot_level
from ringfence.host.boot_store import BootStore
from ringfence.model.boot import BootOrder, Level, Phase, Reason
from ringfence.model.errors import DiskFull
from ringfence.programs import boot_guard
from ringfence.wire.boot_record import FILE_BYTES

SCRIPT = Path(boot_guard.__file__)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a record."""
    directory = tmp_path / "state"
    directory.mkdir()
    BootStore(str(directory)).make()
    return directory


def guard(verb: str, state: Path, run: Path) -> subprocess.CompletedProcess[str]:
    """Run the early unit's program as its unit does: without the site's packages."""
    words = [sys.executable, "-I", "-S", str(SCRIPT), verb, str(state), str(run)]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_the_program_counts_this_boot_and_marks_its_end(state: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = guard("begin", state, run)
    assert (first.returncode, first.stderr) == (0, "")
    assert boot_level.peek(str(run)) == BootOrder(Level.NORMAL, clean=True)
    record, _ = BootStore(str(state)).load()
    assert record is not None
    assert (record.boot, record.phase, record.boots) == (boot_guard.boot_id(), Phase.BEGUN, 1)
    assert guard("begin", state, run).returncode == 0
    assert BootStore(str(state)).load()[0] == record
    assert guard("end", state, run).returncode == 0
    ended, _ = BootStore(str(state)).load()
    assert ended is not None
    assert ended.orderly


def test_the_program_imports_nothing_that_is_not_python_s_own_or_small(state: Path, tmp_path: Path) -> None:
    code = f"import runpy, sys; sys.argv = ['x', 'begin', {str(state)!r}, {str(tmp_path / 'run')!r}]\n"
    code += f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\nexcept SystemExit: pass\n"
    code += "print(*sorted(name for name in sys.modules if not name.startswith('ringfence')))"
    words = [sys.executable, "-I", "-S", "-c", code]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    loaded = said.splitlines()[-1].split()
    assert {"json", "socket", "subprocess", "pathlib", "logging", "typer", "ctypes"}.isdisjoint(loaded)



def test_an_order_is_taken_once_in_a_boot(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    boot_level.leave(run, BootOrder(Level.PREVIOUS, clean=False, reason=Reason.FAILED))
    first, again = boot_level.take(run), boot_level.take(run)
    assert (first.begun, first.order.level, first.order.clean) == (True, Level.PREVIOUS, False)
    assert (again.begun, again.order.level, again.order.clean) == (False, Level.NORMAL, True)


def test_off_stays_off_for_every_start_of_this_boot_and_ends_with_another_order(tmp_path: Path) -> None:
    run = str(tmp_path / "run")
    boot_level.leave(run, BootOrder(Level.OFF, clean=True))
    assert [boot_level.take(run).order.level for _ in range(2)] == [Level.OFF, Level.OFF]
    assert (tmp_path / "run" / boot_level.OFF).exists()
    boot_level.leave(run, BootOrder(Level.NORMAL, clean=True))
    assert boot_level.take(run).begun
    assert not (tmp_path / "run" / boot_level.OFF).exists()


@pytest.mark.parametrize("text", [None, b"", b"level normal\n", b"\xff" * 100])
def test_without_an_order_the_sensor_is_careful(text: bytes | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / boot_level.ORDER).write_bytes(text)
    assert boot_level.take(str(tmp_path)).order == boot_level.CAREFULLY


@pytest.mark.parametrize("strange", ["missing", "link", "pipe", "directory", "short", "noise"])
def test_whatever_lies_in_its_place_is_a_damaged_record_and_is_replaced(
    strange: str, state: Path, tmp_path: Path
) -> None:
    path = state / "boot/guard.record"
    path.unlink()
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious" * 2_000)
    match strange:
        case "link":
            path.symlink_to(outside)
        case "pipe":
            os.mkfifo(path)
        case "directory":
            (path / "full").mkdir(parents=True)
        case "short":
            path.write_bytes(bytes(100))
        case "noise":
            path.write_bytes(os.urandom(FILE_BYTES))
        case _:
            pass
    run = tmp_path / "run"
    assert guard("begin", state, run).returncode == 0
    assert boot_level.peek(str(run)) == BootOrder(Level.NORMAL, clean=False, careful=True, reason=Reason.DAMAGED)
    record, damaged = BootStore(str(state)).load()
    assert (record is not None, damaged) == (True, False)
    assert outside.read_bytes() == b"precious" * 2_000


def test_a_pipe_in_the_place_of_the_sensor_s_record_keeps_nobody_waiting(state: Path) -> None:
    (state / "content").mkdir()
    os.mkfifo(state / "content/activation.record")
    assert BootStore(str(state)).activation_digest() == bytes(32)


def mounted(directory: Path, *words: str) -> None:
    directory.mkdir(exist_ok=True)
    subprocess.run(["mount", *words, str(directory)], check=True)


def test_a_full_disk_does_not_keep_it_from_counting(tmp_path: Path) -> None:
    kernel_requires("root")
    disk = tmp_path / "disk"
    mounted(disk, "-t", "tmpfs", "-o", "size=64k", "tmpfs")
    try:
        BootStore(str(disk)).make()
        with pytest.raises(OSError, match="No space"):
            (disk / "filler").write_bytes(bytes(65_536))
        run = tmp_path / "run"
        assert guard("begin", disk, run).returncode == 0
        assert boot_level.peek(str(run)) == BootOrder(Level.NORMAL, clean=True)
        assert guard("end", disk, run).returncode == 0
        record, _ = BootStore(str(disk)).load()
        assert record is not None
        assert record.orderly
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_read_only_disk_makes_it_careful_and_says_so(tmp_path: Path) -> None:
    kernel_requires("root")
    disk = tmp_path / "disk"
    mounted(disk, "-t", "tmpfs", "tmpfs")
    try:
        BootStore(str(disk)).make()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        run = tmp_path / "run"
        said = guard("begin", disk, run)
        assert said.returncode == 0
        assert "Read-only file system" in said.stdout
        assert boot_level.peek(str(run)) == BootOrder(Level.NORMAL, False, careful=True, reason=Reason.UNWRITABLE)
        assert guard("end", disk, run).returncode == 0
        with pytest.raises(DiskFull):
            BootStore(str(disk)).make()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_guard_that_cannot_work_leaves_the_sensor_to_be_careful(tmp_path: Path) -> None:
    words = [sys.executable, "-I", "-S", str(SCRIPT), "begin", str(tmp_path)]
    finished = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert finished.returncode == 1
    assert "boot guard: ValueError" in finished.stderr
    assert boot_level.take(str(tmp_path / "run")).order.careful
