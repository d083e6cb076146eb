"""The boot guard's decisions, one script of boots after the other."""

from dataclasses import replace

import pytest

from ringfence.decide import boot_guard as machine
from ringfence.model import limits
from ringfence.model.boot import BootRecord, Level, Phase, Reason

FRESH, OBEYED = bytes(32), bytes([1]) * 32
"""Digests of the sensor's record: before anything was ordered, and after it has obeyed."""


def boot(number: int) -> bytes:
    """The name of the Nth boot."""
    return number.to_bytes(16, "big")


def after(record: BootRecord | None, *events: machine.Event, number: int, activation: bytes = FRESH) -> BootRecord:
    """The record after one more boot in which these things happened."""
    record, _ = machine.begin(record, boot(number), activation, 0)
    for event in events:
        record = machine.step(record, event, 0)
    return record


def failed(record: BootRecord | None, *, boots: int, begun: int, activation: bytes = FRESH) -> BootRecord:
    """After so many boots that just broke off."""
    for number in range(begun, begun + boots):
        record = after(record, number=number, activation=activation)
    assert record is not None
    return record


def test_an_installation_begins_normally() -> None:
    record, order = machine.begin(None, boot(1), FRESH, 0)
    assert (order.level, order.clean, order.careful) == (Level.NORMAL, True, False)
    assert (record.phase, record.failed) == (Phase.BEGUN, 0)


def test_a_lost_record_is_careful_and_counts_the_last_boot_as_failed() -> None:
    record, order = machine.begin(None, boot(1), FRESH, 0, damaged=True)
    assert (order.level, order.clean, order.careful, order.reason) == (Level.NORMAL, False, True, Reason.DAMAGED)
    record, order = machine.begin(record, boot(2), FRESH, 0)
    assert (order.level, order.careful) == (Level.PREVIOUS, False)


def test_care_ends_with_a_healthy_boot() -> None:
    record, _ = machine.begin(None, boot(1), FRESH, 0, damaged=True)
    record = machine.step(record, machine.Healthy(FRESH), 0)
    _, order = machine.begin(machine.step(record, machine.Ended(9_999), 0), boot(2), FRESH, 0)
    assert (order.careful, order.clean, order.reason) == (False, True, Reason.NONE)


def test_the_ladder_goes_down_by_two_failed_boots_a_step_and_stays_off() -> None:
    levels = []
    record: BootRecord | None = None
    for number in range(1, 10):
        record, order = machine.begin(record, boot(number), FRESH, 0)
        levels.append(order.level)
    normal, previous, baseline, off = Level
    assert levels == [normal, normal, previous, previous, baseline, baseline, off, off, off]
    assert limits.BOOTS_FAILED_MAX == 2


def test_the_same_boot_counts_once() -> None:
    record = failed(None, boots=1, begun=1)
    again, order = machine.begin(record, boot(1), FRESH, 0)
    assert again is record
    assert order.level is Level.NORMAL


def test_a_boot_without_a_name_counts_every_time() -> None:
    record, order = machine.begin(None, machine.UNKNOWN_BOOT, FRESH, 0)
    for _ in range(limits.BOOTS_FAILED_MAX):
        record, order = machine.begin(record, machine.UNKNOWN_BOOT, FRESH, 0)
    assert order.level is Level.PREVIOUS


def test_one_failed_boot_is_chance() -> None:
    record = failed(None, boots=1, begun=1)
    record = after(record, machine.Up(), machine.Healthy(FRESH), number=2)
    assert (record.failed, record.short, record.phase) == (0, 0, Phase.HEALTHY)
    _, order = machine.begin(record, boot(3), FRESH, 0)
    assert (order.level, order.clean) == (Level.NORMAL, False)


def test_an_orderly_end_before_it_is_healthy_is_no_failed_boot() -> None:
    record = after(None, machine.Ended(20), number=1)
    record, order = machine.begin(record, boot(2), FRESH, 0)
    assert (record.failed, record.short, order.clean) == (0, 1, True)


def test_what_reboots_the_machine_in_order_again_and_again_is_found_too() -> None:
    record: BootRecord | None = None
    for number in range(limits.BOOTS_SHORT_MAX):
        record = after(record, machine.Up(), machine.Ended(40), number=number + 1)
    record, order = machine.begin(record, boot(99), FRESH, 0)
    assert (order.level, record.reason) == (Level.PREVIOUS, Reason.SHORT)


