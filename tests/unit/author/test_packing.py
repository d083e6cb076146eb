"""Rules find their packs: together where they must, apart where they may."""

import pytest

from ringfence.author import packing
from ringfence.author.packing import clusters_of, pack_up
from ringfence.author.yara_source import SourceReader, SourceRule
from ringfence.detect.file_type import FileClass
from ringfence.model.errors import ContentRefused


def read(text: str, file: str = "f.yar") -> tuple[SourceRule, ...]:
    """The rules of `text`."""
    return SourceReader().read(text, file)


def test_rules_go_by_class_and_module() -> None:
    packs = pack_up(
        clusters_of(
            read(
                'import "pe"\nimport "math"\n'
                "rule a { condition: uint16(0) == 0x5a4d }\n"
                "rule b { condition: uint16(0) == 0x5a4d and pe.is_dll() }\n"
                "rule c { condition: math.entropy(0, filesize) > 7 }\n"
                "rule d { condition: filesize > 3 }\n"
            )
        )
    )
    assert [(pack.name, pack.file_class, pack.reporting) for pack in packs] == [
        ("any-plain-01", FileClass.ANY, ("c", "d")),
        ("pe-pe-01", FileClass.PE, ("b",)),
        ("pe-plain-01", FileClass.PE, ("a",)),
    ]
    assert packs[0].source.startswith('import "math"\n')
    assert "import" not in packs[2].source


def test_private_rules_follow_those_that_need_them() -> None:
    rules = read(
        "private rule is_elf { condition: uint32(0) == 0x464c457f }\n"
        "private rule idle { condition: filesize > 1 }\n"
        "private rule is_pe { condition: uint16(0) == 0x5a4d }\n"
        "rule a { condition: is_elf and filesize > 1 }\n"
        "rule b { condition: is_pe and filesize > 1 }\n"
        "rule c { condition: (is_pe or is_elf) and filesize > 1 }\n"
    )
    packs = {pack.name: pack.source for pack in pack_up(clusters_of(rules))}
    assert set(packs) == {"any-plain-01", "elf-plain-01", "pe-plain-01"}
    assert "is_pe" not in packs["elf-plain-01"]
    assert packs["elf-plain-01"].index("private rule is_elf") < packs["elf-plain-01"].index("rule a")
    assert "idle" not in "".join(packs.values())


def test_rules_that_refer_to_each_other_stay_together() -> None:
    rules = read(
        "rule a { condition: uint32(0) == 0x464c457f }\n"
        "rule b { condition: a and filesize > 1 }\n"
        "rule c { condition: 1 of (b*) and uint32(0) == 0x464c457f }\n"
        "rule d { condition: filesize > 5 }\n"
    )
    found = clusters_of(rules)
    assert [[rule.identifier for rule in cluster.rules] for cluster in found] == [["a", "b", "c"], ["d"]]
    assert found[0].file_class is FileClass.ELF


def test_a_global_rule_keeps_its_file_alone() -> None:
    alone = clusters_of(read("global rule g { condition: filesize < 9 }\nrule a { condition: filesize > 1 }"))
    others = clusters_of(read("rule b { condition: filesize > 1 }"))
    assert [pack.reporting for pack in pack_up([*others, *alone, *others[:0]])] == [("b",), ("a", "g")]


def test_two_private_rules_of_one_name_stand_apart() -> None:
    one = clusters_of(read("private rule p { condition: filesize > 1 } rule a { condition: p }"))
    two = clusters_of(read("private rule p { condition: filesize > 2 } rule b { condition: p }"))
    three = clusters_of(read("private rule p { condition: filesize > 1 } rule c { condition: p }"))
    assert [pack.reporting for pack in pack_up([*one, *two, *three])] == [("a", "c"), ("b",)]


def test_packs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PACK_RULES_MAX", 2)
    rules = read("".join(f"rule r{number} {{ condition: filesize > {number} }}\n" for number in range(5)))
    assert [len(pack.reporting) for pack in pack_up(clusters_of(rules))] == [2, 2, 1]
    with pytest.raises(ContentRefused, match="too much for a pack"):
        pack_up(clusters_of(read("rule a{condition: filesize>1} rule b{condition: a} rule c{condition: b}")))
