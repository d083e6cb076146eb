"""The fast matcher says what the reference says: named cases that each broke a matcher once, then many by chance."""

import random
from typing import Final

import pytest
from tests.unit.detect.sigma_cases import (
    EVENT_TYPE,
    EVERY,
    SEARCHED,
    asked,
    event_of,
    random_event,
    random_rules,
    rule_of,
)

from ringfence.detect.events import Event, EventValue
from ringfence.detect.sigma import matcher as matcher_module
from ringfence.detect.sigma.matcher import Matcher
from ringfence.detect.sigma.naive import matches_of
from ringfence.model.detection import AllOf, AnyOf, Condition, DetectionRule, NotOf, fields_of

SEEDS: Final = range(300)
EVENTS_PER_SEED: Final = 120

HARD_CASES: Final[tuple[tuple[str, Condition, dict[str, EventValue], bool], ...]] = (
    ("both separators in one path", asked("Image", "ends", "/nc"), {"Image": "/srv/x\\y/nc"}, True),
    ("both separators, the other way", asked("Image", "ends", "\\b"), {"Image": "/srv/a\\b"}, True),
    ("a separator alone", asked("Image", "ends", "/"), {"Image": "/srv/"}, True),
    ("nothing, field missing", asked("User", "eq", ""), {"Image": "x"}, False),
    ("nothing, field empty", asked("User", "eq", ""), {"User": ""}, True),
    ("contains nothing, field missing", asked("User", "contains", ""), {}, False),
    ("contains nothing, field there", asked("User", "contains", ""), {"User": "x"}, True),
    ("an expression that matches nothing, field missing", asked("User", "re", ".*"), {}, False),
    ("a star, field missing", asked("User", "glob", "*"), {}, False),
    ("zero is a value", asked("N", "eq", "0"), {"N": 0}, True),
    ("false is a value", asked("N", "eq", "false"), {"N": False}, True),
    ("true is not 1", asked("N", "eq", "1"), {"N": True}, False),
    ("1.0 is not 1", asked("N", "eq", "1"), {"N": 1.0}, False),
    ("a class inside a class of RE2", asked("User", "re", "[[:alpha:]]foo"), {"User": "xfoo"}, True),
    ("a bracket first in a class", asked("User", "re", "[]x]foo"), {"User": "xfoo"}, True),
    ("(?i)s is also the long s", asked("User", "re", "(?i)iss"), {"User": "i\u017fs"}, True),
    ("(?i)k is also the Kelvin sign", asked("User", "re", "(?i)kss"), {"User": "\u212ass"}, True),
    ("cased, and lower() would depend on context", asked("User", "contains", "ΑΣ", cased=True), {"User": "ΑΣΑ"}, True),
    ("a final sigma in the rule", asked("User", "contains", "\u03b1\u03c3"), {"User": "ΑΣΑ"}, True),
    ("a final sigma in the event", asked("User", "starts", "\u03b1\u03c3"), {"User": "ΑΣ"}, True),
    ("a glob's text at a word's end", asked("User", "glob", "\u03b1\u03c3*"), {"User": "ΑΣΑ"}, True),
    ("a lone surrogate", asked("User", "re", "foo"), {"User": "\udcff foo"}, True),
    ("bytes that are no text", asked("User", "contains", "\\xff"), {"User": b"a\xff"}, True),
    ("an integer that Python will not print", asked("N", "starts", "0x"), {"N": 10**5000}, True),
    ("a number of another script", asked("N", "gte", "1"), {"N": "٣"}, False),
    ("a number that float() would take", asked("N", "gte", "1"), {"N": "1_000"}, False),
    ("a number behind a space", asked("N", "gte", "1"), {"N": " 5"}, False),
    ("a number before a new line", asked("N", "gte", "1"), {"N": "5\n"}, False),
    ("infinity", asked("N", "gte", "1"), {"N": float("inf")}, False),
    ("more digits than a float holds", asked("N", "gt", "100000000000000000000"), {"N": 10**20 + 1}, True),
    ("no number", asked("N", "lt", "5"), {"N": "many"}, False),
    ("no address", asked("N", "cidr", "0.0.0.0/0"), {"N": "10.0.0.256"}, False),
    ("an address of the other kind", asked("N", "cidr", "0.0.0.0/0"), {"N": "::1"}, False),
    ("null is missing", asked("User", "null"), {}, True),
    ("null is empty", asked("User", "null"), {"User": ""}, True),
    ("null is not 0", asked("N", "null"), {"N": 0}, False),
    ("exists false", asked("User", "exists", "false"), {}, True),
    ("exists true, empty", asked("User", "exists", "true"), {"User": ""}, True),
    ("the same as a missing field", asked("User", "fieldref", "N"), {"User": "x"}, False),
    ("missing both", asked("User", "fieldref", "N"), {}, False),
    ("the same, case aside", asked("User", "fieldref", "Image"), {"User": "X", "Image": "x"}, True),
    ("both empty", asked("User", "fieldref", "Image"), {"User": "", "Image": ""}, True),
    ("a keyword in any field", asked(None, "contains", "foo"), {"N": "1", "User": "a FOO b"}, True),
    ("a keyword and no fields", asked(None, "re", ".*"), {}, False),
    ("a literal star", asked("User", "glob", "a\\**"), {"User": "a*b"}, True),
    ("a literal star is no wildcard", asked("User", "glob", "a\\**"), {"User": "axb"}, False),
    ("a glob over lines", asked("User", "glob", "a*b"), {"User": "a\n\nb"}, True),
    ("a glob covers all", asked("User", "glob", "a?"), {"User": "abc"}, False),
    ("not of a missing field", NotOf(asked("User", "eq", "root")), {}, True),
    ("or with a branch without witness", AnyOf((asked("User", "eq", "a"), asked("N", "any"))), {"N": "1"}, True),
    ("the second witness elsewhere", AllOf((asked("User", "eq", "a"), asked("N", "eq", "b"))), {"User": "a"}, False),
)


