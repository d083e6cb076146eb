"""A content directory becomes a release: the same bytes each time, or none."""

from pathlib import Path

import pytest
from tests.unit.author.content_fixtures import META, RULES, TESTS, write_content

from ringfence.author.build import build_bytes
from ringfence.model.errors import ContentRefused
from ringfence.model.records import RuleAction, Severity
from ringfence.wire.release import decode_release


def test_builds_the_same_bytes_twice(tmp_path: Path) -> None:
    data = build_bytes(write_content(tmp_path / "one"))
    assert build_bytes(write_content(tmp_path / "two")) == data
    manifest = decode_release(data).manifest
    assert (manifest.name, manifest.version, len(manifest.self_tests)) == ("tried", 3, 3)
    rule = manifest.rules[0]
    assert (rule.author, rule.severity, rule.action, rule.technique) == ("A", Severity.HIGH, RuleAction.BLOCK, "T1059")
    assert decode_release(build_bytes(tmp_path / "one", 9)).manifest.version == 9


def test_says_what_the_packs_need(tmp_path: Path) -> None:
    rules = RULES + f'import "elf"\nrule Two {{ {META} condition: elf.type == elf.ET_DYN and filename == "x" }}\n'
    contract = decode_release(build_bytes(write_content(tmp_path, rules=rules))).manifest.contract
    assert (contract.yara_modules, contract.yara_variables) == (("elf",), ("filename",))


@pytest.mark.parametrize(
    ("rules", "tests", "word"),
    [
        (RULES + RULES, TESTS, "has the name of a rule"),
        (RULES.replace("$a }", "$b }"), TESTS, "yara/any-plain-01.yar"),
        (RULES.replace("$a }", "filesize < 0 and $a }"), TESTS, "does not match the sample"),
        (RULES.replace("$a }", "$a or filesize < 9 }"), TESTS, "does not ignore the sample"),
        (RULES, TESTS + "Two:\n  matches: [x]\n", "no rule 'Two'"),
        (RULES, TESTS.replace('"two"', '"one"'), "both match and not match"),
        (RULES.replace("One", "O" * 129), "{}", "too long"),
        ('import "console"\n' + RULES.replace("$a }", '$a and console.log("x") }'), TESTS, "may not use"),
        (RULES.replace("$a =", "$a = /(a+)+b/ $c =").replace("$a }", "all of them and missing }"), TESTS, "E0"),
    ],
)
def test_refuses(tmp_path: Path, rules: str, tests: str, word: str) -> None:
    with pytest.raises(ContentRefused, match=word):
        build_bytes(write_content(tmp_path, rules=rules, tests=tests))
