"""The thread that answers the kernel: every question gets its answer, whatever goes wrong on the way."""

import os
import struct
import threading
import time
from pathlib import Path
from typing import cast

import pytest
from tests.host.gate_world import DIGEST, FakeScanner, GateWorld, event, gate_world

from ringfence.decide.gate import GO_ON_QUIET
from ringfence.host import responder
from ringfence.host.fanotify import ACCESS_PERMISSION, ALLOW, DENY, EXEC_PERMISSION, OPEN_PERMISSION
from ringfence.host.gate_room import Case
from ringfence.host.responder import source_of
from ringfence.model import limits
from ringfence.model.records import AlertResponse, AlertSource
from ringfence.model.verdict import Mode, Outcome, UnknownReason
from ringfence.wire.catalogue import FLAG_PARTIAL


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


def first_job(world: GateWorld) -> int:
    """The number that the responder gives to its next job."""
    return world.responder._job + 1


def test_a_clean_file_goes_on_is_silenced_and_its_digest_known(file: Path) -> None:
    with gate_world() as world:
        world.scanner.answer(first_job(world))
        assert world.ask(file) == ALLOW
        assert world.marks.acts == [("silence", file.stat().st_ino)]
        assert world.room.known.holds(DIGEST)
        assert world.ask(file) == ALLOW
        assert world.room.counters.scans == 1
        assert world.room.counters.cache_hits == 1


def test_a_malicious_file_is_refused_and_reported(file: Path) -> None:
    with gate_world() as world:
        world.scanner.answer(first_job(world), Outcome.MALICIOUS)
        assert world.ask(file) == DENY
        assert [case.plan.response for case in world.cases] == [AlertResponse.BLOCKED]
        assert not world.marks.silenced(file.stat().st_ino)
        assert not world.room.known.holds(DIGEST)


def test_a_report_that_fails_does_not_turn_a_refusal_round(file: Path) -> None:
    def broken(case: Case) -> None:
        raise OSError(36, "File name too long")

    with gate_world(report=broken) as world:
        world.scanner.answer(first_job(world), Outcome.MALICIOUS)
        assert world.ask(file) == DENY
        assert world.ask(file) == DENY


def test_answers_for_want_of_time_or_room_are_counted_as_such(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with gate_world() as world:
        counters = world.room.counters
        world.room.empty_at_ns -= (limits.QUESTION_DEADLINE_MS + 1) * 1_000_000
        assert world.ask(file) == ALLOW
        assert (counters.deadline_passed, counters.queue_full) == (1, 0)
        world.room.empty_at_ns = time.monotonic_ns()
        monkeypatch.setattr(limits, "QUESTIONS_PENDING_MAX", -1)
        another = file.with_name("another")
        another.write_bytes(b"content")
        assert world.ask(another) == ALLOW
        assert (counters.deadline_passed, counters.queue_full) == (1, 1)
        assert (counters.allowed_unknown, counters.cache_hits) == (2, 0)


def test_a_scanner_that_dies_lets_the_file_go_on_to_be_scanned_later(file: Path) -> None:
    with gate_world() as world:
        world.scanner.end.close()
        assert world.ask(file) == ALLOW
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.SCANNER_DIED]
        assert world.rescans == [file.stat().st_ino]
        assert world.room.slots.slots[0].link is None
        assert list(world.room.slots.faults) == [0]


def test_without_verdict_a_path_may_fail_closed(file: Path) -> None:
    with gate_world(fails_closed=lambda _: True) as world:
        world.scanner.end.close()
        assert world.ask(file) == DENY


def test_a_policy_that_cannot_be_asked_fails_closed(file: Path) -> None:
    """A path that nobody can spell may be one that must fail closed."""

    def unspeakable(descriptor: int) -> bool:
        raise OSError(36, "File name too long")

    with gate_world(fails_closed=unspeakable) as world:
        world.scanner.end.close()
        assert world.ask(file) == DENY


