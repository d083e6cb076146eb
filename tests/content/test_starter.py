"""The starter content: complete, proven by its own self-tests, and harmless to a Debian machine."""

import gzip
import re
import sys
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yara_x
from tests.content.debian_files import Scanned, package_files, sample_of, scan
from tests.support.machine import kernel_requires

from ringfence.author.build import build_bytes
from ringfence.author.content_dir import read_directory
from ringfence.detect.file_type import MAGICS
from ringfence.detect.self_tests import check_self_tests
from ringfence.detect.yara import compile_release
from ringfence.model.records import RuleAction
from ringfence.programs.own_contract import own_contract
from ringfence.programs.proof_gate import check_proven
from ringfence.programs.starter_content import starter_release
from ringfence.wire.release import decode_release

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "content" / "starter"
RELEASE = decode_release(starter_release())
RULES = RELEASE.manifest.rules
MAKE_CONTENT = "run `make content`: content/starter has changed"


def tell(found: Scanned, capsys: pytest.CaptureFixture[str]) -> None:
    """Say how much a scan has looked at, also in a run that passes."""
    with capsys.disabled():
        sys.stdout.write(f"\n{found.summary()}\n")


def test_the_package_carries_a_fresh_build() -> None:
    manifest = replace(RELEASE.manifest, proof_sha256="")
    assert decode_release(build_bytes(STARTER)) == replace(RELEASE, manifest=manifest, proof=b""), MAKE_CONTENT


def test_the_package_is_proven_for_this_very_build() -> None:
    check_proven(RELEASE, own_contract())


def test_there_are_enough_rules_with_all_their_metadata() -> None:
    assert len(RULES) >= 40
    for rule in RULES:
        assert rule.author == "Ringfence authors"
        assert rule.licence == "Apache-2.0"
        assert len(rule.description) > 15
        harmless = rule.identifier in {"EICAR_Test_File", "Ringfence_Test_String", "Ringfence_Alert_String"}
        assert rule.technique or harmless
        assert rule.reference.startswith("https://") or harmless


def test_every_rule_has_a_sample_that_it_matches_and_one_that_it_ignores() -> None:
    kinds = Counter((test.rule, test.expects_match) for test in RELEASE.manifest.self_tests)
    assert [rule.identifier for rule in RULES if not kinds[rule.identifier, True]] == []
    assert [rule.identifier for rule in RULES if not kinds[rule.identifier, False]] == []


def test_every_self_test_holds() -> None:
    check_self_tests(RELEASE, compile_release(RELEASE))


def test_the_engine_warns_of_nothing_but_the_disguised_strings() -> None:
    for pack in RELEASE.packs:
        compiler = yara_x.Compiler()
        compiler.add_source(pack.source)
        assert {warning["code"] for warning in compiler.warnings()} <= {"text_as_hex"}


def test_no_sample_stands_as_live_text_in_the_repository() -> None:
    """Neither rules nor self-tests are findings themselves: another scanner may watch the author's disk."""
    content = compile_release(RELEASE)
    scanner = content.scanner(5)
    for path in sorted(STARTER.rglob("*.y*ml")):
        findings = scanner.scan(path.read_bytes())
        assert [content.rules[index].identifier for index in findings.rules] == []
    for path in sorted(STARTER.rglob("*.yar")):
        findings = scanner.scan(path.read_bytes())
        blocking = [index for index in findings.rules if content.rules[index].action is RuleAction.BLOCK]
        assert [content.rules[index].identifier for index in blocking] == []


def test_packs_of_a_class_say_what_all_rules_together_say() -> None:
    compiler = yara_x.Compiler()
    for rules in read_directory(STARTER).files:
        for module in sorted({module for rule in rules for module in rule.modules}):
            compiler.add_source(f'import "{module}"')
        for rule in rules:
            compiler.add_source(rule.text())
    whole = yara_x.Scanner(compiler.build())
    content = compile_release(RELEASE)
    partitioned = content.scanner(5)
    bodies = [sample.content for sample in RELEASE.samples]
    corpus = [*bodies, *(Path(name).read_bytes() for name in sample_of(package_files(), 2000)[:400])]
    for magic in (*(magic for magic, _ in MAGICS), b"\x7fE", b"\n"):
        corpus += [magic + body for body in bodies]
        corpus += [magic + body[len(magic) :] for body in bodies]
    hits = 0
    for data in corpus:
        expected = {rule.identifier for rule in whole.scan(data).matching_rules}
        assert {content.rules[index].identifier for index in partitioned.scan(data).rules} == expected
        hits += len(expected)
    assert hits > 1000


def test_the_scan_of_packages_sees_what_is_packed(tmp_path: Path) -> None:
    text = b"RINGFENCE-TEST-STRING-" + b"5f1c6c0e4b7d"
    with zipfile.ZipFile(tmp_path / "inner.jar", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/text", text)
    (tmp_path / "page.1.gz").write_bytes(gzip.compress(b" " * 100 + text))
    (tmp_path / "damaged.gz").write_bytes(gzip.compress(b"x" * 1000)[:-9])
    found = scan([str(path) for path in sorted(tmp_path.iterdir())])
    assert [(Path(file).name, rule) for file, rule, _ in found.blocked] == [
        ("inner.jar", "Ringfence_Test_String"),
        ("page.1.gz", "Ringfence_Test_String"),
    ]
    assert (found.files, len(found.unopened)) == (3, 1)


def test_no_blocking_rule_matches_a_file_of_a_package(capsys: pytest.CaptureFixture[str]) -> None:
    kernel_requires("dpkg")
    names = sample_of(package_files(), 12)
    assert len(names) > 1000
    found = scan(names)
    tell(found, capsys)
    assert found.blocked == []


@pytest.mark.load
@pytest.mark.timeout(900)
def test_no_blocking_rule_matches_any_file_of_any_package(capsys: pytest.CaptureFixture[str]) -> None:
    kernel_requires("dpkg")
    found = scan(package_files())
    tell(found, capsys)
    assert found.blocked == []
    assert len(found.matches) < 20, "alerting rules are noisy on a plain Debian machine"


def test_names_are_of_one_kind() -> None:
    assert [rule.identifier for rule in RULES if not re.fullmatch(r"[A-Z][A-Za-z0-9_]+", rule.identifier)] == []
