"""Expressions and globs: RE2, within bounds, and never slow."""

import re
import time

import pytest

from ringfence.model.detection import glob_parts, glob_text
from ringfence.wire.detection_pattern import compile_expression, glob_expression

CLOUDFLARE = ".*(?:.*=.*);"
"""The heart of the expression that took all of Cloudflare's processors on 2 July 2019."""


def test_the_expression_that_stopped_cloudflare_is_cheap_here() -> None:
    """R10.  Python's own engine needs longer for 400 characters than RE2 for 64 KiB of them."""
    begin = time.process_time_ns()
    assert re.search(CLOUDFLARE, "x=" + "x" * 400) is None
    damage = time.process_time_ns() - begin
    search = compile_expression(CLOUDFLARE).search
    begin = time.process_time_ns()
    assert search("x=" * 32_768) is None
    assert search("x=" + "x" * 65_534) is None
    assert time.process_time_ns() - begin < damage


@pytest.mark.parametrize(
    ("glob", "value", "covers"),
    [
        ("a*b", "a\nb", True),
        ("a?b", "aéb", True),
        ("a?b", "ab", False),
        ("*", "", True),
        ("a\\*", "a*", True),
        ("a\\*", "ab", False),
        ("a.c", "abc", False),
        ("a$", "a$", True),
        ("a", "a\n", False),
    ],
)
def test_a_glob_covers_the_whole_value(glob: str, value: str, *, covers: bool) -> None:
    found = compile_expression(glob_expression(glob_parts(glob))).search(value)
    assert (found is not None) is covers


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)", "(.{1,900})" * 60, "\udc80", "a{1001}"])
def test_what_re2_does_not_take_is_a_value_error(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        compile_expression(pattern)


@pytest.mark.parametrize("text", ["", "a", "*", "a*b?c", r"\*\?\\", "??*"])
def test_a_glob_is_spelled_in_one_way(text: str) -> None:
    assert glob_text(glob_parts(text)) == text


@pytest.mark.parametrize("text", ["**", "a\\", r"\a", "a**b"])
def test_another_spelling_is_no_glob(text: str) -> None:
    with pytest.raises(ValueError, match="backslash"):
        glob_parts(text)
