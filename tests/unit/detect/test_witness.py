"""`detect/witness.py`: of a witness at least one pattern matches wherever the condition is true."""

import struct

import pytest
import yara_x
from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect.rule_text import read_rule
from ringfence.detect.witness import PROGRAM_TEST, Witness, is_rare, witness_of
from ringfence.model.limits import CONDITION_DEPTH_MAX, CONDITION_WORDS_MAX, RULE_PATTERNS_MAX, WITNESS_PATTERNS_MAX

TEXTS = {"a1": "abcdefghij12", "a2": "abcdefghi12", "b": "abcdefgh12", "c": "abcdefg12", "p": "xy"}
"""From the best to the poorest."""

STRINGS = "strings: " + " ".join(f'${name} = "{text}"' for name, text in TEXTS.items())


def witness(condition: str, strings: str = STRINGS, earlier: dict[str, Witness] | None = None) -> Witness | None:
    """The witness of a rule with this condition."""
    source = f"rule r {{ {strings} condition: {condition} }}"
    rule = read_rule(source, 0, len(source))
    assert rule is not None
    return witness_of(rule, earlier or {})


def names(condition: str) -> str | None:
    """The names of the patterns in the witness, in order."""
    found = witness(condition)
    if found is None:
        return None
    return " ".join(sorted(name for name, text in TEXTS.items() if f' = "{text}"' in found.declarations))


@pytest.mark.parametrize(
    ("condition", "required"),
    [
        ("$a1", "a1"),
        ("$a1 at 0", "a1"),
        ("$a1 at @b[1] + filesize - (1 * 2)", "a1"),
        ("$a1 at elf.entry_point", "a1"),
        ("$a1 in (0..100)", "a1"),
        ("$a1 in (0..filesize) and true", "a1"),
        ("#b", "b"),
        ("#b > 0", "b"),
        ("#b > 3", "b"),
        ("#b >= 1", "b"),
        ("#b == 2", "b"),
        ("0 < #b", "b"),
        ("1 <= #b", "b"),
        ("2 == #b", "b"),
        ("#b in (0..10) > 1", "b"),
        ("#b in (0..10)", "b"),
        ("any of them", "a1 a2 b c p"),
        ("1 of them", "a1 a2 b c p"),
        ("2 of them", "a1 a2 b c"),
        ("4 of them", "a1 a2"),
        ("5 of them", "a1"),
        ("all of them", "a1"),
        ("any of ($a*)", "a1 a2"),
        ("all of ($a*)", "a1"),
        ("any of ($a*, $c)", "a1 a2 c"),
        ("2 of ($b, $c, $p)", "b c"),
        ("2 of ($b, $b, $c)", "b"),
        ("any of ($*)", "a1 a2 b c p"),
        ("any of them at 0", "a1 a2 b c p"),
        ("all of ($b, $c) in (0..9)", "b"),
        ("$c and $b", "b"),
        ("$c and $b and filesize < 10KB and uint16(0) == 0x5A4D", "b"),
        ("$b or $c", "b c"),
        ("$a1 and ($b or $c)", "a1"),
        ("$p and ($b or $c)", "b c"),
        ("$a1 or $b and $c", "a1 b"),
        ("($a1 or $b) and $c", "a1 b"),
        ("($a1 or $p) and $c", "c"),
        ("(($b)) and not $a1", "b"),
        ("not $a1 and $b", "b"),
        ("defined $a1 and $b", "b"),
        ("for any i in (1..#a1) : (@a1[i] > 5) and $b", "b"),
        ("for any of them : ($) and $b", "b"),
        ('filename matches /x or y/ and $b and "a or b" == filename', "b"),
        ("true or $a1", None),
        ("$a1 or filesize > 3", None),
        ("not $a1", None),
        ("not not $a1", None),
        ("not ($a1 and $b)", None),
        ("defined $a1", None),
        ("none of them", None),
        ("0 of them", None),
        ("6 of them", None),
        ("01 of them", None),
        ("1KB of them", None),
        ("50% of them", None),
        ("#b of them", None),
        ("(1) of them", None),
        ("#b >= 0", None),
        ("#b == 0", None),
        ("#b < 3", None),
        ("#b != 5", None),
        ("3 > #b", None),
        ("#b > filesize", None),
        ("#b > -1", None),
        ("#b > 0x01", None),
        ("#b > #c", None),
        ("#b + 1 > 3", None),
        ("@b > 3", None),
        ("!b > 3", None),
        ("any of ($b, true)", None),
        ("any of ($b at 0, $c)", None),
        ("for any of them : ($)", None),
        ("for all i in (1..3) : ($b)", None),
        ("with x = 1 : ($b) and $b", None),
        ("$unknown", None),
        ("true", None),
        ("filesize > 10", None),
        ("($b", None),
        ("$b)", None),
        ("($b]", None),
        ("$b at", None),
        ("$b in", None),
        ("$b in 3", None),
        ("#b in 3", None),
        ("$b at 0 == 1", None),
        ("$b $c", None),
        ("any of", None),
        ("any of $a*", None),
        ("any of ()", None),
        ("any of them $b", None),
        ("and", None),
        ("$b and", "b"),
        ("", None),
        ("$b or uint16(0) == 0x4D5A", None),
        ("$b or uint16(2) == 0x5A4D", None),
        ("$b or uint16(0) == 0x5A4D + 1", None),
        ("$b or not pe.is_pe", None),
        ("$b or pe.number_of_sections == 0", None),
        ('$b or pe.imphash() != "x"', None),
        ('$b or pe.imports("a.dll", "b", "c")', None),
    ],
)
def test_what_a_condition_requires(condition: str, required: str | None) -> None:
    assert names(condition) == required