def test_a_machine_that_ran_long_was_no_short_boot_and_proves_nothing() -> None:
    record = failed(None, boots=1, begun=1)
    record = after(record, machine.Up(), machine.Ended(limits.BOOT_SHORT_S), number=2)
    record, _ = machine.begin(record, boot(3), FRESH, 0)
    assert (record.failed, record.short) == (1, 1)
    cut = after(record, machine.Up(), machine.Lasting(), number=4)
    cut, _ = machine.begin(cut, boot(5), FRESH, 0)
    assert (cut.level, cut.failed) == (Level.PREVIOUS, 0), "boot 3 was the second that failed"


def test_the_level_is_ordered_until_the_sensor_has_carried_it_out() -> None:
    record = failed(None, boots=3, begun=1)
    again, order = machine.begin(record, boot(4), FRESH, 0)
    assert (order.level, again.settled) == (Level.PREVIOUS, False)
    settled, order = machine.begin(record, boot(4), OBEYED, 0)
    assert (order.level, settled.level, settled.settled) == (Level.NORMAL, Level.PREVIOUS, True)


def test_a_healthy_boot_lifts_a_level_that_was_carried_out() -> None:
    record = failed(None, boots=3, begun=1)
    healthy = machine.step(record, machine.Healthy(OBEYED), 0)
    assert (healthy.level, healthy.reason, healthy.settled) == (Level.NORMAL, Reason.NONE, True)


def test_a_healthy_boot_does_not_lift_a_level_that_only_memory_knows() -> None:
    record = failed(None, boots=3, begun=1)
    healthy = machine.step(record, machine.Healthy(FRESH), 0)
    assert (healthy.level, healthy.failed) == (Level.PREVIOUS, 0)
    _, order = machine.begin(healthy, boot(4), FRESH, 0)
    assert order.level is Level.PREVIOUS


def test_a_level_that_was_carried_out_and_fails_again_goes_further_down() -> None:
    record = failed(None, boots=3, begun=1)
    record = failed(record, boots=2, begun=4, activation=OBEYED)
    _, order = machine.begin(record, boot(6), OBEYED, 0)
    assert order.level is Level.BASELINE


def test_a_boot_that_hangs_is_lowered_at_once() -> None:
    record = after(None, number=1)
    levels = []
    for _ in range(4):
        record = machine.step(record, machine.Overdue(FRESH), 0)
        levels.append(machine.order_of(record, clean=True).level)
    assert levels == [Level.PREVIOUS, Level.BASELINE, Level.OFF, Level.OFF]
    assert record.reason is Reason.OVERDUE


def test_a_machine_that_is_up_is_not_overdue() -> None:
    record = after(None, machine.Up(), number=1)
    assert machine.step(record, machine.Overdue(FRESH), 0) is record


@pytest.mark.parametrize("event", [machine.Healthy(OBEYED), machine.Overdue(OBEYED), machine.Up(), machine.Ended(1)])
def test_off_stays_off(event: machine.Event) -> None:
    record = failed(None, boots=7, begun=1)
    record = machine.step(record, event, 0)
    for number in range(8, 12):
        record, order = machine.begin(record, boot(number), OBEYED, 0)
        assert order.level is Level.OFF


def test_somebody_says_otherwise() -> None:
    record = failed(None, boots=7, begun=1)
    record = machine.step(record, machine.Told(Level.NORMAL, Reason.OPERATOR, FRESH), 5)
    record, order = machine.begin(record, boot(8), FRESH, 0)
    assert (order.level, order.reason) == (Level.NORMAL, Reason.NONE)
    record = machine.step(record, machine.Told(Level.OFF, Reason.OPERATOR, FRESH), 5)
    assert (record.level, record.lowered_at_s) == (Level.OFF, 5)


def test_what_cannot_be_written_starts_late_and_blames_nobody() -> None:
    record = failed(None, boots=3, begun=1)
    order = machine.uncounted(record)
    assert (order.level, order.clean, order.careful) == (Level.NORMAL, False, True)
    off = failed(record, boots=4, begun=4)
    assert machine.uncounted(off).level is Level.OFF


def test_the_history_is_what_happened() -> None:
    record = after(None, machine.Up(), machine.Healthy(FRESH), machine.Ended(100), number=1)
    record = after(record, number=2)
    record = after(record, number=3)
    assert list(record.history) == [0b1100, 0b0001]
    assert record.boots == 3


def test_nothing_new_is_nothing_to_write() -> None:
    record = after(None, machine.Up(), number=1)
    assert machine.step(record, machine.Up(), 7) is record
    assert machine.step(record, machine.Lasting(), 7).sequence == record.sequence + 1


def test_wall_time_decides_nothing() -> None:
    before = failed(None, boots=1, begun=1)
    found = {replace(machine.begin(before, boot(9), FRESH, now_s)[0], written_at_s=0) for now_s in (0, 5, 2**40, 2**63)}
    assert len(found) == 1
