"""The gate's outbox: nothing is lost in silence, nothing blocks, and a courier that lies cannot end the gate."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.gate_world import deep_file

from ringfence.decide.gate import Answer, Plan, Question
from ringfence.host import outbox as outbox_module
from ringfence.host.channel import Channel
from ringfence.host.gate_room import Case
from ringfence.host.outbox import Outbox
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.model.records import AlertResponse, AlertSource
from ringfence.model.verdict import Mode, Outcome, UnknownReason
from ringfence.wire.detections import (
    SIGHTING,
    SIGHTING_ACK,
    Sighting,
    SightingAck,
    decode_sighting,
    encode_sighting_ack,
)

GATE_ID = 77


class Clock:
    """The monotonic clock in the test's hand."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def __call__(self) -> int:
        return self.now_ms


class Post:
    """An outbox and the courier at its other end."""

    def __init__(self, file: Path) -> None:
        ours, theirs = Channel.pair()
        self.courier = theirs
        self.outbox = Outbox(GATE_ID, ours, mode=lambda: Mode.ENFORCE, release=lambda: 3)
        self.descriptor = os.open(file, os.O_RDONLY)

    def note(self, inode: int = 1, response: AlertResponse | None = AlertResponse.BLOCKED, **facts: object) -> None:
        """One case."""
        self.outbox.note(case_of(self.descriptor, inode, response, **facts))

    def arrived(self) -> list[Sighting]:
        """What the courier finds in its socket."""
        found = []
        while (received := self.courier.receive(wait=False)) is not None:
            assert received.frame.type == SIGHTING
            found.append(decode_sighting(received.frame.body))
        return found

    def acknowledge(self, through: int) -> None:
        self.courier.send(SIGHTING_ACK, encode_sighting_ack(SightingAck(GATE_ID, through)))
        self.outbox.take_acknowledgements()

    def close(self) -> None:
        self.courier.close()
        self.outbox._courier.close()
        os.close(self.outbox.wake)
        os.close(self.descriptor)


def case_of(descriptor: int, inode: int, response: AlertResponse | None, **facts: object) -> Case:
    skipped = UnknownReason.NONE if response else UnknownReason.DEADLINE_PASSED
    plan = Plan(Answer.ALLOW, response=response, skipped=skipped)
    question = Question((1, inode), (1, 1, 4), executes=False, regular=True, own=False)
    pid = facts.get("pid", 0)
    assert isinstance(pid, int)
    return Case(plan, question, descriptor, pid, AlertSource.ACCESS, job=9, rule=2)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    file = tmp_path / "file"
    file.write_bytes(b"data")
    post = Post(file)
    yield post
    post.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(outbox_module, "now_ms", clock)
    return clock


def test_a_case_becomes_a_sighting(post: Post, tmp_path: Path) -> None:
    post.note()
    post.outbox.flush()
    (sighting,) = post.arrived()
    assert (sighting.gate_id, sighting.number, sighting.oldest_kept) == (GATE_ID, 1, 1)
    assert sighting.file.path == os.fsencode(tmp_path / "file")
    assert (sighting.outcome, sighting.response) == (Outcome.MALICIOUS, AlertResponse.BLOCKED)
    assert (sighting.top_rule, sighting.release_index, sighting.job) == (2, 3, 9)


def test_a_skipped_file_names_its_reason_and_no_rule(post: Post) -> None:
    post.note(response=None)
    post.outbox.flush()
    (sighting,) = post.arrived()
    assert (sighting.outcome, sighting.reason) == (Outcome.UNKNOWN, UnknownReason.DEADLINE_PASSED)
    assert sighting.top_rule is None


def test_what_is_not_acknowledged_is_sent_again_and_what_is_not_is_not(post: Post, clock: Clock) -> None:
    for inode in range(3):
        post.note(inode)
    post.outbox.flush()
    assert [one.number for one in post.arrived()] == [1, 2, 3]
    post.acknowledge(2)
    post.outbox.flush()
    assert post.arrived() == []
    clock.now_ms += limits.SIGHTING_RESEND_MS
    post.outbox.flush()
    assert [(one.number, one.oldest_kept) for one in post.arrived()] == [(3, 3)]


