"""Who has waited in vain does not wait again at once."""

import pytest

from ringfence.decide.overdue import Overdue
from ringfence.model import limits

KEY = (1, 2)
LOOK = (5, 7, 100)
OTHER = (6, 7, 100)


def test_it_covers_one_process_one_file_and_one_version_for_a_while() -> None:
    waits = Overdue()
    assert not waits
    waits.note(10, KEY, LOOK, 1_000)
    assert waits.covers(10, KEY, LOOK, 1_000)
    assert waits.covers(10, KEY, LOOK, 999 + limits.OVERDUE_MEMORY_MS)
    assert not waits.covers(10, KEY, LOOK, 1_000 + limits.OVERDUE_MEMORY_MS)
    assert not waits.covers(11, KEY, LOOK, 1_000)
    assert not waits.covers(10, (1, 3), LOOK, 1_000)
    assert not waits.covers(10, KEY, OTHER, 1_000)


def test_what_it_lets_pass_does_not_prolong_it() -> None:
    waits = Overdue()
    waits.note(10, KEY, LOOK, 0)
    waits.note(10, KEY, LOOK, limits.OVERDUE_MEMORY_MS - 1)
    assert not waits.covers(10, KEY, LOOK, limits.OVERDUE_MEMORY_MS)
    waits.note(10, KEY, LOOK, limits.OVERDUE_MEMORY_MS)
    assert waits.covers(10, KEY, LOOK, limits.OVERDUE_MEMORY_MS)
    waits.note(10, KEY, OTHER, limits.OVERDUE_MEMORY_MS)
    assert waits.covers(10, KEY, OTHER, limits.OVERDUE_MEMORY_MS)


def test_it_is_bounded_and_forgets_with_the_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OVERDUE_ENTRIES_MAX", 3)
    waits = Overdue()
    for pid in range(10):
        waits.note(pid, KEY, LOOK, 0)
        waits.note(pid, KEY, OTHER, 0)
    assert len(waits) <= 3
    assert waits.covers(9, KEY, OTHER, 1)
    waits.clear()
    assert not waits
