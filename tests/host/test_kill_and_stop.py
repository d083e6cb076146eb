"""`kill -9` and `kill -STOP` of any process, alone and in any order, never block an open past deadline plus grace.

The protected tree is a copy of a shell and its libraries: a program of the tree is started in each state as well,
because that is what a machine does all day.
"""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.live_sensor import BAD, DEADLINE_AND_GRACE_MS, LiveSensor, alive

ROLES = ("scanner", "gate", "standby", "watchdog", "zygote", "warden")
STOPPABLE_SEEDS = range(8)


@pytest.fixture
def live() -> Iterator[LiveSensor]:
    """A sensor whose protected tree is a copy of a shell and its libraries."""
    sensor = LiveSensor()
    try:
        _copy_shell(sensor.tree)
        sensor.wait_protected()
        yield sensor
    finally:
        sensor.close()


def _copy_shell(tree: Path) -> None:
    """/bin/sh, cat and everything that the loader says they need."""
    (tree / "bin").mkdir()
    for program in ("/bin/sh", "/bin/cat"):
        shutil.copy(os.path.realpath(program), tree / "bin" / Path(program).name)
        listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        for word in listed.split():
            if word.startswith("/"):
                target = tree / word.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(os.path.realpath(word), target)


def _assert_free(live: LiveSensor) -> None:
    """Several openers of new files at once, and a program of the tree: nobody waits longer than promised."""
    paths = [live.fresh() for _ in range(6)]
    for opened in live.open_together(paths):
        assert opened.waited_ms <= DEADLINE_AND_GRACE_MS
    words = ["chroot", str(live.tree), "/bin/sh", "-c", "while read line; do :; done < /" + live.fresh().name]
    assert live.run(words) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("role", ROLES)
def test_one_role(live: LiveSensor, role: str, number: signal.Signals) -> None:
    for pid in live.pids(role):
        live.signal(pid, number)
    _assert_free(live)
    _assert_free(live)


def test_the_warden_dies_and_everything_with_it(live: LiveSensor) -> None:
    pids = [one.pid for one in live.processes()]
    live.signal(live.pids("warden")[0], signal.SIGKILL)
    _assert_free(live)
    assert live.sensor is not None
    live.wait_until(lambda: not any(alive(pid) for pid in pids[1:]))


def test_a_stopped_watchdog_and_then_a_stopped_gate(live: LiveSensor) -> None:
    for role in ("watchdog", "gate"):
        for pid in live.pids(role):
            live.signal(pid, signal.SIGSTOP)
    _assert_free(live)


def test_warden_watchdog_and_gate_stopped_together(live: LiveSensor) -> None:
    """The standby acts by itself when nobody else does."""
    for role in ("warden", "watchdog", "gate"):
        for pid in live.pids(role):
            live.signal(pid, signal.SIGSTOP)
    _assert_free(live)


def test_after_every_fault_the_host_is_protected_again(live: LiveSensor) -> None:
    for role in ("scanner", "watchdog", "zygote", "gate"):
        for pid in live.pids(role):
            live.signal(pid, signal.SIGKILL)
        live.wait_protected()
        live.wait_until(lambda: live.open(live.fresh(BAD)).refused)


def test_a_stopped_zygote_is_replaced_and_its_scanners_with_it(live: LiveSensor) -> None:
    """Nobody waits for it; but without it scanners that die afterwards would never come back."""
    (zygote,) = live.pids("zygote")
    live.signal(zygote, signal.SIGSTOP)
    for pid in live.pids("scanner"):
        live.signal(pid, signal.SIGKILL)
    _assert_free(live)
    live.wait_until(lambda: live.pids("zygote") not in ([], [zygote]))
    live.wait_protected()
    live.wait_until(lambda: live.open(live.fresh(BAD)).refused)


def test_no_scanner_can_beat_for_its_zygote(live: LiveSensor) -> None:
    for pid in live.pids("scanner"):
        assert "ringfence-beat" not in Path(f"/proc/{pid}/maps").read_text()
        names = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
        assert not any("ringfence-beat" in name for name in names)


@pytest.mark.parametrize("seed", STOPPABLE_SEEDS)
def test_any_order(live: LiveSensor, seed: int) -> None:
    """A random order of deaths and stops, with opens after each.  The standby is left alone while all else is stopped:
    with every process of the sensor stopped at once nobody is left to act, and `SECURITY.md` says so.
    """
    chance = random.Random(seed)
    victims = ["scanner", "gate", "watchdog", "zygote", "warden"]
    chance.shuffle(victims)
    for role in victims:
        number = chance.choice([signal.SIGKILL, signal.SIGSTOP])
        for pid in live.pids(role):
            live.signal(pid, number)
        _assert_free(live)
