"""How little a rule needs to match, and through which of its alternatives."""

import pytest

from ringfence.author.pattern_strength import alternatives, strength, variants
from ringfence.author.yara_evidence import CERTAIN, Evidence
from ringfence.author.yara_file import FilePattern, read_yara

STRINGS = '$long = "a-name-of-malware" $short = "abc" $two = "xy" $h = { 4D 5A ?? 90 } $c = "<html"'


def pattern(source: str) -> FilePattern:
    """The one pattern declared as `source`."""
    return read_yara(f"rule r {{ strings: $a = {source} condition: $a }}").rules[0].patterns[0]


def evidence(condition: str, strings: str = STRINGS, before: str = "") -> Evidence:
    """The evidence of a rule with `condition`."""
    rules = read_yara(f'import "pe" {before} rule r {{ strings: {strings} condition: {condition} }}').rules
    others: dict[str, int] = {}
    for rule in rules[:-1]:
        others[rule.name] = Evidence(rule, others).total
    return Evidence(rules[-1], others)


@pytest.mark.parametrize(
    ("source", "bytes_fixed"),
    [
        ('"abc"', 3),
        ('"aaaa"', 1),
        ('"AaAa"', 1),
        (r'"\x00\x00\x00\x01"', 2),
        ('"eval("', 0),
        ('"function"', 0),
        ("{ 4D 5A }", 2),
        ("{ 00 00 00 00 00 }", 1),
        ("{ 4D ?? 5A }", 2),
        ("{ 4D [2-4] 5A 90 }", 3),
        ("{ 4D ( 01 02 03 | 04 ) }", 2),
        ("{ 4? ~5A }", 0),
        ("/abc/", 3),
        ("/abc?/", 2),
        ("/ab(cd|e)/", 3),
        ("/ab(cd|)/", 2),
        ("/ab(cd|ef){0,3}/", 2),
        ("/ab(cd){2}/", 4),
        ("/(abcdef|g)/", 1),
        ("/abcdef|g/", 1),
        (r"/a\.b\x41[0-9]+\d{8}/", 3),
        ("/.{20}/", 0),
        ("/[abc]{8}/", 0),
        (r"/ab(?:cd)+/", 4),
    ],
)
def test_strength(source: str, bytes_fixed: int) -> None:
    assert strength(pattern(source)) == bytes_fixed


@pytest.mark.parametrize(
    ("source", "count"),
    [('"a|b"', 1), ("/a|b|c/", 3), ("/(a|b)c(d|e|f|g)/", 4), ("{ 01 ( 02 | 03 | 04 ) }", 3), (r"/a\|b[|]c/", 1)],
)
def test_alternatives(source: str, count: int) -> None:
    assert alternatives(pattern(source)) == count


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('"abc"', 1),
        ('"abc" wide', 1),
        ('"abc" wide ascii', 2),
        ('"abc" xor', 256),
        ('"abc" xor(0x10-0x1f) wide ascii', 32),
        ('"abc" xor(5)', 1),
        ('"abcdef" base64 base64wide', 6),
    ],
)
def test_variants(source: str, count: int) -> None:
    assert variants(pattern(source)) == count


@pytest.mark.parametrize(
    ("condition", "total"),
    [
        ("$short", 3),
        ("$short or $two", 2),
        ("$short and $two", 5),
        ("$short and ($two or $long)", 5),
        ("not $long", 0),
        ("$short and not $long", 3),
        ("any of them", 0),
        ("any of ($short, $two, $long)", 2),
        ("2 of ($short, $two, $long)", 5),
        ("all of ($short, $two)", 5),
        ("50% of ($short, $two, $long, $h)", 5),
        ("none of them", 0),
        ("$short at 0", 4),
        ("#short > 2", 3),
        ("#short > 0", 3),
        ("#short >= 0", 0),
        ("#short == 0", 0),
        ("#short < 9", 0),
        ("filesize < 100", 0),
        ("uint16(0) == 0x5A4D", 0),
        ("uint32(0) == 0x464c457f", 0),
        ("uint32be(0) == 0x89504E47", 0),
        ("uint32(0) == 0x12345678", 4),
        ("uint32(0x40) == 0x12345678", 4),
        ('pe.imphash() == "0123456789abcdef0123456789abcdef"', 16),
        ("pe.number_of_sections == 7", 2),
        ("pe.number_of_sections > 7", 0),
        ("pe.is_dll()", 1),
        ("for any i in (1..#short) : (@short[i] > 4 and $two)", 2),
        ("for any of ($short, $two) : ($ at 0)", 2),
        ("for all of ($short, $two) : ($ at 0)", 5),
        ("with a = 1 : ($short and a == 1)", 3),
        ("true", 0),
        ("false", CERTAIN),
        ("earlier and $two", 5),
        ("any of (ear*)", 3),
    ],
)
def test_the_weakest_way_counts(condition: str, total: int) -> None:
    before = 'rule earlier { strings: $a = "abc" condition: $a }'
    assert evidence(condition, before=before).total == total


def test_a_digest_is_certain() -> None:
    rule = read_yara('import "hash" rule r { condition: hash.md5(0, filesize) == "00" }').rules[0]
    assert Evidence(rule, {}).total == CERTAIN


@pytest.mark.parametrize(
    ("condition", "patterns"),
    [
        ("$long or $two", {"$two"}),
        ("any of them", {"$two", "$short", "$h", "$c"}),
        ("filesize < 9 and ($long or $two)", {"$two"}),
        ("$short and ($long or $two)", {"$two"}),
        ("$long", set()),
        ("all of them", set()),
    ],
)
def test_weak_spots_are_the_weak_alternatives(condition: str, patterns: set[str]) -> None:
    assert {spot.pattern for spot in evidence(condition).weak_spots(8)} == patterns


def test_a_weak_part_without_alternatives_is_one_spot() -> None:
    (spot,) = evidence("filesize < 9 and $short and $two").weak_spots(8)
    assert (spot.pattern, spot.evidence) == ("", 5)


@pytest.mark.parametrize(
    ("condition", "looks"),
    [
        ("filesize > 3", False),
        ("uint16(0) == 0x5A4D and filesize < 3", False),
        ("not $long", False),
        ("true", False),
        ("uint16(0) == 0x5A4D and not uint8(4) == 7", True),
        ("uint8(7) > 3", True),
        ("$c", True),
        ("pe.number_of_sections > 7", True),
        ("#short < 3", True),
    ],
)
def test_a_rule_that_looks_at_nothing(condition: str, *, looks: bool) -> None:
    assert evidence(condition).looks is looks


def test_a_worthless_pattern_is_no_evidence() -> None:
    rule = read_yara(f"rule r {{ strings: {STRINGS} condition: $long or $two }}").rules[0]
    assert Evidence(rule, {}, frozenset({"$long"})).total == 0
