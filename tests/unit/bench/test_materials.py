"""The corpus, the programs' sources and the pack: the same in each run, and what they claim to be."""

import struct
from collections import Counter
from pathlib import Path

import yara_x
from bench.chance import seeded
from bench.clamav import BODIES, HASHES, LOGICALS, write_signatures
from bench.corpus import corpus, small_files
from bench.elf import elf_program
from bench.materials import PROBE, c_source
from bench.pack import FAMILIES, RULES, write_pack


def rule_files(pack: Path) -> list[Path]:
    """The pack's files of rules, without its index."""
    return sorted(path for path in pack.rglob("*.yar") if path.name != "index.yar")


def test_the_corpus_is_the_same_each_time_and_a_shorter_one_is_its_beginning() -> None:
    longer, shorter = list(corpus(5, 300)), list(corpus(5, 100))
    assert longer[:100] == shorter
    assert [file.content for file in corpus(6, 20)] != [file.content for file in shorter[:20]]


def test_no_two_files_of_the_corpus_are_equal() -> None:
    files = list(corpus(5, 1_000))
    assert len({file.content for file in files}) == len({file.path for file in files}) == 1_000


def test_the_corpus_looks_like_a_development_tree() -> None:
    files = list(corpus(5, 2_000))
    endings = Counter(file.path.rsplit(".", 1)[1] for file in files)
    assert endings["h"] > 1_000
    assert endings["so"] > 20
    assert 3_000 < sorted(len(file.content) for file in files)[1_000] < 8_000


def test_small_files_have_one_size_and_different_contents() -> None:
    files = list(small_files(1, 200, 4_096))
    assert {len(file.content) for file in files} == {4_096}
    assert len({file.content for file in files}) == 200


def test_elf_files_are_well_formed() -> None:
    program = elf_program(seeded(1), 3_000)
    assert program[:4] == b"\x7fELF"
    sections_at, entries, titles = struct.unpack_from("<Q", program, 40)[0], *struct.unpack_from("<HH", program, 60)
    assert len(program) == sections_at + 64 * entries
    assert 0 < titles < entries


def test_c_sources_differ() -> None:
    assert c_source(1, 3) == c_source(1, 3) != c_source(2, 3)


def test_the_pack_compiles_and_keeps_its_shares(tmp_path: Path) -> None:
    assert write_pack(tmp_path / "pack") == RULES
    compiler = yara_x.Compiler()
    folders: Counter[str] = Counter()
    for path in rule_files(tmp_path / "pack"):
        text = path.read_text()
        compiler.add_source(text)
        folders[path.parent.name] += text.count("\nrule ") + text.startswith("rule ")
    compiler.build()
    assert sum(folders.values()) == RULES
    for family in FAMILIES:
        assert abs(folders[family.folder] / RULES * 100 - family.percent) < 3
    index = (tmp_path / "pack" / "index.yar").read_text()
    assert index.count("include ") == len(rule_files(tmp_path / "pack"))


def test_no_rule_of_the_pack_matches_the_corpus(tmp_path: Path) -> None:
    write_pack(tmp_path / "pack")
    compiler = yara_x.Compiler()
    for path in rule_files(tmp_path / "pack"):
        compiler.add_source(path.read_text())
    scanner = yara_x.Scanner(compiler.build())
    found = [file.path for file in corpus(11, 150) if scanner.scan(file.content).matching_rules]
    assert found == []


def test_the_signatures_are_written_and_hold_the_probe(tmp_path: Path) -> None:
    assert write_signatures(tmp_path) == HASHES + BODIES + 1 + LOGICALS
    assert PROBE.hex() in (tmp_path / "bench.ndb").read_text()
    assert PROBE.startswith(b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR")
