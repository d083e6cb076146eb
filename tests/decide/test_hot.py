"""Hot files: bounded, and none stays silent for ever: each is scanned again in time or stops being hot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.decide.hot import HotFiles
from ringfence.decide.verdict_cache import FileKey
from ringfence.model import limits

KEY: FileKey = (1, 2)
OTHER: FileKey = (1, 3)
RESCAN = limits.HOT_RESCAN_MS
OVERDUE = limits.HOT_OVERDUE_MS


def hot_file(now_ms: int = 1_000) -> HotFiles:
    files = HotFiles()
    assert files.add(KEY, now_ms)
    return files


def test_a_hot_file_is_due_after_the_interval_and_only_once() -> None:
    files = hot_file(1_000)
    assert files.due(1_000 + RESCAN - 1) == []
    assert files.due(1_000 + RESCAN) == [KEY]
    assert files.due(1_000 + RESCAN + 1) == []


def test_a_scan_that_found_it_busy_starts_the_interval_again() -> None:
    files = hot_file(0)
    assert files.due(RESCAN) == [KEY]
    assert not files.scanned(KEY, quiet=False, now_ms=RESCAN + 50)
    assert files.due(2 * RESCAN + 49) == []
    assert files.due(2 * RESCAN + 50) == [KEY]


def test_a_scan_that_found_it_quiet_ends_it() -> None:
    files = hot_file()
    assert files.scanned(KEY, quiet=True, now_ms=2_000)
    assert KEY not in files


def test_a_scan_that_never_comes_ends_it() -> None:
    files = hot_file(0)
    files.due(RESCAN)
    assert files.overdue(OVERDUE - 1) == []
    assert files.overdue(OVERDUE) == [KEY]
    assert len(files) == 0


def test_a_close_ends_a_file_that_was_hot_for_its_open_writer() -> None:
    files = hot_file(0)
    assert files.closed(KEY, 10)
    assert KEY not in files


def test_a_second_add_changes_nothing() -> None:
    files = hot_file(0)
    assert not files.add(KEY, 500)
    assert files.due(RESCAN) == [KEY]


def test_the_table_is_bounded() -> None:
    files = HotFiles()
    taken = [files.add((1, inode), 0) for inode in range(limits.HOT_FILES_MAX + 1)]
    assert taken == [True] * limits.HOT_FILES_MAX + [False]
    assert len(files) == limits.HOT_FILES_MAX


def test_what_is_not_hot_is_left_alone() -> None:
    files = hot_file()
    assert not files.closed(OTHER, 2_000)
    assert not files.scanned(OTHER, quiet=True, now_ms=2_000)
    assert not files.remove(OTHER)
    assert files.remove(KEY)


def test_the_next_scan_is_announced() -> None:
    files = hot_file(100)
    files.add(OTHER, 50)
    assert files.next_due_ms() == 50 + RESCAN
    files.due(50 + RESCAN)
    assert files.next_due_ms() == 100 + RESCAN
    assert HotFiles().next_due_ms() is None


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["add", "closed", "busy", "quiet", "remove"]),
        st.integers(0, 3),
        st.integers(0, RESCAN),
    ),
    max_size=80,
)


@given(acts=ACTS)
def test_every_hot_file_is_scanned_again_or_ended_within_the_bound(acts: list[tuple[str, int, int]]) -> None:
    """Whatever happens, whoever looks once a second never meets a file that went unscanned past the bound."""
    files = HotFiles()
    scanned_ms: dict[FileKey, int] = {}
    now = looked = 0
    for act, inode, wait in acts:
        now += wait
        if now - looked >= 1_000:
            looked = now
            for key in files.overdue(now):
                del scanned_ms[key]
            files.due(now)
            assert set(scanned_ms) == set(files._files)
            assert all(now - at < OVERDUE for at in scanned_ms.values())
        key = (1, inode)
        if act == "add":
            if files.add(key, now):
                scanned_ms[key] = now
        elif act == "busy" and key in files and files._files[key].scanning:
            assert not files.scanned(key, quiet=False, now_ms=now)
            scanned_ms[key] = now
        elif (
            (act == "closed" and files.closed(key, now))
            or (act == "quiet" and files.scanned(key, quiet=True, now_ms=now))
            or (act == "remove" and files.remove(key))
        ):
            del scanned_ms[key]
        assert len(files) <= limits.HOT_FILES_MAX


@pytest.mark.parametrize("closes", [1, limits.HOT_VERSIONS_MIN, 3 * limits.HOT_VERSIONS_MIN])
def test_closing_again_and_again_never_puts_the_scan_off(closes: int) -> None:
    files = hot_file(0)
    for number in range(closes):
        files.closed(KEY, number)
    assert KEY not in files or files.due(RESCAN) == [KEY]
