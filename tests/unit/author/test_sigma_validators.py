"""Other people's validators: which are asked, and what their word weighs."""

import socket
from typing import Any

import pytest
from sigma.validators.core import validators as own_validators
from sigma.validators.sigmahq import validators as sigmahq_validators
from tests.unit.author.sigma_texts import GOOD, selection, with_detection

from ringfence.author import sigma_validators
from ringfence.author.finding import Finding, Level
from ringfence.author.sigma_source import read_sigma
from ringfence.author.sigma_validators import CERTAIN, LEFT_OUT, validator_findings


def told(text: str) -> list[Finding]:
    return list(validator_findings(read_sigma("sigma/a.yml", text)))


def test_a_good_rule_is_left_alone_and_nothing_asks_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "socket", lambda *args, **_: asked.append(args))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: asked.append(args))
    assert told(GOOD) == []
    assert asked == []


def test_what_is_left_out_exists_and_the_rest_is_asked() -> None:
    known = own_validators.keys() | sigmahq_validators.keys()
    assert LEFT_OUT.keys() <= known
    assert known >= CERTAIN
    assert len(known - LEFT_OUT.keys()) >= 60


@pytest.mark.parametrize(
    ("text", "code", "level", "place", "name"),
    [
        (
            with_detection("    s:\n        A: x\n    unused:\n        B: y\n    condition: s\n"),
            "sigma/contradiction", Level.ERROR, (16, 1), "dangling_detection",
        ),
        (selection("A|all:", "    - x", "    - y"), "sigma/contradiction", Level.ERROR, (18, 9), "invalid_modifier"),
        (selection("A: 'a**b'"), "sigma/style", Level.NOTE, (16, 1), "double_wildcard"),
        (selection("A: '*ab*'"), "sigma/style", Level.NOTE, (18, 9), "wildcards_instead_of_modifiers"),
        (GOOD.replace("Shell From", "shell from"), "sigma/suspicion", Level.WARNING, (1, 1), "title_case"),
    ],
)  # fmt: skip
def test_what_each_word_weighs(text: str, code: str, level: Level, place: tuple[int, int], name: str) -> None:
    found = [one for one in told(text) if name in one.text]
    assert [(one.code, one.level, (one.line, one.column)) for one in found] == [(code, level, place)], told(text)


def test_a_validator_that_fails_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def validate(self, rule: Any) -> list[Any]:  # noqa: ANN401 - as the library has it
            raise KeyError(rule.title)

    monkeypatch.setattr(sigma_validators, "_validators", lambda: (("broken", Broken),))
    (only,) = told(GOOD)
    assert (only.level, only.code) == (Level.NOTE, "sigma/style")


def test_a_file_that_is_no_rule_is_not_asked() -> None:
    assert told("- a\n") == []
