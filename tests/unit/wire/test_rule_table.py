"""The rule table: canonical or refused."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.wire.record_examples import RULE

from ringfence.model.errors import ContentRefused
from ringfence.model.records import ReleaseReference, RuleReference
from ringfence.wire.rule_table import RuleTable, decode_rule_table, encode_rule_table

TABLE = RuleTable(ReleaseReference("starter", 3, "cd" * 32), (RULE, dataclasses.replace(RULE, identifier="Other")))


def test_a_table_comes_back() -> None:
    assert decode_rule_table(encode_rule_table(TABLE)) == TABLE


def test_a_release_without_rules_has_an_empty_table() -> None:
    empty = dataclasses.replace(TABLE, rules=())
    assert decode_rule_table(encode_rule_table(empty)) == empty


@given(position=st.integers(0, len(encode_rule_table(TABLE)) - 1), byte=st.integers(0, 255))
def test_a_damaged_table_is_refused_or_says_another_thing_exactly(position: int, byte: int) -> None:
    data = bytearray(encode_rule_table(TABLE))
    data[position] = byte
    try:
        found = decode_rule_table(bytes(data))
    except ContentRefused:
        return
    assert encode_rule_table(found) == bytes(data)


@pytest.mark.parametrize(
    "rule",
    [
        dataclasses.replace(RULE, identifier="no word"),
        dataclasses.replace(RULE, author=""),
        dataclasses.replace(RULE, description="\x1b[2J"),
        dataclasses.replace(RULE, technique="T1"),
    ],
)
def test_a_rule_that_no_release_may_hold_is_refused(rule: RuleReference) -> None:
    with pytest.raises(ContentRefused):
        decode_rule_table(encode_rule_table(dataclasses.replace(TABLE, rules=(rule,))))
