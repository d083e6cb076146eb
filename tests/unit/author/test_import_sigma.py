"""Public Sigma packs in their usual layout: what is taken, refused and why."""

import json
from pathlib import Path
from typing import Final

import pytest
from tests.unit.author.sigma_texts import GOOD, selection

from ringfence.author.build import build_bytes
from ringfence.author.import_sigma import ImportedSigma, import_sigma_pack
from ringfence.author.sigma_tests import read_event_tests
from ringfence.model.errors import PathRefused
from ringfence.programs.cli import main
from ringfence.wire.detection_ir import decode_detections
from ringfence.wire.release import decode_release

PUBLIC: Final = GOOD.replace("license: Apache-2.0\n", "")


def status(words: list[str]) -> int:
    """The exit status of a command."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    return int(caught.value.code or 0)


def numbered(text: str, number: int) -> str:
    return text.replace("9d01", f"9d{number:02}")


PACK: Final = {
    "LICENSE": "# Licenses\n\nThe rules are under the Detection Rule License (DRL) 1.1\n",
    "rules/linux/shell.yml": PUBLIC + "# a comment at the end",
    "rules/linux/own.yml": numbered(GOOD, 2),
    "rules/linux/again.yml": PUBLIC,
    "rules/linux/nc.yml": numbered(GOOD, 3).replace("Apache-2.0", "CC BY-NC 4.0"),
    "rules/linux/odd.yml": numbered(selection("A|contains:", "    - 'a \"b\" \U0001f480'", "    - '0x1F'"), 4),
    "rules/linux/regex.yml": numbered(selection("A|re: '[0-9a-f]{64}needle'"), 5),
    "rules/windows/cmd.yml": numbered(PUBLIC, 6).replace("product: linux", "product: windows"),
    "rules/linux/broad.yml": numbered(selection("A|contains: e"), 7),
    "rules-placeholder/users.yml": numbered(selection("A|expand: '%users%'"), 8),
    "deprecated/old.yml": numbered(PUBLIC, 9),
    "rules/linux/old.yml": numbered(PUBLIC.replace("status: test", "status: deprecated"), 10),
    "unsupported/count.yml": numbered(PUBLIC.replace("and not filter_known", "| count() > 5"), 11),
    "rules/linux/correlation.yml": "title: x\ncorrelation:\n    type: event_count\n",
    "rules/linux/broken.yml": "detection:\n  [",
    "rules/linux/latin.yml": "detection: \xe9",
    ".github/workflow.yml": "on: push\n",
    "other/godmode.yaml": numbered(PUBLIC, 12),
    "README.md": "detection:\n",
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A public pack."""
    root = tmp_path / "Some Sigma"
    for name, text in PACK.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1" if "latin" in name else "utf-8"))
    (root / "rules" / "linux" / "link.yml").symlink_to(root / "rules" / "linux" / "shell.yml")
    return root


def reasons(imported: ImportedSigma) -> dict[str, list[str]]:
    return {one.file: [code for code, _, _ in one.reasons] for one in imported.reports}


def test_what_is_taken_and_what_is_refused_and_why(pack: Path) -> None:
    assert reasons(import_sigma_pack(pack)) == {
        "deprecated/old.yml": ["sigma/status"],
        "other/godmode.yaml": [],
        "rules-placeholder/users.yml": ["sigma/placeholder"],
        "rules/linux/again.yml": [],
        "rules/linux/broad.yml": ["sigma/no-witness", "sigma/broad-alternative"],
        "rules/linux/broken.yml": ["sigma/yaml"],
        "rules/linux/correlation.yml": ["sigma/correlation"],
        "rules/linux/latin.yml": ["sigma/yaml"],
        "rules/linux/nc.yml": ["sigma/metadata"],
        "rules/linux/odd.yml": [],
        "rules/linux/old.yml": ["sigma/status"],
        "rules/linux/own.yml": [],
        "rules/linux/regex.yml": [],
        "rules/linux/shell.yml": ["sigma/duplicate-id"],
        "rules/windows/cmd.yml": [],
        "unsupported/count.yml": ["sigma/status", "sigma/condition"],
    }


def test_one_product_alone(pack: Path) -> None:
    found = reasons(import_sigma_pack(pack, "linux"))
    assert found["rules/windows/cmd.yml"] == ["sigma/not-supplied"]
    assert found["rules/linux/own.yml"] == []


def test_rules_stay_as_they_are_and_get_the_license_of_their_pack(pack: Path) -> None:
    files = dict(import_sigma_pack(pack).files)
    assert files["rules/linux/own.yml"] == PACK["rules/linux/own.yml"]
    assert files["rules/linux/again.yml"] == PUBLIC + 'license: "DRL-1.1"\n'
    assert files["other/godmode.yml"].startswith("title: Shell")


def test_made_self_tests_are_read_as_they_were_made(pack: Path) -> None:
    imported = import_sigma_pack(pack)
    made = [(rule, matches, event) for rule, matches, event in imported.tests if rule.endswith("9d04")]
    assert made[0][2]["A"] == "0x1f"
    assert [matches for _, matches, _ in made] == [True, False]


def test_the_whole_way_to_a_release(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "content"
    assert status(["content", "import-sigma", str(pack), "-o", str(target), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["taken"], report["refused"]) == (6, 10)
    assert report == json.loads((target / "import-report.json").read_text())
    assert (target / "licences" / "LICENSE").read_text() == PACK["LICENSE"]
    tests = target / "tests" / "made.events.yaml"
    assert len(read_event_tests("t", tests.read_text())) == report["self_tests"]
    release = decode_release(build_bytes(target))
    rules = [rule for one in release.detections for rule in decode_detections(one.data, "x").rules]
    assert {rule.licence for rule in rules} == {"DRL-1.1", "Apache-2.0"}
    assert {rule.author for rule in rules} == {"Ringfence authors"}
    assert status(["content", "import-sigma", str(pack), "-o", str(target), "--product", "linux"]) == 0
    shown = capsys.readouterr().out
    assert "rules/windows/cmd.yml:12: sigma/not-supplied: is for windows, not for linux" in shown
    assert "other/godmode.yaml: taken, written as sigma/other/godmode.yml" in shown
    assert not (target / "sigma" / "rules" / "windows").exists()


def test_directories_that_will_not_do(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (tmp_path / "none", tmp_path / "Some Sigma" / ".github"):
        with pytest.raises(PathRefused):
            import_sigma_pack(wrong)
    assert status(["content", "import-sigma", str(pack / "rules-placeholder"), "-o", str(tmp_path / "o")]) == 65
    assert "no rule was taken" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
    assert status(["content", "import-sigma", str(pack), "-o", str(pack)]) == 66