def test_observing_nothing_is_refused(file: Path) -> None:
    with gate_world(Mode.OBSERVE) as world:
        world.scanner.answer(first_job(world), Outcome.MALICIOUS)
        assert world.ask(file) == ALLOW
        assert [case.plan.response for case in world.cases] == [AlertResponse.OBSERVED]


def test_an_unknown_verdict_is_reported_with_its_reason(file: Path) -> None:
    with gate_world() as world:
        world.scanner.answer(first_job(world), Outcome.UNKNOWN, UnknownReason.ENGINE_TIMEOUT)
        assert world.ask(file) == ALLOW
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.ENGINE_TIMEOUT]
        assert len(world.room.state.cache) == 0


def test_a_file_that_somebody_writes_is_hot_not_quiet(file: Path) -> None:
    with gate_world() as world, file.open("ab"):
        world.scanner.answer(first_job(world))
        assert world.ask(file) == ALLOW
        assert world.marks.acts == [("silence_hot", file.stat().st_ino)]
        assert len(world.room.hot) == 1


def test_a_file_that_changed_since_its_scan_is_not_silenced(file: Path) -> None:
    """Written between the look and the mark: that write would stay unseen."""
    with gate_world() as world:
        descriptor = os.open(file, os.O_RDONLY)
        question = world.room.look(descriptor, executes=False, pid=1)
        file.write_bytes(b"something else")
        world.room.mark(descriptor, question, GO_ON_QUIET)
        os.close(descriptor)
        assert not world.marks.silenced(file.stat().st_ino)
        assert world.room.counters.stale_looks == 1


def test_what_is_no_regular_file_goes_on_unscanned(tmp_path: Path) -> None:
    with gate_world() as world:
        assert world.ask(tmp_path) == ALLOW
        assert world.room.counters.not_regular == 1
        assert world.scanner.jobs == []


def test_an_overflow_is_counted_and_ends_nothing(file: Path) -> None:
    with gate_world() as world:
        world.marks.kernel.send(event(-1, 0x4000, 0))
        world.responder.answer_next()
        assert world.room.counters.overflows == 1
        assert world.responder.busy_since_ns == 0


def test_a_question_that_cannot_be_read_ends_nothing() -> None:
    """The kernel may fail to open the file of an event: read says so, the event is gone, the thread goes on."""
    with gate_world() as world:
        os.set_blocking(world.marks.questions, False)
        world.responder.answer_next()
        assert world.room.counters.overflows == 1


def test_what_waited_too_long_goes_on_unscanned(file: Path) -> None:
    """All threads were held up for longer than the deadline, and this question was waiting when the first came back."""
    with gate_world() as world:
        world.room.empty_at_ns = 1  # the queue was last seen empty when the machine started
        world.scanner.answer(first_job(world))
        assert world.ask(file) == ALLOW
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.DEADLINE_PASSED]
        assert world.room.counters.scans == 0


def test_who_has_waited_for_a_program_until_the_deadline_does_not_wait_for_its_first_read(file: Path) -> None:
    with gate_world() as world:
        world.room.empty_at_ns = 1  # as after a scan that did not come back
        assert world.ask(file, mask=EXEC_PERMISSION) == ALLOW
        world.room.empty_at_ns = time.monotonic_ns()
        assert world.ask(file) == ALLOW
        assert world.room.counters.scans == 0
        assert world.room.counters.deadline_passed == 2
        file.write_bytes(b"something else")  # another version is another question
        world.scanner.answer(first_job(world), Outcome.MALICIOUS)
        assert world.ask(file) == DENY


def test_another_release_is_no_reason_to_wait_for_the_same_file_again(file: Path) -> None:
    with gate_world() as world:
        world.room.empty_at_ns = 1
        assert world.ask(file) == ALLOW
        world.room.empty_at_ns = time.monotonic_ns()
        world.room.state.new_release(0)
        assert world.ask(file) == ALLOW
        assert world.room.counters.scans == 0


