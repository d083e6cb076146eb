"""The two units that count boots: what they must and must not say, with systemd as the judge of their spelling."""

import subprocess
from pathlib import Path

import pytest

from ringfence.host.boot_units import guard_text, health_text
from ringfence.host.marks import place_of
from ringfence.host.systemd_unit import DEFAULT_STATE, GUARD_UNIT, HEALTH_UNIT, UNIT_NAME, Installation, unit_text
from ringfence.model.errors import PathRefused


def installation(state: str = DEFAULT_STATE) -> Installation:
    """One that protects /srv."""
    return Installation(("/bin/true",), state, (place_of("mount:/srv"),), "127.0.0.1:8443", "enforce", None)


def words_of(text: str, option: str) -> set[str]:
    """Every word that an option of a unit is given, over all its lines."""
    lines = [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{option}=")]
    return {word for line in lines for word in line.split()}


def test_nothing_waits_for_the_guard_but_the_sensor() -> None:
    guard, health, sensor = guard_text(installation(), "/x.py"), health_text(installation()), unit_text(installation())
    assert words_of(guard, "Before") == {UNIT_NAME, "shutdown.target"}
    assert words_of(health, "Before") == set()
    assert words_of(sensor, "Requires") | words_of(sensor, "BindsTo") == set()
    assert words_of(sensor, "Wants") == {GUARD_UNIT, HEALTH_UNIT}
    assert GUARD_UNIT in words_of(sensor, "After")
    assert HEALTH_UNIT not in words_of(sensor, "After")


def test_only_the_end_of_the_machine_stops_the_guard() -> None:
    guard = guard_text(installation(), "/x.py")
    assert "RefuseManualStop=yes\n" in guard
    assert "IgnoreOnIsolate=yes\n" in guard
    assert words_of(guard, "Conflicts") == {"shutdown.target"}


def test_the_guard_runs_without_the_site_s_packages() -> None:
    guard = guard_text(installation("/srv/my state"), "/opt/x y.py")
    assert 'ExecStart=/bin/true -I -S "/opt/x y.py" begin "/srv/my state" /run/ringfence\n' in guard
    assert 'ExecStop=/bin/true -I -S "/opt/x y.py" end "/srv/my state" /run/ringfence\n' in guard


def test_off_is_a_condition_of_the_sensor() -> None:
    assert "ConditionPathExists=!/run/ringfence/off\n" in unit_text(installation())


def test_systemd_takes_all_three(tmp_path: Path) -> None:
    texts = {
        GUARD_UNIT: guard_text(installation(), "/x.py"),
        HEALTH_UNIT: health_text(installation()),
        UNIT_NAME: unit_text(installation()),
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    paths = [str(tmp_path / name) for name in texts]
    verified = subprocess.run(["systemd-analyze", "verify", *paths], capture_output=True, text=True, check=False)
    assert [line for line in verified.stderr.splitlines() if "ringfence" in line and "man page" not in line] == []


@pytest.mark.parametrize("text", [guard_text, health_text])
def test_no_state_directory_brings_a_line_of_its_own(text: object) -> None:
    wrong = installation("/srv/a\nExecStartPost=/bin/false")
    with pytest.raises(PathRefused):
        guard_text(wrong, "/x.py") if text is guard_text else health_text(wrong)
