"""Conditions as closures: a missing value is None, and no test of a text is true of it."""

import pytest
from tests.unit.detect.sigma_cases import asked

from ringfence.detect.sigma.evaluate import Places, compiled
from ringfence.model.detection import AllOf, AnyOf, Condition, NotOf


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        (asked("A", "eq", "x"), ["x"], True),
        (asked("A", "eq", ""), [None], False),
        (asked("A", "contains", ""), [None], False),
        (asked("A", "contains", "a", "b"), ["xbx"], True),
        (asked("A", "re", ".*"), [None], False),
        (asked("A", "null"), [None], True),
        (asked("A", "null"), [""], True),
        (asked("A", "exists", "false", "true"), [None], True),
        (asked("A", "lt", "1", "9"), ["5"], True),
        (asked("A", "gt", "1", "9"), ["5"], True),
        (asked("A", "fieldref", "B"), [None, None], False),
        (NotOf(asked("A", "eq", "x")), [None], True),
        (AllOf((asked("A", "eq", "x"), asked("B", "eq", "y"))), ["x", None], False),
        (AnyOf((asked("A", "eq", "x"), asked("B", "eq", "y"))), ["x", None], True),
    ],
)
def test_a_condition_of_prepared_values(condition: Condition, values: list[str | None], *, expected: bool) -> None:
    assert compiled(condition, Places())(values, {}) is expected


def test_a_value_has_one_place_for_each_form() -> None:
    places = Places()
    assert [places.of("A", fold=True), places.of("A", fold=False), places.of("A", fold=True)] == [0, 1, 0]
