"""A file's way on the real kernel: what is refused, what goes on, what is remembered, what is found afterwards."""

import itertools
import os
import shutil
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.live_sensor import BAD, LiveSensor, release_of
from tests.support.machine import kernel_requires

from ringfence.decide.windows import windows
from ringfence.model import limits
from ringfence.model.records import RuleAction
from ringfence.model.verdict import Mode


@pytest.fixture(autouse=True, scope="module")
def _needed() -> None:
    kernel_requires("root", "fanotify-permission", "mount")


@pytest.fixture(scope="module")
def live(_needed: None) -> Iterator[LiveSensor]:
    """One sensor in enforce mode for the tests that do not hurt it."""
    sensor = LiveSensor(files={"was-here-bad": BAD, "was-here-good": b"good"})
    yield sensor
    sensor.close()


def test_existing_files_are_judged_at_their_first_read(live: LiveSensor) -> None:
    assert live.open(live.tree / "was-here-bad").refused
    assert not live.open(live.tree / "was-here-good").refused


def test_a_fresh_malicious_file_is_refused_at_once_and_again(live: LiveSensor) -> None:
    path = live.fresh(BAD)
    assert live.open(path).refused
    assert live.open(path).refused


def test_a_clean_file_that_turns_bad_is_refused(live: LiveSensor) -> None:
    path = live.fresh()
    assert not live.open(path).refused
    assert not live.open(path).refused
    with path.open("ab") as file:
        file.write(BAD)
    assert live.open(path).refused


def test_a_bad_file_that_is_cleaned_can_be_read(live: LiveSensor) -> None:
    path = live.fresh(BAD)
    assert live.open(path).refused
    path.write_bytes(b"clean again")
    assert not live.open(path).refused


def test_a_second_read_of_a_clean_file_asks_nobody(live: LiveSensor) -> None:
    path = live.fresh()
    live.open(path)
    before = live.counter("questions")
    for _ in range(20):
        assert not live.open(path).refused
    assert live.counter("questions") == before


def test_a_program_is_judged_at_exec(live: LiveSensor) -> None:
    good, bad = live.tree / "good-program", live.tree / "bad-program"
    shutil.copy("/bin/true", good)
    shutil.copy("/bin/true", bad)
    with bad.open("ab") as file:
        file.write(BAD)
    assert live.run([str(good)]) == 0
    assert live.run([str(bad)]) == 126


def test_a_package_owned_file_is_never_refused(tmp_path: Path) -> None:
    everything = release_of("rule everything { condition: filesize >= 0 }", "everything")
    sensor = LiveSensor(release=everything)
    try:
        program = sensor.tree / "copy-of-true"
        shutil.copy("/bin/true", program)
        assert sensor.run([str(program)]) == 0, "its digest is dpkg's"
        assert sensor.counter("denied") == 0
        assert sensor.counter("spared_vital") == 1
    finally:
        sensor.close()


def test_files_that_are_no_files_go_on(live: LiveSensor) -> None:
    empty = live.tree / "empty"
    empty.touch()
    assert not live.open(empty).refused
    fifo = live.tree / "fifo"
    os.mkfifo(fifo)
    writer = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    os.write(writer, BAD)
    assert not live.open(fifo).refused
    os.close(writer)
    assert any(live.tree.iterdir())


def test_a_malicious_archive_is_found_after_it_was_written(live: LiveSensor) -> None:
    path = live.tree / "parcel.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/readme.txt", b"nothing to see")
        archive.writestr("inner/payload.bin", BAD)
    live.wait_until(lambda: live.open(path).refused)


def test_scanned_ahead_files_ask_nobody(live: LiveSensor) -> None:
    before_ahead = live.counter("ahead_scans")
    paths = [live.fresh() for _ in range(50)]
    live.wait_until(lambda: live.counter("ahead_scans") >= before_ahead + 50 and live.counter("ahead_queued") == 0)
    before = live.counter("questions")
    assert not any(live.open(path).refused for path in paths)
    assert live.counter("questions") == before