def test_a_rule_that_is_named_lends_its_witness() -> None:
    """Wherever the rule is true, so is the one that it names."""
    other = witness("$a1")
    assert other is not None
    assert witness("other", earlier={"other": other}) == other
    assert witness("other and $p", earlier={"other": other}) == other
    assert witness("other or true", earlier={"other": other}) is None
    assert witness("other or $b", earlier={"other": other}) == witness("$a1 or $b")
    assert witness("not other", earlier={"other": other}) is None


def test_patterns_without_a_name_count_in_sets_only() -> None:
    strings = 'strings: $ = "nameless one" $ = "nameless two" $x = "with a name"'
    found = witness("any of them", strings)
    assert found is not None
    assert len(found.declarations) == 3
    assert witness("any of ($)", strings) is None
    assert witness("$", strings) is None
    assert witness("#", strings) is None


def test_modifiers_stay_with_the_pattern() -> None:
    found = witness("$x", 'strings: $x = "text" wide nocase xor(1-255)')
    assert found is not None
    assert found.declarations == {' = "text" wide nocase xor(1-255)'}


def test_bounds() -> None:
    """Past them nothing is concluded, and nothing recurses without end."""
    deep = CONDITION_DEPTH_MAX + 1
    assert names("(" * 3 + "$b" + ")" * 3) == "b"
    assert names("(" * deep + "$b" + ")" * deep) is None
    assert names("(" * 2000 + "$b" + ")" * 2000) is None
    assert names("$b and " * CONDITION_WORDS_MAX + "$b") is None
    many = "strings: " + " ".join(f'$s{n} = "text {n}"' for n in range(RULE_PATTERNS_MAX + 1))
    assert witness("$s1", many) is None
    some = "strings: " + " ".join(f'$s{n} = "text {n}"' for n in range(WITNESS_PATTERNS_MAX + 1))
    assert witness("any of them", some) is None
    assert witness("2 of them", some) is not None
    assert witness("any of (" + "$s*," * 3 + "$s*)", some) is None


def test_poor_witnesses() -> None:
    """Two letters stand everywhere."""
    poor, rare = witness("$p"), witness("$b")
    assert poor is not None
    assert rare is not None
    assert (is_rare(poor), is_rare(rare)) == (False, True)


PE_CALLS = ("pe.is_pe", 'pe.imphash() == "x"', 'pe.exports("x")', 'pe.imports("x.dll")', 'pe.imports("x.dll", "y")')


def test_first_bytes_of_a_program_are_a_witness_of_their_own() -> None:
    """Patterns are better, if they are rare."""
    for form in ("uint16(0) == 0x5A4D", "uint16(0) == 0x5a4d", *PE_CALLS):
        alone, either, both, poor = (
            witness(text.format(form)) for text in ("{}", "{} or $b", "{} and $b", "{} and $p and filesize < 10")
        )
        assert alone is not None
        assert (alone.is_program, alone.declarations, is_rare(alone)) == (True, frozenset(), True)
        assert either is not None
        assert (either.is_program, len(either.declarations)) == (True, 1)
        assert both == witness("$b")
        assert poor == alone


