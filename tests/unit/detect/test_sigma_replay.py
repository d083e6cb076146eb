"""Rules against events: matches, costs, and the comparison of both matchers."""

import random
from itertools import count

import pytest
from tests.unit.detect.sigma_cases import EVERY, asked, event_of, random_rules, rule_of

from ringfence.detect.sigma import replay as replay_module
from ringfence.detect.sigma.replay import Disagreement, RuleCost, probe_events, replay
from ringfence.model.detection import AllOf, AnyOf, NotOf
from ringfence.model.limits import PROBE_EVENTS_MAX, PROBE_VALUE_CHARACTERS


def test_what_each_rule_matched_and_cost() -> None:
    rules = [
        rule_of(asked("User", "eq", "root")),
        rule_of(asked("User", "any"), 1),
        rule_of(asked("Pid", "eq", "1"), 2),
    ]
    events = [event_of(User="root"), event_of(User="nobody")]
    found = replay(rules, events, count().__next__)
    assert found.events == 2
    assert found.costs == (RuleCost(1, 1, 1, 1, 0, 0), RuleCost(2, 2, 2, 1, 0, 0), RuleCost(0, 0, 0, 0, -1, -1))
    assert found.cost_ns == 2
    assert found.disagreements == ()


def test_a_wrong_matcher_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "matches_of", lambda *_: [1])
    rules = [rule_of(asked("User", "eq", "root")), rule_of(asked("User", "eq", "nobody"), 1)]
    found = replay(rules, [event_of(User="root")], count().__next__)
    assert found.disagreements == (Disagreement(0, 0, fast_matches=True), Disagreement(0, 1, fast_matches=False))
    assert replay(rules, [event_of(User="root")], count().__next__, compare=False).disagreements == ()


def test_probes_hit_the_rule_that_they_are_made_of() -> None:
    condition = AllOf(
        (asked("Image", "ends", "/nc"), asked("CommandLine", "contains", " -e "), asked(None, "re", "s{2}h"))
    )
    events = probe_events(rule_of(condition))
    assert any(event.fields.get("Image") == "/nc" and event.fields.get("CommandLine") == " -e " for event in events)
    assert any(len(value) >= PROBE_VALUE_CHARACTERS for event in events for value in event.fields.values())
    assert {} in [dict(event.fields) for event in events]
    found = replay([rule_of(AllOf(condition.parts[:2]))], events, count().__next__)
    assert found.costs[0].matches > 0
    assert found.disagreements == ()


def test_probes_of_a_not_hit_both_sides() -> None:
    rule = rule_of(AllOf((asked("Image", "eq", "/bin/sh"), NotOf(asked("User", "eq", "root")))))
    found = replay([rule], probe_events(rule), count().__next__)
    assert 0 < found.costs[0].matches < found.events


def test_probes_are_bounded_and_always_the_same() -> None:
    values = [f"value-{number}" for number in range(5_000)]
    rule = rule_of(
        AnyOf((asked("A", "contains", *values), asked("B", "glob", "a*b?c"), asked("C", "cidr", "10.0.0.0/8")))
    )
    assert len(probe_events(rule)) == PROBE_EVENTS_MAX
    assert probe_events(rule) == probe_events(rule)


def test_both_matchers_agree_on_the_probes_of_any_rule() -> None:
    for seed in range(12):
        rules = random_rules(random.Random(seed), 4, EVERY)
        for rule in rules:
            assert replay(rules, probe_events(rule)[:12], count().__next__).disagreements == ()
