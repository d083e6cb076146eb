"""What the bench reads from the host's status."""

import json

import pytest
from bench.status import HostSnapshot, cpu_us_per_question, snapshot_of

PROCESSES = [{"role": "gate", "pid": 7}, {"role": "scanner", "pid": 8}, {"role": "scanner", "pid": 0}]


def cpu(pids: list[int]) -> int:
    """A clock that gives a thousandth of a second for each pid."""
    return sum(pids) * 1_000_000


@pytest.mark.parametrize("counters", [{"questions": 40}, [{"name": "questions", "value": 40}]])
def test_counters_come_as_an_object_or_as_a_list(counters: object) -> None:
    snapshot = snapshot_of(json.dumps({"counters": counters, "processes": PROCESSES}).encode(), cpu)
    assert snapshot == HostSnapshot(40, 7_000_000, (7, 8), {"questions": 40})


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b"nonsense", b'{"processes": 3}', b'{"processes": [], "counters": 3}']
)
def test_anything_else_is_no_snapshot(text: bytes) -> None:
    assert snapshot_of(text, cpu) is None


def test_cpu_per_question_is_of_the_time_between() -> None:
    before, after = HostSnapshot(100, 1_000_000, (), {}), HostSnapshot(300, 5_000_000, (), {})
    assert cpu_us_per_question(before, after) == pytest.approx(20)
    assert cpu_us_per_question(before, before) is None
    assert cpu_us_per_question(HostSnapshot(100, 9_000_000, (), {}), after) is None
