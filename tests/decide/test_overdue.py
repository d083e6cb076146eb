"""Who has waited in vain has only the rest of the deadline for the next question."""

import pytest

from ringfence.decide.overdue import Overdue
from ringfence.model import limits

KEY = (1, 2)
LOOK = (5, 7, 100)
OTHER = (6, 7, 100)
WHILE_MS = limits.OVERDUE_MEMORY_MS


def test_a_wait_counts_for_one_process_one_file_and_one_version_for_a_while() -> None:
    waits = Overdue()
    assert not waits
    waits.note(10, KEY, LOOK, 2_000, 1_000)
    assert waits.waited_ms(10, KEY, LOOK, 1_000) == 2_000
    assert waits.waited_ms(10, KEY, LOOK, 999 + WHILE_MS) == 2_000
    assert waits.waited_ms(10, KEY, LOOK, 1_000 + WHILE_MS) == 0
    assert waits.waited_ms(11, KEY, LOOK, 1_000) == 0
    assert waits.waited_ms(10, (1, 3), LOOK, 1_000) == 0
    assert waits.waited_ms(10, KEY, OTHER, 1_000) == 0


def test_waits_add_up_and_nothing_prolongs_them() -> None:
    waits = Overdue()
    waits.note(10, KEY, LOOK, 500, 0)
    waits.note(10, KEY, LOOK, 700, WHILE_MS - 1)
    assert waits.waited_ms(10, KEY, LOOK, WHILE_MS - 1) == 1_200
    assert waits.waited_ms(10, KEY, LOOK, WHILE_MS) == 0
    waits.note(10, KEY, LOOK, 300, WHILE_MS)
    assert waits.waited_ms(10, KEY, LOOK, WHILE_MS) == 300
    waits.note(10, KEY, OTHER, 400, WHILE_MS)
    assert waits.waited_ms(10, KEY, OTHER, WHILE_MS) == 400


def test_what_hardly_waited_is_not_remembered() -> None:
    waits = Overdue()
    waits.note(10, KEY, LOOK, limits.OVERDUE_MS_MIN - 1, 0)
    assert not waits
    waits.note(10, KEY, LOOK, limits.OVERDUE_MS_MIN, 0)
    assert len(waits) == 1


def test_it_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OVERDUE_ENTRIES_MAX", 3)
    waits = Overdue()
    for pid in range(10):
        waits.note(pid, KEY, LOOK, 2_000, 0)
        waits.note(pid, KEY, OTHER, 2_000, 0)
    assert len(waits) <= 3
    assert waits.waited_ms(9, KEY, OTHER, 1) == 2_000
