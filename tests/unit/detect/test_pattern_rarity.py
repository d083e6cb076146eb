"""`detect/pattern_rarity.py`: a guess from the text of a pattern."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect.pattern_rarity import rarity
from ringfence.detect.rule_text import PatternText


@pytest.mark.parametrize(
    ("value", "different"),
    [
        ('"abc"', 3),
        ('"aAaA"', 1),
        (r'"a\x00\\\""', 4),
        ("{ 61 62 63 }", 3),
        ("{ 00 00 00 00 }", 1),
        ("{ 61 62 ?? 63 64 65 [2-4] 66 }", 3),
        ("{ 61 ~62 63 64 6? 65 }", 2),
        ("{ 61 ( 62 63 64 65 | 66 ) 67 68 }", 2),
        ("{ 61 /* 62 63 64 */ 65 // 66\n }", 2),
        ("/abc/i", 3),
        (r"/ab\.c\x20d/", 6),
        (r"/ab[cd]efg\d+h/", 3),
        ("/zqc?xj/", 2),
        ("/abc+de/", 3),
        ("/zqc{2,3}xj/", 2),
        ("/zq(cdefg)h/", 2),
        ("/abcd|zq/", 2),
        ("/(a|b)cd/", 2),
        ("/^~.`$/", 1),
        ("/.*/", 0),
        ('"Content-Type:"', 0),
        ('" GetHostByName "', 0),
        ("/function.{1,9}/", 0),
        ("{ 46 69 6C 65 53 74 72 65 61 6D }", 0),
        ('""', 0),
    ],
)
def test_how_rare_a_pattern_is(value: str, different: int) -> None:
    assert rarity(PatternText("$x", f" = {value}", value, frozenset())) == different


@given(st.sampled_from(('"{}"', "{{{}}}", "/{}/")), st.text(alphabet='ab01 \\x()[]{}|?*+-~.,"/', max_size=60))
def test_nonsense_never_raises(frame: str, text: str) -> None:
    assert rarity(PatternText("$x", "", frame.format(text), frozenset())) >= 0
