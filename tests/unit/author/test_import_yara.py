"""Public packs in their usual layouts: what is taken, refused and why."""

import datetime as dt
import json
from pathlib import Path

import pytest

from ringfence.author.build import build_bytes
from ringfence.author.import_yara import (
    FileReport,
    Imported,
    import_pack,
    release_name,
    write_directory,
)
from ringfence.author.lint import lint_directory
from ringfence.author.lint_release import lint_release
from ringfence.author.probe import Candidate, Prober, compile_reason
from ringfence.detect.file_type import FileClass
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.records import RuleAction
from ringfence.programs import content_build, content_import, content_show
from ringfence.programs.cli import main
from ringfence.programs.own_contract import own_contract
from ringfence.wire.release import decode_release

PACK = {
    "LICENSE": "# Detection Rule License (DRL) 1.1\n\ntext\n",
    "index.yar": 'include "./a/one.yar"\n/* include "./b/two.yara" */\n',
    "a/one.yar": (
        "private rule is_elf { condition: uint32(0) == 0x464c457f }\n"
        'rule First { meta: author = "Ann" score = 80 strings: $a = "what first looks for" condition: is_elf and $a }\n'
        'rule Second { strings: $a = "what the second looks for" condition: First and $a }\n'
        'rule Named { strings: $a = "what has a name" condition: $a and filesize > 30MB }\n'
    ),
    "b/two.yara": (
        'rule First { strings: $a = "another first, which looks for this" condition: $a }\n'
        'rule Named { strings: $a = "what has a name" condition: $a and filesize > 30MB }\n'
        "rule Always { condition: true }\n"
        "rule Slow { strings: $a = /(a+)+b/ condition: $a }\n"
        "rule Loops { condition: for any i in (0..filesize) : ("
        " for any j in (0..filesize) : ( uint8(i) == uint8(j) + 9 ) ) }\n"
        'rule NonCommercial { meta: license = "CC BY-NC 4.0" strings: $a = "nc" condition: $a }\n'
        'rule By_Name { strings: $a = "by name" condition: $a and filename matches /x/ }\n'
        "rule Undefined { condition: nothing_of_that_name }\n"
    ),
    "b/console.yar": 'import "console"\nrule Talks { strings: $a = "talk" condition: $a and console.log("x") }\n',
    "b/global.yar": (
        'global private rule Small { condition: filesize < 1MB }\nrule G { strings: $a = "gg" condition: $a }\n'
    ),
    "b/broken.yar": "rule broken { condition: ",
    "b/header.yar": (
        '/* License: https://creativecommons.org/licenses/by-nc/4.0/ */\nrule H { strings: $a = "h" condition: $a }\n'
    ),
    "b/empty.yar": "// nothing\n",
    "b/latin.yar": 'rule L { strings: $a = "\xe9" condition: $a }\n',
}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A public pack."""
    root = tmp_path_factory.mktemp("pack") / "Some Pack"
    for name, text in PACK.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1" if "latin" in name else "utf-8"))
    return root


def reasons(report: FileReport) -> dict[str, str]:
    """The refusals of one file by rule."""
    return {refusal.rule: refusal.reason for refusal in report.refused}


def test_imports_and_builds(pack: Path, tmp_path: Path) -> None:
    steps: list[str] = []
    imported = import_pack(pack, RuleAction.BLOCK, lambda what, _done, _total: steps.append(what))
    reports = {report.file: report for report in imported.reports}
    assert set(reports) == {name for name in PACK if name != "LICENSE"}
    assert set(steps) == {"reading", "trying", "judging"}

    assert reports["a/one.yar"].taken == ("First", "Second", "Named")
    assert reports["b/two.yara"].renamed == (("First", "First_2"),)
    assert reports["b/two.yara"].taken == ("First_2",)
    refused = reasons(reports["b/two.yara"])
    assert set(refused) == {"Named", "Always", "Slow", "Loops", "NonCommercial", "By_Name", "Undefined"}
    assert "another file" in refused["Named"]
    assert refused["Always"]
    assert "slow_pattern" in refused["Slow"]
    assert "slow_loop" in refused["Loops"]
    assert "commercial" in refused["NonCommercial"]
    assert "'filename', which no sensor supplies" in refused["By_Name"]
    assert "E009" in refused["Undefined"]
    assert "console" in reasons(reports["b/console.yar"])["Talks"]
    assert reports["b/global.yar"].taken == ("G",)
    assert "yara/unspecific" in {one.rule: one.reason for one in reports["b/global.yar"].only_alert}["G"]
    assert "no sample" in {one.rule: one.reason for one in reports["a/one.yar"].only_alert}["Named"]
    assert "index" in reasons(reports["index.yar"])[""]
    assert "commercial" in reasons(reports["b/header.yar"])[""]
    assert reasons(reports["b/empty.yar"])[""] == "no rules"
    assert "UTF-8" in reasons(reports["b/latin.yar"])[""]
    assert reasons(reports["b/broken.yar"])[""]

    out = tmp_path / "out"
    write_directory(imported, out, pack.name)
    assert (out / "licences" / "LICENSE").read_text(encoding="utf-8") == PACK["LICENSE"]
    release = decode_release(build_bytes(out))
    entries = {rule.identifier: rule for rule in release.manifest.rules}
    assert set(entries) == {"First", "Second", "Named", "First_2", "G"}
    assert entries["First"].author == "Ann"
    assert entries["Second"].licence == "Detection Rule License (DRL) 1.1"
    blocking = {name for name, rule in entries.items() if rule.action is RuleAction.BLOCK}
    assert blocking == {"First", "Second", "First_2"}
    assert {(test.rule, test.expects_match) for test in release.manifest.self_tests} == {
        (name, expected) for name in blocking for expected in (True, False)
    }
    today = dt.date(2026, 11, 27)
    assert [one for one in lint_directory(out, [own_contract()], today).findings if one.refuses] == []
    assert not lint_release(release, [own_contract()]).refused
    assert entries["First"].pack == entries["Second"].pack == "elf-plain-01"
    assert entries["G"].pack != entries["Named"].pack
    assert release.manifest.name == "some-pack"


def test_files_of_one_name_are_all_kept(tmp_path: Path) -> None:
    """Suffixes, cases, a directory that is called like a file, a licence beside the pack and one in the way."""
    pack, out = tmp_path / "pack", tmp_path / "out"
    names = ("x.yar", "x.yara", "X.YAR", "a/x.yar", "A/x.yar", "b.yar/x.yar", "b.yara", "x_2.yar")
    for number, name in enumerate(names):
        path = pack / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'rule R{number} {{ strings: $a = "text {number}" condition: $a }}\n')
    (tmp_path / "LICENSE").write_text("outer")
    (pack / "above").mkdir()
    (pack / "above" / "LICENSE").write_text("inner")
    imported = import_pack(pack, RuleAction.ALERT)
    write_directory(imported, out, "pack")
    assert {report.file for report in imported.reports} == set(names)
    for report in imported.reports:
        text = (out / "rules" / report.written).read_text(encoding="utf-8")
        assert [name for name in report.taken if f"rule {name} " not in text] == []
    written = [report.written.casefold() for report in imported.reports]
    assert len(set(written)) == len(names)
    assert {path.read_text() for path in (out / "licences").rglob("LICENSE*")} == {"outer", "inner"}
    assert len(decode_release(build_bytes(out)).manifest.rules) == len(names)


def test_another_import_leaves_nothing_of_the_one_before(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("a.yar/x.yar", "a.yara"):
        pack = tmp_path / f"pack-{name[-1]}"
        (pack / name).parent.mkdir(parents=True)
        (pack / name).write_text('rule R { strings: $a = "text" condition: $a }\n')
        (pack / f"LICENSE{'.md' * (name == 'a.yara')}").write_text(name)
        write_directory(import_pack(pack, RuleAction.ALERT), out, "pack")
    assert [path.name for path in (out / "rules").rglob("*")] == ["a.yar"]
    assert [path.name for path in (out / "licences").rglob("*")] == ["LICENSE.md"]


def test_commands_speak_json(pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, file = tmp_path / "out", tmp_path / "f.release"
    content_import.command(pack, out, RuleAction.ALERT, as_json=True)
    report = json.loads(capsys.readouterr().out)
    assert (report["taken"], report["directory"]) == (5, str(out))
    content_build.command(out, file, 5, as_json=True)
    built = json.loads(capsys.readouterr().out)
    content_show.command(file, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert (built["version"], built["sha256"], built["rules"]) == (5, shown["sha256"], len(shown["rules"]))
    content_show.command(file, rules=True)
    assert "First_2" in capsys.readouterr().out


def test_without_a_target_it_writes_beside_and_over_nothing(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    content_import.command(pack)
    said = capsys.readouterr().out
    assert "some-pack-content: 5 rules taken" in said
    assert "ringfence content prove some-pack-content -o some-pack.release\n" in said
    assert "--action block -o some-pack-content" in said
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(PathRefused, match="is there already"):
        content_import.command(pack)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    content_import.command(pack, Path("some-pack-content"), RuleAction.BLOCK)
    assert "import again" not in capsys.readouterr().out
    release = decode_release(build_bytes(tmp_path / "some-pack-content"))
    assert RuleAction.BLOCK in {rule.action for rule in release.manifest.rules}


def test_who_stands_in_the_pack_finds_the_content_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p" / "deep").mkdir(parents=True)
    (tmp_path / "p" / "a.yar").write_text('rule R { strings: $a = "text" condition: $a }\n')
    monkeypatch.chdir(tmp_path / "p" / "deep")
    content_import.command(tmp_path / "p")
    assert f"{tmp_path}/p-content: 1 rules taken" in capsys.readouterr().out
    assert (tmp_path / "p-content" / "content.yaml").is_file()


@pytest.mark.parametrize("as_json", [True, False])
def test_a_pack_of_which_nothing_is_taken_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    pack = tmp_path / "p"
    pack.mkdir()
    (pack / "LICENSE").write_text("MIT")
    (pack / "broken.yar").write_text("rule broken { condition: ")
    (pack / "private.yar").write_text("private rule P { condition: filesize > 1 }")
    (pack / "always\x1b[2J.yar").write_text("rule Always { condition: true }")
    monkeypatch.chdir(tmp_path)
    words = ["content", "import-yara", "p", *(["--json"] if as_json else [])]
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == ContentRefused.exit_status
    told = capsys.readouterr()
    assert "error content-refused: p: no rule was taken from its 3 files" in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
    if as_json:
        report = json.loads(told.out)
        assert (report["taken"], report["directory"], len(report["files"])) == (0, "", 3)
        assert all(one["refused"] for one in report["files"])
    else:
        assert "broken.yar: 0 taken, 0 refused" not in told.out
        assert "the file: only private rules" in told.out
        assert "    Always: " in told.out
        assert "always\\x1b[2J.yar: 0 taken, 1 refused" in told.out


def test_a_target_that_is_in_use_is_refused_before_the_work(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for target in (tmp_path, tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(PathRefused):
            content_import.command(pack, target)
    assert (tmp_path / "file").read_text() == "mine"


def test_refuses_what_is_no_pack_and_what_is_not_its_own(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(PathRefused):
        import_pack(tmp_path / "nowhere", RuleAction.ALERT)
    with pytest.raises(PathRefused):
        write_directory(Imported((), (), (), ()), pack, "x")


def test_the_prober_finds_the_guilty() -> None:
    good = Candidate('rule a { strings: $a = "abc" condition: $a }', FileClass.ANY)
    bad = Candidate("rule b { condition: nothing }", FileClass.ANY)
    slow = Candidate(
        'import "math"\nrule s { condition: for any i in (0..2000) : ( math.entropy(i, filesize - i) > 8.1 ) }',
        FileClass.ANY,
    )
    with Prober() as prober:
        found = prober.reasons([good, bad, good, slow, good])
    assert [bool(reason) for reason in found] == [False, True, False, True, False]
    assert "slow" in found[3]


def test_compile_reason() -> None:
    assert compile_reason("rule a { condition: filesize > 1 }") == ""
    assert "E0" in compile_reason('include "/etc/passwd"')


def test_release_names() -> None:
    assert release_name("Some Pack (v2)!") == "some-pack-v2"
    assert release_name("\u00e9") == "imported"
