"""Fifty thousand lives of a host that tries releases; and broken machines, each of which some lives must catch.

A failure names its seed; `python -m tests.sim.activation_world SEED` lives that life again and prints it.
"""

from collections.abc import Iterator
from types import ModuleType

import pytest
from tests.sim.activation_judge import Violation
from tests.sim.activation_mutants import MUTANTS, broken
from tests.sim.activation_releases import BOUNDS
from tests.sim.activation_world import World

from ringfence.decide import activation
from ringfence.decide.activation_messages import (
    Booted,
    Command,
    Event,
    Guard,
    Persist,
    PersistFailed,
    Report,
    ReportKind,
)
from ringfence.model import limits
from ringfence.model.activation import How, Reason

SEEDS = 50_000
PARTS = 50
SEEDS_FOR_THE_BROKEN = 4_000


@pytest.fixture(autouse=True)
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds so small that every one of them is met."""
    for name, bound in BOUNDS.items():
        monkeypatch.setattr(limits, name, bound)


def live(seeds: range, machine: ModuleType = activation) -> None:
    """Live them all; raise Violation with the seed of the first that breaks a promise."""
    for seed in seeds:
        try:
            World(seed, machine).run()
        except Violation as violation:
            raise Violation(f"seed {seed}: {violation}") from violation


@pytest.mark.load
@pytest.mark.parametrize("part", range(PARTS))
def test_every_promise_holds_in_every_life(part: int) -> None:
    size = SEEDS // PARTS
    live(range(part * size, (part + 1) * size))


def test_the_same_seed_is_the_same_life() -> None:
    for seed in range(50):
        one, other = World(seed).run(), World(seed).run()
        assert one.trace == other.trace
        assert one.disk == other.disk


def said(worlds: list[World]) -> Iterator[Event | Command]:
    for world in worlds:
        for one in world.trace:
            if not isinstance(one, str):
                yield one  # type: ignore[misc]


def test_every_kind_of_life_is_lived() -> None:
    """The weather is varied: every event, every outcome, every reason comes up."""
    worlds = [World(seed).run() for seed in range(1_200)]
    seen = list(said(worlds))
    assert {one.reason for one in seen if isinstance(one, Report) and one.reason} == set(Reason)
    assert {one.kind for one in seen if isinstance(one, Report)} == set(ReportKind)
    assert {one.state.arrival.how for one in seen if isinstance(one, Persist)} == set(How)
    assert {one.guard for one in seen if isinstance(one, Booted)} == set(Guard)
    assert any(isinstance(one, PersistFailed) for one in seen)
    assert any(one.state.forgotten_version for one in seen if isinstance(one, Persist))
    assert any(len(one.state.chain) == limits.GOOD_RELEASES_MAX for one in seen if isinstance(one, Persist))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_machine_is_caught(name: str) -> None:
    machine = broken(MUTANTS[name])
    with pytest.raises(Violation):
        live(range(SEEDS_FOR_THE_BROKEN), machine)


def test_the_sound_machine_made_anew_is_not() -> None:
    """The mutants are caught for what they change, not for being loaded another way."""
    name, old, _ = MUTANTS["never writes"]
    machine = broken((name, old, old))
    assert machine is not activation
    for seed in range(50):
        assert World(seed, machine).run().trace == World(seed).run().trace
