"""Thousands of lives of the courier on bad days; and broken couriers, each of which some hundred lives must catch.

A failure names its seed; `World(seed).run(STEPS)` under the same bounds is that life again.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.sim.courier_world import Violation, World
from tests.sim.simulated_storage import SimulatedStorage

from ringfence.decide import courier
from ringfence.decide.courier_messages import (
    Acknowledge,
    DeliveryFailed,
    Event,
    Now,
    SightingArrived,
    Stored,
    StoringFailed,
)
from ringfence.host import courier_shell, spool
from ringfence.host.courier_shell import CourierShell, Outcome
from ringfence.host.spool import Spool, SpoolBatch
from ringfence.model import limits
from ringfence.model.errors import UplinkRefused
from ringfence.model.records import Lost, RecordKey
from ringfence.wire.spool import SegmentHead, Tail, encode_segment_head

SEEDS = 2_000
PARTS = 8
STEPS = 30
MUTANT_SEEDS = 300

Mutation = Callable[[pytest.MonkeyPatch], None]
Stepping = Callable[[courier.CourierState, Event, Now], courier.Step]


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds so small that every one of them is met."""
    monkeypatch.setattr(limits, "SPOOL_SEGMENT_BYTES", 2_000)
    monkeypatch.setattr(limits, "SPOOL_BYTES_MAX", 16_000)
    monkeypatch.setattr(limits, "SPOOL_RESERVED_BYTES", 6_000)
    monkeypatch.setattr(limits, "SPOOL_GATES_MAX", 8)
    monkeypatch.setattr(limits, "COURIER_BATCH_FRAMES_MAX", 8)
    monkeypatch.setattr(limits, "COURIER_FINDINGS_MAX", 4)
    monkeypatch.setattr(limits, "UPLINK_RECORDS_MAX", 5)


def lives(seeds: range, *, flips: bool = False) -> None:
    """Live them all; raise Violation with the seed of the first that breaks a promise."""
    for seed in seeds:
        try:
            World(seed, flips=flips).run(STEPS)
        except Violation as broken:
            raise Violation(f"seed {seed}: {broken}") from broken


@pytest.mark.parametrize("part", range(PARTS))
def test_every_sighting_arrives_once_or_is_counted(part: int) -> None:
    lives(range(part, SEEDS, PARTS))


@pytest.mark.parametrize("part", range(2))
def test_flipped_bits_become_counted_loss(part: int) -> None:
    lives(range(part, 500, 2), flips=True)


def test_the_same_seed_is_the_same_life() -> None:
    for seed in range(20):
        one, other = World(seed), World(seed)
        one.run(STEPS)
        other.run(STEPS)
        assert one.trace == other.trace
        assert one.server.epochs == other.server.epochs


def stepping(monkeypatch: pytest.MonkeyPatch, broken: Callable[[Stepping], Stepping]) -> None:
    """Put a broken machine in the shell's hands."""
    monkeypatch.setattr(courier_shell, "step", broken(courier.step))


def acknowledges_on_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sound: Stepping) -> Stepping:
        def step(state: courier.CourierState, event: Event, now: Now) -> courier.Step:
            state, commands = sound(state, event, now)
            if isinstance(event, SightingArrived):
                through = dict(state.received).get(event.sighting.gate_id, 0)
                commands = (*commands, Acknowledge(event.sighting.gate_id, through))
            return state, commands

        return step

    stepping(monkeypatch, broken)


def acknowledges_what_the_disk_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sound: Stepping) -> Stepping:
        def step(state: courier.CourierState, event: Event, now: Now) -> courier.Step:
            storing = state.storing
            state, commands = sound(state, event, now)
            if isinstance(event, StoringFailed):
                through = [(entry.gate_id, entry.source_number) for entry in storing if entry.source_number]
                commands = (*commands, *(Acknowledge(*pair) for pair in through))
            return state, commands

        return step

    stepping(monkeypatch, broken)


def drops_what_the_disk_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sound: Stepping) -> Stepping:
        def step(state: courier.CourierState, event: Event, now: Now) -> courier.Step:
            state, commands = sound(state, event, now)
            return (replace(state, pending=()) if isinstance(event, StoringFailed) else state), commands

        return step

    stepping(monkeypatch, broken)


def counts_no_loss_of_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sound: Stepping) -> Stepping:
        def step(state: courier.CourierState, event: Event, now: Now) -> courier.Step:
            state, commands = sound(state, event, now)
            kept = tuple(one for one in state.pending if not (isinstance(one.record, Lost) and one.source_number))
            return replace(state, pending=kept), commands

        return step

    stepping(monkeypatch, broken)


