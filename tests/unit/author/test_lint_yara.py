"""Checks that need no engine: each bound at its edge, each loop, each line of metadata."""

import pytest
from tests.unit.author.content_fixtures import META

from ringfence.author.lint_indicators import check_indicators, worthless_patterns
from ringfence.author.lint_yara import LintedFile, blocks, check_evidence, check_file, meta_of
from ringfence.author.yara_file import read_yara
from ringfence.model import limits

NAME = '$name = "a-name-of-malware"'


def file_of(patterns: str = NAME, condition: str = "$name", meta: str = META, before: str = "") -> LintedFile:
    """A file with one rule."""
    strings = f"strings: {patterns} " if patterns else ""
    text = f"{before}rule One {{ {meta} {strings}condition: {condition} }}\n"
    return LintedFile("f.yar", text, read_yara(text))


def codes(file: LintedFile) -> list[tuple[str, str]]:
    """Code of each finding, and the text that it points at."""
    findings = [*check_file(file), *check_evidence(file, {})]
    lines = file.text.split("\n")
    return [(one.code, lines[one.line - 1][one.column - 1 :]) for one in findings]


def test_a_sound_rule_has_no_findings() -> None:
    assert codes(file_of()) == []


@pytest.mark.parametrize(
    ("count", "found"), [(limits.RULE_PATTERNS_MAX, []), (limits.RULE_PATTERNS_MAX + 1, ["yara/too-many-patterns"])]
)
def test_the_number_of_patterns_has_an_edge(count: int, found: list[str]) -> None:
    patterns = " ".join(f'$p{number} = "a-name-of-malware-{number}"' for number in range(count))
    assert [code for code, _ in codes(file_of(patterns, "any of them"))] == found


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        ('"{}"', limits.PATTERN_TEXT_CHARACTERS_MAX),
        ("/{}/", limits.PATTERN_EXPRESSION_CHARACTERS_MAX),
        ("{{ {} }}", limits.PATTERN_HEX_CHARACTERS_MAX),
    ],
)
def test_the_length_of_a_pattern_has_an_edge(pattern: str, longest: int) -> None:
    def filled(length: int) -> str:
        body = "a1b2c3d4e5f60718" * 2_000
        return f"$name = {pattern.format(body[: length - len(pattern.format(''))])}"

    assert codes(file_of(filled(longest))) == []
    ((code, place),) = codes(file_of(filled(longest + 1)))
    assert code == "yara/pattern-too-long"
    assert place[0] in '"/{'


def test_variants_and_alternatives_have_an_edge() -> None:
    full = " ".join(f'$p{number} = "a-name-of-malware-{number}" xor wide ascii' for number in range(8))
    assert codes(file_of(full, "any of them")) == []
    assert [code for code, _ in codes(file_of(f'{full} $x = "a-name-of-malware-x" xor', "any of them"))] == [
        "yara/too-many-variants"
    ]
    words = [f"word{number}" for number in range(limits.PATTERN_ALTERNATIVES_ENTRIES_MAX)]
    assert codes(file_of(f"$name = /a-name-of-({'|'.join(words)})/")) == []
    assert [code for code, _ in codes(file_of(f"$name = /a-name-of-({'|'.join([*words, 'x'])})/"))] == [
        "yara/too-many-alternatives"
    ]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("for any i in (1..9) : (for any j in (1..9) : (i + j == 4))", "yara/nested-loop"),
        ("for any i in (1..9) : (math.entropy(i, 9) > 7.0)", "yara/costly-loop"),
        ('for any i in (1..9) : (hash.md5(i, 9) == "5d41402abc4b2a76b9719d911017c592")', "yara/costly-loop"),
        ("for any of them : (math.mean($, 9) > 7.0)", "yara/costly-loop"),
        ("for any i in (1..9) : (for any of them : (@ > i))", ""),
        ("for any i in (1..9) : (math.abs(i) > 7)", ""),
        ('math.entropy(0, filesize) > 7.0 and hash.md5(0, 9) == "5d41402abc4b2a76b9719d911017c592"', ""),
    ],
)
def test_loops(condition: str, code: str) -> None:
    found = [code for code, _ in codes(file_of(condition=f"$name and {condition}", before='import "math"\n'))]
    assert found == ([code] if code else [])


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('author = "A"', "", "yara/metadata-missing"),
        ('author = "A"', 'author = " "', "yara/metadata-missing"),
        ('technique = "T1059"', "", "yara/metadata-missing"),
        ('technique = "T1059"', 'technique = ""', ""),
        ('reference = "https://example.org/"', 'reference = ""', ""),
        ('licence = "Apache-2.0"', 'licence = ""', "yara/metadata-missing"),
        ('"T1059"', '"1059"', "yara/metadata-invalid"),
        ('"high"', '"High"', "yara/metadata-invalid"),
        ('"block"', '"delete"', "yara/metadata-invalid"),
        ('"D"', '"\\x1b[2J"', "yara/metadata-invalid"),
        ('"D"', f'"{"d" * 1025}"', "yara/metadata-invalid"),
        ('action = "block"', 'action = "alert" action = "block"', "yara/metadata-repeated"),
        ('author = "A"', 'author = "A" hash = "1" hash = "2"', ""),
    ],
)
def test_metadata(old: str, new: str, code: str) -> None:
    assert [code for code, _ in codes(file_of(meta=META.replace(old, new)))] == ([code] if code else [])


def test_a_private_rule_needs_no_metadata_and_no_evidence() -> None:
    text = "private rule Small { condition: filesize < 9 }\n"
    assert codes(LintedFile("f.yar", text, read_yara(text))) == []


def test_what_a_rule_says_of_itself() -> None:
    (rule,) = file_of(meta=META.replace('"A"', r'"A \"b\""')).parsed.rules
    assert meta_of(rule, "author") == 'A "b"'
    assert meta_of(rule, "nothing") == ""
    assert blocks(rule)


def test_an_indicator_weighs_by_what_stands_beside_it() -> None:
    """Alone an error, beside other evidence a warning, within a longer text nothing."""
    found = {}
    for condition in ("any of them", "all of them"):
        file = file_of(f'{NAME} $site = "pastebin.com" $page = "http://pastebin.com/x7f3a"', condition)
        worthless = worthless_patterns(file)
        assert {name: set(patterns) for name, patterns in worthless.items()} == {"One": {"$site"}}
        found[condition] = [(one.code, one.level.value) for one in check_indicators(file, worthless)]
    assert found == {
        "any of them": [("indicator/popular-domain", "error")],
        "all of them": [("indicator/popular-domain", "warning")],
    }
