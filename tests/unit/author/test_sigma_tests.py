"""Self-tests of Sigma rules: read strictly, held to, and none of the rule's fields left out."""

from typing import Final

import pytest
from tests.unit.author.sigma_texts import GOOD, IDENTIFIER, selection

from ringfence.author.sigma_source import read_sigma
from ringfence.author.sigma_tests import AuthoredEvent, read_event_tests, self_test_findings
from ringfence.model.errors import ContentRefused

FILE: Final = "tests/shell.events.yaml"
TESTS: Final = f"""\
{IDENTIFIER}:
  matches:
    - {{Image: /bin/sh, ParentImage: /usr/sbin/nginx, CommandLine: id, Pid: 0, Ok: false, User: null}}
  ignores:
    - Image: /bin/sh
      ParentImage: /usr/sbin/nginx
      CommandLine: logrotate
"""


def told(rule: str, tests: str) -> list[tuple[str, int, int, str]]:
    found = self_test_findings([read_sigma("sigma/a.yml", rule)], read_event_tests(FILE, tests))
    return [(one.code, one.line, one.column, one.text) for one in found]


def test_events_are_made_text_as_those_of_a_sensor() -> None:
    first, second = read_event_tests(FILE, TESTS)
    assert dict(first.test.event) == {
        "CommandLine": "id", "Image": "/bin/sh", "Ok": "false", "ParentImage": "/usr/sbin/nginx", "Pid": "0",
    }  # fmt: skip
    assert (first.test.expects_match, second.test.expects_match) == (True, False)
    assert (second.place.line, second.place.column) == (5, 7)


def test_self_tests_that_hold() -> None:
    assert told(GOOD, TESTS) == []


def test_self_tests_that_do_not_hold() -> None:
    wrong = TESTS.replace("CommandLine: id", "CommandLine: logrotate").replace("      CommandLine: logrotate\n", "")
    assert [(code, line) for code, line, *_ in told(GOOD, wrong)] == [("sigma/self-test", 3), ("sigma/self-test", 5)]


def test_both_kinds_must_be_there() -> None:
    found = told(GOOD, TESTS.partition("  ignores")[0])
    assert [(code, text) for code, _, _, text in found] == [
        ("sigma/no-test", "has no self-test of an event that it ignores")
    ]
    assert len([one for one in self_test_findings([read_sigma("a", GOOD)], []) if "has no self-test" in one.text]) == 2


@pytest.mark.parametrize("value", ["", "'*'", "'**?'", "null"])
def test_a_field_that_is_tried_with_nothing_or_a_wildcard_is_not_tried(value: str) -> None:
    rule = selection("A|startswith: xyz", "B: '*'")
    tests = f"{IDENTIFIER}:\n  matches:\n    - {{A: xyz, B: real}}\n  ignores:\n    - {{A: abc}}\n"
    assert told(rule, tests) == []
    vague = tests.replace("B: real", f"B: {value}")
    assert ("sigma/no-test", 19, 9, "no self-test gives the field B a value of its own") in told(rule, vague)


def test_tests_of_a_rule_that_is_not_there() -> None:
    other = TESTS.replace(IDENTIFIER, IDENTIFIER.replace("6", "7"))
    assert ("sigma/self-test", 3, 7, "there is no rule of this id") in told(GOOD, other)


def test_a_rule_that_cannot_run_is_not_tested() -> None:
    assert [one for one in told(selection("A|expand: '%x%'"), TESTS) if one[0] == "sigma/no-test"] == []


@pytest.mark.parametrize(
    ("text", "reason", "position"),
    [
        ("[]\n", "must map", "1:1"),
        ("a: 5\n", "matches, ignores or both", "1:1"),
        ("a: {}\n", "matches, ignores or both", "1:1"),
        ("a:\n  hits: []\n", "matches, ignores or both", "1:1"),
        ("a:\n  matches: {}\n", "list of events", "2:3"),
        ("a:\n  matches:\n    - text\n", "must be an event", "3:7"),
        ("a:\n  matches:\n    - x: [1]\n", "a value is text", "3:7"),
        ("a:\n  matches:\n    - 'x y': 1\n", "does not fit", "3:7"),
        ("a:\n  matches:\n    - x: 010\n", "quote it", "3:10"),
        ("a:\n  matches:\n    - x: " + "y" * 131_073 + "\n", "more than 131072", "3:7"),
        ("a: *x\n", "aliases", "1:4"),
    ],
)
def test_what_is_no_self_test_is_refused_where_it_stands(text: str, reason: str, position: str) -> None:
    with pytest.raises(ContentRefused, match=reason) as caught:
        read_event_tests(FILE, text)
    assert caught.value.position == position


def test_the_class_is_a_value() -> None:
    assert read_event_tests(FILE, TESTS) == read_event_tests(FILE, TESTS)
    assert isinstance(read_event_tests(FILE, TESTS)[0], AuthoredEvent)
