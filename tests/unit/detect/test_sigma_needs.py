"""What rules over events need of a sensor."""

import pytest
from tests.unit.detect.sigma_cases import asked, rule_of

from ringfence.detect.sigma.needs import declared_needs, event_needs
from ringfence.model.contract import EventNeed, FieldKind, InputKind, Need
from ringfence.model.detection import AllOf, NotOf
from ringfence.model.errors import ContentRefused

RULE = rule_of(
    AllOf((asked("Port", "gte", "80"), NotOf(asked("Ip", "cidr", "10.0.0.0/8")), asked("A", "fieldref", "B")))
)


def test_a_rule_needs_its_type_and_each_field_as_it_reads_it() -> None:
    name = RULE.identifier
    assert list(event_needs(RULE)) == [
        Need(name, InputKind.EVENT_TYPE, "process_creation"),
        Need(name, InputKind.EVENT_FIELD, "process_creation.A"),
        Need(name, InputKind.EVENT_FIELD, "process_creation.B"),
        Need(name, InputKind.EVENT_FIELD, "process_creation.Ip", field_kind=FieldKind.ADDRESS),
        Need(name, InputKind.EVENT_FIELD, "process_creation.Port", field_kind=FieldKind.INTEGER),
    ]


def test_a_keyword_needs_the_type_only() -> None:
    needs = list(event_needs(rule_of(asked(None, "contains", "needle"))))
    assert [need.kind for need in needs] == [InputKind.EVENT_TYPE]


def test_a_manifest_declares_each_field_once_as_the_most_that_is_needed() -> None:
    other = rule_of(AllOf((asked("Port", "eq", "22"), asked("A", "contains", "x"))), 1)
    assert declared_needs([other, RULE]) == declared_needs([RULE, other])
    assert declared_needs([RULE, other])[-1] == EventNeed("process_creation", "Port", FieldKind.INTEGER)
    assert len(declared_needs([RULE, other])) == 4


def test_a_field_cannot_be_number_and_address() -> None:
    with pytest.raises(ContentRefused, match="reads Port as address"):
        declared_needs([RULE, rule_of(asked("Port", "cidr", "10.0.0.0/8"), 1)])
