"""What is joined and what is not when pySigma's tree becomes ours (each construct: test_sigma_source.py)."""

import pytest
from sigma.types import SigmaNumber, SigmaQueryExpression, SigmaTimestampPart, TimestampPart

from ringfence.author.sigma_tree import SigmaTreeError, ValuePlaces, condition_of
from ringfence.model.detection import AnyOf, Operator, Predicate


class Leaf:
    """Stands for pySigma's class of a field and a value."""

    def __init__(self, field: str, value: object) -> None:
        self.field = field
        self.value = value


PLACES = ValuePlaces({}, {})


def test_conditions_of_one_rule_are_alternatives_and_values_of_one_field_are_joined() -> None:
    condition, _ = condition_of(
        [Leaf("A", SigmaNumber(2)), Leaf("B", SigmaNumber(1)), Leaf("A", SigmaNumber(1))], PLACES
    )
    assert condition == AnyOf(
        (Predicate("A", Operator.EQUALS, False, ("1", "2")), Predicate("B", Operator.EQUALS, False, ("1",)))
    )


@pytest.mark.parametrize("value", [SigmaTimestampPart(TimestampPart.HOUR, 5), SigmaQueryExpression("x", "y"), object()])
def test_a_class_that_is_not_known_is_refused_though_it_derives_from_a_known_one(value: object) -> None:
    with pytest.raises(SigmaTreeError) as caught:
        condition_of([Leaf("A", value)], PLACES)
    assert [trouble.code for trouble in caught.value.troubles] == ["sigma/value"]
