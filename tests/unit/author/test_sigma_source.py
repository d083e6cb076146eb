"""Sigma as its author wrote it: the rule that hosts run, or each reason why not with its place."""

import random
from typing import Final

import pytest
from tests.unit.author.sigma_texts import GOOD, IDENTIFIER, selection
from tests.unit.detect.sigma_cases import event_of

from ringfence.author.finding import finding_line
from ringfence.author.sigma_source import SigmaSource, read_sigma
from ringfence.detect.sigma.naive import holds
from ringfence.model.detection import Condition, DetectionRule, Detections
from ringfence.model.limits import SIGMA_FILE_BYTES_MAX
from ringfence.model.records import Severity
from ringfence.wire.detection_ir import condition_value, decode_detections, encode_detections

FILE: Final = "sigma/shell.yml"


NO_SOURCE: Final = GOOD.replace("    category: process_creation\n    product: linux", "    definition: x")
BASE64: Final = selection("A|base64offset|contains:", *[f"    - word{n}" for n in range(15_000)])


def conditioned(condition: str) -> str:
    """The good rule with this condition over one selection."""
    return selection("A: b", condition=condition)


def good(text: str) -> SigmaSource:
    source = read_sigma(FILE, text)
    assert [finding_line(one) for one in source.findings] == []
    assert source.rule is not None
    pack = Detections((source.rule,), ())
    assert decode_detections(encode_detections(pack), FILE) == pack  # what is written here is what hosts accept
    return source


def rule_in(text: str) -> DetectionRule:
    rule = good(text).rule
    assert rule is not None
    return rule


def condition_in(text: str) -> Condition:
    return rule_in(text).condition


def test_the_rule_and_its_metadata() -> None:
    rule = rule_in(GOOD)
    assert rule.identifier == IDENTIFIER
    assert (rule.title, rule.author, rule.licence) == ("Shell From A Web Server", "Ringfence authors", "Apache-2.0")
    assert (rule.level, rule.techniques, rule.reference) == (
        Severity.HIGH,
        ("T1059.004",),
        "https://example.org/shells",
    )
    assert rule.event_type == "process_creation"
    assert condition_value(rule.condition) == [
        "and",
        ["ends", "ParentImage", "/apache2", "/nginx"],
        ["ends", "Image", "/sh"],
        ["not", ["contains", "CommandLine", "logrotate"]],
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["A: 'X*'"], ["starts", "A", "x"]),
        (["A: '*X'"], ["ends", "A", "x"]),
        (["A: '*X*'"], ["contains", "A", "x"]),
        (["A: '*X**'"], ["contains", "A", "x"]),
        (["A: 'a*b?c'"], ["glob", "A", "a*b?c"]),
        (["A: 'a**b'"], ["glob", "A", "a*b"]),
        ([r"A: 'a\*b'"], ["eq", "A", "a*b"]),
        ([r"A: 'a\*b*'"], ["starts", "A", "a*b"]),
        ([r"A: 'a\*b?'"], ["glob", "A", r"a\*b?"]),
        ([r"A: 'C:\Windows\\x'"], ["eq", "A", r"c:\windows\x"]),
        (["A: '*'"], ["any", "A"]),
        (["A: '**'"], ["any", "A"]),
        (["A: ''"], ["eq", "A", ""]),
        (["A|contains: ''"], ["any", "A"]),
        (["A: null"], ["null", "A"]),
        (["A:", "    - x", "    - y", "    - '*z'"], ["or", ["eq", "A", "x", "y"], ["ends", "A", "z"]]),
        (["A|contains|all:", "    - x", "    - y"], ["and", ["contains", "A", "x"], ["contains", "A", "y"]]),
        (["A|cased: 'aB'"], ["eq:cased", "A", "aB"]),
        (["A|contains|cased: 'aB'"], ["contains:cased", "A", "aB"]),
        (["A: 5"], ["eq", "A", "5"]),
        (["A: 5.5"], ["eq", "A", "5.5"]),
        (["A: true"], ["eq", "A", "true"]),
        (["A|gte: 5"], ["gte", "A", "5"]),
        (["A|lt: -1.5"], ["lt", "A", "-1.5"]),
        (["A|exists: false"], ["exists", "A", "false"]),
        (["A|fieldref: B"], ["fieldref", "A", "B"]),
        (["A|cidr: 10.0.0.0/8"], ["cidr", "A", "10.0.0.0/8"]),
        ([r"A|re: '^a\\b.*\d?$'"], ["re", "A", r"^a\\b.*\d?$"]),
        (["A|re|i|m: 'ab'"], ["re", "A", "(?im)ab"]),
        (["A|neq: x"], ["not", ["eq", "A", "x"]]),
        (["A|base64: foo"], ["eq", "A", "zm9v"]),
        (["A|windash|contains: ' -a'"], ["contains", "A", " -a", " /a", " \u2013a", " \u2014a", " \u2015a"]),
        (["A: 'ΑΣ*'"], ["starts", "A", "\u03b1\u03c3"]),
        (["- needle", "- 'two words'"], ["contains", None, "needle", "two words"]),
        (["- A: x", "- A: y", "  B: z"], ["or", ["eq", "A", "x"], ["and", ["eq", "A", "y"], ["eq", "B", "z"]]]),
    ],
)
def test_each_construct_becomes_its_predicate(lines: list[str], expected: list[object]) -> None:
    assert condition_value(condition_in(selection(*lines))) == expected


