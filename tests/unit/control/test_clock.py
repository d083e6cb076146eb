"""Time never goes back, and how far it is behind is known."""

from ringfence.control.clock import SteadyClock, wall_clock


def test_time_stands_still_until_the_wall_clock_has_caught_up() -> None:
    wall = iter([100, 90, 95, 120, 110])
    clock = SteadyClock(lambda: next(wall))
    assert [clock(), clock(), clock(), clock()] == [100, 100, 100, 120]
    assert clock.behind_ms() == 10


def test_it_starts_at_the_newest_moment_on_record() -> None:
    assert SteadyClock(lambda: 5, newest_unix_ms=50)() == 50


def test_the_wall_clock_counts_milliseconds() -> None:
    assert 1_600_000_000_000 < wall_clock() < 10_000_000_000_000
