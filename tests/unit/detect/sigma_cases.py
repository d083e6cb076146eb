"""Sigma rules and events made by chance, from words that have hurt matchers before."""

import random
from typing import Final

from ringfence.detect.events import Event, EventValue, normalise
from ringfence.model.detection import (
    AllOf,
    AnyOf,
    Condition,
    DetectionRule,
    NotOf,
    Operator,
    Predicate,
    Wildcard,
    folded,
    glob_text,
)
from ringfence.model.records import Severity

EVENT_TYPE: Final = "process_creation"
FIELDS: Final = ("Image", "CommandLine", "ParentImage", "User", "N")
WORDS: Final = (
    "nc NC sh /sh \\sh /srv a srv/a\\b/nc C:\\a/b i\u017fs iss ISS K k İ ΑΣ \u03b1ς \u03b1\u03c3 ß"
    " eval EVAL .* * ? é 0 10.0.0.7 5 -1 a]foo xfoo {x}"
).split()
EVENT_WORDS: Final = (*WORDS, "", " ", "\ud800x", "\x00", "aaaaaaaa")
REGEXES: Final = (
    "iss",
    "(?i)iss",
    "(?i)kss",
    "^$",
    ".*",
    "nc$",
    "[[:alpha:]]foo",
    r"a\\b",
    "(sh|nc)",
    "ev?al",
    "x{0,3}foo",
    "x{1,3}foo",
    r"\bsh\b",
    "(?i:eval)+",
    "(?:srv|nc|)a",
    "[]a]foo",
    "[^]]foo",
    r"[\]]foo",
    "(?P<x>foo|sh)",
    r"\x66oo",
    r"\Qa]\Efoo",
    "(?-s)a.b",
    "s+h*",
    "é",
    "(?i)É",
    r"\{x\}",
    "{x}",
    "(nc|ncat)(sh)?",
)
SEARCHED: Final = (
    Operator.EQUALS,
    Operator.CONTAINS,
    Operator.STARTS,
    Operator.ENDS,
    Operator.ENDS,
    Operator.GLOB,
    Operator.REGEX,
)
"""What the index can help with: two of three rule sets are made of these alone."""

EVERY: Final = (*SEARCHED, *Operator)


def rule_of(condition: Condition, number: int = 0, event_type: str = EVENT_TYPE) -> DetectionRule:
    """A rule with this condition."""
    return DetectionRule(
        identifier=f"00000000-0000-0000-0000-{number:012x}",
        title=f"Rule {number}",
        author="Somebody",
        licence="DRL-1.1",
        level=Severity.LOW,
        techniques=(),
        reference="",
        event_type=event_type,
        condition=condition,
    )


def asked(field: str | None, operator: str, *values: str, cased: bool = False) -> Predicate:
    """A predicate, its values in order."""
    return Predicate(field, Operator(operator), cased, tuple(sorted(set(values))))


def event_of(**raw: EventValue) -> Event:
    """An event of these values."""
    return normalise(EVENT_TYPE, raw)


def random_rules(chance: random.Random, count: int, operators: tuple[Operator, ...]) -> list[DetectionRule]:
    return [
        rule_of(random_condition(chance, operators), number, chance.choice((EVENT_TYPE, EVENT_TYPE, "other")))
        for number in range(count)
    ]


def random_condition(chance: random.Random, operators: tuple[Operator, ...], depth: int = 0) -> Condition:
    roll = chance.random()
    if depth >= 3 or roll < 0.35:
        return random_predicate(chance, operators)
    if roll < 0.45 and (operators is EVERY or depth):
        return NotOf(random_condition(chance, operators, depth + 1))
    parts = tuple(random_condition(chance, operators, depth + 1) for _ in range(chance.randint(2, 4)))
    return AllOf(parts) if chance.random() < (0.5 if operators is EVERY else 0.7) else AnyOf(parts)


def random_predicate(chance: random.Random, operators: tuple[Operator, ...]) -> Predicate:
    operator = chance.choice(operators)
    field: str | None = chance.choice(FIELDS)
    cased = operator in {"eq", "contains", "starts", "ends", "glob"} and chance.random() < 0.25
    if operator in {"contains", "glob", "re"} and chance.random() < 0.08:
        field = None
    if operator in {"any", "null"}:
        return Predicate(field, operator, False, ())
    values = {_value(chance, operator, cased=cased) for _ in range(chance.choice((1, 1, 1, 2, 4)))}
    return Predicate(field, operator, cased, tuple(sorted(values)))


def _value(chance: random.Random, operator: Operator, *, cased: bool) -> str:
    match operator:
        case Operator.REGEX:
            return chance.choice(REGEXES)
        case Operator.EXISTS:
            return chance.choice(("true", "false"))
        case Operator.SAME_AS:
            return chance.choice(FIELDS)
        case Operator.NETWORK:
            return chance.choice(("10.0.0.0/8", "0.0.0.0/0", "::/0", "192.0.2.1/32"))
        case Operator.LESS | Operator.AT_MOST | Operator.MORE | Operator.AT_LEAST:
            return chance.choice(("0", "5", "5.5", "-1", "100000000000000000000"))
        case Operator.GLOB:
            choices = (Wildcard.RUN, Wildcard.ONE)
            text = glob_text([chance.choice((*choices, chance.choice(WORDS))) for _ in range(chance.randint(1, 5))])
            return text if cased else folded(text)
    text = "".join(chance.choice(WORDS) for _ in range(chance.randint(0, 2)))
    return text if cased else folded(text)


def random_event(chance: random.Random) -> Event:
    raw: dict[str, EventValue] = {}
    for field in FIELDS:
        roll = chance.random()
        if roll < 0.75:
            words = [chance.choice(EVENT_WORDS) for _ in range(chance.randint(0, 4))]
            raw[field] = chance.choice(("", "/", "\\", " ")).join(words)
        elif roll < 0.85:
            raw[field] = chance.choice((0, 5, True, False, 5.5, None, 10**20, 10**5000, b"/\xff\xfe", float("nan")))
    return normalise(chance.choice((EVENT_TYPE, EVENT_TYPE, EVENT_TYPE, "other")), raw)
