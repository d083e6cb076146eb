"""Which numbers are new and which are missing: examples, and the rules held against a simple model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.control.order import Gap, Seen, admit
from ringfence.model.limits import HOST_GAPS_MAX


def test_the_example_of_the_module() -> None:
    first = admit(Seen(4), [7, 8])
    assert first.new_numbers == (7, 8)
    assert first.seen == Seen(8, (Gap(5, 6),))
    second = admit(first.seen, [4, 5, 8])
    assert second.new_numbers == (5,)
    assert second.seen == Seen(8, (Gap(6, 6),))


def test_a_gap_splits_in_its_middle() -> None:
    assert admit(Seen(9, (Gap(2, 8),)), [5]).seen == Seen(9, (Gap(2, 4), Gap(6, 8)))


@pytest.mark.parametrize("number", [0, -1])
def test_numbers_begin_at_one(number: int) -> None:
    with pytest.raises(ValueError, match="numbered from 1"):
        admit(Seen(), [number])


def test_a_gap_has_a_length() -> None:
    with pytest.raises(ValueError, match="is none"):
        Gap(3, 2)


def test_too_many_gaps_become_fewer_and_overstate_the_loss() -> None:
    seen = admit(Seen(), range(2, 2 * HOST_GAPS_MAX + 6, 2)).seen
    assert len(seen.gaps) == HOST_GAPS_MAX
    assert seen.gaps[0].first == 1
    assert sum(gap.last - gap.first + 1 for gap in seen.gaps) >= HOST_GAPS_MAX + 2


@given(st.lists(st.lists(st.integers(1, 60), max_size=12), max_size=12))
def test_every_number_is_new_once_and_the_rest_up_to_the_highest_is_missing(batches: list[list[int]]) -> None:
    seen, stored = Seen(), list[int]()
    for batch in batches:
        admission = admit(seen, batch)
        stored += admission.new_numbers
        seen = admission.seen
    sent = {number for batch in batches for number in batch}
    assert sorted(stored) == sorted(sent)
    missing = {number for gap in seen.gaps for number in range(gap.first, gap.last + 1)}
    assert missing == set(range(1, seen.through + 1)) - sent
    assert seen.through == max(sent, default=0)
    assert all(one.last + 1 < other.first for one, other in zip(seen.gaps, seen.gaps[1:], strict=False))