def takes_early_sightings(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sound: Stepping) -> Stepping:
        def step(state: courier.CourierState, event: Event, now: Now) -> courier.Step:
            if isinstance(event, SightingArrived):
                event = SightingArrived(replace(event.sighting, oldest_kept=event.sighting.number))
            return sound(state, event, now)

        return step

    stepping(monkeypatch, broken)


def forgets_what_it_has_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sound: Stepping) -> Stepping:
        def step(state: courier.CourierState, event: Event, now: Now) -> courier.Step:
            state, commands = sound(state, event, now)
            return (replace(state, received=state.gates[:0]) if isinstance(event, Stored) else state), commands

        return step

    stepping(monkeypatch, broken)


def sleeps_through_new_records(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sound: Stepping) -> Stepping:
        def step(state: courier.CourierState, event: Event, now: Now) -> courier.Step:
            if isinstance(event, Stored) and state.delivery.idle:
                state, _ = sound(state, event, now)
                return replace(state, delivery=replace(state.delivery, idle=True)), ()
            return sound(state, event, now)

        return step

    stepping(monkeypatch, broken)


def waits_for_ever_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(sound: Stepping) -> Stepping:
        def step(state: courier.CourierState, event: Event, now: Now) -> courier.Step:
            state, commands = sound(state, event, now)
            if isinstance(event, DeliveryFailed):
                state = replace(state, delivery=replace(state.delivery, in_flight=True))
            return state, commands

        return step

    stepping(monkeypatch, broken)


def takes_a_failure_for_success(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = CourierShell.sent

    def sent(shell: CourierShell, outcome: Outcome) -> None:
        sound(shell, Outcome(outcome.batch, outcome.batch.last_number))

    monkeypatch.setattr(CourierShell, "sent", sent)


def forgets_before_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Spool.next_batch

    def next_batch(self: Spool, records_max: int) -> SpoolBatch | None:
        batch = sound(self, records_max)
        if batch is not None:
            self.forget(RecordKey(batch.epoch, batch.last_number))
        return batch

    monkeypatch.setattr(Spool, "next_batch", next_batch)


def forgets_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Spool.forget
    monkeypatch.setattr(Spool, "forget", lambda self, key: sound(self, RecordKey(key.epoch, key.number + 1)))


def never_syncs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedStorage, "sync", lambda *_: None)


def begins_segments_without_the_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(head: SegmentHead) -> bytes:
        return encode_segment_head(replace(head, gates=()))

    monkeypatch.setattr(spool, "encode_segment_head", broken)


def trusts_only_heads_for_the_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Spool._read_segment

    def read(self: Spool, name: str, data: bytes, head: SegmentHead, offset: int) -> bool:
        continues = sound(self, name, data, head, offset)
        self._gates = dict(head.gates)
        return continues

    monkeypatch.setattr(Spool, "_read_segment", read)


def ignores_checksums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringfence.wire.spool.zlib.crc32", lambda _: 0)


def uses_numbers_again_behind_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringfence.wire.spool._tail_of", lambda *_: Tail.TORN)


def repeats_its_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(World, "_new_epoch", lambda _: "0" * 15 + "1")


def counts_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "_counted", lambda *_: ())


def removes_the_newest_segment(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Spool._drop_taken

    def drop(self: Spool) -> None:
        sound(self)
        if self._position is not None and self._segments[-1].taken(self._position):
            self._storage.replace(self._segments[-1].name, b"")

    monkeypatch.setattr(Spool, "_drop_taken", drop)


PLAIN: list[Mutation] = [
    acknowledges_on_arrival,
    acknowledges_what_the_disk_refused,
    drops_what_the_disk_refused,
    counts_no_loss_of_gates,
    takes_early_sightings,
    forgets_what_it_has_taken,
    sleeps_through_new_records,
    waits_for_ever_after_a_failure,
    takes_a_failure_for_success,
    forgets_before_the_answer,
    forgets_one_too_many,
    never_syncs,
    begins_segments_without_the_gates,
    trusts_only_heads_for_the_gates,
    removes_the_newest_segment,
]
WITH_FLIPS: list[Mutation] = [ignores_checksums, uses_numbers_again_behind_damage, repeats_its_epoch, counts_no_damage]


@pytest.mark.parametrize("mutation", PLAIN, ids=lambda mutation: mutation.__name__)
def test_a_broken_courier_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)
    with pytest.raises(Violation):
        lives(range(MUTANT_SEEDS))


@pytest.mark.parametrize("mutation", WITH_FLIPS, ids=lambda mutation: mutation.__name__)
def test_a_courier_that_believes_its_disk_is_caught(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation(monkeypatch)
    with pytest.raises((Violation, UplinkRefused)):
        lives(range(MUTANT_SEEDS), flips=True)
