"""What systemd is asked, with a stand-in for its command."""

from pathlib import Path

import pytest

from ringfence.host import service_manager


def stand_in(directory: Path, patch: pytest.MonkeyPatch, script: str) -> Path:
    """A `systemctl` that writes down its words and runs `script`; returns where it writes."""
    program, said = directory / "systemctl", directory / "said"
    program.write_text(f'#!/bin/sh\necho "$*" >> {said}\n{script}\n')
    program.chmod(0o755)
    patch.setattr(service_manager, "SYSTEMCTL", str(program))
    return said


@pytest.mark.parametrize(("script", "up"), [("exit 0", True), ("exit 3", False)])
def test_a_machine_is_up_when_its_default_target_is_active(
    script: str, up: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch  # noqa: FBT001
) -> None:
    said = stand_in(tmp_path, monkeypatch, script)
    assert service_manager.is_up() is up
    assert said.read_text() == "is-active --quiet default.target\n"


def test_one_that_hangs_or_is_missing_says_no(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "exec tail -f /dev/null")
    monkeypatch.setattr(service_manager, "UNIT_STOP_S", 0.1)
    assert service_manager.systemctl("start", "x") == 1
    monkeypatch.setattr(service_manager, "SYSTEMCTL", str(tmp_path / "nowhere"))
    assert not service_manager.is_up()
