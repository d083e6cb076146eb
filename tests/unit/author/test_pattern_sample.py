"""What is made from a pattern is matched by it: the engine itself is the judge."""

import pytest
import yara_x

from ringfence.author.pattern_sample import sample_of
from ringfence.detect.rule_text import PatternText, read_rule
from ringfence.model.limits import PROOF_SAMPLE_BYTES_MAX


def pattern(declaration: str) -> PatternText:
    """The one pattern of a rule."""
    source = f"rule r {{ strings: $a {declaration} condition: $a }}"
    rule = read_rule(source, 0, len(source))
    assert rule is not None
    return rule.patterns[0]


@pytest.mark.parametrize(
    "declaration",
    [
        '= "plain text"',
        '= "with \\" and \\\\ and \\n and \\x41"',
        '= "wide text" wide',
        '= "both kinds" wide ascii',
        '= "whole words" fullword',
        '= "Any Case" nocase',
        '= "hidden text" xor',
        '= "hidden in base64" base64',
        "= { 6A 40 68 00 }",
        "= { 6A ?? 4? ?1 68 }",
        "= { 6A [4] 68 [2-8] 69 [3-] 70 }",
        "= { 6A ( 01 02 | 03 ) 68 ~00 69 /* a comment */ }",
        "= { 6A ( 01 ( 02 | 04 ) | 03 ?? ) 68 }",
        "= /eval\\(base64_decode\\(/",
        "= /[a-f0-9]{32}/",
        "= /https?:\\/\\/[^\\s\"']{4,}\\.(php|asp)/",
        "= /(cmd|powershell)\\.exe\\s+\\/c\\s/ nocase",
        "= /\\x4d\\x5a.{2}\\d+\\w\\W/s",
        "= /[^a-z]{3}end/",
        "= /(?:one|two)+three/i",
        "= /a{2,}b{3}c{0,4}/",
        "= /[]x]\\]/",
    ],
)
def test_the_engine_finds_it(declaration: str) -> None:
    rules = yara_x.compile(f"rule r {{ strings: $a {declaration} condition: $a }}")
    assert yara_x.Scanner(rules).scan(b" " + sample_of(pattern(declaration)) + b" ").matching_rules


@pytest.mark.parametrize("text", ["(((", "[", "[^", "\\", "a{9", "(?<", "\\x", "*"])
def test_nonsense_is_no_error(text: str) -> None:
    made = sample_of(PatternText("$a", f"= /{text}/", f"/{text}/", frozenset()))
    assert len(made) <= PROOF_SAMPLE_BYTES_MAX


@pytest.mark.parametrize("value", ["/(a{4000}){4000}/", "/((((a{99}){99}){99}){99})/", "{ 00 [999999999] 01 }"])
def test_it_never_grows_large(value: str) -> None:
    assert len(sample_of(PatternText("$a", f"= {value}", value, frozenset({"wide"})))) <= 2 * PROOF_SAMPLE_BYTES_MAX


def test_deep_nesting_is_no_error() -> None:
    value = "/" + "(" * 100_000 + "a" + ")" * 100_000 + "/"
    assert sample_of(PatternText("$a", f"= {value}", value, frozenset())) == b""
