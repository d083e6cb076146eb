"""`ringfence content lint` and `waive`, as a person and a pipeline call them."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.author.content_fixtures import KEY, OTHER_KEY, write_short, write_sound
from tests.unit.wire.contract_fixtures import sensor

from ringfence.author.key_files import write_key_pair
from ringfence.model.errors import PathRefused, UsageRefused
from ringfence.programs import content_lint, content_waive
from ringfence.wire.contract import encode_contract

NEXT_YEAR = (dt.datetime.now(dt.UTC).date() + dt.timedelta(200)).isoformat()  # noqa: TID251 - the command's own clock


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """A directory with one error that can be waived."""
    return write_short(tmp_path / "short")


def lint(directory: Path, capsys: pytest.CaptureFixture[str], **options: object) -> tuple[int, dict[str, Any]]:
    """Exit status and JSON of a lint."""
    status = 0
    try:
        content_lint.command(directory, as_json=True, **options)  # type: ignore[arg-type]
    except SystemExit as leaving:
        status = int(str(leaving.code))
    return status, json.loads(capsys.readouterr().out)


def test_json_has_every_finding_and_the_status_says_refused(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, facts = lint(short, capsys)
    assert status == 65
    assert (facts["refused"], facts["errors"], facts["warnings"], facts["rules"]) == (True, 1, 0, 1)
    (finding,) = facts["findings"]
    assert (finding["code"], finding["rule"], finding["line"]) == ("yara/unspecific", "One", 1)


def test_text_is_one_line_for_each(short: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        content_lint.command(short)
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("rules/family.yar:1:")
    assert ": yara/unspecific: blocks by" in first
    assert last.endswith("1 rules in 1 files: 1 errors, 0 warnings, 0 notes, 0 waived")


def test_nothing_of_content_reaches_a_terminal_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = write_sound(tmp_path)
    (directory / "content.yaml").write_text('"\\e[31m": 1\nformat: 1\n', encoding="utf-8")
    (directory / "rules" / "\x1b[2J.yar").write_text("rule \x1b[31m", encoding="utf-8")
    with pytest.raises(SystemExit):
        content_lint.command(directory)
    assert "\x1b" not in capsys.readouterr().out


def test_sarif_is_written_beside(short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "lint.sarif"
    lint(short, capsys, sarif=log)
    (run,) = json.loads(log.read_bytes())["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["yara/unspecific"]
    assert run["tool"]["driver"]["rules"][0]["shortDescription"]["text"].endswith(".")


def test_contracts_of_a_fleet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inventory = tmp_path / "fleet"
    inventory.mkdir()
    (inventory / "a.json").write_bytes(encode_contract(sensor("3.0.0")))
    status, facts = lint(write_sound(tmp_path / "content"), capsys, contracts=inventory)
    assert (status, facts["contracts"]) == (0, [sensor("3.0.0").build])
    with pytest.raises(PathRefused, match="holds no contract"):
        content_lint.command(tmp_path / "content", contracts=tmp_path / "content")


def test_a_day_is_a_day(short: Path) -> None:
    with pytest.raises(UsageRefused, match="is not a day"):
        content_lint.command(short, today="tomorrow")


def test_a_waiver_is_made_counts_and_expires(
    short: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_key_pair(KEY, tmp_path / "ann.key")
    content_waive.command(
        short, "yara/unspecific", "One", reason="seen on no good file", until=NEXT_YEAR, key=tmp_path / "ann.key"
    )
    assert "is waived until" in capsys.readouterr().out
    status, facts = lint(short, capsys)
    assert (status, facts["waived"]) == (0, 1)
    status, facts = lint(short, capsys, today="2039-01-01")
    assert (status, facts["errors"]) == (65, 2)
    with pytest.raises(UsageRefused, match="there is no error"):
        content_waive.command(
            short, "yara/unspecific", "One", reason="again", until=NEXT_YEAR, key=tmp_path / "ann.key"
        )


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"code": "yara/nothing-such"}, "there is no error"),
        ({"rule": "Two"}, "there is no error"),
        ({"code": "contract/not-supplied"}, "cannot be waived"),
        ({"until": "2020-01-01"}, "is not within"),
        ({"until": "2900-01-01"}, "is not within"),
        ({"until": "soon"}, "is not a day"),
        ({"reason": "  "}, "must say something"),
        ({"reason": "a\nb"}, "control character"),
    ],
)
def test_a_waiver_that_would_not_count_is_not_made(
    short: Path,
    tmp_path: Path,
    changes: dict[str, str],
    word: str,
) -> None:
    write_key_pair(KEY, tmp_path / "ann.key")
    words = {"code": "yara/unspecific", "rule": "One", "reason": "seen", "until": NEXT_YEAR} | changes
    with pytest.raises(UsageRefused, match=word):
        content_waive.command(
            short, words["code"], words["rule"], reason=words["reason"], until=words["until"], key=tmp_path / "ann.key"
        )
    assert not list(short.glob("waivers/*.json"))


def test_a_key_that_the_content_does_not_name_signs_nothing(short: Path, tmp_path: Path) -> None:
    write_key_pair(OTHER_KEY, tmp_path / "eve.key")
    with pytest.raises(UsageRefused, match="does not name this key"):
        content_waive.command(short, "yara/unspecific", "One", reason="seen", until=NEXT_YEAR, key=tmp_path / "eve.key")
