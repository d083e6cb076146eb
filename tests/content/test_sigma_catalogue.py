"""Sigma that is valid and would hurt a fleet is refused for the right reason; awkward Sigma that is fine is accepted.

Each example is a file with a comment on top: `code` and `harm`, or `why`.  Its self-tests stand beside it.
"""

import datetime as dt
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from ringfence.author.build import build_bytes
from ringfence.author.finding import Level, finding_line
from ringfence.author.lint import lint_directory
from ringfence.author.sigma_codes import SIGMA_CODES
from ringfence.author.sigma_lint import lint_sigma_rules
from ringfence.author.sigma_source import read_sigma
from ringfence.author.sigma_tests import read_event_tests
from ringfence.detect.events import Event
from ringfence.detect.sigma.example import example_event
from ringfence.detect.sigma.naive import holds
from ringfence.detect.sigma.replay import probe_events, replay
from ringfence.model.contract import EventField, EventType, FieldKind, SensorContract

HERE: Final = Path(__file__).parent
HARMFUL: Final = sorted((HERE / "harmful" / "sigma").glob("*.yml"))
FINE: Final = sorted((HERE / "fine" / "sigma").glob("*.yml"))

TODAY: Final = dt.date(2026, 11, 27)
TEXTS: Final = ("CommandLine", "CurrentDirectory", "Image", "LogonId", "ParentImage", "User", "UtcTime")
ELSEWHERE: Final = {
    "sigma/bound": "tests/unit/author/test_sigma_source.py: a text of 4,097 characters",
    "sigma/collection": "tests/unit/author/test_sigma_source.py: three lines",
    "sigma/costly": "tests/unit/author/test_sigma_trial.py: a bound of nothing",
    "sigma/duplicate-id": "tests/unit/author/test_sigma_lint.py: needs two files",
    "sigma/filter": "tests/unit/author/test_sigma_source.py: three lines",
    "sigma/invalid": "tests/unit/author/test_sigma_source.py: many of them",
    "sigma/logsource": "tests/unit/author/test_sigma_source.py: two of them",
    "sigma/matchers-differ": "tests/unit/author/test_sigma_trial.py: a matcher that lies",
    "sigma/matches-everything": "tests/unit/author/test_sigma_source.py: a keyword that is a star",
    "sigma/noise": "tests/unit/author/test_sigma_trial.py: every compiler run",
    "sigma/recorded-cost": "tests/unit/author/test_sigma_recorded.py: one rule takes more than its share",
    "sigma/recorded-noise": "tests/unit/author/test_prove_events.py: 2 of 50 recorded events",
    "sigma/size": "tests/unit/author/test_sigma_source.py: a megabyte, 20,001 values",
    "sigma/slow": "tests/unit/author/test_sigma_trial.py: a thousand texts",
}
"""Code of an error -> where its example is."""

ONLY_TOLD: Final = frozenset(
    {"sigma/may-never-match", "sigma/private-network", "sigma/short-witness", "sigma/style", "sigma/suspicion"}
)
"""Codes that never refuse."""


def sensor() -> SensorContract:
    """The build that the examples are held against."""
    text = tuple(EventField(name, FieldKind.TEXT) for name in TEXTS)
    network = (
        EventField("DestinationIp", FieldKind.ADDRESS),
        EventField("DestinationPort", FieldKind.INTEGER),
        EventField("Image", FieldKind.TEXT),
    )
    events = (
        EventType("network_connection", network),
        EventType("process_creation", text),
        EventType("syslog", (EventField("message", FieldKind.TEXT),)),
    )
    return SensorContract("1.0+catalogue", "yara-x", "1", 1, 1, (), (), (), events, ())


def findings_of(path: Path) -> Iterator[tuple[str, Level, str]]:
    tests = path.with_suffix(".events.yaml")
    source = read_sigma(path.name, path.read_text(encoding="utf-8"))
    events = read_event_tests(tests.name, tests.read_text(encoding="utf-8")) if tests.exists() else []
    for finding in lint_sigma_rules([source], events, [sensor()]):
        yield finding.code, finding.level, finding_line(finding)


def said(path: Path, word: str) -> str:
    """What the comment on top says."""
    found = re.search(rf"^# {word}: (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None, f"{path.name} does not say its {word}"
    return found[1]


@pytest.mark.parametrize("path", HARMFUL, ids=lambda path: path.stem)
def test_what_would_hurt_is_refused_for_the_right_reason(path: Path) -> None:
    errors = {code for code, level, _ in findings_of(path) if level is Level.ERROR}
    code = said(path, "code")
    assert code in errors, list(findings_of(path))
    assert len(said(path, "harm").split()) > 5
    if code.endswith(("-test", "not-supplied", "metadata", "status", "contradiction")):
        assert errors == {code}  # nothing else is wrong with it


@pytest.mark.parametrize("path", FINE, ids=lambda path: path.stem)
def test_what_is_awkward_and_fine_is_accepted(path: Path) -> None:
    assert [line for _, level, line in findings_of(path) if level is Level.ERROR] == []
    assert said(path, "why")


@pytest.mark.parametrize("path", FINE, ids=lambda path: path.stem)
def test_both_matchers_agree_on_all_that_is_made_of_it(path: Path) -> None:
    rule = read_sigma(path.name, path.read_text(encoding="utf-8")).rule
    assert rule is not None
    ticks = iter(range(1_000_000))
    found = replay([rule], probe_events(rule), ticks.__next__)
    assert found.disagreements == ()
    example = example_event(rule)
    assert example is None or holds(rule.condition, Event(rule.event_type, example).fields)


def placed(paths: list[Path], directory: Path) -> Path:
    """A content directory of these examples."""
    for folder in ("sigma", "tests", "rules"):
        (directory / folder).mkdir()
    head = "format: 1\nname: catalogue\nversion: 1\ndescription: Examples\n"
    (directory / "content.yaml").write_text(head, encoding="utf-8")
    for path in paths:
        shutil.copy(path, directory / "sigma")
        if (tests := path.with_suffix(".events.yaml")).exists():
            shutil.copy(tests, directory / "tests")
    return directory


def test_a_lint_of_all_the_fine_finds_nothing_and_it_can_be_built(tmp_path: Path) -> None:
    directory = placed(FINE, tmp_path)
    result = lint_directory(directory, [sensor()], TODAY)
    assert [finding_line(one) for one in result.findings if one.refuses] == []
    assert result.rules == len(FINE)
    assert build_bytes(directory)


def test_a_lint_of_all_the_harmful_tells_of_each(tmp_path: Path) -> None:
    result = lint_directory(placed(HARMFUL, tmp_path), [sensor()], TODAY)
    told: dict[str, set[str]] = {}
    for finding in result.findings:
        if finding.refuses:
            told.setdefault(Path(finding.file).name.partition(".")[0], set()).add(finding.code)
    assert [path.stem for path in HARMFUL if said(path, "code") not in told[path.stem]] == []


def test_every_error_has_its_example() -> None:
    shown = {said(path, "code") for path in HARMFUL}
    assert shown | ELSEWHERE.keys() | ONLY_TOLD == SIGMA_CODES.keys()
    assert not shown & (ELSEWHERE.keys() | ONLY_TOLD)
    assert len(HARMFUL) >= 30
    assert len(FINE) >= 20
