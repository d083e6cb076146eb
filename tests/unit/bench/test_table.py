"""The bench's table: goals, marks and notes."""

from bench.figures import Figure, Pair, rows_of
from bench.table import goal_of, table_of
from bench.works import Measured


def pair(work: str, subject: tuple[str, str], ratio: float, count: int = 100, refused: int = 0) -> Pair:
    """A pair whose unprotected side took a second."""
    return Pair(work, subject, Measured(1, count, 0, 0, 0), Measured(ratio, count, refused, 0, 0))


def test_goals_are_for_us_alone() -> None:
    assert goal_of("unpack", "starter") == goal_of("unpack", "imported") == 1.10
    assert goal_of("exec_first", "starter") == 1.8
    assert goal_of("exec_first", "imported") is None
    assert goal_of("unpack", "clamav") is None


def test_what_misses_its_goal_is_marked() -> None:
    missed = table_of(rows_of([pair("unpack", ("ringfence", "starter"), 1.5)], {}), [])
    met = table_of(rows_of([pair("unpack", ("ringfence", "starter"), 1.01)], {}), [])
    assert "1.50 [1.50-1.50]!" in missed
    assert "]!" not in met


def test_fewer_operations_are_said() -> None:
    text = table_of(rows_of([pair("read_first", ("clamav", "generated"), 90, count=1_000)], {"read_first": 10_000}), [])
    assert "90.0 [90.0-90.0] *" in text
    assert "* clamav with fewer operations" in text
    assert "read_first 1,000 of 10,000" in text


def test_refused_harmless_operations_are_said() -> None:
    text = table_of(rows_of([pair("unpack", ("ringfence", "imported"), 1, refused=2)], {}), [])
    assert "wrong: ringfence (imported) refused 2 harmless operations of unpack" in text


def test_figures_stand_below_and_an_empty_run_is_no_error() -> None:
    assert "ready_starter" in table_of([], [Figure("ready_starter", 1.5, "s")])
