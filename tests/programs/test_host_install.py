"""`ringfence host install` as a person runs it, with Debian's own systemd-analyze as the judge."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.machine import kernel_requires

from ringfence.model import errors

EXPOSURE_MAX = 5.5
"""Of systemd-analyze's 10.  The rest is what the sensor lives on: root, CAP_SYS_ADMIN and the courier's network."""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run `ringfence host install WORDS`."""
    program = [sys.executable, "-m", "ringfence.programs.cli", "host", "install", *words]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def units_of(shown: str) -> dict[str, str]:
    """The unit files that a dry run printed, by their names."""
    parts = [part.partition("\n") for part in shown.split("# === ")[1:]]
    return {name: f"{text.strip()}\n" for name, _, text in parts}


def test_a_dry_run_prints_a_unit_that_systemd_takes(tmp_path: Path) -> None:
    protected = tmp_path / "a place with 100 % spaces"
    protected.mkdir()
    shown = run("--protect", str(protected), "--dry-run")
    assert (shown.returncode, shown.stderr) == (0, "")
    for name, text in units_of(shown.stdout).items():
        (tmp_path / name).write_text(text)
    unit = tmp_path / "ringfence.service"
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if str(unit) in line]) == (0, [])


@pytest.mark.parametrize("name", ["ringfence.service", "ringfence-boot-guard.service", "ringfence-boot-health.service"])
def test_the_units_are_hardened(name: str, tmp_path: Path) -> None:
    unit = tmp_path / name
    unit.write_text(units_of(run("--protect", str(tmp_path), "--dry-run").stdout)[name])
    analysis = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", analysis.stdout)
    assert found is not None, analysis.stderr
    assert float(found.group(1)) <= EXPOSURE_MAX


def test_a_path_that_fails_closed_is_named_as_it_resolves(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (tmp_path / "link").symlink_to(keys)
    shown = run("--protect", str(tmp_path), "--fail-closed", str(tmp_path / "link"), "--dry-run")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f" --fail-closed {keys}\n" in shown.stdout


def test_no_path_that_resolves_to_two_lines_gets_into_the_unit(tmp_path: Path) -> None:
    hidden = tmp_path / "keys\nExecStartPost=-"
    hidden.mkdir()
    (tmp_path / "link").symlink_to(hidden)
    for option in ("--protect", "--fail-closed"):
        shown = run("--protect", str(tmp_path), option, str(tmp_path / "link"), "--dry-run")
        assert (shown.returncode, shown.stdout) == (errors.PathRefused.exit_status, "")
        assert "line break" in shown.stderr


def test_it_writes_the_unit_into_an_image(tmp_path: Path) -> None:
    kernel_requires("root")
    finished = run("--protect", str(tmp_path), "--unit-directory", str(tmp_path), "--mode", "enforce")
    assert (finished.returncode, finished.stderr) == (0, "")
    shown = units_of(run("--protect", str(tmp_path), "--mode", "enforce", "--dry-run").stdout)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == shown
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o644}


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--protect", "/nowhere/at/all", "--dry-run"), errors.PathRefused),
        (("--protect", "/tmp", "--content", "/nowhere.release", "--dry-run"), errors.PathRefused),
        (("--protect", "/tmp", "--mode", "maybe", "--dry-run"), errors.UsageRefused),
        (("--protect", "/tmp", "--unit-directory", "/nowhere"), errors.PathRefused),
        (("--protect", "/tmp", "--listen", "nonsense", "--dry-run"), errors.UsageRefused),
        (("--protect", "/tmp", "--listen", "::1\nExecStartPost=/bin/x:1", "--dry-run"), errors.UsageRefused),
        (("--protect", "/tmp", "--state", "/srv/a\rUser=nobody", "--dry-run"), errors.PathRefused),
        (("--protect", "/tmp", "--fail-closed", "/tmp/nowhere/at/all", "--dry-run"), errors.PathRefused),
        (("--protect", "/tmp", "--fail-closed", "/etc", "--dry-run"), errors.PathRefused),
    ],
)
def test_what_is_off_is_named(words: tuple[str, ...], error: type[errors.RingfenceError]) -> None:
    kernel_requires("root")
    finished = run(*words)
    assert finished.returncode == error.exit_status
    assert finished.stderr.startswith(f"ringfence: error {error.code}: ")
    assert "way out: " in finished.stderr
    assert "Traceback" not in finished.stderr
