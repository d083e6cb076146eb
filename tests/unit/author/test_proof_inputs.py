"""The inputs that are made to hurt: the same each time, of the right class, and hitting what they aim at."""

import pytest
import yara_x

from ringfence.author.proof_inputs import general_probes, own_probes, own_sample
from ringfence.detect.file_type import FileClass, classify
from ringfence.detect.rule_text import RuleText, read_rule
from ringfence.model.limits import RULE_PROBE_SMALL_BYTES, SYNC_SCAN_BYTES_MAX


def rule(source: str) -> RuleText:
    """One rule, read."""
    found = read_rule(source, 0, len(source))
    assert found is not None
    return found


def hits(source: str, data: bytes) -> bool:
    """Whether the engine says that the rule matches."""
    return bool(yara_x.Scanner(yara_x.compile(source)).scan(data).matching_rules)


@pytest.mark.parametrize("kind", [FileClass.ANY, FileClass.ELF, FileClass.PE, FileClass.SCRIPT, FileClass.ZIP])
def test_general_probes_are_of_their_class_and_of_two_sizes(kind: FileClass) -> None:
    probes = general_probes(kind)
    assert len({probe.name for probe in probes}) == len(probes) == 10
    assert {len(probe.data) for probe in probes} == {RULE_PROBE_SMALL_BYTES, SYNC_SCAN_BYTES_MAX}
    if kind is not FileClass.ANY:
        assert {classify(probe.data[:512]) for probe in probes} == {kind}


def test_general_probes_are_the_same_each_time() -> None:
    first = [probe.data[-64:] for probe in general_probes("any")]
    general_probes.cache_clear()
    assert [probe.data[-64:] for probe in general_probes("any")] == first


@pytest.mark.parametrize(
    ("source", "file_class"),
    [
        ('rule r { strings: $a = "alpha" $b = { 01 ?? 03 } condition: all of them }', "any"),
        ('rule r { strings: $a = "x1y" condition: uint16(0) == 0x5A4D and #a > 900 }', "pe"),
        ('rule r { strings: $a = "x1y" condition: uint32be(0) == 0x7f454c46 and $a }', "elf"),
        ('rule r { strings: $a = "key" $b = "head" condition: $b at 16 and uint8(4) == 7 and $a }', "any"),
    ],
)
def test_own_probes_hit_their_rule(source: str, file_class: str) -> None:
    probes = list(own_probes(rule(source), file_class))
    assert hits(source, probes[0].data)
    assert max(len(probe.data) for probe in probes) == SYNC_SCAN_BYTES_MAX


def test_own_probes_go_around_the_bounds_of_filesize() -> None:
    source = 'rule r { strings: $a = "alpha" condition: filesize < 200KB and 0x400 < filesize and $a }'
    sizes = {len(probe.data) for probe in own_probes(rule(source), "any")}
    assert {200 * 1024 - 1, 200 * 1024 + 1, 0x400 - 1, 0x400 + 1, SYNC_SCAN_BYTES_MAX} <= sizes
    assert any(hits(source, probe.data) for probe in own_probes(rule(source), "any"))


def test_near_misses_do_not_hit() -> None:
    source = 'rule r { strings: $a = "alphabet" condition: $a }'
    near = [probe for probe in own_probes(rule(source), "any") if probe.name == "near misses of its strings"]
    assert len(near) == 1
    assert not hits(source, near[0].data)
    assert near[0].data.count(b"alphabe") > 1_000


def test_a_rule_without_patterns_and_tests_has_no_probes_of_its_own() -> None:
    assert list(own_probes(rule("rule r { condition: filesize > 3 }"), "any")) == []


def test_a_rule_of_tests_only_is_led_past_them() -> None:
    source = "rule r { condition: uint8(2) == 0x42 and for all i in (3..8): (uint8(i) == 10) }"
    probes = list(own_probes(rule(source), "any"))
    assert hits(source, probes[0].data)


def test_the_sample_of_a_rule_is_small_and_hits() -> None:
    source = 'rule r { strings: $a = "alpha" $b = /be+ta/ condition: uint16(0) == 0x5A4D and all of them }'
    sample = own_sample(rule(source), "pe")
    assert hits(source, sample)
    assert len(sample) < 100


@pytest.mark.parametrize("text", ["xy", "sixteen letters.", "abc" * 9_001])
def test_own_strings_are_repeated_without_a_seam(text: str) -> None:
    """The large inputs are put together from pieces; each is still one text, again and again, up to its size."""
    one = rule(f'rule r {{ strings: $a = "{text}" condition: $a }}')
    small, near, large = list(own_probes(one, "any"))
    own = text[:4096].encode()
    for probe, unit in (small, own + b"\n"), (near, own[:-1] + b"\n"), (large, own + b"\n" + own[:-1] + b"\n"):
        assert probe.data == (unit * (len(probe.data) // len(unit) + 1))[: len(probe.data)], probe.name
    assert (len(small.data), len(large.data)) == (RULE_PROBE_SMALL_BYTES, SYNC_SCAN_BYTES_MAX)
