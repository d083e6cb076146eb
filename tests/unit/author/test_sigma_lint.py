"""Harmful but valid Sigma is found, with its place; honest Sigma is left alone."""

from typing import Final

import pytest
from tests.unit.author.sigma_texts import GOOD, IDENTIFIER, selection, with_detection

from ringfence.author.codes import CODES
from ringfence.author.finding import Level, finding_line
from ringfence.author.sigma_lint import TOLD_FINDINGS, lint_sigma_file, lint_sigma_rules
from ringfence.author.sigma_source import read_sigma
from ringfence.author.sigma_tests import AuthoredEvent
from ringfence.author.strict_yaml import Place
from ringfence.model.contract import EventField, EventType, FieldKind, SensorContract
from ringfence.model.detection import EventTest

FILE: Final = "sigma/shell.yml"


def contract(build: str, **fields: FieldKind) -> SensorContract:
    """A build that supplies process_creation with these fields."""
    supplied = tuple(EventField(name, fields[name]) for name in sorted(fields))
    event = EventType("process_creation", supplied)
    return SensorContract(build, "yara-x", "1", 1, 1, (), (), (), (event,), ())


TEXT: Final = FieldKind.TEXT
SUPPLIED: Final = contract("1.0+a", Image=TEXT, ParentImage=TEXT, CommandLine=TEXT)


def told(text: str, *contracts: SensorContract) -> list[tuple[str, int, Level]]:
    found = lint_sigma_file(FILE, text, contracts)
    assert all(one.code in CODES for one in found)
    return [(one.code, one.line, one.level) for one in found]


def errors(text: str, *contracts: SensorContract) -> list[tuple[str, int]]:
    return [(code, line) for code, line, level in told(text, *contracts) if level is Level.ERROR]


def test_an_honest_rule_is_left_alone() -> None:
    assert told(GOOD, SUPPLIED) == []


@pytest.mark.parametrize(
    ("lines", "condition", "expected"),
    [
        (["A: '*'"], "selection", [("sigma/no-witness", 19), ("sigma/broad-alternative", 18)]),
        (["A|contains: ''"], "selection", [("sigma/no-witness", 19), ("sigma/broad-alternative", 18)]),
        (["A|contains: 'e'"], "selection", [("sigma/no-witness", 19), ("sigma/broad-alternative", 18)]),
        (["A|contains:", "    - 'mimikatz'", "    - 'ex'"], "selection", [("sigma/broad-alternative", 20)]),
        (["A|contains|all:", "    - 'mimikatz'", "    - 'ex'"], "selection", []),
        (["A: x"], "not selection", [("sigma/matches-empty", 19), ("sigma/broad-alternative", 19)]),
        (["A: null"], "selection", [("sigma/matches-empty", 19), ("sigma/broad-alternative", 18)]),
        (["A|exists: false"], "selection", [("sigma/matches-empty", 19), ("sigma/broad-alternative", 18)]),
        (["A|cidr: 0.0.0.0/0"], "selection", [("sigma/no-witness", 19), ("sigma/wide-network", 18)]),
        (["A|cidr: '::/0'"], "selection", [("sigma/no-witness", 19), ("sigma/wide-network", 18)]),
        (["A|gte: 1"], "selection", [("sigma/no-witness", 19), ("sigma/broad-alternative", 18)]),
        (["A|re: '.*'"], "selection", [("sigma/no-witness", 19), ("sigma/broad-alternative", 18)]),
        (["A|re: '[a-z]+'"], "selection", [("sigma/no-witness", 19), ("sigma/broad-alternative", 18)]),
        (["A|re: '(a+)+$'"], "selection", [("sigma/no-witness", 19)]),
        (["A|re: '(curl|wget)'"], "selection", []),
        (["A|re: '[0-9a-f]{64}'"], "selection", [("sigma/no-witness", 19)]),
        (["A|startswith: '/usr/bin/'"], "selection", [("sigma/broad-alternative", 18)]),
        (["A|startswith: '/usr/bin/python'"], "selection", []),
        (["A|endswith: '.exe'"], "selection", [("sigma/broad-alternative", 18)]),
        (["A|endswith: '/w'"], "selection", []),
        (["A|contains: '\u202e'"], "selection", []),
        (["A: x", "B: y"], "1 of selection", []),
        (["- A: x", "- B: '*'"], "selection", [("sigma/no-witness", 20), ("sigma/broad-alternative", 19)]),
    ],
)
def test_what_matches_nearly_everything(lines: list[str], condition: str, expected: list[tuple[str, int]]) -> None:
    assert sorted(errors(selection(*lines, condition=condition))) == sorted(expected)


