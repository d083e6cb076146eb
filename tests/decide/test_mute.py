"""When a release counts as mute."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.decide.mute import Muteness
from ringfence.model import limits

SMALL = 100
MIB = 1 << 20
SCANNERS = 2
ENOUGH = limits.MUTE_MS
FILES = limits.MUTE_FILES_MIN
"""More than there are scanners here."""


def late(mute: Muteness, *inodes: int, generation: int = 1, answered: int = 0, size: int = SMALL,
         used: int = ENOUGH, older: bool = True) -> list[bool]:
    """What is said of the release after each of these files."""
    return [mute.late(generation, answered, (1, inode), size, used, is_older=older) for inode in inodes]


def test_several_files_and_no_answer_at_all() -> None:
    assert late(Muteness(SCANNERS), *range(FILES + 2)) == [False] * (FILES - 1) + [True] * 3


def test_files_that_came_in_since_are_not_enough() -> None:
    mute = Muteness(SCANNERS)
    assert not any(late(mute, *range(1000), older=False))
    assert late(mute, 5000) == [True]
    assert not any(late(mute, *range(1000), older=False, generation=2))


def test_one_file_again_and_again_is_one_file() -> None:
    mute = Muteness(SCANNERS)
    assert late(mute, *[5] * 100) == [False] * 100
    assert late(mute, *range(10, 10 + FILES - 1))[-1]


@pytest.mark.parametrize("scanners", [1, FILES, 64])
def test_one_round_of_questions_is_never_enough(scanners: int) -> None:
    mute = Muteness(scanners)
    assert late(mute, *range(scanners)) == [False] * scanners
    assert late(mute, *range(100, 100 + FILES))[-1]


def test_a_single_answer_of_the_release_speaks_for_it_for_good() -> None:
    mute = Muteness(SCANNERS)
    late(mute, *range(FILES - 1))
    assert not any(late(mute, *range(100), answered=1))


def test_an_answer_of_the_release_before_does_not() -> None:
    assert late(Muteness(SCANNERS), *range(FILES), generation=7, answered=6)[-1]


def test_who_was_stopped_or_starved_counts_for_nothing() -> None:
    mute = Muteness(SCANNERS)
    assert not any(late(mute, *range(1000), used=0))
    assert not any(late(mute, *range(1000), used=ENOUGH - 1))
    assert not any(late(mute, *range(FILES - 1)))


def test_another_release_begins_anew() -> None:
    mute = Muteness(SCANNERS)
    late(mute, *range(FILES - 1))
    assert not any(late(mute, *range(100, 100 + FILES - 1), generation=2))
    assert late(mute, 500, generation=2) == [True]


def test_a_large_file_takes_its_time() -> None:
    used = ENOUGH + limits.RELEASE_SCAN_US_PER_MIB_MAX * 8 // 1000
    assert not any(late(Muteness(SCANNERS), *range(100), size=8 * MIB, used=used - 1))
    assert late(Muteness(SCANNERS), *range(FILES), size=8 * MIB, used=used)[-1]


def test_of_a_huge_file_no_more_is_scanned_while_somebody_waits() -> None:
    used = ENOUGH + limits.RELEASE_SCAN_US_PER_MIB_MAX * (limits.SYNC_SCAN_BYTES_MAX // MIB) // 1000
    assert used < limits.QUESTION_DEADLINE_MS, "otherwise the silence on a large file would never count"
    assert late(Muteness(SCANNERS), *range(FILES), size=1 << 50, used=used)[-1]


@given(st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.integers(0, 9), st.integers(0, 2 * ENOUGH))))
def test_never_without_enough_files_of_one_release_on_which_it_computed_in_vain(
    events: list[tuple[int, bool, int, int]],
) -> None:
    mute, row, before = Muteness(SCANNERS), set[int](), 0
    for generation, answers, inode, used in events:
        row = row if generation == before else set()
        before = generation
        if not answers and used >= ENOUGH:
            row.add(inode)
        said = mute.late(generation, generation if answers else 0, (1, inode), SMALL, used, is_older=True)
        assert said == (len(row) >= FILES and not answers and used >= ENOUGH)
