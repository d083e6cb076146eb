"""Scanning ahead: what was written is looked at, what is hot stays bounded, and nothing ends the thread."""

import os
from pathlib import Path

import pytest
from tests.host.gate_world import DIGEST, FakeScanner, GateWorld, event, gate_world

from ringfence.decide.verdict_cache import Remembered
from ringfence.host import ahead as ahead_module
from ringfence.host import gate_room
from ringfence.host.ahead import Ahead
from ringfence.host.fanotify import CLOSE_WRITE
from ringfence.model import limits
from ringfence.model.records import AlertResponse
from ringfence.model.verdict import Outcome, UnknownReason


class Clock:
    """The monotonic clock in the test's hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ms = 1_000_000
        for module in (ahead_module, gate_room):
            monkeypatch.setattr(module, "now_ms", lambda: self.now_ms)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(limits, "AHEAD_POLL_MS", 0)
    return Clock(monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def closed(world: GateWorld, path: Path) -> None:
    """A writer closed it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    world.marks.close_events.send(event(descriptor, CLOSE_WRITE, 1))


def scanned(world: GateWorld, ahead: Ahead, outcome: Outcome = Outcome.CLEAN, reason: int = 0) -> None:
    """The idle scanner answers the job that it has."""
    job = world.idle_scanner.take()
    world.idle_scanner.answer(job, outcome, UnknownReason(reason))
    ahead.turn()


def heated(world: GateWorld, path: Path) -> None:
    """Make the file hot, as a reader beside a writer does."""
    descriptor = os.open(path, os.O_RDONLY)
    world.room.heat(descriptor, world.room.look(descriptor, executes=False, pid=1))
    os.close(descriptor)


def test_a_closed_file_is_scanned_remembered_and_silenced(file: Path, clock: Clock) -> None:
    with gate_world() as world:
        ahead = Ahead(world.room)
        closed(world, file)
        ahead.turn()
        scanned(world, ahead)
        assert world.marks.silenced(file.stat().st_ino)
        assert len(world.room.state.cache) == 1
        assert world.room.counters.ahead_scans == 1


def test_what_it_finds_is_reported_and_asks_again(file: Path, clock: Clock) -> None:
    with gate_world() as world:
        ahead = Ahead(world.room)
        closed(world, file)
        ahead.turn()
        scanned(world, ahead, Outcome.MALICIOUS)
        assert [case.plan.response for case in world.cases] == [AlertResponse.FOUND_AT_REST]
        assert not world.marks.silenced(file.stat().st_ino)


def test_a_silenced_file_that_was_written_asks_again_at_once(file: Path, clock: Clock) -> None:
    """Writing through a mapping does not clear the kernel's mark; the close must, not some later scan."""
    with gate_world() as world:
        ahead = Ahead(world.room)
        descriptor = os.open(file, os.O_RDONLY)
        world.marks.silence(descriptor)
        os.close(descriptor)
        closed(world, file)
        ahead.turn()
        assert not world.marks.silenced(file.stat().st_ino)


def test_a_version_that_was_scanned_meanwhile_stays_silent(file: Path, clock: Clock) -> None:
    with gate_world() as world:
        ahead = Ahead(world.room)
        seen = file.stat()
        look = (seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size)
        world.room.state.cache.remember((seen.st_dev, seen.st_ino), Remembered(look, Outcome.CLEAN, 0, deep=True))
        descriptor = os.open(file, os.O_RDONLY)
        world.marks.silence(descriptor)
        os.close(descriptor)
        closed(world, file)
        ahead.turn()
        assert world.marks.silenced(seen.st_ino)
        assert world.room.counters.ahead_scans == 0


def test_a_hot_file_is_scanned_again_and_again(file: Path, clock: Clock) -> None:
    with gate_world() as world, file.open("ab"):
        ahead = Ahead(world.room)
        heated(world, file)
        for _ in range(3):
            clock.now_ms += limits.HOT_RESCAN_MS
            ahead.turn()
            scanned(world, ahead)
            assert len(world.room.hot) == 1
        assert world.marks.silenced(file.stat().st_ino)


def test_a_hot_file_that_cannot_be_judged_asks_again(file: Path, clock: Clock) -> None:
    """No verdict is not clean: a file that no scan can finish must not stay silent for ever."""
    with gate_world() as world, file.open("ab"):
        ahead = Ahead(world.room)
        heated(world, file)
        clock.now_ms += limits.HOT_RESCAN_MS
        ahead.turn()
        scanned(world, ahead, Outcome.UNKNOWN, UnknownReason.ENGINE_TIMEOUT)
        assert not world.marks.silenced(file.stat().st_ino)
        assert len(world.room.hot) == 0
        assert world.room.hot_descriptors == {}


def test_a_hot_file_that_turned_bad_asks_again(file: Path, clock: Clock) -> None:
    with gate_world() as world, file.open("ab"):
        ahead = Ahead(world.room)
        heated(world, file)
        clock.now_ms += limits.HOT_RESCAN_MS
        ahead.turn()
        scanned(world, ahead, Outcome.MALICIOUS)
        assert not world.marks.silenced(file.stat().st_ino)
        assert world.room.hot_descriptors == {}


