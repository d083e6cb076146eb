"""The author's reader of YARA: every construct of the grammar, with its very place; and never an exception."""

import random

import pytest
import yara_x
from hypothesis import given
from hypothesis import strategies as st
from tests.house.sources import ROOT
from tests.unit.detect.test_rule_outline import HEAD

from ringfence.author.content_dir import source_files
from ringfence.author.yara_condition import ConditionOdd, parse_condition
from ringfence.author.yara_file import read_yara
from ringfence.author.yara_lexer import tokens_of
from ringfence.detect.rule_outline import outline

CONDITIONS = [
    "any of them",
    "all of ($a, $b)",
    "2 of ($a*, $b)",
    "50% of them",
    "none of them at 0",
    "any of ($a*) in (0..100)",
    "$a at 0 and $b in (filesize - 100..filesize)",
    "#a > 3 and #b in (0..9) == 1 and @a[1] < @b and !a[1] == 2",
    "for any i in (1..#a) : (@a[i] > 5 and uint16(@a[i]) == 0x5A4D)",
    "for all of ($a, $b) : ($ at 0 or # > 3)",
    "for 2 of them : (@ > 5)",
    'for any s in pe.sections : (s.name == ".text" and s.raw_data_size > 0x10)',
    'for any k, v in pe.version_info : (k == "a" and v contains "b")',
    "for any x in (1, 2, 3) : (uint8(x) == 7)",
    'for any word in ("a", "b") : (word == "a")',
    "with first = uint8(0), second = uint8(1) : (first == second)",
    "not $a and not ($b or defined pe.entry_point)",
    'pe.sections[0].name icontains "text" and pe.imphash() == "x"',
    'pe.imports(/kernel32/i, /Create/) and pe.exports("f")',
    "uint32be(uint32(0x3c) + 4) & 0xFF == 1 | 2 ^ 3",
    "filesize < 10KB and filesize > 1MB \\ 3 % 7 - 2 * -4 and ~filesize != 5 << 2 >> 1",
    "any of (small_one, $a at 3)",
    "for 50% of ($a, $b) : ($ in (0..9))",
    "for 1 + 1 of them : (# > 1) or 1 of them",
    "math.entropy(0, filesize) >= 7.5 and math.in_range(1.0, 2.0, 3.5)",
    "true or false",
    "all of them and not any of ($b)",
    'hash.md5(0, filesize) == "d41d8cd98f00b204e9800998ecf8427e"',
    'pe.rich_signature.clear_data matches /DanS/is and "abc" startswith "a" and pe.pdb_path iequals "x"',
]

SMALL = "rule small_one { condition: filesize < 5 }\n"


@pytest.mark.parametrize("condition", CONDITIONS)
def test_reads_what_the_engine_reads(condition: str) -> None:
    used = f"({condition}) and any of them"
    source = f'import "pe" import "math" import "hash"\n{SMALL}rule r {{ {HEAD} condition: {used} }}'
    yara_x.compile(source)
    found = read_yara(source)
    assert found.unread == ()
    assert [rule.name for rule in found.rules] == ["small_one", "r"]
    tree = found.rules[1].condition
    assert tree is not None
    for node in tree.walk():
        assert source[node.start : node.end].strip()
        for child in node.children:
            assert node.start <= child.start <= child.end <= node.end


def test_binding_is_the_engines() -> None:
    def tree(condition: str) -> str:
        def shown(kind: str, value: str, inner: list[str]) -> str:
            return f"{value if kind in ('compare', 'arithmetic') else kind}({' '.join(inner)})" if inner else value

        rule = read_yara(f"rule r {{ condition: {condition} }}").rules[0]
        assert rule.condition is not None

        def walk(node: object) -> str:
            return shown(node.kind, node.value, [walk(child) for child in node.children])  # type: ignore[attr-defined]

        return walk(rule.condition)

    assert tree("a or b and not c == d + e * 2") == "or(a and(b not(==(c +(d *(e 2))))))"
    assert tree("a and b and c or d") == "or(and(a b c) d)"
    assert tree("a < b == c") == "==(<(a b) c)"
    assert tree("a | b & c << 1 == 5") == "==(|(a &(b <<(c 1))) 5)"


