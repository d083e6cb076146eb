"""Recorded events under rules: what a worker measures of one part, and what all parts together say.

1. A rule may match so many of all recorded events, by its level: of level critical and high none, of medium one in
   100,000, of low one in 1,000, of informational one in five.
2. All rules together may take `EVENT_MEAN_US_MAX` for an event on average, and one rule a tenth of that.
3. The fast matcher and the reference agree on a sample of each part.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ringfence.author.recorded_events import RecordedPart
from ringfence.author.sigma_trial import EventTrouble
from ringfence.detect.events import Event
from ringfence.detect.sigma.matcher import Clock
from ringfence.detect.sigma.replay import replay
from ringfence.model.detection import DetectionRule
from ringfence.model.limits import EVENT_MEAN_US_MAX, EVENT_TRIAL_USES_MAX, RECORDED_COMPARED_EVENTS_MAX
from ringfence.model.records import Severity

RULE_MEAN_US_MAX: Final = EVENT_MEAN_US_MAX // 10
"""Rule 2: what one rule may take for an event on average."""

ONE_IN: Final[Mapping[Severity, int]] = {Severity.MEDIUM: 100_000, Severity.LOW: 1_000, Severity.INFORMATIONAL: 5}
"""Rule 1: one match is allowed for so many events, begun ones counting; for other levels none is."""


@dataclass(frozen=True, slots=True)
class RuleTally:
    """What one rule did with some events; `rule` is its place among all rules of the release."""

    rule: int
    matches: int
    first_event: int
    """The first that it matched, by its number; 0 where there is none."""

    cost_us: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one part.  Rules that were never asked are left out."""

    events: int
    cost_us: int
    differing: tuple[int, ...]
    """Rules about which the matchers differ."""

    rules: tuple[RuleTally, ...]


def replay_part(rules: Sequence[DetectionRule], events: Sequence[Event], clock: Clock) -> Replayed:
    """Replay one part.  A mean cost over the bound is measured again: another tenant makes it look higher, never lower.

    `clock` counts nanoseconds of this process's CPU.
    """
    found = replay(rules, events, clock, compare=False)
    for _ in range(EVENT_TRIAL_USES_MAX - 1):
        if found.cost_ns // 1_000 > EVENT_MEAN_US_MAX * len(events):
            found = min(found, replay(rules, events, clock, compare=False), key=lambda one: one.cost_ns)
    step = max(1, len(events) // RECORDED_COMPARED_EVENTS_MAX)
    compared = replay(rules, events[::step][:RECORDED_COMPARED_EVENTS_MAX], clock)
    return Replayed(
        events=len(events),
        cost_us=found.cost_ns // 1_000,
        differing=tuple(sorted({one.rule for one in compared.disagreements})),
        rules=tuple(
            RuleTally(place, cost.matches, max(cost.first_match, 0), cost.cost_ns // 1_000)
            for place, cost in enumerate(found.costs)
            if cost.candidacies
        ),
    )


def allowed(level: Severity, events: int) -> int:
    """Rule 1."""
    return -(-events // ONE_IN[level]) if level in ONE_IN else 0


def judge(rules: Sequence[DetectionRule], parts: Sequence[tuple[RecordedPart, Replayed]]) -> Iterator[EventTrouble]:
    """What all parts say together."""
    matches: Counter[int] = Counter()
    cost_us: Counter[int] = Counter()
    first: dict[int, str] = {}
    for part, replayed in parts:
        for one in replayed.rules:
            matches[one.rule] += one.matches
            cost_us[one.rule] += one.cost_us
            if one.matches:
                first.setdefault(one.rule, part.place(one.first_event))
    events = max(1, sum(replayed.events for _, replayed in parts))
    mean_us = sum(replayed.cost_us for _, replayed in parts) // events
    if mean_us > EVENT_MEAN_US_MAX:
        text = f"all rules take {mean_us} us for a recorded event, more than {EVENT_MEAN_US_MAX}"
        yield EventTrouble("sigma/costly", "", text)
    for place in sorted({place for _, replayed in parts for place in replayed.differing}):
        text = "the fast matcher and the reference differ on a recorded event: do not publish, report it"
        yield EventTrouble("sigma/matchers-differ", rules[place].identifier, text)
    for place, rule in enumerate(rules):
        if matches[place] > (bound := allowed(rule.level, events)):
            text = (
                f"matches {matches[place]} of {events} recorded events, first at {first[place]},"
                f" and a rule of level {rule.level} may match {bound}"
            )
            yield EventTrouble("sigma/recorded-noise", rule.identifier, text)
        if cost_us[place] > RULE_MEAN_US_MAX * events:
            text = (
                f"takes {cost_us[place] // events} us for a recorded event on average,"
                f" more than the {RULE_MEAN_US_MAX} of one rule"
            )
            yield EventTrouble("sigma/recorded-cost", rule.identifier, text)
