"""The reference: every rule on every event, each predicate as its definition reads.  Slow, and obviously right.

The fast matcher (`matcher.py`) must never say anything else; authors, proofs and tests compare the two.  So nothing
here is shared with it: globs are walked, not compiled, and numbers and addresses are read anew each time.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache

from ringfence.detect.events import Event
from ringfence.model.detection import (
    CASE_OPERATORS,
    AllOf,
    AnyOf,
    Condition,
    DetectionRule,
    NotOf,
    Operator,
    Predicate,
    Wildcard,
    folded,
    glob_parts,
)
from ringfence.model.limits import DETECTION_NUMBER_DIGITS_MAX, DETECTION_RULES_MAX
from ringfence.wire.detection_pattern import Expression, compile_expression


def matches_of(rules: Sequence[DetectionRule], event: Event) -> list[int]:
    """The places in `rules` of those that match `event`."""
    return [
        place
        for place, rule in enumerate(rules)
        if rule.event_type == event.event_type and holds(rule.condition, event.fields)
    ]


def holds(condition: Condition, fields: Mapping[str, str]) -> bool:
    """Whether `condition` is true of an event with these fields."""
    match condition:
        case AllOf(parts):
            return all(holds(part, fields) for part in parts)
        case AnyOf(parts):
            return any(holds(part, fields) for part in parts)
        case NotOf(part):
            return not holds(part, fields)
        case Predicate():
            return _predicate_holds(condition, fields)


def _predicate_holds(predicate: Predicate, fields: Mapping[str, str]) -> bool:
    value = None if predicate.field is None else fields.get(predicate.field)
    match predicate.operator:
        case Operator.NULL:
            return not value
        case Operator.EXISTS:
            return any((value is not None) is (wanted == "true") for wanted in predicate.values)
        case Operator.ANY:
            return value is not None
        case Operator.SAME_AS:
            others = [fields.get(name) for name in predicate.values]
            return value is not None and any(other is not None and folded(other) == folded(value) for other in others)
    values = list(fields.values()) if predicate.field is None else [] if value is None else [value]
    if predicate.operator in CASE_OPERATORS and not predicate.cased:
        values = [folded(one) for one in values]
    return any(_passes(predicate.operator, one, wanted) for one in values for wanted in predicate.values)


def _passes(operator: Operator, value: str, wanted: str) -> bool:
    match operator:
        case Operator.EQUALS:
            return value == wanted
        case Operator.CONTAINS:
            return wanted in value
        case Operator.STARTS:
            return value.startswith(wanted)
        case Operator.ENDS:
            return value.endswith(wanted)
        case Operator.GLOB:
            return _glob_covers(glob_parts(wanted), value)
        case Operator.REGEX:
            return _compiled(wanted).search(value) is not None
        case Operator.NETWORK:
            return _is_inside(value, wanted)
        case _:
            return _compares(operator, value, wanted)


@lru_cache(maxsize=DETECTION_RULES_MAX)
def _compiled(pattern: str) -> Expression:
    return compile_expression(pattern)


def _glob_covers(parts: Sequence[str | Wildcard], value: str) -> bool:
    """Greedy, with one place to come back to: the latest star."""
    tokens: list[str | Wildcard] = []
    for part in parts:
        tokens.extend([part] if isinstance(part, Wildcard) else part)
    at = token = 0
    star, mark = -1, 0
    while at < len(value):
        wanted = tokens[token] if token < len(tokens) else None
        if wanted is Wildcard.RUN:
            star, mark = token, at
            token += 1
        elif wanted is Wildcard.ONE or wanted == value[at]:
            at, token = at + 1, token + 1
        elif star >= 0:
            mark += 1
            at, token = mark, star + 1
        else:
            return False
    return all(rest is Wildcard.RUN for rest in tokens[token:])


def _is_inside(value: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(network)
    except ValueError:
        return False


def _compares(operator: Operator, value: str, wanted: str) -> bool:
    digits = f"[0-9]{{1,{DETECTION_NUMBER_DIGITS_MAX}}}"
    if not re.fullmatch(rf"-?{digits}(\.{digits})?", value):
        return False
    number, limit = Decimal(value), Decimal(wanted)
    match operator:
        case Operator.LESS:
            return number < limit
        case Operator.AT_MOST:
            return number <= limit
        case Operator.MORE:
            return number > limit
        case _:
            return number >= limit
