"""`ringfence content new` gives what lints and builds; `diff` tells everything that has changed."""

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.wire.release_fixtures import digest, make_pack, small_release

from ringfence.author.build import build_bytes
from ringfence.author.example import write_example
from ringfence.author.lint import lint_directory
from ringfence.author.release_diff import diff_releases
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import Release
from ringfence.programs import content_diff, content_new
from ringfence.programs.own_contract import own_contract
from ringfence.wire.release import decode_release, encode_release

RELEASE = small_release()


def test_a_new_directory_has_no_findings_and_builds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content_new.command(tmp_path / "My Rules", as_json=True)
    assert set(json.loads(capsys.readouterr().out)["files"]) == {
        "content.yaml",
        "README.md",
        "rules/example.yar",
        "tests/example.yaml",
    }
    assert lint_directory(tmp_path / "My Rules", (own_contract(),), dt.date(2026, 11, 27)).findings == ()
    manifest = decode_release(build_bytes(tmp_path / "My Rules")).manifest
    assert (manifest.name, len(manifest.rules), len(manifest.self_tests)) == ("my-rules", 2, 4)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    write_example(tmp_path / "here")
    before = (tmp_path / "here" / "content.yaml").read_bytes()
    with pytest.raises(PathRefused, match="not empty"):
        write_example(tmp_path / "here")
    with pytest.raises(PathRefused, match="not empty"):
        write_example(tmp_path / "here" / "content.yaml")
    assert (tmp_path / "here" / "content.yaml").read_bytes() == before


def other_release() -> Release:
    """The small release with a rule more, one less, one changed in what it does and one in its text."""
    source = 'rule one { strings: $a = "other" condition: $a }\nrule four { condition: false }\n'
    pack = make_pack("any-01", "any", source)
    one, three, two = RELEASE.manifest.rules
    rules = (
        replace(two, identifier="four"),
        replace(one, action=RuleAction.ALERT, severity=Severity.LOW),
        three,
    )
    manifest = replace(
        RELEASE.manifest,
        version=8,
        packs=(pack.entry, *RELEASE.manifest.packs[1:]),
        rules=rules,
        budget=replace(RELEASE.manifest.budget, compile_cpu_ms=2_000),
        contract=replace(RELEASE.manifest.contract, yara_modules=("elf",)),
    )
    return replace(RELEASE, manifest=manifest, packs=(pack, *RELEASE.packs[1:]))


def test_a_difference_names_everything() -> None:
    found = diff_releases(RELEASE, other_release())
    assert (found.added, found.removed, set(found.rules)) == (("four",), ("two",), {"one"})
    assert {name: found.rules["one"][name] for name in ("action", "severity")} == {
        "action": (RuleAction.BLOCK, RuleAction.ALERT),
        "severity": (Severity.HIGH, Severity.LOW),
    }
    assert "text" in found.rules["one"]
    assert dict(found.head) == {"version": (7, 8), "needs_modules": ([], ["elf"]), "compile_cpu_ms": (1_000, 2_000)}


def test_another_proof_and_other_spaces_are_no_difference() -> None:
    spaced = make_pack("any-01", "any", RELEASE.packs[0].source.replace(" ", "\n"))
    manifest = replace(
        RELEASE.manifest,
        packs=(spaced.entry, *RELEASE.manifest.packs[1:]),
        proof_sha256=digest(b"another"),
    )
    assert diff_releases(RELEASE, replace(RELEASE, manifest=manifest, packs=(spaced, *RELEASE.packs[1:]))).same


def test_the_command_prints_it_and_says_it_with_its_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before, after = tmp_path / "a.release", tmp_path / "b.release"
    before.write_bytes(encode_release(RELEASE))
    after.write_bytes(encode_release(other_release()))
    content_diff.command(before, before)
    assert "0 added, 0 removed, 0 changed" in capsys.readouterr().out
    with pytest.raises(SystemExit) as leaving:
        content_diff.command(before, after)
    assert leaving.value.code == 1
    said = capsys.readouterr().out
    for line in (
        "release version: 7 -> 8",
        "+ four",
        "- two",
        "~ one: severity high -> low, action block -> alert, text",
    ):
        assert line in said
    with pytest.raises(SystemExit):
        content_diff.command(before, after, as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["same"], facts["added"], facts["changed"]["one"]["action"]) == (False, ["four"], ["block", "alert"])


def test_what_is_no_release_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.release").write_bytes(b"nothing")
    with pytest.raises(ContentRefused, match=r"a\.release"):
        content_diff.command(tmp_path / "a.release", tmp_path / "a.release")
