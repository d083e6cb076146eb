"""Sigma beside YARA in a content directory, and what a release holds of it."""

import json
from pathlib import Path
from typing import Final

import pytest
from tests.unit.author.content_fixtures import write_content
from tests.unit.author.sigma_texts import GOOD, IDENTIFIER, selection

from ringfence.author import content_dir, sigma_dir
from ringfence.author.build import build_bytes
from ringfence.detect.needs import needs_of
from ringfence.model.contract import EventNeed, FieldKind, InputKind, Need
from ringfence.model.errors import ContentRefused, UsageRefused
from ringfence.programs import content_build
from ringfence.programs.cli import main
from ringfence.wire.detection_ir import decode_detections
from ringfence.wire.release import decode_release

TESTS: Final = f"""\
{IDENTIFIER}:
  matches:
    - {{Image: /bin/sh, ParentImage: /usr/sbin/nginx, CommandLine: id}}
  ignores:
    - {{Image: /bin/sh, ParentImage: /usr/sbin/nginx, CommandLine: logrotate}}
"""
OTHER: Final = (
    selection("DestinationPort|gte: 1024", "Image: /bin/sh")
    .replace("9d01", "9d02")
    .replace("process_creation", "network_connection")
)


def write_sigma(directory: Path, tests: str = TESTS, **rules: str) -> Path:
    """The usual content directory with Sigma rules in it."""
    write_content(directory)
    (directory / "sigma" / "linux").mkdir(parents=True, exist_ok=True)
    for name, text in rules.items():
        (directory / "sigma" / "linux" / f"{name}.yml").write_text(text, encoding="utf-8")
    (directory / "tests" / "sigma.events.yaml").write_text(tests, encoding="utf-8")
    return directory


def test_a_release_holds_yara_and_sigma(tmp_path: Path) -> None:
    data = build_bytes(write_sigma(tmp_path / "one", shell=GOOD, port=OTHER))
    assert build_bytes(write_sigma(tmp_path / "two", shell=GOOD, port=OTHER)) == data
    release = decode_release(data)
    assert [rule.identifier for rule in release.manifest.rules] == ["One"]
    assert [pack.entry.name for pack in release.detections] == ["network_connection-01", "process_creation-01"]
    pack = decode_detections(release.detections[1].data, "x")
    assert [rule.title for rule in pack.rules] == ["Shell From A Web Server"]
    assert [test.expects_match for test in pack.tests] == [True, False]
    assert release.manifest.contract.events == (
        EventNeed("network_connection", "DestinationPort", FieldKind.INTEGER),
        EventNeed("network_connection", "Image", FieldKind.TEXT),
        EventNeed("process_creation", "CommandLine", FieldKind.TEXT),
        EventNeed("process_creation", "Image", FieldKind.TEXT),
        EventNeed("process_creation", "ParentImage", FieldKind.TEXT),
    )
    needs = needs_of(release)
    assert Need("", InputKind.DETECTION_FORMAT, "", amount=1) in needs
    assert Need(IDENTIFIER, InputKind.EVENT_FIELD, "process_creation.ParentImage") in needs


def test_a_directory_of_sigma_alone_is_a_release(tmp_path: Path) -> None:
    write_sigma(tmp_path, shell=GOOD)
    (tmp_path / "rules" / "family.yar").unlink()
    (tmp_path / "tests" / "family.yaml").unlink()
    release = decode_release(build_bytes(tmp_path))
    assert (release.packs, len(release.detections)) == ((), 1)


@pytest.mark.parametrize(
    ("rules", "tests", "word", "file"),
    [
        ({"a": selection("A|expand: '%x%'")}, TESTS, "sigma/placeholder", "sigma/linux/a.yml"),
        ({"a": GOOD, "b": GOOD}, TESTS, "sigma/duplicate-id", "sigma/linux/b.yml"),
        ({"a": GOOD}, TESTS.replace(": id", ": logrotate"), "both match and not", "tests/sigma.events.yaml"),
        ({"a": GOOD}, TESTS.replace("CommandLine: id", "CommandLine: ilogrotate"), "does not match the event", ""),
        ({"a": GOOD}, TESTS.replace("/sh,", "/bash,"), "does not match the event", ""),
        ({"a": GOOD}, TESTS.replace("9d01", "9d09"), "there is no rule", "tests/sigma.events.yaml"),
        ({"a": GOOD}, "x: 5\n", "must have matches", "tests/sigma.events.yaml"),
        ({}, TESTS, "there is no rule", "tests/sigma.events.yaml"),
    ],
)  # fmt: skip
def test_refuses(tmp_path: Path, rules: dict[str, str], tests: str, word: str, file: str) -> None:
    with pytest.raises(ContentRefused, match=word) as caught:
        build_bytes(write_sigma(tmp_path, tests, **rules))
    assert caught.value.file == file


def test_a_pack_is_cut_where_it_would_be_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sigma_dir, "DETECTION_PACK_RULES_MAX", 2)
    rules = {f"r{number}": GOOD.replace("9d01", f"9d{number:02}") for number in range(5)}
    release = decode_release(build_bytes(write_sigma(tmp_path, "{}\n", **rules)))
    packs = [decode_detections(pack.data, "x") for pack in release.detections]
    assert [len(pack.rules) for pack in packs] == [2, 2, 1]
    assert [pack.entry.name[-3:] for pack in release.detections] == ["-01", "-02", "-03"]


def test_the_command_counts_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sigma(tmp_path / "c", shell=GOOD)
    content_build.command(tmp_path / "c", tmp_path / "r", as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["rules"], facts["event_rules"], facts["event_self_tests"]) == (1, 1, 2)
    with pytest.raises(SystemExit) as caught:
        main(["content", "build", str(tmp_path / "c"), "-o", str(tmp_path / "r")])
    assert not caught.value.code
    assert "1 rules over events, 5 self-tests hold" in capsys.readouterr().out


def test_sigma_without_the_library_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ringfence.author.sigma_dir", None)
    with pytest.raises(UsageRefused, match="missing"):
        content_dir.read_directory(write_sigma(tmp_path / "with", shell=GOOD))
    assert content_dir.read_directory(write_content(tmp_path / "without")).sigma is None
