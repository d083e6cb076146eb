"""`detect/rule_outline.py`: declarations and scopes, read from the text."""

import pytest
import yara_x
from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect.rule_outline import RuleScope, outline

HEAD = 'strings: $a = "aa" $b = "bb"'


@pytest.mark.parametrize(
    ("condition", "scope"),
    [
        ("any of them", RuleScope.ANY_PART),
        ("all of them", RuleScope.ANY_PART),
        ("$a and #b > 3", RuleScope.ANY_PART),
        ("2 of ($a, $b)", RuleScope.ANY_PART),
        ("$a at 0 and $b", RuleScope.FILE_START),
        ("$a in (0..100) and $b", RuleScope.FILE_START),
        ("uint16(0) == 0x5A4D and any of them", RuleScope.FILE_START),
        ("int32be(0) == 5 and any of them", RuleScope.FILE_START),
        ("@a[1] < @b[1]", RuleScope.FILE_START),
        ("elf.type == 2 and all of them", RuleScope.FILE_START),
        ("filesize < 100KB and all of them", RuleScope.WHOLE_FILE),
        ("$a and not $b", RuleScope.WHOLE_FILE),
        ("none of them", RuleScope.WHOLE_FILE),
        ("$b and #a < 3", RuleScope.WHOLE_FILE),
        ("$b and #a == 3", RuleScope.WHOLE_FILE),
        ("$b and 3 > #a", RuleScope.WHOLE_FILE),
        ("for all i in (1..#a) : (@a[i] > 5) and $b", RuleScope.WHOLE_FILE),
    ],
)
def test_scopes(condition: str, scope: RuleScope) -> None:
    """Each condition has the scope that its words demand; the engine accepts the same source."""
    source = f'import "elf"\nrule r {{ {HEAD} condition: {condition} }}'
    assert [rule.scope for rule in outline(source).rules] == [scope]
    yara_x.compile(source)


def test_a_reference_brings_its_scope_along() -> None:
    """A rule over a rule over `filesize` is a rule over `filesize`."""
    source = f"private rule small {{ condition: filesize < 5 }} rule r {{ {HEAD} condition: small and all of them }}"
    small, rule = outline(source).rules
    assert (small.private, small.scope) == (True, RuleScope.WHOLE_FILE)
    assert (rule.private, rule.scope) == (False, RuleScope.WHOLE_FILE)


def test_words_in_texts_comments_patterns_and_names_do_not_count() -> None:
    """Only code is code."""
    source = r"""
    // rule no1 { condition: filesize }
    /* import "pe" rule no2 { condition: true } */
    private global rule gate : tag1 { meta: text = "rule no3 { condition: not }" condition: true }
    rule yes {
      meta: a = "quote \" rule no4 {" b = "filesize"
      strings:
        $filesize = "not"
        $hex = { 72 75 /* } rule no5 { */ 6C [2-4] ( 65 | 66 ) ~00 } // }
        $regex = /rule no6 \{ condition: filesize \/ " / nocase
      condition: any of them // not
    }"""
    found = outline(source)
    assert [(rule.name, rule.private, rule.scope) for rule in found.rules] == [
        ("gate", True, RuleScope.ANY_PART),
        ("yes", False, RuleScope.ANY_PART),
    ]
    assert found.imports == frozenset()
    assert found.rules[1].line == 5
    assert sorted(rule.identifier for rule in yara_x.compile(source)) == ["gate", "yes"]


def test_imports() -> None:
    """Modules by name."""
    assert outline('import "pe"\nimport\t"math"').imports == {"pe", "math"}


@given(st.text(alphabet='rule{}/*\\"=: \nimport#$a<', max_size=400))
def test_nonsense_never_raises(source: str) -> None:
    """Any text gives an outline."""
    assert all(rule.line >= 1 for rule in outline(source).rules)


@pytest.mark.parametrize("piece", ["/*", '"\\', "={/*", "/\\", "={", "//", "rule a {", '="'])
def test_reading_is_linear_on_what_is_never_closed(piece: str) -> None:
    """A quadratic reader would run into the test's time limit here."""
    assert not outline(piece * 100_000).imports
