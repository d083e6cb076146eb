"""What the warden writes down about activation, through damage and deaths."""

from pathlib import Path

import pytest

from ringfence.host import activation_disk
from ringfence.host.activation_disk import ActivationDisk
from ringfence.model.activation import ReleaseKey, first_state
from ringfence.model.conviction import NOT_CONVICTED
from ringfence.model.verdict import Mode
from ringfence.wire.activation_record import encode_activation

STATE = first_state(ReleaseKey(1, "0" * 64), 5)


@pytest.fixture
def disk(tmp_path: Path) -> ActivationDisk:
    return ActivationDisk(str(tmp_path), str(tmp_path / "mode"))


def test_a_record_is_there_for_the_next_warden(disk: ActivationDisk) -> None:
    assert disk.load() == (None, "")
    disk.keep(STATE)
    assert disk.load() == (STATE, "")


@pytest.mark.parametrize("damage", [b"", b"ringfence-activation 1\n", encode_activation(STATE)[:-3], bytes(200_000)])
def test_a_damaged_record_is_said_and_set_aside(disk: ActivationDisk, tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "activation.record").write_bytes(damage)
    known, what = disk.load()
    assert known is None
    assert what
    assert (tmp_path / "activation.record.damaged").read_bytes() == damage
    assert disk.load() == (None, "")


def test_a_record_that_is_no_file_is_said(disk: ActivationDisk, tmp_path: Path) -> None:
    (tmp_path / "activation.record").symlink_to("/dev/zero")
    assert disk.load()[0] is None
    assert not (tmp_path / "activation.record").exists()


def test_ends_that_nobody_ordered_are_told_from_others(disk: ActivationDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    clean, begun = True, True
    assert disk.begin_life() == (clean, begun), "the first start ever"
    assert disk.begin_life() == (clean, not begun), "only the warden died"
    disk.end_life()
    assert disk.begin_life() == (clean, not begun), "stopped and started again in one boot"
    disk.end_life()
    monkeypatch.setattr(activation_disk, "_boot_id", lambda: b"another boot")
    assert disk.begin_life() == (clean, begun), "an orderly reboot"
    monkeypatch.setattr(activation_disk, "_boot_id", lambda: b"a third boot")
    assert disk.begin_life() == (not clean, begun), "the power went"


def test_what_has_tripped_holds_for_its_release_alone(disk: ActivationDisk, tmp_path: Path) -> None:
    convicted = NOT_CONVICTED.with_rule(7)
    assert disk.conviction_of("a" * 64) == NOT_CONVICTED
    disk.keep_conviction("a" * 64, convicted)
    assert disk.conviction_of("a" * 64) == convicted
    assert disk.conviction_of("b" * 64) == NOT_CONVICTED
    (tmp_path / "active.conviction").write_bytes(b"nonsense")
    assert disk.conviction_of("a" * 64) == NOT_CONVICTED


def test_the_mode_is_the_operators_last_word(disk: ActivationDisk, tmp_path: Path) -> None:
    assert disk.wanted_mode(Mode.ENFORCE) is Mode.ENFORCE
    disk.keep_mode(Mode.ENFORCE, Mode.OBSERVE)
    assert disk.wanted_mode(Mode.ENFORCE) is Mode.OBSERVE, "the warden, or the host, was started again"
    assert disk.wanted_mode(Mode.OBSERVE) is Mode.OBSERVE
    disk.keep_mode(Mode.OBSERVE, Mode.ENFORCE)
    assert disk.wanted_mode(Mode.ENFORCE) is Mode.ENFORCE, "another start is another word"
    (tmp_path / "mode").write_bytes(b"nonsense")
    assert disk.wanted_mode(Mode.OBSERVE) is Mode.OBSERVE
