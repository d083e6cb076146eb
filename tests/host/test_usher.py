"""While every scanner is busy the usher reads on: it answers what needs none, and holds the rest to its deadline."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.gate_world import GateWorld, gate_world

from ringfence.host.fanotify import ALLOW, DENY
from ringfence.host.responder import Responder
from ringfence.host.usher import Usher
from ringfence.model import limits
from ringfence.model.verdict import Outcome, UnknownReason

LONG_NS = 60 * 1_000_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    return path


@pytest.fixture
def world() -> Iterator[GateWorld]:
    """Its only thread is held up."""
    with gate_world() as made:
        made.responder.busy_since_ns = 1
        yield made
        for held in made.room.held:
            os.close(held.descriptor)


@pytest.fixture
def usher(world: GateWorld) -> Usher:
    return Usher(world.room, [world.responder])


def answered(world: GateWorld) -> bool:
    """Whether there is an answer to hear."""
    world.marks.kernel.settimeout(0.001)
    try:
        world.marks.kernel.recv(64, 2)  # MSG_PEEK
    except TimeoutError:
        return False
    return True


def grown_old(world: GateWorld) -> None:
    """The deadline of what is held passes."""
    held = world.room.held.popleft()
    world.room.held.append(held._replace(asked_ns=held.asked_ns - limits.QUESTION_DEADLINE_MS * 1_000_000))


def test_while_anybody_is_free_it_reads_nothing(world: GateWorld, usher: Usher, file: Path) -> None:
    world.responder.busy_since_ns = 0
    world.send(file)
    assert not usher.turn()
    assert world.responder.pending() == 1
    world.responder.busy_since_ns = time.monotonic_ns() + LONG_NS  # just begun
    assert usher.turn()
    assert world.responder.pending() == 1


def test_what_is_known_goes_on_at_once(world: GateWorld, usher: Usher, file: Path) -> None:
    world.scanner.answer(world.responder._job + 1)
    assert world.ask(file) == ALLOW
    world.responder.busy_since_ns = 1
    world.send(file)
    assert usher.turn()
    assert world.hear() == ALLOW
    assert world.room.counters.cache_hits == 1
    assert not world.room.held


def test_what_is_known_to_be_bad_is_refused_at_once(world: GateWorld, usher: Usher, file: Path) -> None:
    world.scanner.answer(world.responder._job + 1, Outcome.MALICIOUS)
    assert world.ask(file) == DENY
    world.responder.busy_since_ns = 1
    world.send(file)
    usher.turn()
    assert world.hear() == DENY


def test_what_needs_a_scanner_is_held_until_one_is_free(world: GateWorld, usher: Usher, file: Path) -> None:
    world.send(file)
    assert usher.turn()
    assert usher.turn()
    assert not answered(world)
    (held,) = world.room.held
    assert usher.oldest_ns == held.asked_ns
    world.scanner.answer(world.responder._job + 1, Outcome.MALICIOUS)
    world.responder.settle(*world.room.held.popleft(), 0, time.monotonic_ns())
    assert world.hear() == DENY
    assert not usher.turn()
    assert usher.oldest_ns == 0


def test_the_spare_thread_takes_what_is_held(
    world: GateWorld, usher: Usher, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.send(file)
    usher.turn()
    world.scanner.answer(world.responder._job + 1)
    woken: list[None] = []
    sleeps = iter([None])

    def sleep(_: float) -> None:
        if next(sleeps, "over") == "over":
            raise SystemExit

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(SystemExit):
        world.responder.run_spare([Responder(world.room, world.room.slots.idle)], lambda: woken.append(None))
    assert world.hear() == ALLOW
    assert woken == [None]


def test_at_its_deadline_it_goes_on_without_a_verdict(world: GateWorld, usher: Usher, file: Path) -> None:
    world.send(file)
    usher.turn()
    grown_old(world)
    usher.turn()
    assert world.hear() == ALLOW
    assert [case.plan.skipped for case in world.cases] == [UnknownReason.DEADLINE_PASSED]
    assert world.rescans == [file.stat().st_ino]
    assert not world.room.held


def test_below_a_path_that_fails_closed_it_is_refused(file: Path) -> None:
    with gate_world(fails_closed=lambda _: True) as world:
        world.responder.busy_since_ns = 1
        usher = Usher(world.room, [world.responder])
        world.send(file)
        usher.turn()
        grown_old(world)
        usher.turn()
        assert world.hear() == DENY


def test_who_has_waited_for_it_does_not_wait_again(world: GateWorld, usher: Usher, file: Path) -> None:
    world.send(file)
    usher.turn()
    grown_old(world)
    usher.turn()
    assert world.hear() == ALLOW
    world.send(file)
    usher.turn()
    assert world.hear() == ALLOW
    assert not world.room.held


def test_it_holds_a_bounded_number(
    world: GateWorld, usher: Usher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringfence.host.usher.HELD_QUESTIONS_MAX", 2)
    for number in range(3):
        path = tmp_path / str(number)
        path.write_bytes(b"content")
        world.send(path)
    usher.turn()
    assert len(world.room.held) == 2
    assert world.hear() == ALLOW
    assert [case.plan.skipped for case in world.cases] == [UnknownReason.QUEUE_FULL]


def test_what_another_release_makes_known_goes_on(world: GateWorld, usher: Usher, file: Path) -> None:
    """Whatever gave the verdict meanwhile: the idle scanner, or another asker."""
    world.send(file)
    usher.turn()
    world.scanner.answer(world.responder._job + 1)
    assert world.ask(file) == ALLOW
    usher.turn()
    assert world.hear() == ALLOW
    assert world.room.counters.scans == 1


def test_its_thread_wakes_sleeps_and_wakes(world: GateWorld, usher: Usher, file: Path) -> None:
    threading.Thread(target=usher.run, daemon=True).start()
    for _ in range(2):
        world.send(file)
        usher.wake()
        while not world.room.held:
            os.sched_yield()
        grown_old(world)
        assert world.hear() == ALLOW
        file.write_bytes(b"another version")
    world.responder.busy_since_ns = 0


def test_a_thread_that_waited_because_others_took_what_it_saw_counts_as_waiting(
    world: GateWorld, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the question that comes an hour later would seem to be an hour old, and go on unscanned."""
    world.room.empty_at_ns = 1
    monkeypatch.setattr(world.responder, "pending", lambda: 1)
    sound = os.read

    def read(descriptor: int, length_bytes: int) -> bytes:
        world.room.taken[9] += 1  # another thread was faster
        return sound(descriptor, length_bytes)

    monkeypatch.setattr(os, "read", read)
    world.send(file)
    world.scanner.answer(world.responder._job + 1, Outcome.MALICIOUS)
    world.responder.answer_next()
    assert world.hear() == DENY
