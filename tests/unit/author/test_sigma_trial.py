"""Rules over events under trial."""

from collections.abc import Iterator
from itertools import count

import pytest
from tests.unit.detect.sigma_cases import asked, rule_of

from ringfence.author import sigma_trial
from ringfence.author.sigma_ordinary import ordinary_events
from ringfence.author.sigma_trial import EventTrouble, try_rule, try_together
from ringfence.detect.sigma import replay as replay_module
from ringfence.model.detection import AllOf, Condition, Detections, EventTest, NotOf
from ringfence.model.limits import EVENT_RULE_US_MAX, ORDINARY_EVENTS_MAX
from ringfence.model.records import Severity

GOOD: Condition = AllOf((asked("Image", "ends", "/nc"), NotOf(asked("User", "eq", "backup"))))


def ticks(*, step_ns: int = 1_000) -> Iterator[int]:
    """A clock on which everything takes as long."""
    return count(0, step_ns)


def codes(pack: Detections, clock: Iterator[int] | None = None) -> list[str]:
    """What is wrong with a pack, each rule alone and all together."""
    now = (clock or ticks()).__next__
    found: list[EventTrouble] = []
    for rule in pack.rules:
        found += try_rule(rule, now)[1]
    return [trouble.code for trouble in (*found, *try_together([pack], now).troubles)]


def with_level(condition: Condition, level: Severity, event_type: str = "process_creation") -> Detections:
    rule = rule_of(condition, 0, event_type)
    fields = {name: getattr(rule, name) for name in rule.__dataclass_fields__} | {"level": level}
    return Detections((type(rule)(**fields),), ())


def test_a_good_pack_passes_and_is_measured() -> None:
    rule = rule_of(GOOD)
    tests = (
        EventTest(rule.identifier, (("Image", "/bin/ls"),), expects_match=False),
        EventTest(rule.identifier, (("Image", "/bin/nc"),), expects_match=True),
    )
    assert try_rule(rule, ticks().__next__) == (1, [])
    trial = try_together([Detections((rule,), tests)], ticks(step_ns=ORDINARY_EVENTS_MAX * 7_000).__next__)
    assert (trial.mean_us, trial.self_tests, trial.troubles) == (7, 2, ())


def test_a_self_test_that_does_not_hold() -> None:
    rule = rule_of(GOOD)
    test = EventTest(rule.identifier, (("Image", "/bin/ls"),), expects_match=True)
    assert codes(Detections((rule,), (test,))) == ["sigma/self-test"]


def test_a_rule_that_is_slow_each_time_is_refused_and_one_that_was_slow_once_is_not() -> None:
    rule = rule_of(GOOD)
    slow_ns = EVENT_RULE_US_MAX * 2_000
    cost_us, troubles = try_rule(rule, ticks(step_ns=slow_ns).__next__)
    assert cost_us == EVENT_RULE_US_MAX * 2
    assert [trouble.code for trouble in troubles] == ["sigma/slow"]
    once = iter([0, slow_ns, slow_ns * 2, slow_ns * 3])
    clock = count(slow_ns * 4)
    assert try_rule(rule, lambda: next(once, None) or next(clock))[1] == []


def test_matchers_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay_module, "matches_of", lambda *_: [0])
    assert codes(Detections((rule_of(GOOD),), ())) == ["sigma/matchers-differ"]


def test_matchers_that_differ_on_a_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sigma_trial, "holds", lambda *_: False)
    rule = rule_of(GOOD)
    test = EventTest(rule.identifier, (("Image", "/bin/nc"),), expects_match=True)
    assert codes(Detections((rule,), (test,))) == ["sigma/matchers-differ"]


@pytest.mark.parametrize(
    ("level", "refused"), [(Severity.HIGH, True), (Severity.LOW, True), (Severity.INFORMATIONAL, False)]
)
def test_how_much_noise_a_level_may_make(level: Severity, *, refused: bool) -> None:
    assert codes(with_level(asked("Image", "ends", "/gcc"), level)) == (["sigma/noise"] if refused else [])


def test_of_an_unknown_type_only_most_events_are_noise() -> None:
    some, most = asked("A", "contains", "/usr/"), asked("A", "re", ".")
    assert codes(with_level(some, Severity.HIGH, "proxy")) == []
    assert codes(with_level(most, Severity.INFORMATIONAL, "proxy")) == ["sigma/noise"]


def test_rules_that_cost_too_much_together() -> None:
    clock = ticks(step_ns=ORDINARY_EVENTS_MAX * 60_000)
    assert "sigma/costly" in codes(Detections((rule_of(GOOD),), ()), clock)


def test_ordinary_events_are_always_the_same_and_are_what_they_say() -> None:
    first, again = (list(ordinary_events("process_creation", ())) for _ in range(2))
    assert first == again
    assert len(first) == ORDINARY_EVENTS_MAX
    assert len({event.fields["CommandLine"] for event in first}) > ORDINARY_EVENTS_MAX // 2
    assert all(event.fields["Image"].startswith("/usr/") for event in first)
    (event, *_) = ordinary_events("proxy", ("c-uri", "c-agent"))
    assert list(event.fields) == ["c-agent", "c-uri"]
