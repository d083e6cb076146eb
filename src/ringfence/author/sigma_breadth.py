"""Does every alternative of a rule say something?  One branch `contains: 'e'` makes the whole rule match most events.

A condition is *telling* where each way in which it can be true demands something that few events have:

1. "or", and a list of values, need each alternative to be telling; "and" needs one part; "not" never is.
2. A text is telling if it is long enough for its place, and not the beginning or end of nearly every path.
3. An expression is telling if it demands such a text, or if hardly any of some ordinary values have what it looks for.
4. Presence, absence and comparisons of numbers are not; a network is, unless it is wide (`lint` says that itself).
"""

from collections.abc import Iterator
from typing import Final

from ringfence.author.sigma_ordinary import ORDINARY_VALUES
from ringfence.author.sigma_tree import Origin
from ringfence.detect.sigma.regex_literals import best_clause, required_texts
from ringfence.model.detection import (
    NUMBER_OPERATORS,
    PRESENCE_OPERATORS,
    AllOf,
    AnyOf,
    Condition,
    NotOf,
    Operator,
    Predicate,
    folded,
    glob_parts,
)
from ringfence.wire.detection_pattern import compile_expression

TELLING_CHARACTERS: Final = 3
"""Rule 2: shorter texts are inside of most command lines."""

COMMON_BEGINNINGS: Final = frozenset(
    {"/", "/bin/", "/usr", "/usr/", "/usr/bin/", "/usr/lib/", "c:\\", "c:\\windows\\", "http", "http://", "https://"}
)
COMMON_ENDS: Final = frozenset({".exe", ".dll", "/", "\\"})

ORDINARY_SHARE: Final = 4
"""Rule 3: an expression that is found in one of so many ordinary values says hardly anything."""

NEGATED: Final = Origin(None, Operator.NULL, False, "not")
"""Stands for an alternative that is only a negation: it has no one place."""


def untelling(condition: Condition) -> list[Origin]:
    """The alternatives that keep `condition` from being telling; none where it is."""
    match condition:
        case Predicate():
            return list(_untelling_values(condition))
        case NotOf():
            return [NEGATED]
        case AnyOf(parts):
            return [origin for part in parts for origin in untelling(part)]
        case AllOf(parts):
            found = [untelling(part) for part in parts]
            return [] if not all(found) else [origin for origins in found for origin in origins]


def _untelling_values(predicate: Predicate) -> Iterator[Origin]:
    for value in predicate.values or ("",):
        if not _tells(predicate, value):
            yield Origin(predicate.field, predicate.operator, predicate.cased, value)


def _tells(predicate: Predicate, value: str) -> bool:
    operator = predicate.operator
    text = folded(value)
    match operator:
        case Operator.EQUALS:
            return bool(text)
        case Operator.CONTAINS:
            return _is_long(text)
        case Operator.STARTS:
            return len(text) > 1 and text not in COMMON_BEGINNINGS
        case Operator.ENDS:
            return len(text) > 1 and text not in COMMON_ENDS
        case Operator.GLOB:
            return any(_is_long(part) for part in glob_parts(text) if isinstance(part, str))
        case Operator.REGEX:
            return _expression_tells(value)
        case _:
            return operator not in NUMBER_OPERATORS | PRESENCE_OPERATORS | {Operator.EXISTS}


def _is_long(text: str) -> bool:
    """A character outside of ASCII is rare enough alone."""
    return len(text) >= TELLING_CHARACTERS or not text.isascii()


def _expression_tells(pattern: str) -> bool:
    clause = best_clause(required_texts(pattern))
    if clause is not None and all(_is_long(text) for text in clause):
        return True
    search = compile_expression(pattern).search
    found = sum(search(value) is not None for value in ORDINARY_VALUES)
    return found * ORDINARY_SHARE < len(ORDINARY_VALUES) and search("") is None
