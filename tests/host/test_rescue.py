"""`ringfence rescue` and its one-file form, on the disks of machines that do not boot: sound, damaged and hostile
ones.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ringfence.decide import boot_guard as machine
from ringfence.host.boot_store import BootStore
from ringfence.host.rescue_disk import MARKER, RescueDisk
from ringfence.model import errors
from ringfence.model.activation import ActivationState, Arrival, How, Proven, ReleaseKey
from ringfence.model.boot import Level, Reason
from ringfence.programs import rescue_tool
from ringfence.wire.activation_record import encode_activation

BAD, GOOD, BASELINE = (ReleaseKey(version, hashlib.sha256(bytes([version])).hexdigest()) for version in (9, 7, 1))
RECORD = encode_activation(
    ActivationState(
        tuple(Proven(one, 0, 0, 1_700_000_000) for one in (BAD, GOOD, BASELINE)), Arrival(BAD, How.TRIED, 1_700_000_000)
    )
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The disk of a machine with a sensor, mounted."""
    state = tmp_path / "mnt/var/lib/ringfence"
    for folder in ("boot", "content/releases", "host"):
        (state / folder).mkdir(parents=True)
    (state / MARKER).write_text('{"created_by":"ringfence 0.1.0","format":1}')
    (state / "content/activation.record").write_bytes(RECORD)
    (state / f"content/releases/{GOOD.sha256}.release").write_bytes(b"the good release")
    store = BootStore(str(state))
    store.make()
    record, _ = machine.begin(None, bytes(range(16)), bytes(32), 1_700_000_000)
    store.write(record)
    return tmp_path / "mnt"


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one file."""
    path = tmp_path_factory.mktemp("tool") / "rescue.pyz"
    path.write_bytes(rescue_tool.tool())
    return path


def run(tool: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the one file with nothing but Python's own library."""
    program = [sys.executable, "-I", "-S", str(tool), *words]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)


def told(tool: Path, *words: str) -> dict[str, object]:
    """What it prints as JSON."""
    done = run(tool, *words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, object] = json.loads(done.stdout)
    return found


def everything(root: Path) -> dict[str, bytes | str]:
    """Each file below a directory with its content, links as what they say."""
    found: dict[str, bytes | str] = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path)] = str(path.readlink())
        elif path.is_file():
            found[str(path)] = path.read_bytes()
    return found


def level_of(root: Path) -> tuple[Level, Reason]:
    """What the boot guard will read."""
    record, lost = BootStore(str(root / "var/lib/ringfence")).load()
    assert not lost
    assert record is not None
    return record.level, record.reason


def test_it_shows_and_changes_nothing(root: Path, tool: Path) -> None:
    before = everything(root)
    shown = told(tool, "--root", str(root))
    assert shown["releases"] == {
        "runs": BAD.label,
        "chain": [BAD.label, GOOD.label, BASELINE.label],
        "trying": None,
        "refused": [],
    }
    assert shown["files"] == [GOOD.sha256]
    text = run(tool, "--root", str(root)).stdout
    assert "to repair: --to previous, --to baseline or --to off" in text
    assert everything(root) == before


@pytest.mark.parametrize("level", [Level.PREVIOUS, Level.BASELINE, Level.OFF])
def test_a_dry_run_changes_nothing(level: Level, root: Path, tool: Path) -> None:
    before = everything(root)
    shown = told(tool, "--root", str(root), "--to", level.word, "--dry-run")
    assert (shown["to"], shown["done"], shown["kept_as"]) == (level.word, False, "")
    assert everything(root) == before


def test_the_release_before(root: Path, tool: Path) -> None:
    told(tool, "--root", str(root), "--to", "previous")
    assert level_of(root) == (Level.PREVIOUS, Reason.RESCUED)
    record, _ = BootStore(str(root / "var/lib/ringfence")).load()
    _, order = machine.begin(record, bytes(15) + b"\1", hashlib.sha256(RECORD).digest(), 0)
    assert order.level is Level.PREVIOUS


def test_the_baseline_keeps_what_it_takes_away(root: Path, tool: Path) -> None:
    state = root / "var/lib/ringfence"
    for number in (1, 2):
        shown = told(tool, "--root", str(root), "--to", "baseline")
        assert shown["kept_as"] == f"content.rescued-{number}"
        assert (state / f"content.rescued-{number}/activation.record").read_bytes() == RECORD
        assert level_of(root) == (Level.BASELINE, Reason.RESCUED)
        assert not (state / "content").exists()
        (state / "content").mkdir()
        (state / "content/activation.record").write_bytes(RECORD)


def test_off_holds_even_where_the_guard_cannot_run(root: Path, tool: Path) -> None:
    told(tool, "--root", str(root), "--to", "off")
    assert level_of(root) == (Level.OFF, Reason.RESCUED)
    assert (root / "var/lib/ringfence/boot/off").is_file()
    told(tool, "--root", str(root), "--to", "normal")
    assert level_of(root) == (Level.NORMAL, Reason.NONE)
    assert not (root / "var/lib/ringfence/boot/off").exists()


