"""`detect/rule_text.py`: a rule is understood to the last character, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect.rule_text import RuleText, only_imports, read_rule

FULL = r"""private global rule full : tag1 tag2 {
  meta:
    a = "quote \" rule no { condition: not }" // comment
    b = -5
    c = true
  strings:
    $text = "a\"b" /* between */ wide ascii
      xor(0x01-0xff)
    $hex = { 61 [2-4] ( 62 | ?3 ) ~00 /* } */ } private
    $regex = /x\/y{2}"/is fullword
    $ = "nameless" base64("ABC")
  condition:
    // $no
    2 of ($t*, $hex) and filename matches /a or b/ and #regex[1] > 0x10 and filesize < 10KB and @a..5
}
"""


def read(source: str) -> RuleText | None:
    """The rule that is all of `source`."""
    return read_rule(source, 0, len(source))


def test_a_rule_with_everything() -> None:
    """Names, marks, patterns as they stand, the words of the condition, and where the rule ends."""
    rule = read(FULL + '// end\nimport "pe"\n')
    assert rule is not None
    assert (rule.name, rule.marks, FULL[rule.end :]) == ("full", frozenset({"private", "global"}), "\n")
    assert [(pattern.name, pattern.declaration) for pattern in rule.patterns] == [
        ("$text", r' = "a\"b" /* between */ wide ascii' + "\n      xor(0x01-0xff)"),
        ("$hex", " = { 61 [2-4] ( 62 | ?3 ) ~00 /* } */ } private"),
        ("$regex", r' = /x\/y{2}"/is fullword'),
        ("$", ' = "nameless" base64("ABC")'),
    ]
    assert rule.patterns[0].modifiers == {"wide", "ascii", "xor"}
    assert [pattern.value[0] for pattern in rule.patterns] == ['"', "{", "/", '"']
    assert " ".join(rule.condition) == (
        "2 of ( $t * , $hex ) and filename matches /a or b/ and #regex [ 1 ] > 0x10 and filesize < 10KB and @a .. 5"
    )


@pytest.mark.parametrize(
    "source",
    [
        "",
        "rule",
        "rule a",
        "rule a { condition: true",
        "rule a { condition: true } rule b { condition: true }",
        'rule a { condition: true } include "x"',
        "rule a { condition: true };",
        "rule a { strings: $a = { 61 } [1] condition: $a }",
        'rule a { strings: $a = "a" unknown condition: $a }',
        'rule a { meta: m = """x""" condition: true }',
        'rule a { meta: m = { 61 } strings: $a = "aa" condition: $a }',
        'rule a { strings: $a = "aa" // \r condition: $a }',
        'rule a { strings: $a = "aa" condition: $a \N{NO-BREAK SPACE}}',
        'rule a { strings: $a = "aa" condition: $a and { 61 } }',
        'rule a { strings: $a = "aa" condition: $a and ={ 61 } }',
        'rule a { strings: $a = "aa" condition: $a and 1 /2 or 3/ 4 }',
        'rule a { strings: $a = "aa',
        "rule a { strings: $a = /aa",
        "rule a { strings: $a = { 61 /* }",
        "rule a { strings: $a =",
        'rule a { strings: $a = "a" xor(',
        "rule a { meta: m",
    ],
)
def test_anything_odd_is_no_rule(source: str) -> None:
    """Whoever asks then assumes nothing."""
    assert read(source) is None


def test_what_may_stand_before_the_first_rule() -> None:
    """Imports and comments."""
    source = 'import "pe" // rule\n/* x */ import "math"\n'
    assert only_imports(source, len(source))
    assert only_imports("", 0)
    assert not only_imports('include "x"', 11)
    assert not only_imports("import", 6)


@given(st.text(alphabet='rule{}()/*\\"=: \ncondit$#1,', max_size=300))
def test_nonsense_never_raises(source: str) -> None:
    """And what is read as a rule ends with a brace."""
    text = "rule a { strings: " + source
    rule = read(text)
    assert rule is None or text[rule.end - 1] == "}"
    assert only_imports(source, len(source)) in {True, False}
