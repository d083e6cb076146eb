"""Rules that are left out: they are not evaluated, nobody else changes his mind, and everything keeps its place."""

import random

from tests.unit.detect.detect_releases import pack_of, release_of

from ringfence.detect.rule_removal import rule_map, silenced, without
from ringfence.detect.yara import compile_release
from ringfence.model.fault import RuleName
from ringfence.model.release import Release

SOURCE = """import "math"
rule alpha { strings: $a = "AAAA" condition: $a }
// between
private rule hidden
{
  strings: $h = "HHHH"
  condition: $h
}
rule user { condition: hidden }
rule denier { strings: $d = "DDDD" condition: $d and not alpha }
rule group { condition: any of (alpha, hidden) }
rule last { strings: $l = "LLLL" condition: $l }
"""
ODD = """rule strange { meta: why = \"\"\"more than
one line\"\"\" condition: false }
rule beside { strings: $b = "BBBB" condition: $b }
"""
PATIENCE_S = 60
"""For a scan on a machine that does much else: its engine counts wall time, and says nothing when that is over."""

GLOBAL = """global rule gate { condition: filesize > 2 }
rule behind { strings: $b = "BBBB" condition: $b }
"""


def named(*rules: str, pack: str = "one") -> set[RuleName]:
    return {RuleName(pack, rule) for rule in rules}


def matching(release: Release, data: bytes) -> set[str]:
    content = compile_release(release)
    return {content.rules[place].identifier for place in content.scanner(PATIENCE_S).scan(data).rules}


def test_a_rule_that_is_left_out_does_not_match_and_the_others_do() -> None:
    release = release_of(pack_of("one", SOURCE))
    assert matching(release, b"AAAA LLLL") == {"alpha", "group", "last"}
    assert matching(without(release, named("alpha")), b"AAAA LLLL") == {"last"}


def test_nobody_says_the_opposite_because_a_rule_is_gone() -> None:
    release = release_of(pack_of("one", SOURCE))
    assert matching(release, b"DDDD AAAA") == {"alpha", "group"}
    assert matching(without(release, named("alpha")), b"DDDD AAAA") == set()
    assert silenced(release, named("alpha")) == named("alpha", "denier", "group")


def test_private_rules_can_go_and_take_with_them_who_needs_them() -> None:
    release = release_of(pack_of("one", SOURCE))
    assert matching(release, b"HHHH LLLL") == {"user", "group", "last"}
    assert matching(without(release, named("hidden")), b"HHHH LLLL") == {"last"}


def test_manifest_lines_and_other_packs_stay() -> None:
    release = release_of(pack_of("one", SOURCE), pack_of("two", GLOBAL))
    cut = without(release, named("hidden"))
    assert cut.manifest is release.manifest
    assert cut.packs[1] is release.packs[1]
    before, after = (one.packs[0].source.splitlines() for one in (release, cut))
    assert len(before) == len(after)
    assert [place for place in range(len(before)) if before[place] != after[place]] == [3, 4, 5, 6, 7, 8, 10]


def test_what_is_not_there_is_no_reason_to_change_anything() -> None:
    release = release_of(pack_of("one", SOURCE))
    assert without(release, named("nobody") | named("alpha", pack="none")) == release


def test_an_odd_pack_is_one_piece() -> None:
    release = release_of(pack_of("odd", ODD), pack_of("one", SOURCE))
    assert rule_map(release).rules[0] == RuleName("odd", "strange")
    assert RuleName("odd", "beside") not in rule_map(release).rules
    assert matching(without(release, named("strange", pack="odd")), b"BBBB LLLL") == {"last"}


def test_a_global_rule_takes_its_pack_along() -> None:
    release = release_of(pack_of("two", GLOBAL))
    assert rule_map(release).needs == {RuleName("two", "behind"): frozenset(named("gate", pack="two"))}
    assert matching(release, b"BBBB") == {"gate", "behind"}
    assert matching(without(release, named("gate", pack="two")), b"BBBB") == set()
    assert matching(without(release, named("behind", pack="two")), b"BBBB") == {"gate"}


def test_the_map_says_what_needs_what() -> None:
    found = rule_map(release_of(pack_of("one", SOURCE)))
    assert [one.rule for one in found.rules] == ["alpha", "hidden", "user", "denier", "group", "last"]
    assert found.needs == {
        RuleName("one", "user"): frozenset(named("hidden")),
        RuleName("one", "denier"): frozenset(named("alpha")),
        RuleName("one", "group"): frozenset(named("alpha", "hidden")),
    }


def test_any_rules_can_go_and_those_that_stay_say_what_they_said() -> None:
    """Random sets over a pack of plain rules and references."""
    chance = random.Random(4)
    lines = [f'rule plain{number} {{ strings: $a = "word{number:02}" condition: $a }}' for number in range(20)]
    lines += [
        f"rule uses{number} {{ condition: plain{number} and not plain{number + 1} }}" for number in range(0, 20, 2)
    ]
    release = release_of(pack_of("one", "\n".join(lines)))
    everything = rule_map(release).rules
    data = b" ".join(b"word%02d" % number for number in range(20) if number % 3)
    whole = matching(release, data)
    for _ in range(20):
        gone = silenced(release, chance.sample(everything, chance.randint(1, 12)))
        assert matching(without(release, gone), data) == whole - {one.rule for one in gone}
