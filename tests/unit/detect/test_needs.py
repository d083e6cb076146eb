"""What a release needs is read from its rules, whatever it says of itself."""

from dataclasses import replace

import pytest
from tests.unit.wire.contract_fixtures import renamed, sensor
from tests.unit.wire.release_fixtures import make_pack, make_rule

from ringfence.detect.needs import check_declared, needs_of
from ringfence.detect.rule_outline import outline
from ringfence.model.contract import InputKind, Need
from ringfence.model.errors import ContentRefused
from ringfence.model.release import Contract, Manifest, Release
from ringfence.trust.eligibility import check_eligible, shortages

LITERAL = 'rule Literal { condition: filesize > 3 and owner == "root" }\n'
WILDCARD = "rule Wildcard { condition: filesize > 3 and owner matches /.*/ }\n"
SOURCE = f'import "elf"\nimport "math"\nrule Plain {{ condition: elf.type == 2 }}\n{LITERAL}{WILDCARD}'


def release_of(source: str, contract: Contract | None = None) -> Release:
    """A release of one pack."""
    pack = make_pack("any-01", "any", source)
    rules = sorted(rule.name for rule in outline(source).rules)
    declared = contract or Contract(("elf", "math"), ("filename", "owner"))
    entries = tuple(make_rule(name, "any-01") for name in rules)
    return Release(Manifest("small", 1, "", declared, (pack.entry,), entries, ()), (pack,), ())


def inputs_of(source: str) -> set[tuple[str, str]]:
    """Rule and name of each module and variable that `source` needs."""
    kinds = (InputKind.YARA_MODULE, InputKind.YARA_VARIABLE)
    return {(need.rule, need.name) for need in needs_of(release_of(source)) if need.kind in kinds}


def test_each_rule_needs_what_its_condition_names() -> None:
    assert inputs_of(SOURCE) == {
        ("Plain", "elf"),
        ("Plain", "math"),
        ("Literal", "owner"),
        ("Wildcard", "owner"),
    }


@pytest.mark.parametrize(
    "source",
    [
        'import "macho" rule r { condition: macho.filetype == 2 }',
        'rule r { meta: owner = "x" strings: $filename = "owner" condition: $filename }',
        "rule r { /* filename */ condition: filesize > 1 // owner\n }",
        'rule r { strings: $a = "filename" condition: #a > 1 and !a[1] > 2 and @a[1] < 9 }',
    ],
)
def test_a_name_that_is_no_variable_is_none(source: str) -> None:
    assert {name for _, name in inputs_of(source)} <= {"macho"}


@pytest.mark.parametrize("rule", [LITERAL, WILDCARD], ids=["literal", "wildcard"])
def test_one_input_more_than_supplied_is_refused_as_literal_and_as_wildcard(rule: str) -> None:
    supplier = sensor()
    fitting = release_of(rule.replace("owner", "filename"))
    check_eligible(needs_of(fitting), [supplier])
    release = release_of(rule)
    (short,) = shortages(needs_of(release), [supplier])
    assert (short.need.name, short.builds) == ("owner", (supplier.build,))
    with pytest.raises(ContentRefused, match=r"rule (Literal|Wildcard) needs the variable owner"):
        check_eligible(needs_of(release), [supplier])


def test_a_release_that_says_less_than_it_reads_is_refused() -> None:
    honest = release_of(SOURCE)
    check_declared(honest, needs_of(honest))
    for contract in (Contract(("elf", "math"), ()), Contract(("elf",), ("owner",))):
        quiet = release_of(SOURCE, contract)
        with pytest.raises(ContentRefused, match="does not name"):
            check_declared(quiet, needs_of(quiet))


def test_a_release_over_a_limit_of_an_older_build_is_refused() -> None:
    """Cloudflare, 2025-11-18: one row more than the reader had room for."""
    release = release_of(SOURCE)
    sizes = {need.name: need.amount for need in needs_of(release) if need.kind is InputKind.LIMIT}
    assert sizes["RULES_MAX"] == 3
    for name, amount in sizes.items():
        fitting = tuple((limit, amount if limit == name else value) for limit, value in sensor().limits)
        tight = tuple((limit, amount - 1 if limit == name else value) for limit, value in sensor().limits if value)
        supplied = {"yara_variables": ("owner",)}
        assert shortages(needs_of(release), [renamed(sensor(), limits=fitting, **supplied)]) == ()
        if amount:
            (short,) = shortages(needs_of(release), [renamed(sensor(), limits=tight, **supplied)])
            assert short.need == Need("", InputKind.LIMIT, name, amount=amount)


def test_the_class_of_a_pack_is_a_need() -> None:
    release = release_of("rule r { condition: filesize > 3 }")
    entry = replace(release.packs[0].entry, file_class="elf")
    other = replace(release, packs=(replace(release.packs[0], entry=entry),))
    assert Need("r", InputKind.FILE_CLASS, "elf") in needs_of(other)