def test_repeats_are_held_back_for_a_while(post: Post, clock: Clock) -> None:
    for _ in range(5):
        post.note(1)
    post.note(2)
    post.outbox.flush()
    assert [one.file.inode for one in post.arrived()] == [1, 2]
    clock.now_ms += limits.SIGHTING_REPEAT_MS
    post.note(1)
    post.outbox.forget_repeats()
    post.note(1)
    post.acknowledge(2)
    post.outbox.flush()
    assert [one.number for one in post.arrived()] == [3, 4]


def test_the_memory_of_repeats_is_bounded(post: Post, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIGHTING_REPEATS_TRACKED_MAX", 4)
    for inode in range(50):
        post.note(inode)
    assert len(post.outbox._repeats) <= 4


def test_past_the_bound_the_oldest_goes_and_is_counted(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SIGHTINGS_UNACKNOWLEDGED_MAX", 5)
    for inode in range(12):
        post.note(inode)
    assert post.outbox.dropped == 7
    post.outbox.flush()
    arrived = post.arrived()
    assert [one.number for one in arrived] == [8, 9, 10, 11, 12]
    assert {one.oldest_kept for one in arrived} == {8}


def test_a_courier_that_does_not_read_blocks_nobody(post: Post, clock: Clock) -> None:
    for inode in range(2_000):
        post.note(inode)
    post.outbox.flush()
    assert 0 < len(post.arrived()) < 2_000
    clock.now_ms += 1
    post.outbox.flush()
    assert post.arrived()


def test_a_path_that_nobody_can_spell_is_still_reported(post: Post, tmp_path: Path) -> None:
    """Directories nested past the longest path: no way round an alert, and no way to end the gate."""
    descriptor = deep_file(tmp_path, b"evil")
    post.outbox.note(case_of(descriptor, 5, AlertResponse.BLOCKED))
    os.close(descriptor)
    post.outbox.flush()
    (sighting,) = post.arrived()
    assert sighting.file.path
    assert not sighting.file.path.startswith(b"/")


def test_the_lineage_of_the_asker_is_read_by_a_thread_of_its_own(post: Post) -> None:
    asked = outbox_module._Asked(os.getpid())
    post.outbox._asked.put(asked)
    post.outbox.serve_lineage()
    assert asked.done.is_set()
    assert asked.processes[0].pid == os.getpid()


def test_an_asker_that_nobody_serves_costs_a_bounded_wait(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINEAGE_WAIT_MS", 1)
    post.note(pid=os.getpid())
    post.outbox.flush()
    (sighting,) = post.arrived()
    assert sighting.processes == ()


def test_where_reading_lineages_is_held_up_alerts_go_without(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody maps their command line from a file system that answers when they please."""
    monkeypatch.setattr(limits, "LINEAGE_WAIT_MS", 1e9)
    for _ in range(limits.LINEAGES_WAITING_MAX):
        post.outbox._asked.put(outbox_module._Asked(1))
    post.note(pid=os.getpid())
    post.outbox.flush()
    (sighting,) = post.arrived()
    assert sighting.processes == ()


@pytest.mark.parametrize(("frame_type", "body"), [(SIGHTING, b""), (SIGHTING_ACK, b"short"), (SIGHTING_ACK, b"")])
def test_a_courier_that_breaks_the_protocol_is_refused(post: Post, frame_type: int, body: bytes) -> None:
    post.courier.send(frame_type, body)
    with pytest.raises(FrameRefused):
        post.outbox.take_acknowledgements()


def test_descriptors_from_a_courier_are_closed(post: Post) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    post.courier.send(SIGHTING_ACK, encode_sighting_ack(SightingAck(GATE_ID, 1)), (post.descriptor,) * 3)
    post.outbox.take_acknowledgements()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_flood_of_acknowledgements_ends_a_turn(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """A courier that never stops talking must not keep the gate from its beat."""
    sound = Channel.receive
    ack = encode_sighting_ack(SightingAck(GATE_ID, 1))

    def receive(channel: Channel, *, wait: bool = True) -> object:
        post.courier.try_send(SIGHTING_ACK, ack)
        return sound(channel, wait=wait)

    monkeypatch.setattr(Channel, "receive", receive)
    post.outbox.take_acknowledgements()
    assert post.outbox.dropped == 0
