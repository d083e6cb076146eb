"""A scanner that dies, babbles, hangs, panics or grows on the real kernel: the file in hand is answered in time and
recorded, the scanner is replaced, and three such faults end the scanning of that file while somebody waits.
"""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.gate_world import verdict
from tests.host.taken_over import TakenOver, taken_over
from tests.support.live_sensor import (
    BAD,
    DEADLINE_AND_GRACE_MS,
    RULE,
    LiveSensor,
    Opened,
    Opener,
    meet,
    reading,
    release_of,
    starting,
)
from tests.support.machine import kernel_requires

from ringfence.model import limits
from ringfence.model.verdict import Outcome, UnknownReason

SLOW = b"MAKE-IT-" + b"SLOW"
GROW = b"MAKE-IT-" + b"GROW"
CYCLE = bytes(range(128, 148))
"""Repeated in a file that makes the engine remember several matches for each of its bytes."""

SLOW_RULE = """
rule slow { strings: $a = "MAKE-IT-" $b = "SLOW" condition: $a and $b and for all i in (0..1 << 60) : (i >= 0) }
"""


def _grow_rule() -> str:
    """It counts to a number that is never reached, and what it counts is remembered meanwhile."""
    twice = CYCLE + CYCLE
    pieces = [twice[place : place + length].hex(" ") for length in (4, 5) for place in range(len(CYCLE))]
    patterns = " ".join(f"$p{number} = {{ {piece} }}" for number, piece in enumerate(pieces))
    counts = " and ".join(f"#p{number} > 1000000000" for number in range(len(pieces)))
    return f'rule grow {{ strings: $a = "MAKE-IT-" $b = "GROW" {patterns} condition: $a and $b and {counts} }}\n'


RELEASE = release_of(RULE + SLOW_RULE + _grow_rule(), "grow", "live_test", "slow")
GROWING = [f"growing-{number}" for number in range(4)]


@pytest.fixture(autouse=True, scope="module")
def _needed() -> None:
    kernel_requires("root", "fanotify-permission", "mount")