def test_every_descriptor_of_an_event_is_closed(file: Path) -> None:
    with gate_world() as world:
        world.scanner.answer(first_job(world))
        before = len(list(Path("/proc/self/fd").iterdir()))
        world.ask(file)
        world.ask(file)
        world.scanner.take()
        assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("mask", "source"),
    [
        (ACCESS_PERMISSION, AlertSource.ACCESS),
        (OPEN_PERMISSION, AlertSource.OPEN),
        (EXEC_PERMISSION, AlertSource.EXEC),
        (EXEC_PERMISSION | OPEN_PERMISSION, AlertSource.EXEC),
    ],
)
def test_the_source_of_a_question(mask: int, source: str) -> None:
    assert source_of(mask) == source


def test_garbage_from_a_scanner_replaces_it(file: Path) -> None:
    with gate_world() as world:
        world.scanner.end.send(struct.pack("B", 7))
        assert world.ask(file) == ALLOW
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.SCANNER_GARBAGE]


def test_three_faults_quarantine_the_pair(file: Path) -> None:
    with gate_world() as world:
        for _ in range(limits.STRIKES_MAX):
            scanner = FakeScanner()
            world.room.slots.slots[0].link = scanner.link
            scanner.end.close()
            assert world.ask(file) == ALLOW
        assert world.ask(file) == ALLOW
        assert world.cases[-1].plan.skipped is UnknownReason.PAIR_QUARANTINED
        assert world.room.counters.pairs_quarantined == 1


def test_the_old_releases_last_word_is_not_kept(file: Path) -> None:
    """Another release became active while the old one's scanner had the file: the new one must be asked."""
    with gate_world() as world:
        other = FakeScanner()

        def change_release() -> None:
            job = world.scanner.take()
            world.room.release_generation += 1
            world.room.state.new_release(1)
            world.room.slots.slots[0].link = other.link
            other.answer(job + 1, Outcome.MALICIOUS)
            world.scanner.answer(job)

        thread = threading.Thread(target=change_release)
        thread.start()
        assert world.ask(file) == DENY
        thread.join()
        assert not world.room.known.holds(DIGEST)
        assert not world.marks.silenced(file.stat().st_ino)
        other.close()


def test_an_old_scanner_is_gone_before_the_new_release_counts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its word would pass for the new release's: `answered_generation`, the cache and the known digests."""
    with gate_world() as world:
        seen: list[int] = []
        monkeypatch.setattr(world.room.slots, "use_zygote", lambda _: seen.append(world.room.release_generation))
        before = world.room.release_generation
        world.room.change_release(1, None)
        assert seen == [before]
        assert world.room.release_generation == before + 1
        assert world.marks.acts == [("forget_files", 0)]


def test_what_a_file_did_to_an_old_release_is_not_held_against_it_or_the_new_one(file: Path) -> None:
    with gate_world() as world:
        fresh = FakeScanner()

        def change_release() -> None:
            world.scanner.take()
            world.room.change_release(1, None)
            world.room.slots.slots[0].link = fresh.link
            world.scanner.end.close()

        thread = threading.Thread(target=change_release)
        thread.start()
        assert world.ask(file) == ALLOW
        thread.join()
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.SCANNER_DIED]
        assert len(world.room.state.strikes) == 0
        assert [fault.generation for fault in world.room.faults] == [world.room.release_generation - 1]
        assert world.room.slots.slots[0].link is fresh.link, "the new scanner has done nothing"
        fresh.close()


@pytest.mark.parametrize("remembered", [False, True])
def test_what_is_silenced_while_the_release_changes_asks_again(file: Path, *, remembered: bool) -> None:
    with gate_world() as world:
        world.scanner.answer(first_job(world))
        if remembered:
            assert world.ask(file) == ALLOW
        sound = world.marks.silence

        def silence(descriptor: int) -> None:
            world.room.release_generation += 1
            world.room.state.new_release(1)
            world.marks.forget_files()
            sound(descriptor)

        world.marks.silence = silence  # type: ignore[method-assign]
        assert world.ask(file) == ALLOW
        assert not world.marks.silenced(file.stat().st_ino)
        assert len(world.room.state.cache) == 0


