r"""Detections: Sigma rules as a tree of predicates over the fields of one event.

An *event* is flat text: field name -> value.  A field that is missing is missing, not "".  Every test of a value:

| operator | true where the field is there and |
| --- | --- |
| eq, contains, starts, ends | the value is, holds, starts or ends with one of the texts |
| glob | the whole value fits one of the patterns: `*` any run, `?` one character, `\` before what is meant literally |
| re | RE2 finds one of the expressions somewhere in the value |
| any | always: being there is enough |
| fieldref | the value is that of one of the fields named, case aside |
| cidr | the value is an address in one of the networks |
| lt, lte, gt, gte | the value is a decimal number, so far below or above each of the numbers |

Only two are true of a missing field: `null` (missing or empty), and `exists` with the text "false".

Case aside means: both sides are `folded`.  Case folding is used and not lower case, because it does not depend on what
stands before or after: folding a text and folding its parts is the same.

>>> folded("\u03a3") == folded("\u03c2") == "\u03c3"
True
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum, unique
from typing import Final

from ringfence.model.records import Severity

OWN_PRODUCT: Final = "linux"
"""The product whose events a sensor supplies: it needs no name in the type of an event."""


@unique
class Operator(StrEnum):
    """What a predicate asks of a value."""

    EQUALS = "eq"
    CONTAINS = "contains"
    STARTS = "starts"
    ENDS = "ends"
    GLOB = "glob"
    REGEX = "re"
    ANY = "any"
    NULL = "null"
    EXISTS = "exists"
    SAME_AS = "fieldref"
    NETWORK = "cidr"
    LESS = "lt"
    AT_MOST = "lte"
    MORE = "gt"
    AT_LEAST = "gte"


CASE_OPERATORS: Final = frozenset({Operator.EQUALS, Operator.CONTAINS, Operator.STARTS, Operator.ENDS, Operator.GLOB})
"""Those that ignore case unless the predicate is cased.  (An expression says so itself: `(?i)`.)"""

NUMBER_OPERATORS: Final = frozenset({Operator.LESS, Operator.AT_MOST, Operator.MORE, Operator.AT_LEAST})
PRESENCE_OPERATORS: Final = frozenset({Operator.ANY, Operator.NULL})
"""Those that take no values."""

KEYWORD_OPERATORS: Final = frozenset({Operator.CONTAINS, Operator.GLOB, Operator.REGEX})
"""Those that may be asked of every value of an event."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """One test.  `field` None is a keyword: true where any value of the event passes."""

    field: str | None
    operator: Operator
    cased: bool
    values: tuple[str, ...]
    """Alternatives, one of which is enough, sorted.  With a `CASE_OPERATORS` one they are folded unless cased."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """True where each part is."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where at least one part is."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class NotOf:
    """True where its part is not."""

    part: "Condition"


Condition = Predicate | AllOf | AnyOf | NotOf


@dataclass(frozen=True, slots=True)
class DetectionRule:
    """One Sigma rule.  Its licence (DRL 1.1) demands that the author stays on every alert."""

    identifier: str
    """The rule's UUID in lower case, unique over all packs of a release."""

    title: str
    author: str
    licence: str
    level: Severity
    techniques: tuple[str, ...]
    """ATT&CK techniques such as `T1059.004`, sorted."""

    reference: str
    event_type: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class EventTest:
    """A self-test: an event of the rule's type that the rule must match (`expects_match`) or must not."""

    rule: str
    event: tuple[tuple[str, str], ...]
    """Fields in the order of their names."""

    expects_match: bool


@dataclass(frozen=True, slots=True)
class Detections:
    """Rules in the order of their identifiers, and their self-tests; every test's rule is in the pack."""

    rules: tuple[DetectionRule, ...]
    tests: tuple[EventTest, ...]


@unique
class Wildcard(Enum):
    """What stands between the texts of a glob."""

    RUN = "*"
    ONE = "?"


def folded(text: str) -> str:
    """`text` with case taken away."""
    return text.casefold()


def glob_parts(text: str) -> tuple[str | Wildcard, ...]:
    r"""The texts and wildcards of a glob.  Raises ValueError for one that `glob_text` would not write.

    >>> glob_parts("a*b\\*")
    ('a', <Wildcard.RUN: '*'>, 'b*')
    """
    parts: list[str | Wildcard] = []
    literal: list[str] = []
    escaped = False
    for character in text:
        if escaped or character not in "*?\\":
            literal.append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        else:
            if literal:
                parts.append("".join(literal))
                literal = []
            parts.append(Wildcard(character))
    if literal:
        parts.append("".join(literal))
    if escaped or glob_text(parts) != text:
        raise ValueError("a backslash may stand only before *, ? and \\, and a star not behind a star")
    return tuple(parts)


def glob_text(parts: "list[str | Wildcard] | tuple[str | Wildcard, ...]") -> str:
    """The one spelling of a glob: repeated stars are one star."""
    made: list[str] = []
    for part in parts:
        if isinstance(part, Wildcard):
            if part is not Wildcard.RUN or made[-1:] != ["*"]:
                made.append(part.value)
        else:
            made.append(part.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?"))
    return "".join(made)


def predicates(condition: Condition) -> Iterator[Predicate]:
    """Every predicate of `condition`, from left to right."""
    match condition:
        case Predicate():
            yield condition
        case NotOf(part):
            yield from predicates(part)
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from predicates(part)


def fields_of(rule: DetectionRule) -> frozenset[str]:
    """The fields that `rule` reads.  A sensor that does not supply one of them must refuse the rule."""
    found: set[str] = set()
    for predicate in predicates(rule.condition):
        if predicate.field is not None:
            found.add(predicate.field)
        if predicate.operator is Operator.SAME_AS:
            found.update(predicate.values)
    return frozenset(found)


def event_type_of(product: str, category: str, service: str) -> str:
    """The type of event that a Sigma log source names, or "" where it names none.

    The sensor's own product is left out, so what holds for every product and what holds for this one are one type.
    What stands for another product never meets the sensor's events.

    >>> event_type_of("linux", "process_creation", ""), event_type_of("windows", "process_creation", "")
    ('process_creation', 'windows_process_creation')
    """
    parts = [part for part in (product, category, service) if part]
    if len(parts) > 1 and product == OWN_PRODUCT:
        parts = parts[1:]
    return re.sub(r"[^a-z0-9]+", "_", "_".join(parts).lower())