@pytest.fixture(scope="module")
def live(_needed: None) -> Iterator[LiveSensor]:
    """A sensor with rules that hang and grow on what asks for it; such files are there before it."""
    size = limits.SYNC_SCAN_BYTES_MAX // 2
    files = {}
    for name in GROWING:
        content = GROW + name.encode()
        files[name] = content + CYCLE * ((2 * size - len(content)) // len(CYCLE))
    sensor = LiveSensor(release=RELEASE, files=files)
    yield sensor
    sensor.close()


@pytest.fixture
def slow(_needed: None) -> Iterator[LiveSensor]:
    """One of its own for each test: after the first such file the rule to blame is soon left out."""
    sensor = LiveSensor(release=RELEASE, files={"slow": SLOW, "slow-then-not": SLOW + b" for now"})
    sensor.wait_protected()
    yield sensor
    sensor.close()


def _assert_let_go(met: Opened) -> None:
    assert not met.refused
    assert met.waited_ms <= DEADLINE_AND_GRACE_MS


def _strike_out(live: LiveSensor, path: Path) -> None:
    """Three faults of one file, at once: one after the other, the rule to blame may be left out before the third."""
    for met in live.open_together([path] * limits.STRIKES_MAX):
        _assert_let_go(met)
    live.wait_until(lambda: "deadline_passed" in live.skipped(path))
    live.wait_protected()


def _assert_replaced(live: LiveSensor, scanner: int) -> None:
    """Another one is in its place, and protects."""
    live.wait_until(lambda: scanner not in live.pids("scanner"))
    live.wait_protected()
    assert live.open(live.fresh(BAD)).refused


def _babble(places: TakenOver, messages: list[bytes]) -> int:
    """Answer the gate's next request with all that; returns the pid whose place it was."""
    asked = places.asked()
    for message in messages:
        asked.answer(message)
    return asked.scanner


GARBAGE = {
    "zeros": [bytes(64)],
    "empty": [b"\x01"],
    "noise": [bytes(range(256)) * 200],
    "no such outcome": [verdict(0, 9)],
    "clean with a reason": [verdict(0, Outcome.CLEAN, UnknownReason.ENGINE_PANIC)],
    "unknown without a reason": [verdict(0, Outcome.UNKNOWN)],
    "clean, for a job that nobody gave": [verdict(1)] * (limits.LATE_ANSWERS_MAX + 1),
}


@pytest.mark.parametrize("messages", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_no_verdict_and_costs_the_scanner_its_place(live: LiveSensor, messages: list[bytes]) -> None:
    live.wait_protected()
    with taken_over(live) as places:
        path = live.fresh()
        opener = Opener(reading(path))
        scanner = _babble(places, messages)
        _assert_let_go(opener.result())
    live.wait_until(lambda: "scanner_garbage" in live.skipped(path))
    _assert_replaced(live, scanner)


def test_death_with_the_file_in_hand(live: LiveSensor) -> None:
    """What a panic that nobody catches, the kernel's memory killer and a crash look like from outside."""
    live.wait_protected()
    with taken_over(live) as places:
        path = live.fresh()
        opener = Opener(reading(path))
        scanner = places.asked().scanner
        live.signal(scanner, signal.SIGKILL)
        places.release()
        _assert_let_go(opener.result())
    live.wait_until(lambda: "scanner_died" in live.skipped(path))
    _assert_replaced(live, scanner)


def test_a_panic_of_the_engine_is_told_and_is_no_clean_verdict(live: LiveSensor) -> None:
    live.wait_protected()
    with taken_over(live) as places:
        path = live.fresh()
        opener = Opener(reading(path))
        asked = places.asked()
        asked.answer(verdict(asked.job, Outcome.UNKNOWN, UnknownReason.ENGINE_PANIC))
        _assert_let_go(opener.result())
    live.wait_until(lambda: "engine_panic" in live.skipped(path))
    live.wait_protected()
    assert live.open(live.fresh(BAD)).refused


def test_a_scanner_that_grows_is_killed_and_replaced(live: LiveSensor) -> None:
    """By the warden, whoever waits.  On a starved machine the deadline may be first: then with the next such file."""
    live.wait_protected()
    for name in GROWING:
        before = set(live.pids("scanner"))
        path = live.tree / name
        _assert_let_go(live.open(path))
        live.wait_until(lambda: bool(live.skipped(path)))  # noqa: B023 - it has ended when the loop goes on
        live.wait_until(lambda: bool(before - set(live.pids("scanner"))))  # noqa: B023 - as above
        if "scanner_died" in live.skipped(path):
            break
    assert any("scanner_died" in live.skipped(live.tree / name) for name in GROWING)
    live.wait_protected()
    assert live.open(live.fresh(BAD)).refused


def test_three_strikes_and_the_file_is_no_longer_scanned_while_somebody_waits(slow: LiveSensor) -> None:
    path = slow.tree / "slow"
    _strike_out(slow, path)
    scans = slow.counter("scans")
    _assert_let_go(slow.open(path))
    slow.wait_until(lambda: "pair_quarantined" in slow.skipped(path))
    assert slow.counter("scans") == scans, "nobody was asked any more"
    assert slow.open(slow.fresh(BAD)).refused, "other files are"


def test_a_program_that_nobody_can_scan_starts_after_one_deadline(slow: LiveSensor) -> None:
    """Its start asks at least twice: may it be executed, and may its first bytes be read."""
    program = slow.tree / "slow-program"
    shutil.copy("/bin/true", program.with_suffix(".part"))
    with program.with_suffix(".part").open("ab") as file:
        file.write(SLOW)
    passed = slow.counter("deadline_passed")
    program.with_suffix(".part").rename(program)
    _assert_let_go(Opener(starting(program)).result())
    assert slow.counter("deadline_passed") >= passed + 2


def test_more_programs_that_nobody_can_scan_than_there_are_scanners_start_after_one_deadline(slow: LiveSensor) -> None:
    """While all scanners are held up, what has waited already goes on, and what waits behind them as well."""
    programs = []
    for number in range(8):
        program = slow.tree / f"slow-program-{number}"
        shutil.copy("/bin/true", program.with_suffix(".part"))
        with program.with_suffix(".part").open("ab") as file:
            file.write(SLOW + b"%d" % number)
        programs.append(program.with_suffix(".part").rename(program))
    for met in meet([starting(program) for program in programs]):
        _assert_let_go(met)


def test_another_version_of_a_quarantined_file_is_scanned_again(slow: LiveSensor) -> None:
    path = slow.tree / "slow-then-not"
    _strike_out(slow, path)
    path.write_bytes(BAD)
    assert slow.open(path).refused


def test_a_quarantined_file_below_a_path_that_fails_closed_stays_refused() -> None:
    sensor = LiveSensor(release=RELEASE, files={"slow": SLOW}, fail_closed=True)
    try:
        path = sensor.tree / "slow"
        sensor.wait_protected()
        for met in (*sensor.open_together([path] * limits.STRIKES_MAX), sensor.open(path)):
            assert met.refused
            assert met.waited_ms <= DEADLINE_AND_GRACE_MS
        sensor.wait_until(lambda: "pair_quarantined" in sensor.skipped(path))
        assert sensor.counter("pairs_quarantined") == 1
    finally:
        sensor.close()