@pytest.mark.parametrize("strange", ["missing", "link", "pipe", "directory", "short", "second name", "no folder"])
def test_a_record_that_is_none_is_made_anew_and_kept(strange: str, root: Path, tool: Path, tmp_path: Path) -> None:
    record = root / "var/lib/ringfence/boot/guard.record"
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious" * 2_000)
    record.unlink()
    match strange:
        case "link":
            record.symlink_to(outside)
        case "pipe":
            os.mkfifo(record)
        case "directory":
            record.mkdir()
        case "short":
            record.write_bytes(b"short")
        case "second name":
            os.link(outside, record)
        case "no folder":
            record.parent.rmdir()
        case _:
            pass
    told(tool, "--root", str(root), "--to", "off")
    assert level_of(root) == (Level.OFF, Reason.RESCUED)
    assert outside.read_bytes() == b"precious" * 2_000
    kept = "guard.record.rescued-1" in {one.name for one in record.parent.iterdir()}
    assert kept == (strange not in ("missing", "no folder"))


@pytest.mark.parametrize("place", ["var", "var/lib", "var/lib/ringfence", "var/lib/ringfence/boot"])
def test_no_link_of_that_disk_is_followed(place: str, root: Path, tool: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (root / place).rename(elsewhere)
    (root / place).symlink_to(elsewhere)
    before = everything(elsewhere)
    done = run(tool, "--root", str(root), "--to", "off")
    assert done.returncode in (errors.PathRefused.exit_status, errors.DiskFull.exit_status)
    assert "way out: " in done.stderr
    assert everything(elsewhere) == before


def test_a_link_in_the_place_of_content_is_taken_away_and_not_followed(root: Path, tool: Path, tmp_path: Path) -> None:
    content, elsewhere = root / "var/lib/ringfence/content", tmp_path / "elsewhere"
    content.rename(elsewhere)
    content.symlink_to(elsewhere)
    before = everything(elsewhere)
    shown = told(tool, "--root", str(root), "--to", "baseline")
    assert (shown["releases"], shown["files"]) == (None, [])
    assert everything(elsewhere) == before
    assert (root / "var/lib/ringfence/content.rescued-1").is_symlink()


def test_a_damaged_record_of_the_sensor_is_told_and_no_obstacle(root: Path, tool: Path) -> None:
    record = root / "var/lib/ringfence/content/activation.record"
    record.write_bytes(RECORD[:-9] + b"damaged!\n")
    shown = told(tool, "--root", str(root))
    assert str(shown["damaged"]).startswith("the activation record is damaged: ")
    record.unlink()
    os.mkfifo(record)
    assert told(tool, "--root", str(root), "--to", "baseline")["kept_as"] == "content.rescued-1"


@pytest.mark.parametrize(
    "words",
    [
        ("--root", "/nowhere/at/all"),
        ("--root", "{root}", "--state", "/etc"),
        ("--root", "{root}", "--state", "/"),
        ("--root", "{root}", "--state", "/var/../var/lib/ringfence"),
        ("--root", "{root}", "--state", "/var/lib"),
    ],
)
def test_what_is_no_state_directory_is_refused(words: tuple[str, ...], root: Path, tool: Path) -> None:
    done = run(tool, *(word.format(root=root) for word in words), "--to", "off")
    assert done.returncode == errors.PathRefused.exit_status
    assert done.stderr.startswith("ringfence: error path-refused: ")


def test_names_that_are_taken_are_not_overwritten(root: Path) -> None:
    state = root / "var/lib/ringfence"
    (state / "content.rescued-1").write_text("somebody's")
    disk = RescueDisk(str(root), "/var/lib/ringfence")
    assert disk.set_content_aside() == "content.rescued-2"
    disk.close()
    assert (state / "content.rescued-1").read_text() == "somebody's"


def test_the_one_file_holds_all_that_it_imports_and_no_more(root: Path, tool: Path) -> None:
    code = f"import sys, runpy; sys.argv = ['x', '--root', {str(root)!r}]\n"
    code += f"try: runpy.run_path({str(tool)!r}, run_name='__main__')\nexcept SystemExit: pass\n"
    code += "print(*sorted(name for name in sys.modules if name.startswith('ringfence.')))"
    words = [sys.executable, "-I", "-S", "-c", code]
    said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()[-1]
    known = {name.removesuffix("/__init__.py").removesuffix(".py") for name in rescue_tool.MODULES[1:]}
    assert {name.removeprefix("ringfence.").replace(".", "/") for name in said.split()} == known


def test_the_command_does_the_same_and_writes_the_tool(root: Path, tmp_path: Path) -> None:
    def command(*words: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-m", "ringfence.programs.cli", "rescue", *words]
        return subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)

    written = tmp_path / "tool.pyz"
    assert command("--write-tool", str(written)).returncode == 0
    assert written.read_bytes() == rescue_tool.tool()
    shown = command("--root", str(root), "--to", "off", "--json")
    assert (shown.returncode, json.loads(shown.stdout)["done"]) == (0, True)
    assert level_of(root)[0] is Level.OFF
    assert command().returncode == errors.UsageRefused.exit_status
    assert command("--root", str(root), "--to", "nowhere").returncode == errors.UsageRefused.exit_status
