"""The commands about releases, on a real sensor: load, why, pin, unpin, hold; and why when no sensor runs."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.live_sensor import BAD, RULE, LiveSensor, release_of
from tests.support.machine import kernel_requires

from ringfence.model.errors import ContentRefused, PathRefused, UsageRefused

OTHER = release_of('rule other { strings: $a = "another-thing" condition: $a }', "other", version=2)
EVERYTHING = release_of("rule everything { condition: filesize >= 0 }", "everything", version=3)
PATIENCE_S = 120


@pytest.fixture(scope="module")
def live() -> Iterator[LiveSensor]:
    kernel_requires("root", "fanotify-permission", "mount")
    files = {f"file-{number}": b"harmless %d" % number for number in range(60)}
    sensor = LiveSensor(release=release_of(RULE, "live_test"), haste=25, files=files)
    try:
        sensor.wait_protected()
        yield sensor
    finally:
        sensor.close()


def run(live: LiveSensor, *words: str) -> "subprocess.CompletedProcess[str]":
    """`ringfence host …` on this sensor, to its end."""
    command = [sys.executable, "-m", "ringfence.programs.cli", "host", *words, "--state", str(live.state.directory)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE_S)


def topics(live: LiveSensor) -> dict[str, list[dict[str, object]]]:
    """What `why --json` says, by topic."""
    done = run(live, "why", "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, list[dict[str, object]]] = {}
    for line in json.loads(done.stdout)["lines"]:
        found.setdefault(str(line["topic"]), []).append(line)
    return found


def file_of(tmp_path: Path, release: bytes) -> str:
    path = tmp_path / "a.release"
    path.write_bytes(release)
    return str(path)


def test_a_release_that_is_refused_ends_the_wait_with_the_reason(live: LiveSensor, tmp_path: Path) -> None:
    done = run(live, "load", file_of(tmp_path, EVERYTHING), "--wait")
    assert done.returncode == ContentRefused.exit_status
    assert "was refused (blocked-" in done.stderr
    assert "in the shadow" in done.stderr, "it shows how far it is"
    (refused,) = topics(live)["refused"]
    assert (refused["version"], str(refused["code"]).startswith("blocked")) == (3, True)
    again = run(live, "load", file_of(tmp_path, EVERYTHING), "--json")
    assert again.returncode == ContentRefused.exit_status
    assert run(live, "pin", "3", "--reason", "I want it").returncode == ContentRefused.exit_status
    assert "1 releases are refused" in run(live, "status").stdout


def test_a_good_one_ends_it_with_success_and_why_tells_the_way(live: LiveSensor, tmp_path: Path) -> None:
    done = run(live, "load", file_of(tmp_path, OTHER), "--wait", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "good"
    told = topics(live)
    assert (told["runs"][0]["version"], told["runs"][0]["code"]) == (2, "tried")
    assert [one["version"] for one in told["good"]] == [1]
    shown = run(live, "why")
    assert "compared with what ran before" in shown.stdout


def test_a_pin_goes_back_and_survives_a_new_warden_and_unpin_returns(live: LiveSensor, tmp_path: Path) -> None:
    if live.activation().arrival.release != live.activation().chain[0].release or len(live.activation().chain) < 2:
        assert run(live, "load", file_of(tmp_path, OTHER), "--wait").returncode == 0
    done = run(live, "pin", "1", "--reason", "ticket 1234", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pin"]["version"] == 1
    live.wait_until(lambda: live.open(live.fresh(BAD)).refused)
    live.start_again(kill=True)
    told = topics(live)
    assert told["runs"][0]["version"] == 1
    assert told["pin"][0]["text"] == "ticket 1234"
    assert "pinned" in run(live, "load", file_of(tmp_path, EVERYTHING)).stderr
    assert run(live, "unpin").returncode == 0
    live.wait_until(lambda: topics(live)["runs"][0]["version"] == 2)


def test_a_hold_is_shown_and_lifted(live: LiveSensor) -> None:
    assert "held: quarter's end" in run(live, "hold", "--reason", "quarter's end").stdout
    assert topics(live)["hold"][0]["text"] == "quarter's end"
    assert run(live, "hold", "--lift").returncode == 0
    assert "hold" not in topics(live)


@pytest.mark.parametrize(
    "words",
    [
        ("pin", "no-release", "--reason", "x"),
        ("pin", "0", "--reason", "x"),
        ("hold",),
        ("hold", "--lift", "--reason", "x"),
        ("hold", "--reason", "x" * 241),
    ],
)
def test_words_that_mean_nothing_are_answered_with_the_way_out(live: LiveSensor, words: tuple[str, ...]) -> None:
    done = run(live, *words)
    assert done.returncode == UsageRefused.exit_status
    assert "way out: " in done.stderr


def test_a_release_that_this_host_has_never_seen_cannot_be_pinned(live: LiveSensor) -> None:
    done = run(live, "pin", "f" * 64, "--reason", "x")
    assert done.returncode == ContentRefused.exit_status
    assert "no release" in done.stderr


def test_without_a_sensor_the_record_answers(live: LiveSensor, tmp_path: Path) -> None:
    assert live.sensor is not None
    before = topics(live)["runs"][0]["sha256"]
    live.sensor.stop()
    try:
        told = topics(live)
        assert told["runs"][0]["sha256"] == before
        assert told["trouble"][-1]["code"] == "no-sensor"
        assert run(live, "pin", "1", "--reason", "x").returncode == PathRefused.exit_status
    finally:
        live.start_again()
    nowhere = [sys.executable, "-m", "ringfence.programs.cli", "host", "why", "--state", str(tmp_path)]
    done = subprocess.run(nowhere, check=False, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == PathRefused.exit_status
