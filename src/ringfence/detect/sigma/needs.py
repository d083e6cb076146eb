"""What a Sigma rule needs of a sensor, read from its condition: the type of its events, and every field it reads.

A field that is compared as a number must be one, and one that is held against networks must be an address; everything
else is read as text, and every value can be.  A keyword reads whatever fields there are.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from ringfence.model.contract import EventNeed, FieldKind, InputKind, Need
from ringfence.model.detection import NUMBER_OPERATORS, DetectionRule, Operator, fields_of, predicates
from ringfence.model.errors import ContentRefused

WAY_OUT: Final = "compare the field in one way"


def event_needs(rule: DetectionRule) -> Iterator[Need]:
    """The needs of `rule`: its event type first, then its fields in the order of their names."""
    yield Need(rule.identifier, InputKind.EVENT_TYPE, rule.event_type)
    kinds = _kinds(rule)
    for field in sorted(fields_of(rule)):
        for kind in sorted(kinds.get(field, {FieldKind.TEXT})):
            yield Need(rule.identifier, InputKind.EVENT_FIELD, f"{rule.event_type}.{field}", field_kind=kind)


def declared_needs(rules: Iterable[DetectionRule]) -> tuple[EventNeed, ...]:
    """What the manifest of a release with these rules declares: each field once, as the most that any rule needs.

    Raises ContentRefused where one rule needs a number and another an address: no field is both.
    """
    found: dict[tuple[str, str], FieldKind] = {}
    for rule in rules:
        kinds = _kinds(rule)
        for field in fields_of(rule):
            for kind in kinds.get(field, {FieldKind.TEXT}):
                known = found.setdefault((rule.event_type, field), kind)
                if known is FieldKind.TEXT:
                    found[rule.event_type, field] = kind
                elif kind not in (known, FieldKind.TEXT):
                    raise ContentRefused(
                        f"rule {rule.identifier} reads {field} as {kind}, another rule as {known}", WAY_OUT
                    )
    return tuple(EventNeed(event_type, field, found[event_type, field]) for event_type, field in sorted(found))


def _kinds(rule: DetectionRule) -> dict[str, set[FieldKind]]:
    """How `rule` reads each field that it does not only read as text."""
    found: dict[str, set[FieldKind]] = {}
    for predicate in predicates(rule.condition):
        if predicate.field is None:
            continue
        if predicate.operator in NUMBER_OPERATORS:
            found.setdefault(predicate.field, set()).add(FieldKind.INTEGER)
        elif predicate.operator is Operator.NETWORK:
            found.setdefault(predicate.field, set()).add(FieldKind.ADDRESS)
    return found