def test_the_calls_of_pe_say_nothing_about_other_files() -> None:
    """Rule 6: what the engine's module says of a program, it says no more once the first two bytes are others."""
    program = bytearray(1024)
    program[:2] = b"MZ"
    program[60] = 64
    program[64:68] = b"PE\0\0"
    program[68:88] = struct.pack("<HHIIIHH", 0x14C, 1, 0, 0, 0, 224, 0x102)
    program[88:90] = struct.pack("<H", 0x10B)
    conditions = ["pe.is_pe", 'pe.imphash() == "" or pe.imphash() != ""', *PE_CALLS[2:]]
    source = 'import "pe"\n' + "\n".join(
        f"rule r{at} {{ condition: {condition} }}" for at, condition in enumerate((PROGRAM_TEST, *conditions))
    )
    scanner = yara_x.Scanner(yara_x.compile(source))
    assert {"r0", "r1"} <= {rule.identifier for rule in scanner.scan(bytes(program)).matching_rules}
    for head in (b"ZM", b"\0\0", b"NE", b"PE", b"M\0", b"\0Z", b"\x7fE"):
        program[:2] = head
        assert not scanner.scan(bytes(program)).matching_rules


OPERANDS = st.sampled_from(
    (
        *("$a", "$b", "$c", "#a > 0", "#b >= 2", "#c == 1", "1 <= #a", "#a < 2", "#b == 0", "#c", "true", "false"),
        *("$a at 0", "$b at 3 + 1", "$c in (0..4)", "#a in (0..3) > 0", "@a > 1", "!b == 1", "filesize < 9"),
        *("any of them", "all of them", "none of them", "1 of them", "2 of them", "3 of them", "0 of them"),
        *("any of ($a, $b)", "2 of ($a, $b, $c)", "2 of ($a, $a, $c)", "all of ($b, $c)", "any of ($*)", "2 of ($*)"),
        *("40% of them", "any of them at 0", "all of them in (0..9)", "2 of them in (0..5)", "1 of ($b, true)"),
        *("for any of them : ($ at 2)", "for all i in (1..#a) : (@a[i] < 4)", "with x = #a : (x > 0)", "defined @b"),
        *("first", "second", "any of ($a, $b) and first", "#a + #b > 1", "uint8(0) == 0x61", "not $a at 0"),
    )
)
CONDITIONS = st.recursive(
    OPERANDS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(("and", "or")), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("not ({})".format),
        inner.map("not {}".format),
    ),
    max_leaves=6,
)
PATTERNS = st.sampled_from(
    [
        *(('"{}{}{}"', word) for word in ("", "wide", "wide ascii", "nocase", "fullword", "xor", "base64", "private")),
        *((text, word) for text in ("/{}.?{}{}/", "/({}|{}){}+/s", "{{ 6? [0-2] 6? }}") for word in ("", "private")),
        *(("/{}.?{}{}/", word) for word in ("nocase", "wide")),
    ]
)


def _declaration(pattern: tuple[str, str], letter: str) -> str:
    return f"{pattern[0].format(*letter * 3)} {pattern[1]}"


@given(
    st.lists(CONDITIONS, min_size=3, max_size=3),
    st.tuples(PATTERNS, PATTERNS, PATTERNS),
    st.lists(st.text(alphabet="abcAB \x00", max_size=12), min_size=1, max_size=6),
)
def test_a_true_condition_has_a_matching_witness(
    conditions: list[str], patterns: tuple[tuple[str, str], ...], texts: list[str]
) -> None:
    """The engine decides what is true and what matches; rules may name the rules before them."""
    strings = "strings: " + " ".join(
        f"${name} = {_declaration(pattern, name)}" for name, pattern in zip("abc", patterns, strict=True)
    )
    witnesses: dict[str, Witness] = {}
    sources: list[str] = []
    known = ("first", "second", "third")
    for place, (name, condition) in enumerate(zip(known, conditions, strict=True)):
        allowed = condition
        for later in known[place:]:
            allowed = allowed.replace(later, "true")
        text = f"rule {name} {{ {strings} condition: ({allowed}) and (any of them or true) }}"
        rule = read_rule(text, 0, len(text))
        assert rule is not None
        found = witness_of(rule, witnesses)
        if found is not None:
            witnesses[name] = found
            lines = " ".join(f"$w{at} {line}" for at, line in enumerate(sorted(found.declarations)))
            sources.append(f"rule witness_{name} {{ strings: {lines} condition: any of them }}")
        sources.insert(place, text)
    scanner = yara_x.Scanner(yara_x.compile("\n".join(sources)))
    for data in texts:
        matching = {rule.identifier for rule in scanner.scan(data.encode("latin-1")).matching_rules}
        assert {f"witness_{name}" for name in witnesses if name in matching} <= matching