def test_every_part_has_its_place() -> None:
    source = (
        '// head\nimport "pe"\ninclude "other.yar"\n'
        "private global rule r : tag other {\n"
        '  meta:\n    author = "A \\" }" score = -5 on = true\n'
        '  strings:\n    $a = "te{xt" wide xor(1-3) nocase\n    $ = { 7F 45 /* } */ ( 4C | 4? ) [2-4] ~00 }\n'
        "    $c = /a\\/b[}]/is\n  condition:\n    any of them\n}\n"
    )
    found = read_yara(source)
    assert [(word.text, source[word.start]) for word in (*found.imports, *found.includes)] == [
        ("pe", '"'),
        ("other.yar", '"'),
    ]
    (rule,) = found.rules
    assert source[rule.start : rule.end].startswith("private global rule r")
    assert source[rule.end - 1] == "}"
    assert rule.private
    assert set(rule.marks) == {"private", "global"}
    assert source[rule.name_start :].startswith("r : tag")
    assert [(entry.name, entry.value, entry.is_text) for entry in rule.meta] == [
        ("author", 'A \\" }', True),
        ("score", "-5", False),
        ("on", "true", False),
    ]
    assert all(source[entry.start :].startswith(entry.name) for entry in rule.meta)
    assert [pattern.kind for pattern in rule.patterns] == ["text", "hex", "regex"]
    assert all(source[one.value_start :].startswith(one.value) for one in rule.patterns)
    assert all(source[one.start :].startswith(one.name) for one in rule.patterns)
    assert [(one.name, one.argument) for one in rule.patterns[0].modifiers] == [
        ("wide", ""),
        ("xor", "1-3"),
        ("nocase", ""),
    ]
    assert rule.patterns[0].has("wide")
    assert source[rule.condition_start :].startswith("any of them")


def test_goes_on_behind_a_rule_that_it_cannot_read() -> None:
    source = "rule a { condition: }\nrule b { condition: filesize > }\nprivate rule c { condition: true }\nrule d {"
    found = read_yara(source)
    assert [rule.name for rule in found.rules] == ["c"]
    assert [source[one.start :].split("\n", maxsplit=1)[0] for one in found.unread] == ["}", "}", ""]
    assert found.rules[0].private


def test_a_deep_condition_is_told_and_a_long_one_is_read() -> None:
    deep = f"rule r {{ condition: {'not ' * 5000}true }}"
    (rule,) = read_yara(deep).rules
    assert rule.condition is None
    assert rule.too_deep is not None
    for condition in ("(" * 3000 + "true" + ")" * 3000, "-" * 4000 + "1 == 1"):
        assert read_yara(f"rule r {{ condition: {condition} }}").rules[0].condition is None
    (rule,) = read_yara(f"rule r {{ condition: {' and '.join(['true'] * 20_000)} }}").rules
    assert rule.condition is not None
    assert rule.condition_tokens == 39_999


def test_what_is_no_condition_has_its_place() -> None:
    for text, offset in (("a and", 5), ("(a", 2), ("a b", 2), ("for any of them", 15), ("pe.", 3), ("f(a b)", 4)):
        with pytest.raises(ConditionOdd) as caught:
            parse_condition(tokens_of(text))
        assert caught.value.offset == offset


def test_agrees_with_the_reader_of_the_host() -> None:
    for path in source_files(ROOT / "content", (".yar",)):
        text = path.read_text(encoding="utf-8")
        found = read_yara(text)
        assert found.unread == ()
        assert [(rule.name, rule.private) for rule in found.rules] == [
            (rule.name, rule.private) for rule in outline(text).rules
        ]


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    assert read_yara(text).rules == () or "rule" in text


@pytest.mark.parametrize("seed", range(6))
def test_damaged_rules_are_read_without_an_exception(seed: int) -> None:
    """What the engine takes after damage, this reader takes too: nothing passes the checks unread."""
    chance = random.Random(seed)
    condition = "$a at 0 or #b > 2 or any of them"
    whole = f'import "pe"\nrule r {{ meta: a = "x" {HEAD} $c = {{ 41 ?? 42 }} condition: {condition} }}\n'
    taken = 0
    for _ in range(400):
        text = list(whole)
        for _ in range(chance.randint(1, 2)):
            at = chance.randrange(len(text))
            text[at] = chance.choice('{}()"/\\$#@!=<>*:., a1\n')
        source = "".join(text)
        found = read_yara(source)
        assert tokens_of(source)[-1].kind in ("end", "odd")
        try:
            yara_x.compile(source)
        except yara_x.CompileError:
            continue
        taken += 1
        assert found.unread == (), source
    assert taken > 10
