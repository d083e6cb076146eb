"""Findings: their order, their line, their place."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.author.finding import CODE, Finding, Level, finding_facts, finding_line, in_order, place_of

ONE = Finding("rules/a.yar", 3, 9, "yara/slow-pattern", Level.ERROR, "One", "is slow")


def test_a_line_has_file_line_column_code_and_text() -> None:
    assert finding_line(ONE) == "rules/a.yar:3:9: yara/slow-pattern: is slow"
    assert finding_line(replace(ONE, level=Level.WARNING)) == "rules/a.yar:3:9: yara/slow-pattern: warning: is slow"


def test_a_line_says_that_a_finding_is_waived() -> None:
    assert finding_line(replace(ONE, waived_by="ab" * 32)).endswith("is slow (waived by abababababab)")


def test_only_an_error_that_nobody_waived_refuses() -> None:
    assert ONE.refuses
    assert not replace(ONE, waived_by="ab" * 32).refuses
    assert not replace(ONE, level=Level.WARNING).refuses
    assert not replace(ONE, level=Level.NOTE).refuses


def test_order_is_by_place_and_each_stands_once() -> None:
    rising = [
        replace(ONE, file="a"),
        replace(ONE, line=2),
        ONE,
        replace(ONE, column=10),
        replace(ONE, line=10),
        replace(ONE, line=10, code="yara/z"),
    ]
    mixed = rising * 2
    random.Random(1).shuffle(mixed)
    assert list(in_order(mixed)) == rising


def test_facts_hold_every_field() -> None:
    assert set(finding_facts(ONE)) == set(Finding.__dataclass_fields__)
    assert finding_facts(ONE)["level"] == "error"


@pytest.mark.parametrize(
    ("offset", "place"), [(0, (1, 1)), (2, (1, 3)), (3, (2, 1)), (4, (2, 2)), (99, (2, 3)), (-1, (1, 1))]
)
def test_a_place_is_line_and_column_from_one(offset: int, place: tuple[int, int]) -> None:
    assert place_of("ab\n\u00e9c", offset) == place


@given(st.text(st.sampled_from("ab\n\r\u00e9"), max_size=40), st.data())
def test_a_place_leads_back_to_its_character(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    line, column = place_of(text, offset)
    before = text.split("\n")[: line - 1]
    assert sum(len(one) + 1 for one in before) + column - 1 == offset


@pytest.mark.parametrize("code", ["slow", "yara/Slow", "yara/", "yara/a--b", "yara/a b", "YARA/a"])
def test_a_code_has_one_form(code: str) -> None:
    assert not CODE.fullmatch(code)
