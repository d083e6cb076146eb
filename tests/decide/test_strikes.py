"""Three strikes: exactly the third puts a pair into quarantine; the table is bounded and knows versions."""

from hypothesis import given
from hypothesis import strategies as st

from ringfence.decide.strikes import Pair, Strikes

STRIKES_MAX = 3
ENTRIES_MAX = 4
PAIR: Pair = ((1, 2), (10, 10, 10))


def strikes() -> Strikes:
    return Strikes(strikes_max=STRIKES_MAX, entries_max=ENTRIES_MAX)


def test_the_third_strike_is_the_one() -> None:
    counted = strikes()
    assert [counted.struck(PAIR) for _ in range(5)] == [False, False, True, False, False]
    assert counted.quarantined(PAIR)


def test_two_strikes_are_none() -> None:
    counted = strikes()
    counted.struck(PAIR)
    counted.struck(PAIR)
    assert not counted.quarantined(PAIR)


def test_another_version_of_the_file_has_no_strikes() -> None:
    counted = strikes()
    for _ in range(STRIKES_MAX):
        counted.struck(PAIR)
    assert not counted.quarantined((PAIR[0], (11, 11, 10)))


def test_a_new_release_starts_with_none() -> None:
    counted = strikes()
    for _ in range(STRIKES_MAX):
        counted.struck(PAIR)
    counted.clear()
    assert not counted.quarantined(PAIR)


def test_an_old_pair_makes_room() -> None:
    counted = strikes()
    for _ in range(STRIKES_MAX):
        counted.struck(PAIR)
    for inode in range(10, 10 + ENTRIES_MAX):
        counted.struck(((1, inode), PAIR[1]))
    assert not counted.quarantined(PAIR)


@given(inodes=st.lists(st.integers(0, 12), max_size=200))
def test_it_is_bounded_and_tells_each_quarantine_once(inodes: list[int]) -> None:
    counted = strikes()
    for inode in inodes:
        pair: Pair = ((1, inode), PAIR[1])
        before = counted.quarantined(pair)
        told = counted.struck(pair)
        assert told == (counted.quarantined(pair) and not before)
        assert len(counted._counts) <= ENTRIES_MAX