def test_an_escaped_backslash_before_a_star_is_a_backslash_and_a_wildcard() -> None:
    condition = condition_in(selection(r"A: 'c:\\*'"))
    assert holds(condition, event_of(A="c:\\x").fields)
    assert not holds(condition, event_of(A="c:*x").fields)


@pytest.mark.parametrize(
    ("text", "code", "place", "word"),
    [
        (GOOD.replace("level: high", "level: high\nlevel: low"), "sigma/yaml", (29, 1), "repeated"),
        (GOOD.replace("'/nginx'", "*x"), "sigma/yaml", (19, 15), "alias"),
        (GOOD + "#" * SIGMA_FILE_BYTES_MAX, "sigma/size", (1, 1), "larger"),
        ("- a\n", "sigma/invalid", (1, 1), "not a mapping"),
        ("title: x\n", "sigma/invalid", (1, 1), "no detection"),
        (GOOD.replace(f"id: {IDENTIFIER}", "id: 5"), "sigma/metadata", (2, 1), "UUID"),
        (GOOD.replace("author: Ringfence authors\n", ""), "sigma/metadata", (1, 1), "author is missing"),
        (GOOD.replace("license: Apache-2.0\n", ""), "sigma/metadata", (1, 1), "license is missing"),
        (GOOD.replace("Shell From", "Shell\u202e From"), "sigma/metadata", (1, 1), "lie"),
        (GOOD.replace("level: high", "level: urgent"), "sigma/metadata", (28, 1), "level must be"),
        (GOOD.replace("status: test", "status: deprecated"), "sigma/status", (3, 1), "deprecated"),
        (NO_SOURCE, "sigma/logsource", (13, 1), ""),
        (GOOD.replace("product: linux", "product: 5"), "sigma/logsource", (13, 1), "must be text"),
        ("title: x\ncorrelation:\n    type: event_count\n", "sigma/correlation", (2, 1), "one event"),
        ("title: x\nfilter:\n    rules: any\n", "sigma/filter", (2, 1), "filter"),
        ("action: global\ndetection: {}\n", "sigma/collection", (1, 1), "collection"),
        (conditioned("selection\n    timeframe: 5m"), "sigma/correlation", (20, 5), "timeframe"),
        (conditioned("selection | count() > 5"), "sigma/condition", (19, 5), ""),
        (conditioned("selection and nope"), "sigma/condition", (19, 5), "nope"),
        (conditioned("(" * 16_385), "sigma/size", (19, 5), "longer than 16384"),
        (conditioned("5"), "sigma/condition", (19, 5), "TypeError"),
        (conditioned("not " * 3_000 + "selection"), "sigma/condition", (19, 5), "RecursionError"),
        (conditioned("not " * 60 + "selection"), "sigma/depth", (19, 5), "levels deep"),
        (selection("A|expand: '%users%'"), "sigma/placeholder", (18, 9), "%users%"),
        (selection("A|fieldref|startswith: B"), "sigma/field-reference", (18, 9), "part of another field"),
        (selection("A|hour: 5"), "sigma/value", (18, 9), "TimestampPart"),
        (selection("A|hour|gte: 5"), "sigma/value", (18, 9), "CompareExpression"),
        (selection("A|nope: x"), "sigma/invalid", (18, 9), "modifier"),
        (selection("B: x", "A|cidr:", "    - 10.0.0.0/8", "    - ten"), "sigma/invalid", (21, 15), "CIDR"),
        (selection("B: x", "A|re:", "    - 'ok'", "    - '(a'"), "sigma/regex", (21, 15), "missing )"),
        (selection("- A: x", "- A|lt: many"), "sigma/invalid", (19, 11), ""),
        (selection("A|re: 'a**'"), "sigma/regex", (18, 9), "bad repetition"),
        (selection("A|re: '(?=a)'"), "sigma/regex", (18, 9), "invalid"),
        (selection("A|re: '" + "(.{1,900})" * 60 + "'"), "sigma/regex", (18, 9), "too large"),
        (selection("A|re: '" + "a" * 2_049 + "'"), "sigma/regex", (18, 9), "2048 allowed"),
        (selection("A: '" + "a" * 4_097 + "'"), "sigma/bound", (18, 9), "4096 allowed"),
        (selection("A: '" + "*a" * 33 + "'"), "sigma/wildcards", (18, 9), "not 1 to 64"),
        (selection("B: 1", "A:", "    - ok", "    - '" + "*a" * 33 + "'"), "sigma/wildcards", (21, 15), "not 1 to 64"),
        (selection("'A B': x"), "sigma/bound", (18, 9), "does not fit"),
        (selection("A: []"), "sigma/empty-list", (18, 9), "empty list"),
        (selection("- '*'"), "sigma/matches-everything", (18, 11), "every event"),
        (selection("A:", *[f"    - x{n}" for n in range(20_001)]), "sigma/size", (20020, 5), "20000 allowed"),
        (BASE64, "sigma/size", (16, 1), "more than 65536"),
        (GOOD.replace("date: 2026-11-01", "date: tomorrow"), "sigma/invalid", (8, 1), ""),
        (GOOD.replace("    - attack.execution\n", "    - attack\n"), "sigma/invalid", (10, 1), ""),
    ],
)  # fmt: skip
def test_what_hosts_cannot_run_is_refused_where_it_stands(
    text: str, code: str, place: tuple[int, int], word: str
) -> None:
    source = read_sigma(FILE, text)
    assert source.rule is None
    assert (code, *place) in {(one.code, one.line, one.column) for one in source.findings}, [
        finding_line(one) for one in source.findings
    ]
    assert any(word in one.text for one in source.findings if one.code == code)


