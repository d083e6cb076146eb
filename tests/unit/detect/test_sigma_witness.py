"""Which texts stand for a rule."""

import pytest
from tests.unit.detect.sigma_cases import asked

from ringfence.detect.sigma.witness import Witness, best_clauses, clauses_of
from ringfence.model.detection import AllOf, AnyOf, Condition, NotOf


def shown(condition: Condition) -> list[list[str]]:
    return [sorted(f"{one.field}:{one.operator}:{one.text}" for one in clause) for clause in clauses_of(condition)]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (asked("A", "eq", "x"), [["A:eq:x"]]),
        (asked("A", "eq", ""), []),
        (asked("A", "eq", "x", ""), []),
        (asked("A", "contains", "ab", "cd"), [["A:contains:ab", "A:contains:cd"]]),
        (asked("A", "contains", "ab", "c"), []),
        (asked("A", "ends", "/"), []),
        (asked("A", "starts", "AB", cased=True), [["A:starts:ab"]]),
        (asked("A", "glob", "a*bcd?ef"), [["A:contains:bcd"]]),
        (asked("A", "glob", "*?"), []),
        (asked("A", "re", "(ab|cd)ef"), [["A:contains:ab", "A:contains:cd"], ["A:contains:ef"]]),
        (asked("A", "re", "ab", "cd"), [["A:contains:ab", "A:contains:cd"]]),
        (asked("A", "re", "ab", "."), []),
        (asked("A", "any"), []),
        (asked("A", "null"), []),
        (asked("A", "exists", "true"), []),
        (asked("A", "cidr", "10.0.0.0/8"), []),
        (asked("A", "gte", "5"), []),
        (asked("A", "fieldref", "B"), []),
        (asked(None, "contains", "ab"), [["None:contains:ab"]]),
        (NotOf(asked("A", "eq", "x")), []),
        (AllOf((asked("A", "eq", "x"), NotOf(asked("B", "eq", "y")))), [["A:eq:x"]]),
        (AnyOf((asked("A", "eq", "x"), asked("B", "eq", "y"))), [["A:eq:x", "B:eq:y"]]),
        (AnyOf((asked("A", "eq", "x"), NotOf(asked("B", "eq", "y")))), []),
    ],
)
def test_the_clauses_of(condition: Condition, expected: list[list[str]]) -> None:
    assert shown(condition) == expected


def test_an_or_of_ands_keeps_a_second_clause() -> None:
    branches = tuple(AllOf((asked("A", "eq", f"a{n}"), asked("B", "contains", f"b{n}"))) for n in range(2))
    assert shown(AnyOf(branches)) == [["A:eq:a0", "A:eq:a1"], ["B:contains:b0", "B:contains:b1"]]


def test_the_best_clause_is_the_most_telling() -> None:
    condition = AllOf((asked("A", "contains", "ab"), asked("B", "eq", "x"), asked("C", "ends", "/nc")))
    assert best_clauses(condition, 2) == [
        frozenset({Witness("B", condition.parts[1].operator, "x")}),  # type: ignore[union-attr]
        frozenset({Witness("C", condition.parts[2].operator, "/nc")}),  # type: ignore[union-attr]
    ]