def test_a_large_file_that_nobody_will_finish_asks_again(file: Path) -> None:
    """Windows of it were clean; without room for the whole scan it must not stay silent."""
    with gate_world(rescans_max=0) as world:
        world.scanner.answer(first_job(world), flags=FLAG_PARTIAL)
        assert world.ask(file) == ALLOW
        assert not world.marks.silenced(file.stat().st_ino)
        assert len(world.room.state.cache) == 0
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.FILE_PARTIAL]


def test_a_large_file_is_recorded_and_silent_until_the_whole_is_scanned(file: Path) -> None:
    with gate_world() as world:
        world.scanner.answer(first_job(world), flags=FLAG_PARTIAL)
        assert world.ask(file) == ALLOW
        assert world.marks.silenced(file.stat().st_ino)
        assert world.rescans == [file.stat().st_ino]
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.FILE_PARTIAL]


def test_where_policy_fails_closed_a_large_file_waits_for_its_whole_scan(file: Path) -> None:
    with gate_world(fails_closed=lambda _: True) as world:
        world.scanner.answer(first_job(world), flags=FLAG_PARTIAL)
        assert world.ask(file) == DENY
        assert not world.marks.silenced(file.stat().st_ino)
        assert world.ask(file) == DENY
        assert world.room.counters.allowed_unknown == 0


def test_where_policy_fails_closed_no_file_is_hot(file: Path) -> None:
    with gate_world(fails_closed=lambda _: True) as world, file.open("ab"):
        world.scanner.answer(first_job(world))
        assert world.ask(file) == ALLOW
        assert world.marks.acts == []
        assert len(world.room.hot) == 0


def test_where_policy_fails_closed_every_version_of_a_busy_file_is_scanned(file: Path) -> None:
    with gate_world(fails_closed=lambda _: True) as world:
        for version in range(limits.HOT_VERSIONS_MIN + 3):
            file.write_bytes(b"version %d" % version)
            world.scanner.answer(first_job(world))
            assert world.ask(file) == ALLOW
        assert world.room.counters.scans == limits.HOT_VERSIONS_MIN + 3


def test_vital_files_do_not_wait_for_a_scanner_that_is_being_born(file: Path) -> None:
    """It may be the scanner's own birth that reads them."""
    seen = file.stat()
    with gate_world() as world:
        world.room.vital_files = frozenset({(seen.st_dev, seen.st_ino)})
        slot = world.room.slots.slots[0]
        slot.link, slot.filled = None, cast("threading.Event", NeverFilled())
        assert world.ask(file) == ALLOW
        assert [case.plan.skipped for case in world.cases] == [UnknownReason.SCANNER_ABSENT]


def test_nobody_waits_where_no_scanner_is_on_its_way(file: Path) -> None:
    with gate_world() as world:
        slot = world.room.slots.slots[0]
        world.room.slots.zygote = None
        slot.link, slot.filled = None, cast("threading.Event", NeverFilled())
        assert world.ask(file) == ALLOW


@pytest.mark.parametrize(("held_up_ns", "given_way"), [(-1, 1), (10**9, 3)])
def test_giving_way_to_the_scanner_ends_where_it_costs_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_up_ns: int, given_way: int
) -> None:
    """Somebody else wants the processor: a slice of time is lost once, not at every question."""
    calls: list[None] = []
    monkeypatch.setattr(os, "sched_yield", lambda: calls.append(None))
    monkeypatch.setattr(responder, "GIVE_WAY_NS_MAX", held_up_ns)
    monkeypatch.setattr(responder, "GIVE_WAY_PAUSE_MS", 10**9)
    with gate_world() as world:
        for number in range(3):
            path = tmp_path / f"file-{number}"
            path.write_bytes(b"%d" % number)
            world.scanner.answer(first_job(world))
            assert world.ask(path) == ALLOW
    assert len(calls) == given_way


class NeverFilled:
    """An event that must not be waited for."""

    def wait(self, timeout: float) -> bool:
        raise AssertionError(f"waited for {timeout} s")
