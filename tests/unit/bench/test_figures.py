"""Ratios, medians and the shape of the bench's JSON."""

import json

import pytest
from bench.figures import (
    Figure,
    Pair,
    added_time_figures,
    as_json,
    gathered,
    latency_figures,
    rows_of,
)
from bench.works import FULL, RATIO_WORKS, WORKS, Measured, Sizes

STARTER = ("ringfence", "starter")
CLAMAV = ("clamav", "generated")


def measured(seconds: float, count: int = 100, p50_us: float = 0.0, p99_us: float = 0.0, refused: int = 0) -> Measured:
    """A measurement with what a test cares about."""
    return Measured(seconds, count, refused, p50_us, p99_us)


def pair(work: str, subject: tuple[str, str], unprotected: float, protected: float, count: int = 100) -> Pair:
    """A pair of two times."""
    return Pair(work, subject, measured(unprotected, count), measured(protected, count))


def test_the_ratio_is_taken_within_each_pair_before_the_median() -> None:
    pairs = [pair("unpack", STARTER, *times) for times in ((1.0, 1.1), (10.0, 30.0), (2.0, 2.0))]
    (row,) = rows_of(pairs, {"unpack": 100})
    assert row.ratio == pytest.approx(1.1)
    assert row.lowest == pytest.approx(1.0)
    assert row.highest == pytest.approx(3.0)
    assert row.runs == 3
    assert row.median_s == pytest.approx(2.0)


def test_times_of_fewer_operations_are_scaled_and_ratios_are_not() -> None:
    (row,) = rows_of([pair("read_first", CLAMAV, 0.1, 5.0, count=1_000)], {"read_first": 10_000})
    assert row.ratio == pytest.approx(50.0)
    assert row.median_s == pytest.approx(50.0)
    assert row.unprotected_s == pytest.approx(1.0)
    assert (row.count, row.full_count) == (1_000, 10_000)


def test_rows_stand_in_the_order_of_works_and_subjects() -> None:
    pairs = [pair("database", CLAMAV, 1, 2), pair("unpack", CLAMAV, 1, 2), pair("unpack", STARTER, 1, 2)]
    found = [(row.work, row.subject) for row in rows_of(pairs, {})]
    assert found == [("unpack", "ringfence"), ("unpack", "clamav"), ("database", "clamav")]


def test_refused_harmless_operations_are_kept() -> None:
    wrong = Pair("exec_first", STARTER, measured(1), measured(1, refused=3))
    assert rows_of([wrong], {})[0].refused == 3


def test_latency_figures_take_the_protected_percentiles_and_the_paired_ratio() -> None:
    pairs = [
        Pair("small_first", STARTER, measured(1, p50_us=6), measured(1, p50_us=190, p99_us=900)),
        Pair("small_again", STARTER, measured(1, p50_us=4), measured(1, p50_us=4.2)),
        Pair("small_known", STARTER, measured(1, p50_us=6), measured(1, p50_us=55)),
    ]
    assert [(figure.figure, round(figure.value, 6), figure.unit) for figure in latency_figures(pairs)] == [
        ("first_scan_4k_p50_starter", 190, "us"),
        ("first_scan_4k_p99_starter", 900, "us"),
        ("known_file_open_ratio_starter", 1.05, "ratio"),
        ("known_hash_p50_starter", 55, "us"),
    ]


def test_added_time_compares_per_file_whatever_the_number_of_files() -> None:
    pairs = [
        pair("read_first", STARTER, 1.0, 2.0, count=10_000),
        pair("read_first", CLAMAV, 0.1, 2.1, count=1_000),
    ]
    values = {figure.figure: figure.value for figure in added_time_figures(pairs)}
    assert values["added_per_first_read_starter"] == pytest.approx(100)
    assert values["added_per_first_read_clamav"] == pytest.approx(2_000)
    assert values["first_read_added_time_clamav_over_ringfence"] == pytest.approx(20)


def test_added_time_makes_no_ratio_when_one_side_is_missing() -> None:
    names = [figure.figure for figure in added_time_figures([pair("read_first", CLAMAV, 1, 2)])]
    assert names == ["added_per_first_read_clamav"]


def test_the_worst_memory_counts_and_the_median_of_the_rest() -> None:
    noted = {("memory_pss", STARTER): [90.0, 140.0, 100.0], ("ready", STARTER): [2.0, 9.0, 1.0], ("ready", CLAMAV): []}
    assert gathered(noted, {"memory_pss": "MB", "ready": "s"}) == [
        Figure("memory_pss_starter", 140.0, "MB"),
        Figure("ready_starter", 2.0, "s"),
    ]


def test_the_json_is_a_list_of_exactly_two_shapes() -> None:
    rows = rows_of([pair("unpack", STARTER, 1.0, 1.05)], {"unpack": 100})
    listed = json.loads(json.dumps(as_json(rows, [Figure("ready_starter", 1.23456, "s")])))
    assert listed == [
        {
            "work": "unpack",
            "subject": "ringfence",
            "content": "starter",
            "ratio": 1.05,
            "median_s": 1.05,
            "runs": 1,
        },
        {"figure": "ready_starter", "value": 1.2346, "unit": "s"},
    ]


def test_every_work_of_the_report_is_measured_by_a_step() -> None:
    assert set(RATIO_WORKS) < set(WORKS)


def test_a_smaller_run_keeps_something_of_everything() -> None:
    assert FULL.divided(10) == Sizes(1_000, 1_000, 1_000, 50, 10, 200, 1_000, 200)
    assert FULL.divided(10**6).execute == 5
