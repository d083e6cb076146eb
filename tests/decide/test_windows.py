"""`decide/windows.py`: bounded, in order, head and tail always, and every byte in some piece."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ringfence.decide.windows import Window, pieces, scanned_bytes, windows
from ringfence.detect.yara import View
from ringfence.model.limits import (
    SCAN_OVERLAP_BYTES,
    SCAN_PIECE_BYTES,
    SCAN_TOTAL_BYTES_MAX,
    SCAN_WHOLE_BYTES_MAX,
    SYNC_SCAN_BYTES_MAX,
    WINDOWS_MAX,
)

SIZES = st.one_of(st.integers(0, 1 << 12), st.integers(0, 1 << 44))
LIMITS = st.one_of(st.integers(8, 1 << 12), st.integers(8, 1 << 28))


@given(SIZES, LIMITS)
@example(9, 8)
@example(1 << 40, 8)
@example((1 << 24) + 1, 1 << 24)
@example(1 << 40, SYNC_SCAN_BYTES_MAX)
def test_windows_are_ordered_bounded_and_hold_head_and_tail(size: int, limit: int) -> None:
    """For any size and limit."""
    plan = windows(size, limit)
    assert sum(window.length_bytes for window in plan) <= limit
    assert len(plan) <= WINDOWS_MAX
    assert all(window.length_bytes > 0 for window in plan)
    for before, after in pairwise(plan):
        assert before.end_bytes <= after.offset_bytes
    if size:
        assert plan[0].offset_bytes == 0
        assert plan[-1].end_bytes == size
    else:
        assert plan == ()


@given(SIZES, LIMITS)
def test_the_same_size_gives_the_same_windows(size: int, limit: int) -> None:
    """Every host answers alike."""
    assert windows(size, limit) == windows(size, limit)


def test_a_file_up_to_the_limit_is_one_window() -> None:
    """Nothing is left out, and the engine may believe all of it."""
    assert windows(100, 100) == (Window(0, 100),)
    assert windows(100, 100)[0].view(100) is View.WHOLE


def test_a_large_file_is_sampled_in_the_middle() -> None:
    """The limit is nearly used, and the places move with the size."""
    size = 10 << 30
    plan = windows(size, SYNC_SCAN_BYTES_MAX)
    assert sum(window.length_bytes for window in plan) > SYNC_SCAN_BYTES_MAX * 9 // 10
    assert len(plan) > 8
    other = windows(size + 1, SYNC_SCAN_BYTES_MAX)
    assert [window.offset_bytes for window in plan[1:-1]] != [window.offset_bytes for window in other[1:-1]]
    assert [window.view(size) for window in plan[:2]] == [View.START, View.PART]


@pytest.mark.parametrize(("size", "limit"), [(-1, 100), (100, 7), (100, 0)])
def test_nonsense_is_refused(size: int, limit: int) -> None:
    """A negative size or a limit without room."""
    with pytest.raises(ValueError, match="a size cannot be negative"):
        windows(size, limit)


@given(st.one_of(st.integers(0, SCAN_WHOLE_BYTES_MAX + 10), st.integers(0, SCAN_TOTAL_BYTES_MAX * 2)))
@example(SCAN_WHOLE_BYTES_MAX + 1)
@example(SCAN_PIECE_BYTES * 3 - 2 * SCAN_OVERLAP_BYTES)
@example(SCAN_TOTAL_BYTES_MAX + 1)
def test_pieces_cover_everything_and_overlap(size: int) -> None:
    """Any range as long as the overlap lies whole in some piece, up to the total."""
    plan = list(pieces(size))
    assert (plan[-1].end_bytes if plan else 0) == scanned_bytes(size)
    assert not plan or plan[0].offset_bytes == 0
    for before, after in pairwise(plan):
        assert before.end_bytes - after.offset_bytes == SCAN_OVERLAP_BYTES
        assert after.offset_bytes > before.offset_bytes
    assert all(window.length_bytes <= SCAN_WHOLE_BYTES_MAX for window in plan)