def test_a_hot_file_whose_scan_is_late_asks_again(file: Path, clock: Clock) -> None:
    with gate_world() as world, file.open("ab"):
        ahead = Ahead(world.room)
        heated(world, file)
        clock.now_ms += limits.HOT_OVERDUE_MS
        ahead.turn()
        assert not world.marks.silenced(file.stat().st_ino)
        assert len(world.room.hot) == 0


def test_a_hot_file_that_nobody_writes_any_more_is_ordinary_again(file: Path, clock: Clock) -> None:
    with gate_world() as world:
        ahead = Ahead(world.room)
        heated(world, file)
        clock.now_ms += limits.HOT_RESCAN_MS
        ahead.turn()
        scanned(world, ahead)
        assert len(world.room.hot) == 0


def test_a_scanner_that_dies_costs_a_strike_and_the_rest_waits_again(file: Path, clock: Clock) -> None:
    with gate_world() as world:
        ahead = Ahead(world.room)
        for _ in range(limits.STRIKES_MAX):
            scanner = FakeScanner()
            world.room.slots.idle.link = scanner.link
            if not ahead._queue:
                closed(world, file)
            ahead.turn()
            scanner.take()
            scanner.end.close()
            ahead.turn()
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.SCANNER_DIED] * limits.STRIKES_MAX
        assert [case.quarantined for case in world.cases] == [False, False, True]
        assert not ahead._queue


def test_a_late_idle_scan_is_no_strike(file: Path, clock: Clock) -> None:
    with gate_world() as world:
        ahead = Ahead(world.room)
        closed(world, file)
        ahead.turn()
        clock.now_ms += limits.AHEAD_DEADLINE_MS + 1
        ahead.turn()
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.DEADLINE_PASSED]
        assert world.room.state.strikes._counts == {}


def test_an_answer_to_something_else_is_garbage(file: Path, clock: Clock) -> None:
    with gate_world() as world:
        ahead = Ahead(world.room)
        closed(world, file)
        ahead.turn()
        world.idle_scanner.answer(world.idle_scanner.take() + 1)
        ahead.turn()
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.SCANNER_GARBAGE]


def test_the_queue_is_bounded_and_counts_what_it_drops(
    file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AHEAD_QUEUE_MAX", 5)
    with gate_world() as world:
        world.room.slots.idle.link = None
        ahead = Ahead(world.room)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(9):
            closed(world, file)
            ahead.turn()
        assert len(list(Path("/proc/self/fd").iterdir())) == before + 5
        assert world.room.counters.ahead_dropped == 4
        with file.open("rb") as again:
            ahead.rescan(again.fileno())
        assert world.room.counters.ahead_dropped == 5


def test_no_descriptor_is_left_behind(file: Path, clock: Clock) -> None:
    with gate_world() as world:
        ahead = Ahead(world.room)
        before = len(list(Path("/proc/self/fd").iterdir()))
        for version in range(20):
            file.write_bytes(b"version %d" % version)
            closed(world, file)
            ahead.turn()
            scanned(world, ahead)
        world.room.suspects.new_zygote(forget=True)  # one of them waits for the rules to be timed on it
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_heat_that_finds_no_room_leaves_no_mark(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HOT_FILES_MAX", 0)
    with gate_world() as world:
        heated(world, file)
        assert world.marks.acts == []
        assert world.room.hot_descriptors == {}


def test_the_old_releases_last_word_is_not_kept(file: Path, clock: Clock) -> None:
    with gate_world() as world:
        ahead = Ahead(world.room)
        closed(world, file)
        ahead.turn()
        job = world.idle_scanner.take()
        world.room.release_generation += 1
        world.room.state.new_release(1)
        world.idle_scanner.answer(job)
        ahead.turn()
        assert len(world.room.state.cache) == 0
        assert not world.room.known.holds(DIGEST)
        assert not world.marks.silenced(file.stat().st_ino)
        scanned(world, ahead)
        assert len(world.room.state.cache) == 1


def test_a_large_file_whose_whole_scan_is_late_asks_again(file: Path, clock: Clock) -> None:
    """Its quick look was clean and silenced it; without the long look that does not hold."""
    with gate_world() as world:
        ahead = Ahead(world.room)
        descriptor = os.open(file, os.O_RDONLY)
        question = world.room.look(descriptor, executes=False, pid=1)
        world.room.state.cache.remember(
            question.key, Remembered(question.look, Outcome.CLEAN, 0, deep=False, partial=True)
        )
        world.marks.silence(descriptor)
        assert ahead.rescan(descriptor)
        os.close(descriptor)
        ahead.turn()
        clock.now_ms += limits.AHEAD_DEADLINE_MS + 1
        ahead.turn()
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.DEADLINE_PASSED]
        assert not world.marks.silenced(file.stat().st_ino)
        assert len(world.room.state.cache) == 0


def test_without_room_in_the_queue_a_rescan_is_declined(
    file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "AHEAD_QUEUE_MAX", 1)
    with gate_world() as world:
        ahead = Ahead(world.room)
        descriptor = os.open(file, os.O_RDONLY)
        assert ahead.rescan(descriptor)
        assert not ahead.rescan(descriptor)
        os.close(descriptor)
        assert world.room.counters.ahead_dropped == 1
