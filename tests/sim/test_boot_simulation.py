"""Thousands of machines that do not boot well; and broken guards, each of which a few hundred machines must catch.

To see one seed again: `World(N).run()`, and print its `trace`.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.sim import boot_world
from tests.sim.boot_world import Violation, World, ends_well

from ringfence.decide import boot_guard as machine
from ringfence.model import limits
from ringfence.model.boot import BootOrder, BootRecord, Level
from ringfence.wire import boot_record

SEEDS = 1_600
PARTS = 4
SEEDS_FOR_THE_BROKEN = 400


def live(seed: int) -> World:
    """One life.  Raises Violation with the seed."""
    world = World(seed)
    try:
        world.run()
        ends_well(world)
    except Violation as broken:
        raise Violation(f"seed {seed}: {broken}\n" + "\n".join(world.trace)) from broken
    return world


def live_all(seeds: range) -> None:
    for seed in seeds:
        live(seed)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_machine_comes_up_within_the_bound_whatever_its_disk_and_its_content_do(part: int) -> None:
    for seed in range(part, SEEDS, PARTS):
        assert live(seed).down_in_a_row == 0


def test_the_same_seed_is_the_same_life() -> None:
    assert [live(seed).trace for seed in range(50)] == [live(seed).trace for seed in range(50)]


def test_every_kind_of_life_is_lived() -> None:
    worlds = [live(seed) for seed in range(400)]
    text = "\n".join(line for world in worlds for line in world.trace)
    words = ["previous", "baseline", "off", "late", "hang", "reboot", "takes it down", "the power goes"]
    assert [word for word in words if word not in text] == []
    assert any(world.off for world in worlds)
    assert any(world.healthy_in_a_row and world.harmful for world in worlds)


# --- broken guards ----------------------------------------------------------------------------------------------------

Break = Callable[[pytest.MonkeyPatch], None]


def counts_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "_judged", lambda record, *_: record)


def forgives_orderly_ends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limits, "BOOTS_SHORT_MAX", 1_000)


def is_patient(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limits, "BOOTS_FAILED_MAX", 4)
    patch.setattr(limits, "BOOTS_SHORT_MAX", 9)


def lifts_what_was_not_carried_out(patch: pytest.MonkeyPatch) -> None:
    sound = machine._healed
    patch.setattr(machine, "_healed", lambda record, _: sound(replace(record, settled=True), bytes(32)))


def orders_once(patch: pytest.MonkeyPatch) -> None:
    sound = machine.begin

    def begin(found: BootRecord | None, *rest: object, **more: object) -> tuple[BootRecord, BootOrder]:
        record, order = sound(found, *rest, **more)  # type: ignore[arg-type]
        same = found is not None and found.level is record.level and record.level is not Level.OFF
        return record, replace(order, level=Level.NORMAL) if same else order

    patch.setattr(machine, "begin", begin)


def ends_at_the_baseline(patch: pytest.MonkeyPatch) -> None:
    sound = machine._lowered

    def lowered(record: BootRecord, *rest: object) -> BootRecord:
        after = sound(record, *rest)  # type: ignore[arg-type]
        return replace(after, level=min(after.level, Level.BASELINE))

    patch.setattr(machine, "_lowered", lowered)


def comes_back_from_off(patch: pytest.MonkeyPatch) -> None:
    sound = machine.begin

    def begin(found: BootRecord | None, *rest: object, **more: object) -> tuple[BootRecord, BootOrder]:
        if found is not None and found.level is Level.OFF:
            found = replace(found, level=Level.NORMAL)
        return sound(found, *rest, **more)  # type: ignore[arg-type]

    patch.setattr(machine, "begin", begin)


def starts_at_once_without_counting(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "uncounted", lambda _: BootOrder(Level.NORMAL, clean=False))


def writes_one_slot(patch: pytest.MonkeyPatch) -> None:
    sound = boot_record.writes
    patch.setattr(boot_world, "writes", lambda record: sound(record)[:1])


def is_never_overdue(patch: pytest.MonkeyPatch) -> None:
    sound = machine._after

    def after(record: BootRecord, event: machine.Event, now_s: int) -> BootRecord:
        return record if isinstance(event, machine.Overdue) else sound(record, event, now_s)

    patch.setattr(machine, "_after", after)


def forgets_the_order_of_a_healthy_boot(patch: pytest.MonkeyPatch) -> None:
    sound = machine._lowered
    patch.setattr(machine, "_lowered", lambda record, *rest: replace(sound(record, *rest), settled=True))


BROKEN: list[Break] = [
    counts_nothing,
    forgives_orderly_ends,
    is_patient,
    lifts_what_was_not_carried_out,
    orders_once,
    ends_at_the_baseline,
    comes_back_from_off,
    forgets_the_order_of_a_healthy_boot,
    starts_at_once_without_counting,
    writes_one_slot,
    is_never_overdue,
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.__name__)
def test_a_broken_guard_is_noticed(broken: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    with pytest.raises(Violation):
        live_all(range(SEEDS_FOR_THE_BROKEN))