def test_a_negation_as_an_alternative() -> None:
    text = with_detection("    s:\n        A: x\n    f:\n        B: y\n    condition: s or not f\n")
    assert sorted(errors(text)) == [("sigma/broad-alternative", 21), ("sigma/matches-empty", 21)]


def test_networks_that_are_left_out_may_be_wide_but_not_everything() -> None:
    lines = "    s:\n        A: x\n    f:\n        B|cidr: {}\n    condition: s and not f\n"
    assert errors(with_detection(lines.format("fe80::/10"))) == []
    assert errors(with_detection(lines.format("0.0.0.0/0"))) == [("sigma/wide-network", 20)]


def test_a_private_network_and_a_short_witness_are_warned_of() -> None:
    assert told(selection("A|cidr: 10.0.0.0/8", "B: x")) == [("sigma/private-network", 18, Level.WARNING)]
    assert told(selection("A|cidr: 8.8.8.0/24", "B: x")) == []
    assert told(selection("A|endswith: '/w'")) == [("sigma/short-witness", 19, Level.WARNING)]


def test_a_value_that_must_be_two_things_is_warned_of() -> None:
    assert told(selection("A: runwizard", "A|contains: '-{'")) == [("sigma/may-never-match", 20, Level.WARNING)]
    assert told(selection("A: 'runwizard -{'", "A|contains: '-{'")) == []


def test_alternatives_of_one_rule_are_told_up_to_a_bound() -> None:
    values = [f"    - '{chr(97 + n // 26)}{chr(97 + n % 26)}'" for n in range(60)]
    found = errors(selection("A|contains:", *values))
    assert found == [("sigma/broad-alternative", 19 + n) for n in range(TOLD_FINDINGS)]


def test_every_contract_must_supply_every_field() -> None:
    short = contract("0.9+b", Image=TEXT, CommandLine=TEXT)
    found = lint_sigma_file(FILE, GOOD, [SUPPLIED, short])
    what = "needs the field process_creation.ParentImage, which is not supplied by 0.9+b"
    assert [finding_line(one) for one in found] == [f"{FILE}:18:9: sigma/not-supplied: {what}"]


def test_an_event_type_that_is_not_supplied_is_told_once() -> None:
    text = GOOD.replace("product: linux", "product: windows")
    assert [(one.line, one.text) for one in lint_sigma_file(FILE, text, [SUPPLIED])] == [
        (13, "needs the event type windows_process_creation, which is not supplied by 1.0+a")
    ]


def test_a_number_must_be_supplied_as_a_number() -> None:
    text = selection("Port|gte: 1024", "Image: /bin/x")
    assert errors(text, contract("1+a", Image=TEXT, Port=FieldKind.INTEGER)) == []
    assert errors(text, contract("1+a", Image=TEXT, Port=TEXT)) == [("sigma/not-supplied", 18)]


def test_what_cannot_be_read_is_not_looked_at_further() -> None:
    assert errors(selection("A|expand: '%x%'"), SUPPLIED) == [("sigma/placeholder", 18)]


def test_an_id_stands_for_one_rule() -> None:
    event = EventTest(IDENTIFIER, (("Image", "/bin/sh"), ("ParentImage", "/sbin/nginx")), expects_match=True)
    known = (("CommandLine", "logrotate"), ("Image", "/bin/sh"), ("ParentImage", "/sbin/nginx"))
    tests = [
        AuthoredEvent(event, "tests/a.events.yaml", Place(3, 5)),
        AuthoredEvent(EventTest(IDENTIFIER, known, expects_match=False), "tests/a.events.yaml", Place(5, 5)),
    ]
    first, second = read_sigma("sigma/a.yml", GOOD), read_sigma("sigma/b.yml", GOOD)
    assert lint_sigma_rules([first], tests, [SUPPLIED]) == []
    found = lint_sigma_rules([first, second], tests, [])
    assert ("sigma/b.yml", 2, "sigma/duplicate-id") in [(one.file, one.line, one.code) for one in found]