def test_all_troubles_are_told_at_once() -> None:
    text = selection("A|expand: '%a%'", "B: '" + "*a" * 33 + "'", "C|fieldref|endswith: D").replace(
        "license", "licence"
    )
    codes = [one.code for one in read_sigma(FILE, text).findings]
    assert codes == ["sigma/metadata", "sigma/placeholder", "sigma/wildcards", "sigma/field-reference"]


def test_each_value_knows_where_it_came_from() -> None:
    source = good(GOOD)
    found = {origin.value: path for origin, path in source.origins.items()}
    assert found == {
        "/nginx": ("detection", "selection_parent", "ParentImage|endswith", 0),
        "/apache2": ("detection", "selection_parent", "ParentImage|endswith", 1),
        "/sh": ("detection", "selection_shell", "Image|endswith"),
        "logrotate": ("detection", "filter_known", "CommandLine|contains"),
    }
    assert source.finding("sigma/x", "y", *found["/apache2"]).line == 20


def test_damage_is_a_finding_or_a_rule() -> None:
    """2,000 damaged rules: never an exception, and whatever is a rule is one that hosts accept."""
    rules = 0
    for seed in range(2_000):
        chance = random.Random(seed)
        text = list(GOOD)
        for _ in range(chance.choice((1, 2, 4))):
            at = chance.randrange(GOOD.index("logsource"), len(text))
            text[at] = chance.choice("\n :-?*|'\"[]{}#%,()0ab\\\ud800")
        source = read_sigma(FILE, "".join(text))
        assert (source.rule is None) is bool(source.findings)
        if source.rule is not None:
            rules += 1
            pack = Detections((source.rule,), ())
            assert decode_detections(encode_detections(pack), FILE) == pack
    assert 200 < rules < 1_900
