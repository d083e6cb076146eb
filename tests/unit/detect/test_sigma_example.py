"""Events made of a rule: one that it matches, and one that it does not."""

import random

import pytest
from tests.unit.detect.sigma_cases import EVERY, asked, random_condition, rule_of

from ringfence.detect.sigma.example import counter_example, example_event
from ringfence.detect.sigma.naive import holds
from ringfence.model.detection import AllOf, AnyOf, Condition, NotOf, fields_of


@pytest.mark.parametrize(
    ("condition", "event"),
    [
        (asked("A", "eq", "x"), {"A": "x"}),
        (AllOf((asked("A", "starts", "ab"), asked("A", "ends", "yz"), asked("A", "contains", "mn"))), {"A": "abmnyz"}),
        (AllOf((asked("A", "contains", "ab"), asked("A", "contains", "cd"))), {"A": "abcd"}),
        (AllOf((asked("A", "eq", "x"), asked("B", "any"))), {"A": "x", "B": "0"}),
        (AllOf((asked("A", "eq", "x"), asked("B", "null"))), {"A": "x"}),
        (AllOf((asked("A", "eq", "x"), NotOf(asked("B", "eq", "0")))), {"A": "x"}),
        (AllOf((asked("A", "eq", "x", "y"), NotOf(asked("A", "eq", "x")))), {"A": "y"}),
        (
            AnyOf((AllOf((asked("A", "eq", "x"), NotOf(asked("A", "any")))), asked("B", "eq", "z"))),
            {"A": "0", "B": "z"},
        ),
        (asked("A", "glob", "a?c*e"), {"A": "a0ce"}),
        (asked("A", "re", "^abc"), {"A": "abc"}),
        (AllOf((asked("A", "glob", "a*c?*e"), asked("A", "contains", "xy"))), {"A": "ac0xye"}),
        (AllOf((asked("A", "ends", "/x"), NotOf(asked("A", "eq", "/x")))), {"A": "0/x"}),
        (asked("A", "cidr", "10.0.0.0/8"), {"A": "10.0.0.0"}),
        (asked("A", "lt", "5"), {"A": "-9"}),
        (asked("A", "gt", "5"), {"A": "9"}),
        (asked("A", "fieldref", "B"), {"A": "0", "B": "0"}),
        (asked(None, "contains", "needle"), {"Keyword": "needle"}),
        (asked("A", "re", "[0-9]{9}"), {"A": "000000000"}),
        (AllOf((asked("A", "eq", "x"), asked("A", "eq", "y"))), None),
    ],
)
def test_an_event_that_is_matched(condition: Condition, event: dict[str, str] | None) -> None:
    assert example_event(rule_of(condition)) == event


def test_an_event_that_is_not_matched() -> None:
    assert counter_example(rule_of(asked("A", "eq", "0"))) == {"A": "x"}
    assert counter_example(rule_of(asked("A", "any"))) is None


def test_examples_of_any_rule_are_what_they_say() -> None:
    found = 0
    for seed in range(600):
        rule = rule_of(random_condition(random.Random(seed), EVERY))
        if (event := example_event(rule)) is not None:
            assert holds(rule.condition, event)
            found += 1
        if (other := counter_example(rule)) is not None:
            assert not holds(rule.condition, other)
            assert fields_of(rule) <= other.keys()
    assert found > 400


def test_a_rule_with_very_many_ways_takes_a_bounded_time() -> None:
    parts = tuple(AnyOf(tuple(asked(f"F{n}", "eq", f"{n}-{m}") for m in range(50))) for n in range(12))
    contradiction = AllOf((asked("A", "eq", "x"), asked("A", "eq", "y")))
    assert example_event(rule_of(AllOf((*parts, contradiction)))) is None
