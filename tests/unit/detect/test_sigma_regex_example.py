"""Texts in which an expression is found."""

import random

import pytest
from tests.unit.detect.sigma_cases import REGEXES

from ringfence.detect.sigma.regex_example import regex_example
from ringfence.wire.detection_pattern import compile_expression


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("abc", "abc"),
        ("^a.c$", "a0c"),
        ("ab?c+d*", "ac"),
        ("a{2}b{1,3}c{2,}", "aabcc"),
        ("(ab|cd)(?:e|f)?", "ab"),
        ("(?i)AB", "AB"),
        ("(?P<n>x)[^a-z0-9]", "xA"),
        ("[[:alpha:]]]", "a]"),
        ("[^]a]x", "0x"),
        (r"\d\w\s\S", "00 0"),
        (r"\x41\pL", "Aa"),
        (r"a\.b\\c", r"a.b\c"),
        (r"\bab\b", "ab"),
        (r"[\]]", "]"),
        (r"\p{Greek}", None),
        ("(" * 30 + "a" + ")" * 30, None),
        (r"a\Bb$c", None),
        ("x{1000}" * 200, None),
    ],
)
def test_each_construct(pattern: str, text: str | None) -> None:
    compile_expression(pattern)
    assert regex_example(pattern) == text


def test_what_is_given_is_found_and_most_are_given() -> None:
    given = [pattern for pattern in REGEXES if regex_example(pattern) is not None]
    assert len(given) >= len(REGEXES) - 2
    for pattern in given:
        assert compile_expression(pattern).search(str(regex_example(pattern))) is not None


def test_whatever_re2_takes_is_read_without_an_error() -> None:
    for seed in range(3_000):
        chance = random.Random(seed)
        pattern = "".join(chance.choice("ab()|[]^$.*+?{}0,1\\dwx-:i") for _ in range(chance.randint(0, 14)))
        try:
            search = compile_expression(pattern).search
        except ValueError:
            continue
        text = regex_example(pattern)
        assert text is None or search(text) is not None
