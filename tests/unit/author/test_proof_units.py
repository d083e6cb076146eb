"""A rule and what it refers to, cut out of a release: it must do alone what it does among the others."""

import dataclasses

from tests.unit.wire.release_fixtures import make_pack, make_rule

from ringfence.author.proof_units import UnitReader
from ringfence.detect.yara import compile_release
from ringfence.model.records import RuleAction
from ringfence.model.release import Contract, Manifest, Release

SOURCE = """import "math"
import "hash"

private rule helper { strings: $a = "rule fake { condition: decoy }" condition: $a }
rule web_one { strings: $a = "one" condition: $a }
rule web_two { strings: $a = "two" condition: $a and web_one }
rule deep { condition: helper and web_two }
rule any_web { condition: any of (web_*) }
rule high { condition: math.entropy(0, filesize) > 7.9 } // web_one in a comment
"""
NAMES = ("web_one", "web_two", "deep", "any_web", "high")


def release_of(source: str, *names: str, file_class: str = "any") -> Release:
    """A release of one pack."""
    pack = make_pack("any-01", file_class, source)
    rules = tuple(make_rule(name, "any-01") for name in sorted(names))
    manifest = Manifest("units", 1, "", Contract(("hash", "math"), ()), (pack.entry,), rules, ())
    return Release(manifest, (pack,), ())


READER = UnitReader(release_of(SOURCE, *NAMES))


def cut(*names: str) -> str:
    """The source of a subset."""
    return READER.subset(names).packs[0].source


def test_every_reporting_rule_is_a_unit_with_its_place() -> None:
    assert [(unit.name, unit.line) for unit in READER.units()] == [
        ("any_web", 8), ("deep", 7), ("high", 9), ("web_one", 5), ("web_two", 6)
    ]  # fmt: skip
    assert {unit.path for unit in READER.units()} == {"yara/any-01.yar"}


def test_a_rule_takes_along_what_it_names_at_any_distance_and_nothing_else() -> None:
    assert [entry.identifier for entry in READER.subset(["web_one"]).manifest.rules] == ["web_one"]
    assert [entry.identifier for entry in READER.subset(["deep"]).manifest.rules] == ["deep", "web_one", "web_two"]
    assert "helper" in cut("deep")
    assert "helper" not in cut("web_two")
    assert "import" not in cut("web_one")
    assert 'import "math"' in cut("high")
    assert "hash" not in cut("high")


def test_a_star_names_every_rule_that_begins_so() -> None:
    assert [entry.identifier for entry in READER.subset(["any_web"]).manifest.rules] == [
        "any_web",
        "web_one",
        "web_two",
    ]


def test_a_global_rule_goes_along_with_everything() -> None:
    source = "global rule small { condition: filesize < 3 }\n" + SOURCE.replace('import "math"\nimport "hash"\n', "", 1)
    reader = UnitReader(release_of('import "math"\n' + source, "small", *NAMES))
    assert {entry.identifier for entry in reader.subset(["web_one"]).manifest.rules} == {"small", "web_one"}


def test_every_subset_compiles_and_says_what_the_whole_says() -> None:
    """YARA-X knows no sets of rules, so the rule with the star is left out here."""
    source = "".join(line for line in SOURCE.splitlines(keepends=True) if "any_web" not in line)
    names = [name for name in NAMES if name != "any_web"]
    reader = UnitReader(release_of(source, *names))
    whole = compile_release(reader.release)
    for name in names:
        part = compile_release(reader.subset([name]))
        for data in (b"one", b"two", b"one two", b"one two rule fake { condition: decoy }"):
            alone = {part.rules[place].identifier for place in part.scanner(5).scan(data).rules}
            among = {whole.rules[place].identifier for place in whole.scanner(5).scan(data).rules}
            assert (name in alone) == (name in among)


def test_the_digest_changes_with_all_that_matters_and_with_nothing_else() -> None:
    def digests(release: Release) -> dict[str, str]:
        return {unit.name: unit.digest for unit in UnitReader(release).units()}

    before = digests(READER.release)
    changed = digests(release_of(SOURCE.replace('"one"', '"other"'), *NAMES))
    assert {name for name in NAMES if before[name] != changed[name]} == {"web_one", "web_two", "deep", "any_web"}
    moved = digests(release_of(SOURCE.replace("\nrule high", "\n\n\nrule high"), *NAMES))
    assert moved == before
    elf = digests(release_of(SOURCE, *NAMES, file_class="elf"))
    assert all(before[name] != elf[name] for name in NAMES)
    blocking = tuple(
        dataclasses.replace(entry, action=RuleAction.BLOCK) if entry.identifier == "high" else entry
        for entry in READER.release.manifest.rules
    )
    manifest = dataclasses.replace(READER.release.manifest, rules=blocking)
    assert {
        name
        for name, digest in digests(dataclasses.replace(READER.release, manifest=manifest)).items()
        if digest != before[name]
    } == {"high"}


def test_what_is_no_rule_is_no_unit() -> None:
    reader = UnitReader(release_of("rule broken { strings: $a = ", "broken"))
    assert [unit.name for unit in reader.units()] == ["broken"]
    assert reader.text("broken") is None
