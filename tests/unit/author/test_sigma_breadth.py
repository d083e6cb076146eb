"""Alternatives that say hardly anything."""

import pytest
from tests.unit.detect.sigma_cases import asked

from ringfence.author.sigma_breadth import NEGATED, untelling
from ringfence.model.detection import AllOf, AnyOf, Condition, NotOf

TELLING = asked("A", "eq", "x")
EMPTY = asked("A", "any")


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        (TELLING, []),
        (EMPTY, [""]),
        (AllOf((TELLING, EMPTY)), []),
        (AllOf((EMPTY, asked("B", "null"))), ["", ""]),
        (AnyOf((TELLING, EMPTY)), [""]),
        (AnyOf((TELLING, AllOf((EMPTY, TELLING)))), []),
        (NotOf(TELLING), ["not"]),
        (AllOf((TELLING, NotOf(EMPTY))), []),
        (asked("A", "contains", "abc", "de", "f"), ["de", "f"]),
        (asked("A", "starts", "/", "/usr/", "/opt/x"), ["/", "/usr/"]),
        (asked("A", "glob", "*a?b*", "*abc?d*"), ["*a?b*"]),
        (asked("A", "re", "^.*$", "curl"), ["^.*$"]),
        (asked("A", "re", r"\d{1,3}"), [r"\d{1,3}"]),
        (asked("A", "re", "[0-9a-f]{64}"), []),
        (asked("A", "lt", "5"), ["5"]),
        (asked("A", "fieldref", "B"), []),
        (asked(None, "contains", "ab"), ["ab"]),
    ],
)
def test_what_does_not_tell(condition: Condition, values: list[str]) -> None:
    assert [origin.value for origin in untelling(condition)] == values


def test_a_negation_has_no_place() -> None:
    assert untelling(AnyOf((TELLING, NotOf(TELLING)))) == [NEGATED]
