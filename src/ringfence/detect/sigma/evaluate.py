"""A condition as closures over prepared values: what the fast matcher asks of the few rules that may match.

The values of an event are prepared once, in numbered places: as they are, or folded; None where the field is missing.
So presence needs no care here: a missing field is no text, and no test of a text is true of it.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from ringfence.model.detection import (
    CASE_OPERATORS,
    NUMBER_OPERATORS,
    AllOf,
    AnyOf,
    Condition,
    NotOf,
    Operator,
    Predicate,
    folded,
    glob_parts,
)
from ringfence.wire.detection_ir import NUMBER
from ringfence.wire.detection_pattern import compile_expression, glob_expression

Values = list[str | None]
Fields = Mapping[str, str]
Test = Callable[[Values, Fields], bool]
TextTest = Callable[[str], bool]

_CHEAP: Final = {Operator.EQUALS: 0, Operator.ENDS: 0, Operator.STARTS: 0, Operator.NULL: 0, Operator.ANY: 0}
_COSTS: Final = {Operator.CONTAINS: 1, Operator.EXISTS: 0, Operator.SAME_AS: 1}
_INNER_COST: Final = 2
_DEAR_COST: Final = 3


class Places:
    """Which value stands at which place: gives numbers as tests ask for them."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, bool], int] = {}

    def of(self, field: str, *, fold: bool) -> int:
        """The place of the value of `field`, folded or as it is."""
        return self.numbers.setdefault((field, fold), len(self.numbers))


def compiled(condition: Condition, places: Places) -> Test:
    """The test that says whether `condition` is true."""
    match condition:
        case AllOf(parts):
            return _all([compiled(part, places) for part in sorted(parts, key=_cost)])
        case AnyOf(parts):
            return _any([compiled(part, places) for part in sorted(parts, key=_cost)])
        case NotOf(part):
            inner = compiled(part, places)
            return lambda values, fields: not inner(values, fields)
        case Predicate(None):
            return _keyword(condition)
        case Predicate():
            return _predicate(condition, places)


def _cost(condition: Condition) -> int:
    if not isinstance(condition, Predicate):
        return _INNER_COST
    return _CHEAP.get(condition.operator, _COSTS.get(condition.operator, _DEAR_COST))


def _all(tests: Sequence[Test]) -> Test:
    def every(values: Values, fields: Fields) -> bool:
        for test in tests:  # noqa: SIM110 - all() would make a generator for each event
            if not test(values, fields):
                return False
        return True

    return every


def _any(tests: Sequence[Test]) -> Test:
    def some(values: Values, fields: Fields) -> bool:
        for test in tests:  # noqa: SIM110 - as in _all
            if test(values, fields):
                return True
        return False

    return some


def _keyword(predicate: Predicate) -> Test:
    test = _text_test(predicate)
    if predicate.operator in CASE_OPERATORS and not predicate.cased:
        return lambda _, fields: any(test(folded(value)) for value in fields.values())
    return lambda _, fields: any(test(value) for value in fields.values())


def _predicate(predicate: Predicate, places: Places) -> Test:
    field = predicate.field or ""
    operator = predicate.operator
    fold = operator is Operator.SAME_AS or (operator in CASE_OPERATORS and not predicate.cased)
    place = places.of(field, fold=fold)
    match operator:
        case Operator.NULL:
            return lambda values, _: not values[place]
        case Operator.ANY:
            return lambda values, _: values[place] is not None
        case Operator.EXISTS:
            wanted = frozenset(value == "true" for value in predicate.values)
            return lambda values, _: (values[place] is not None) in wanted
        case Operator.EQUALS:
            texts: frozenset[str | None] = frozenset(predicate.values)
            return lambda values, _: values[place] in texts
        case Operator.SAME_AS:
            others = tuple(places.of(name, fold=True) for name in predicate.values)
            return lambda values, _: (
                values[place] is not None and any(values[other] == values[place] for other in others)
            )
    test = _text_test(predicate)

    def there(values: Values, _: Fields) -> bool:
        value = values[place]
        return value is not None and test(value)

    return there


def _text_test(predicate: Predicate) -> TextTest:
    """The test of one value that is there."""
    texts = predicate.values
    match predicate.operator:
        case Operator.CONTAINS:
            return _contains(texts)
        case Operator.STARTS:
            return lambda value: value.startswith(texts)
        case Operator.ENDS:
            return lambda value: value.endswith(texts)
        case Operator.GLOB:
            return _expressions([glob_expression(glob_parts(text)) for text in texts])
        case Operator.REGEX:
            return _expressions(texts)
        case Operator.NETWORK:
            return _networks(texts)
        case operator if operator in NUMBER_OPERATORS:
            return _numbers(operator, texts)
        case operator:
            raise ValueError(operator)


def _contains(texts: Sequence[str]) -> TextTest:
    if len(texts) == 1:
        only = texts[0]
        return lambda value: only in value

    def contains(value: str) -> bool:
        for text in texts:  # noqa: SIM110 - as in _all
            if text in value:
                return True
        return False

    return contains


def _expressions(patterns: Sequence[str]) -> TextTest:
    searches = tuple(compile_expression(pattern).search for pattern in patterns)
    return lambda value: any(search(value) is not None for search in searches)


def _networks(texts: Sequence[str]) -> TextTest:
    networks = tuple(ipaddress.ip_network(text) for text in texts)

    def inside(value: str) -> bool:
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return False
        return any(address in network for network in networks)

    return inside


def _numbers(operator: Operator, texts: Sequence[str]) -> TextTest:
    """One limit is enough, so only the loosest counts."""
    limits = [Decimal(text) for text in texts]
    limit = max(limits) if operator in (Operator.LESS, Operator.AT_MOST) else min(limits)
    compares = _COMPARISONS[operator]

    def compared(value: str) -> bool:
        return NUMBER.fullmatch(value) is not None and compares(Decimal(value), limit)

    return compared


_COMPARISONS: Final[dict[Operator, Callable[[Decimal, Decimal], bool]]] = {
    Operator.LESS: lambda number, limit: number < limit,
    Operator.AT_MOST: lambda number, limit: number <= limit,
    Operator.MORE: lambda number, limit: number > limit,
    Operator.AT_LEAST: lambda number, limit: number >= limit,
}
