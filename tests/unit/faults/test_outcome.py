"""What a run of `make faults` reports: figures add up, a bad one fails its case, the JSON has its keys."""

import json

import pytest
from faults.__main__ import _run, works
from faults.outcome import OPEN_MS_MAX, Case, Figures, NotHeldError, as_json, table_of

from ringfence.model.limits import QUESTION_DEADLINE_MS


def test_figures_add_up_and_keep_the_worst() -> None:
    one, two = Figures(opens=3, worst_open_ms=5, alerts=2), Figures(opens=4, acknowledged_lost=1, alerts=1)
    one.protected_again(0.5)
    two.protected_again(1.5)
    one.add(two)
    assert (one.opens, one.alerts, one.acknowledged_lost) == (7, 3, 1)
    assert (one.worst_open_ms, one.worst_protected_again_s) == (5, 1.5)


def test_an_open_is_late_past_the_promise_and_not_for_want_of_a_processor() -> None:
    figures = Figures()
    for waited_ms, starved_ms in ((QUESTION_DEADLINE_MS, 0), (OPEN_MS_MAX + 1, 0), (OPEN_MS_MAX + 500, 600)):
        figures.opened(waited_ms, starved_ms)
    assert (figures.opens, figures.opens_past_deadline, figures.starved) == (3, 1, 1)
    assert figures.worst_open_ms == OPEN_MS_MAX + 500


@pytest.mark.parametrize(
    "figures",
    [
        Figures(opens_past_deadline=1),
        Figures(acknowledged_lost=1),
        Figures(wrong_convictions=1),
        Figures(worst_protected_again_s=10.1),
    ],
)
def test_each_figure_can_fail_a_case(figures: Figures) -> None:
    assert len(figures.complaints()) == 1
    assert Figures(worst_protected_again_s=9.9).complaints() == []

    def work(_: object, case: Case) -> str:
        case.figures.add(figures)
        return "all is well"

    case = _run(None, "a case", work)  # type: ignore[arg-type]
    assert not case.passed
    assert figures.complaints()[0] in case.detail


def test_what_a_case_raises_is_its_failure() -> None:
    def broken(_: object, case: Case) -> str:
        case.need("water is dry", holds=False)
        return ""

    def crashing(_: object, __: Case) -> str:
        raise ZeroDivisionError("oh")

    one, two = (_run(None, "case", work) for work in (broken, crashing))  # type: ignore[arg-type]
    assert (one.passed, one.detail) == (False, "water is dry")
    assert (two.passed, two.detail) == (False, "ZeroDivisionError: oh")
    with pytest.raises(NotHeldError):
        broken(None, Case("case"))


def test_the_report_has_the_keys_that_others_read() -> None:
    bad = Case("bad", detail="not", damage="much", figures=Figures(opens=2))
    cases = [Case("good", passed=True, detail="fine"), bad]
    told = json.loads(json.dumps(as_json(cases)))
    assert {"opens_past_deadline", "acknowledged_lost", "wrong_convictions", "worst_protected_again_s"} <= told.keys()
    assert [{key: case[key] for key in ("name", "passed", "detail")} for case in told["cases"]] == [
        {"name": "good", "passed": True, "detail": "fine"},
        {"name": "bad", "passed": False, "detail": "not"},
    ]
    table = table_of(cases)
    assert "1 of 2 cases passed" in table
    assert "unprotected: much" in table


def test_every_fault_and_every_failure_of_history_has_its_case() -> None:
    names = " ".join(works())
    roles = ("scanner", "gate", "standby", "watchdog", "zygote", "courier", "warden")
    wanted = [f"{word} {role}" for word in ("kill -9", "kill -STOP") for role in roles]
    wanted += ["disk full", "no inodes", "no descriptors", "memory cgroup", "damaged spool", "damaged store"]
    wanted += ["server gone for hours", "clock jumps", "repeats", "reorders"]
    wanted += ["R01", "R02", "R04", "R07", "R10", "R20", "R27"]
    assert [one for one in wanted if one not in names] == []