def test_two_hundred_bad_files_in_new_directories_are_all_refused(live: LiveSensor) -> None:
    paths = []
    for number in range(200):
        directory = live.tree / f"new-{number}"
        directory.mkdir()
        path = directory / "bad"
        path.write_bytes(BAD + b"%d" % number)
        paths.append(path)
    readable = [path for path in paths if not _refused(path)]
    assert len(readable) == 0


def _refused(path: Path) -> bool:
    try:
        path.read_bytes()
    except PermissionError:
        return True
    return False


def test_observe_mode_refuses_nothing() -> None:
    sensor = LiveSensor(mode=Mode.OBSERVE)
    try:
        assert not sensor.open(sensor.fresh(BAD)).refused
        assert sensor.counter("denied") == 0
    finally:
        sensor.close()


def test_rules_that_only_alert_refuse_nothing() -> None:
    release = release_of('rule quiet { strings: $a = "LIVE-TEST" condition: $a }', "quiet", action=RuleAction.ALERT)
    sensor = LiveSensor(release=release)
    try:
        assert not sensor.open(sensor.fresh(BAD)).refused
    finally:
        sensor.close()


def test_a_rule_that_matches_everything_trips_the_breaker_and_the_machine_goes_on() -> None:
    files = {f"old-{number}": b"as old as the hills %d" % number for number in range(40)}
    sensor = LiveSensor(release=release_of("rule everything { condition: filesize >= 0 }", "everything"), files=files)
    try:
        met = [sensor.open(sensor.tree / name).refused for name in files]
        refused = sum(met)
        assert 0 < refused <= limits.BREAKER_OLD_FILES_MAX
        assert not any(met[refused:]), "once it has tripped, nothing more is refused"
        assert not sensor.open(sensor.fresh()).refused
    finally:
        sensor.close()


def test_strict_mode_sees_a_read_through_a_mapping() -> None:
    sensor = LiveSensor(strict=True)
    try:
        path = sensor.fresh(BAD)
        with pytest.raises(PermissionError):
            os.close(os.open(path, os.O_RDONLY))
    finally:
        sensor.close()


def test_a_path_that_fails_closed_is_refused_without_a_verdict() -> None:
    sensor = LiveSensor(fail_closed=True)
    try:
        sensor.wait_protected()
        for pid in sensor.pids("scanner"):
            sensor.signal(pid, signal.SIGSTOP)
        assert sensor.open(sensor.fresh()).refused
    finally:
        sensor.close()


def test_a_payload_between_the_windows_is_found_by_the_whole_scan_and_refused_from_then_on() -> None:
    size = 2 * limits.SYNC_SCAN_BYTES_MAX
    looked_at = windows(size, limits.SYNC_SCAN_BYTES_MAX)
    gap = max(itertools.pairwise(looked_at), key=lambda pair: pair[1].offset_bytes - pair[0].end_bytes)
    between = (gap[0].end_bytes + gap[1].offset_bytes) // 2
    assert gap[0].end_bytes < between < gap[1].offset_bytes - len(BAD)
    content = bytearray(size)
    content[between : between + len(BAD)] = BAD
    sensor = LiveSensor(files={"large": bytes(content)})
    try:
        large = sensor.tree / "large"
        assert not sensor.open(large).refused
        sensor.wait_until(lambda: sensor.open(large).refused)
        assert sensor.open(large).refused
        sensor.wait_until(lambda: "found_at_rest" in sensor.responses(large))
        assert "blocked" in sensor.responses(large)
    finally:
        sensor.close()


def test_a_hot_file_is_silenced_and_found_when_it_turns_bad(live: LiveSensor) -> None:
    path = live.tree / "database"
    with path.open("wb", buffering=0) as writer:
        for number in range(200):
            writer.write(b"row %d " % number)
            assert not live.open(path).refused
        assert live.counter("hot_marks") >= 1
        writer.write(BAD)
    live.wait_until(lambda: live.open(path).refused)
