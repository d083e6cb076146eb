"""`ringfence host boot-state` and `ringfence host sensor`, as a person runs them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.machine import kernel_requires

from ringfence.decide import boot_guard as machine
from ringfence.host.boot_store import BootStore
from ringfence.model import errors
from ringfence.model.activation import ReleaseKey, first_state
from ringfence.model.boot import Level, Phase, Reason, outcome_byte
from ringfence.wire.activation_record import encode_activation

RECORD = replace(
    machine.FIRST,
    boot=bytes(range(16)),
    phase=Phase.UP,
    level=Level.PREVIOUS,
    reason=Reason.FAILED,
    settled=False,
    boots=3,
    lowered_at_s=1_700_000_000,
    history=bytes(
        [
            outcome_byte(Level.NORMAL, Phase.HEALTHY, orderly=True),
            outcome_byte(Level.NORMAL, Phase.BEGUN, orderly=False),
        ]
    ),
)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `ringfence host WORDS`."""
    program = [sys.executable, "-m", "ringfence.programs.cli", "host", *words]
    return subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def store(tmp_path: Path) -> BootStore:
    """A store with a record."""
    made = BootStore(str(tmp_path))
    made.make()
    made.write(RECORD)
    return made


def test_the_state_is_told_to_people(store: BootStore, tmp_path: Path) -> None:
    shown = run("boot-state", "--state", str(tmp_path))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("level previous: the release that ran in the failed boots is not used")
    assert "2023-11-14" in shown.stdout
    assert "  normal healthy in-order\n  normal begun without-order\n" in shown.stdout


def test_the_state_is_told_to_programs(store: BootStore, tmp_path: Path) -> None:
    told = json.loads(run("boot-state", "--state", str(tmp_path), "--json").stdout)
    assert (told["level"], told["reason"], told["carried_out"], told["boots"]) == ("previous", "failed", False, 3)
    assert told["history"][1] == {"level": "normal", "came": "begun", "ended": "without-order"}


def test_a_record_that_is_lost_is_told(tmp_path: Path) -> None:
    assert "missing or damaged" in run("boot-state", "--state", str(tmp_path)).stdout
    BootStore(str(tmp_path)).make()
    assert run("boot-state", "--state", str(tmp_path)).stdout == "no boot was counted yet\n"


def test_why_names_the_level_of_the_boot_guard(store: BootStore, tmp_path: Path) -> None:
    record = tmp_path / "content/activation.record"
    record.parent.mkdir()
    record.write_bytes(encode_activation(first_state(ReleaseKey(1, "a" * 64), 1_700_000_000)))
    (tmp_path / "host").mkdir()
    told = json.loads(run("why", "--state", str(tmp_path), "--json").stdout)["lines"]
    (line,) = [one for one in told if one["topic"] == "boot"]
    assert (line["code"], line["at_s"]) == ("boot-previous", 1_700_000_000)
    assert "level previous: the release that ran in the failed boots is not used" in line["text"]
    Path(store.path).unlink()
    told = json.loads(run("why", "--state", str(tmp_path), "--json").stdout)["lines"]
    assert [one for one in told if one["topic"] == "boot"] == []


def test_off_and_on(store: BootStore, tmp_path: Path) -> None:
    kernel_requires("root")
    for word, level, reason in (("off", Level.OFF, Reason.OPERATOR), ("on", Level.NORMAL, Reason.NONE)):
        said = run("sensor", word, "--state", str(tmp_path), "--next-boot")
        assert (said.returncode, said.stderr) == (0, "")
        record, _ = store.load()
        assert record is not None
        assert (record.level, record.reason) == (level, reason)


def test_a_lost_record_is_no_obstacle(tmp_path: Path) -> None:
    kernel_requires("root")
    assert run("sensor", "off", "--state", str(tmp_path), "--next-boot").returncode == 0
    record, _ = BootStore(str(tmp_path)).load()
    assert record is not None
    assert machine.begin(record, bytes(15) + b"\1", bytes(32), 0)[1].level is Level.OFF


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("sensor", "maybe"), errors.UsageRefused),
        (("sensor", "off", "--state", "/nowhere/at/all"), errors.PathRefused),
        (("boot-state", "--state", "/nowhere/at/all"), errors.PathRefused),
    ],
)
def test_what_is_off_is_named(words: tuple[str, ...], error: type[errors.RingfenceError]) -> None:
    kernel_requires("root")
    finished = run(*words)
    assert finished.returncode == error.exit_status
    assert finished.stderr.startswith(f"ringfence: error {error.code}: ")
