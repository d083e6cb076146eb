"""`kill -9` and `kill -STOP` of any process, alone and in any order, never block an open past deadline plus grace.

The protected tree holds copies of a shell and its libraries: in each state a shell that nobody has run before is run
while several files are read that nobody has read before, because that is what a machine does all day.  The copies are
there before the sensor: nothing has scanned them ahead.
"""

import os
import random
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.support.live_sensor import (
    BAD,
    DEADLINE_AND_GRACE_MS,
    PATIENCE_S,
    LiveSensor,
    alive,
    meet,
    reading,
    running,
    shell_tree,
)
from tests.support.machine import kernel_requires
from tests.support.protected_machine import protected_machine

ROLES = ("scanner", "gate", "standby", "watchdog", "zygote", "courier", "warden")
SUPERVISORS = ("warden", "watchdog", "standby")
STOPPABLE_SEEDS = range(8)
SHELLS = 12
TOGETHER = 6


@pytest.fixture(autouse=True)
def _needed() -> None:
    kernel_requires("root", "fanotify-permission", "mount")


class Fault:
    """A live sensor, and copies of a shell, each to be started once."""

    def __init__(self) -> None:
        self.live = LiveSensor(furnish=shells_below)
        self._shells = list(shells(self.live.tree))

    def signal_all(self, role: str, number: signal.Signals) -> list[int]:
        """Send a signal to every process of a role; returns their pids."""
        pids = self.live.pids(role)
        assert pids or self.live.pids("warden") == [], f"no {role} is there"
        for pid in pids:
            self.live.signal(pid, number)
        return pids

    def assert_free(self) -> None:
        """New files are read and a new shell runs, all at once: nobody waits longer than promised.

        The time of the shell is that of all its questions together, a dozen and more.
        """
        acts = [reading(self.live.fresh()) for _ in range(TOGETHER)]
        for met in meet([*acts, running(self._shells.pop())]):
            assert met.waited_ms <= DEADLINE_AND_GRACE_MS
            assert not met.refused


def shells_below(tree: Path) -> None:
    for root in shells(tree):
        shell_tree(root)


def shells(tree: Path) -> list[Path]:
    return [tree / f"shell-{number}" for number in range(SHELLS)]


@pytest.fixture
def fault() -> Iterator[Fault]:
    """A sensor that is complete."""
    one = Fault()
    try:
        one.live.wait_protected()
        yield one
    finally:
        one.live.close()


def test_a_new_shell_asks_for_itself_its_loader_its_library_and_its_word(fault: Fault) -> None:
    """What makes the tests below mean something: nothing of the copy is silent already."""
    before = fault.live.counter("questions"), fault.live.counter("scans")
    (met,) = meet([running(shells(fault.live.tree)[0])])
    assert not met.refused
    assert fault.live.counter("questions") >= before[0] + 4
    assert fault.live.counter("scans") >= before[1] + 4


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("role", ROLES)
def test_one_role(fault: Fault, role: str, number: signal.Signals) -> None:
    fault.signal_all(role, number)
    fault.assert_free()
    fault.assert_free()


def test_the_warden_dies_and_everything_with_it(fault: Fault) -> None:
    pids = [one.pid for one in fault.live.processes()]
    fault.signal_all("warden", signal.SIGKILL)
    fault.assert_free()
    assert fault.live.sensor is not None
    fault.live.wait_until(lambda: not any(alive(pid) for pid in pids[1:]))


def test_a_stopped_watchdog_and_then_a_stopped_gate(fault: Fault) -> None:
    for role in ("watchdog", "gate"):
        fault.signal_all(role, signal.SIGSTOP)
    fault.assert_free()


def test_warden_watchdog_and_gate_stopped_together(fault: Fault) -> None:
    """The standby acts by itself when nobody else does."""
    for role in ("warden", "watchdog", "gate"):
        fault.signal_all(role, signal.SIGSTOP)
    fault.assert_free()


def test_after_every_fault_the_host_is_protected_again(fault: Fault) -> None:
    live = fault.live
    for role in ("scanner", "watchdog", "zygote", "courier", "standby", "gate"):
        fault.signal_all(role, signal.SIGKILL)
        live.wait_protected()
        live.wait_until(lambda: live.open(live.fresh(BAD)).refused)


def test_a_stopped_zygote_is_replaced_and_its_scanners_with_it(fault: Fault) -> None:
    """Nobody waits for it; but without it scanners that die afterwards would never come back."""
    (zygote,) = fault.live.pids("zygote")
    fault.live.signal(zygote, signal.SIGSTOP)
    for pid in fault.live.pids("scanner"):
        fault.live.signal(pid, signal.SIGKILL)
    (met,) = meet([reading(fault.live.fresh())])
    assert met.waited_ms <= DEADLINE_AND_GRACE_MS
    fault.live.wait_until(lambda: fault.live.pids("zygote") not in ([], [zygote]))
    fault.live.wait_protected()
    fault.live.wait_until(lambda: fault.live.open(fault.live.fresh(BAD)).refused)


def test_no_scanner_can_beat_for_its_zygote(fault: Fault) -> None:
    for pid in fault.live.pids("scanner"):
        assert "ringfence-beat" not in Path(f"/proc/{pid}/maps").read_text()
        names = [str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()]
        assert not any("ringfence-beat" in name for name in names)


@pytest.mark.parametrize("seed", STOPPABLE_SEEDS)
def test_any_order(fault: Fault, seed: int) -> None:
    """A random order of deaths and stops of every role, with opens and a start after each.

    A gate is stopped only while somebody is left to see it: with the warden stopped and everybody else who watches
    stopped or dead there is nobody, and `SECURITY.md` says so.
    """
    live = fault.live
    chance = random.Random(seed)
    victims = list(ROLES)
    chance.shuffle(victims)
    gone: set[int] = set()  # a pid is seen for a moment after its death
    for role in victims:
        number = chance.choice([signal.SIGKILL, signal.SIGSTOP])
        if role == "gate" and not any(set(live.pids(one)) - gone for one in SUPERVISORS):
            number = signal.SIGKILL
        for pid in live.pids(role):
            live.signal(pid, number)
            gone.add(pid)
        fault.assert_free()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("role", ["the embedded server", "ringfence up"])
def test_what_only_up_has(tmp_path: Path, role: str, number: signal.Signals) -> None:
    """The control plane in the same command, and the command itself, which is everybody's parent."""
    tree = tmp_path / "tree"
    shells_below(tree)
    with protected_machine(tree, tmp_path / "state") as machine, ExitStack() as undo:
        server = next(pid for pid in _children(machine.pid) if b"--identity" not in _words(pid))
        victim = server if role == "the embedded server" else machine.pid
        os.kill(victim, number)
        if number == signal.SIGSTOP:
            undo.callback(os.kill, victim, signal.SIGCONT)
        words = [tree / f"word-{one}" for one in range(TOGETHER)]
        for one in words:
            one.write_text(f"new: {one}")
        for met in meet([*(reading(word) for word in words), running(shells(tree)[0])]):
            assert met.waited_ms <= DEADLINE_AND_GRACE_MS
            assert not met.refused
        if victim == server and number == signal.SIGKILL:
            _until(lambda: any(pid != server and b"server" in _words(pid) for pid in _children(machine.pid)))
        if victim == server:
            (tree / "bad").write_bytes(b"RINGFENCE-TEST-STRING-" + b"5f1c6c0e4b7d")
            (met,) = meet([reading(tree / "bad")])
            assert met.refused, "protection needs no control plane"


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < limit
        select.select([], [], [], 0.05)