@pytest.mark.parametrize(("condition", "raw", "expected"), [case[1:] for case in HARD_CASES], ids=lambda _: "")
def test_a_case_that_broke_a_matcher_once(condition: Condition, raw: dict[str, EventValue], *, expected: bool) -> None:
    rules = [rule_of(condition)]
    event = event_of(**raw)
    wanted = [0] if expected else []
    assert matches_of(rules, event) == wanted
    matcher = Matcher(rules)
    assert matcher.matches(event) == wanted
    assert matcher.matches(event) == wanted  # and once more, from memory


def test_chance_finds_no_difference() -> None:
    pairs = matched = indexed = 0
    for seed in SEEDS:
        chance = random.Random(seed)
        rules = random_rules(chance, chance.randint(1, 40), EVERY if seed % 3 == 0 else SEARCHED)
        matcher = Matcher(rules)
        for _ in range(EVENTS_PER_SEED):
            event = random_event(chance)
            wanted = matches_of(rules, event)
            for _ in range(2):
                found = matcher.matches(event)
                assert found == wanted, f"seed {seed}: {_difference(rules, event, found, wanted)}"
            matched += len(wanted)
            pairs += len(rules)
        indexed += len(rules) - len(matcher.always_asked)
    assert pairs > 500_000
    assert matched > pairs // 100  # the events do meet the rules
    assert indexed > 3_000  # and the index is what is tested


def test_an_event_of_another_type_meets_no_rule() -> None:
    rules = [rule_of(asked("User", "any"), 0, "other"), rule_of(asked("User", "any"), 1)]
    assert Matcher(rules).matches(event_of(User="x")) == [1]
    assert Matcher(rules).matches(Event("windows_process_creation", {"User": "x"})) == []


def test_no_rules_at_all() -> None:
    assert Matcher([]).matches(event_of(User="x")) == []


def test_the_memory_of_values_is_bounded_and_forgets_without_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matcher_module, "MATCH_MEMO_ENTRIES_MAX", 4)
    matcher = Matcher([rule_of(asked("User", "ends", "7")), rule_of(asked("User", "contains", "user-1"), 1)])
    for _ in range(3):
        for number in range(30):
            event = event_of(User=f"user-{number}")
            assert matcher.matches(event) == matches_of(matcher.rules, event)
    (plan,) = matcher._by_type[EVENT_TYPE]._plans
    assert plan.memo is not None
    assert len(plan.memo) <= 4


def test_long_values_are_not_remembered() -> None:
    matcher = Matcher([rule_of(asked("User", "contains", "needle"))])
    assert matcher.matches(event_of(User="x" * 1_000 + "NEEDLE")) == [0]
    (plan,) = matcher._by_type[EVENT_TYPE]._plans
    assert plan.memo == {}


def test_only_candidates_are_timed() -> None:
    rules = [rule_of(asked("User", "eq", name), number) for number, name in enumerate(("root", "nobody"))]
    rules.append(rule_of(asked("User", "any"), 2))
    ticks = iter(range(0, 1_000, 7))
    timed = list(Matcher(rules).timed_matches(event_of(User="root"), lambda: next(ticks)))
    assert timed == [(0, True, 7), (2, True, 7)]


def test_the_fields_that_a_rule_reads() -> None:
    rule = rule_of(AllOf((asked("A", "eq", "x"), NotOf(asked("B", "fieldref", "C")), asked(None, "contains", "x"))))
    assert fields_of(rule) == {"A", "B", "C"}


def _difference(rules: list[DetectionRule], event: Event, found: list[int], wanted: list[int]) -> object:
    return event, [rules[place].condition for place in set(found) ^ set(wanted)]
