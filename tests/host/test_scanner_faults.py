"""Why a scanner failed: by itself, at somebody else's hand, or because the machine was busy."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from tests.host.gate_world import GateWorld, gate_world

from ringfence.decide.gate import Question
from ringfence.host import scanner_faults
from ringfence.host.processor_time import processor_ns
from ringfence.host.scanner_faults import NO_FILE, ScannerFaults
from ringfence.host.scanner_slots import is_crash, is_crash_code
from ringfence.model import limits
from ringfence.model.verdict import UnknownReason
from ringfence.wire.catalogue import FAULT_BURNT, FAULT_DIED, FAULT_KILLED, FAULT_MUTE

DIED, LATE, GARBAGE = UnknownReason.SCANNER_DIED, UnknownReason.DEADLINE_PASSED, UnknownReason.SCANNER_GARBAGE
CRASHED, KILLED = int(signal.SIGSEGV), int(signal.SIGKILL)
QUESTION = Question((3, 4), (0, 0, 5), executes=False, regular=True, own=False)
PID = 4_000_000
Told = list[tuple[int, int, bool, tuple[int, int]]]


@pytest.fixture
def world() -> Iterator[GateWorld]:
    with gate_world() as made:
        made.room.state.activated_ns = 1_000
        made.room.slots.slots[0].pid = PID
        yield made


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def faults(world: GateWorld, told: Told) -> ScannerFaults:
    return ScannerFaults(world.room, lambda *fault: told.append(fault))


def failed(world: GateWorld, reason: UnknownReason, changed_ns: int = 0, inode: int = 4) -> None:
    """The scanner of the first slot fails on a file that changed then."""
    question = QUESTION._replace(key=(3, inode), look=(0, changed_ns, 5))
    world.room.failed(world.room.slots.slots[0], question, reason, world.room.release_generation)


@pytest.mark.parametrize(("status", "expected"), [(CRASHED, FAULT_DIED), (70 << 8, FAULT_DIED), (KILLED, FAULT_KILLED),
                                                  (int(signal.SIGTERM), FAULT_KILLED), (74 << 8, FAULT_KILLED)])
@pytest.mark.parametrize("word_first", [False, True])
def test_the_zygote_knows_how_it_ended(
    world: GateWorld, faults: ScannerFaults, told: Told, status: int, expected: int, *, word_first: bool
) -> None:
    if word_first:
        world.room.slots.ended[PID] = status
        failed(world, DIED)
    else:
        failed(world, DIED)
        faults.look()
        assert told == []
        world.room.slots.ended[PID] = status
    faults.look()
    faults.look()
    assert told == [(expected, PID, True, (3, 4))]


def test_a_file_that_came_in_since_is_told_as_that(world: GateWorld, faults: ScannerFaults, told: Told) -> None:
    failed(world, GARBAGE, changed_ns=999)
    failed(world, GARBAGE, changed_ns=1_000)
    faults.look()
    assert [older for _, _, older, _ in told] == [True, False]


def test_a_death_that_nobody_explains_counts_against_nobody(
    world: GateWorld, faults: ScannerFaults, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SHADOW_END_MS", -1)
    failed(world, DIED)
    for _ in range(2):
        faults.look()
    world.room.slots.ended[PID] = KILLED
    for _ in range(3):
        faults.look()
    assert told == []
    assert world.room.slots.ended == {}


def test_who_dies_without_a_file_died_at_its_birth(world: GateWorld, faults: ScannerFaults, told: Told) -> None:
    world.room.slots.ended |= {1: CRASHED, 2: KILLED}
    faults.look()
    assert told == [], "the thread that asked it may still be about to say so"
    faults.look()
    assert told == [(FAULT_DIED, 1, True, NO_FILE)]


def test_what_the_release_before_did_is_not_told(world: GateWorld, faults: ScannerFaults, told: Told) -> None:
    for reason in (DIED, LATE, GARBAGE):
        failed(world, reason)
    faults.look()
    failed(world, DIED)
    told.clear()
    world.room.release_generation += 1
    world.room.slots.ended.clear()
    for _ in range(3):
        faults.look()
    assert told == []


@pytest.mark.parametrize(("share", "expected"), [(1.0, [FAULT_BURNT]), (0.4, [FAULT_BURNT]), (0.2, []), (0.0, [])])
def test_who_is_late_has_burnt_his_time_or_was_starved(
    world: GateWorld, faults: ScannerFaults, told: Told, monkeypatch: pytest.MonkeyPatch, share: float,
    expected: list[int],
) -> None:
    clock = iter(range(0, 10**12, limits.SCANNER_LOOK_MS * 1_000_000))
    used = {"ns": 0}
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
    monkeypatch.setattr(scanner_faults, "processor_ns", lambda _: used["ns"])
    for _ in range(20):
        faults.look()
        used["ns"] += int(share * limits.SCANNER_LOOK_MS * 1_000_000)
    failed(world, LATE)
    faults.look()
    assert [what for what, *_ in told] == expected


@pytest.mark.parametrize(
    ("share", "answers", "idle", "expected"),
    [(0.2, False, False, [FAULT_MUTE]), (0.2, True, False, []), (0.2, False, True, []), (0.0, False, False, [])],
    ids=["computes and is silent", "has answered", "nobody waits", "is stopped"],
)
def test_a_release_that_computes_and_answers_nothing_is_mute(
    world: GateWorld, faults: ScannerFaults, told: Told, monkeypatch: pytest.MonkeyPatch, share: float,
    expected: list[int], *, answers: bool, idle: bool,
) -> None:
    """It gets too little of the processor to be convicted for a single file, and all but one are new."""
    clock = iter(range(0, 10**12, limits.SCANNER_LOOK_MS * 1_000_000))
    used = {"ns": 0}
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(clock))
    monkeypatch.setattr(scanner_faults, "processor_ns", lambda _: used["ns"])
    world.room.slots.slots[0].idle = idle
    for inode in range(limits.MUTE_FILES_MIN):
        for _ in range(limits.QUESTION_DEADLINE_MS // limits.SCANNER_LOOK_MS):
            faults.look()
            used["ns"] += int(share * limits.SCANNER_LOOK_MS * 1_000_000)
        if answers:
            world.room.answered_generation = world.room.release_generation
        failed(world, LATE, changed_ns=1_000 if inode else 0, inode=inode)
        faults.look()
    assert [what for what, *_ in told] == expected


def test_the_clock_of_another_process_runs_while_it_computes() -> None:
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    idle = subprocess.Popen(["sleep", "60"])
    try:
        while processor_ns(busy.pid) < 50_000_000:
            assert busy.poll() is None
        assert processor_ns(idle.pid) < 50_000_000
        os.kill(busy.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, busy.pid, os.WSTOPPED)
        assert processor_ns(busy.pid) == processor_ns(busy.pid)
    finally:
        for process in (busy, idle):
            process.kill()
            process.wait()
    assert processor_ns(busy.pid) == 0, "it is gone"
    assert processor_ns(0) == 0


def test_signals_that_a_process_gives_itself() -> None:
    assert is_crash(CRASHED)
    assert is_crash(int(signal.SIGABRT) | 0x80), "with a dump"
    assert not is_crash(KILLED)
    assert not is_crash(0)
    assert is_crash_code(-signal.SIGBUS)
    assert not is_crash_code(-signal.SIGKILL)
    assert not is_crash_code(65)


def test_faults_that_wait_are_bounded(world: GateWorld) -> None:
    for _ in range(10 * limits.FAULTS_WAITING_FILES_MAX):
        failed(world, DIED)
    assert len(world.room.faults) == limits.FAULTS_WAITING_FILES_MAX
