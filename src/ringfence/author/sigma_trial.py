"""Rules over events under trial: hostile events for each alone, ordinary ones for all together, and both matchers.

This is what a prover's worker runs for a pack of detections; it takes the clock as an argument, and may be killed at
any instant.  A cost over its bound is measured again before it is believed.

1. Alone, a rule meets its probe events (`detect/sigma/replay.py`): no event may take it longer than its bound, and the
   fast matcher and the reference must agree on each.
2. Together, the rules of a type meet ordinary events: their mean cost has a bound, and so has the share of events that
   one rule matches, by its level.  Of a type whose ordinary events are not known, no rule may match most.
3. Self-tests hold, in both matchers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ringfence.author.sigma_ordinary import KNOWN_TYPES, ordinary_events
from ringfence.detect.events import Event
from ringfence.detect.sigma.matcher import Clock, Matcher
from ringfence.detect.sigma.naive import holds
from ringfence.detect.sigma.replay import probe_events, replay
from ringfence.model.detection import DetectionRule, Detections, fields_of
from ringfence.model.limits import (
    EVENT_MEAN_US_MAX,
    EVENT_RULE_US_MAX,
    EVENT_TRIAL_USES_MAX,
    ORDINARY_EVENTS_MAX,
)
from ringfence.model.records import Severity

SHARES: Final = {
    Severity.CRITICAL: 0,
    Severity.HIGH: 0,
    Severity.MEDIUM: 0,
    Severity.LOW: ORDINARY_EVENTS_MAX // 100,
    Severity.INFORMATIONAL: ORDINARY_EVENTS_MAX // 5,
}
"""Ordinary events that one rule may match."""


@dataclass(frozen=True, slots=True)
class EventTrouble:
    """A reason to refuse a rule; `rule` is "" where it is the pack's."""

    code: str
    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class EventTrial:
    """What came of all rules together."""

    mean_us: int
    """What all rules of the most expensive type take for one ordinary event."""

    self_tests: int
    troubles: tuple[EventTrouble, ...]


def try_together(packs: Sequence[Detections], clock: Clock) -> EventTrial:
    """Rules 2 and 3.  `clock` counts nanoseconds of this process's CPU."""
    mean_us, troubles = _together([rule for pack in packs for rule in pack.rules], clock)
    found = [trouble for pack in packs for trouble in _self_tests(pack)]
    return EventTrial(mean_us, sum(len(pack.tests) for pack in packs), (*troubles, *found))


def try_rule(rule: DetectionRule, clock: Clock) -> tuple[int, list[EventTrouble]]:
    """Rule 1: what the rule takes for its most expensive event, in microseconds, and what is wrong with it."""
    probes = probe_events(rule)
    found = replay([rule], probes, clock)
    cost_us = found.costs[0].worst_ns // 1_000
    for _ in range(EVENT_TRIAL_USES_MAX - 1):
        if cost_us > EVENT_RULE_US_MAX:
            cost_us = min(cost_us, replay([rule], probes, clock, compare=False).costs[0].worst_ns // 1_000)
    troubles = []
    if found.disagreements:
        number = found.disagreements[0].event
        text = f"the fast matcher and the reference differ on the probe event {number}: do not publish, report it"
        troubles.append(EventTrouble("sigma/matchers-differ", rule.identifier, text))
    if cost_us > EVENT_RULE_US_MAX:
        text = f"takes {cost_us} us on a hostile event, more than {EVENT_RULE_US_MAX}"
        troubles.append(EventTrouble("sigma/slow", rule.identifier, text))
    return cost_us, troubles


def _together(rules: Sequence[DetectionRule], clock: Clock) -> tuple[int, list[EventTrouble]]:
    """Rule 2."""
    by_type: dict[str, list[DetectionRule]] = {}
    for rule in rules:
        by_type.setdefault(rule.event_type, []).append(rule)
    dearest_us = 0
    troubles: list[EventTrouble] = []
    for event_type, several in sorted(by_type.items()):
        fields = frozenset[str]().union(*map(fields_of, several))
        mean_us, matches = _ordinary(several, list(ordinary_events(event_type, fields)), clock)
        dearest_us = max(dearest_us, mean_us)
        if mean_us > EVENT_MEAN_US_MAX:
            text = f"the rules for {event_type} take {mean_us} us for an ordinary event, more than {EVENT_MEAN_US_MAX}"
            troubles.append(EventTrouble("sigma/costly", "", text))
        shares = SHARES if event_type in KNOWN_TYPES else dict.fromkeys(SHARES, ORDINARY_EVENTS_MAX // 2)
        troubles += _noisy(several, matches, shares)
    return dearest_us, troubles


def _ordinary(rules: Sequence[DetectionRule], events: Sequence[Event], clock: Clock) -> tuple[int, dict[int, int]]:
    """Microseconds for one event, the best of a few tries, and how many events each rule matches."""
    matcher = Matcher(rules)
    best = None
    matches: dict[int, int] = {}
    for _ in range(EVENT_TRIAL_USES_MAX):
        matches = {}
        begin = clock()
        for event in events:
            for place in matcher.matches(event):
                matches[place] = matches.get(place, 0) + 1
        taken = clock() - begin
        best = taken if best is None else min(best, taken)
    return (best or 0) // 1_000 // max(1, len(events)), matches


def _noisy(
    rules: Sequence[DetectionRule], matches: Mapping[int, int], shares: Mapping[Severity, int]
) -> Iterator[EventTrouble]:
    for place, count in sorted(matches.items()):
        rule = rules[place]
        if count > (share := shares[rule.level]):
            text = (
                f"matches {count} of {ORDINARY_EVENTS_MAX} ordinary events,"
                f" and a rule of level {rule.level} may match {share}"
            )
            yield EventTrouble("sigma/noise", rule.identifier, text)


def _self_tests(pack: Detections) -> Iterator[EventTrouble]:
    """Rule 3."""
    matcher = Matcher(pack.rules)
    places = {rule.identifier: place for place, rule in enumerate(pack.rules)}
    for number, test in enumerate(pack.tests):
        rule = pack.rules[places[test.rule]]
        event = Event(rule.event_type, dict(test.event))
        fast, right = places[test.rule] in matcher.matches(event), holds(rule.condition, event.fields)
        if fast is not right:
            yield EventTrouble("sigma/matchers-differ", test.rule, f"the two matchers differ on its self-test {number}")
        elif right is not test.expects_match:
            wanted = "match" if test.expects_match else "ignore"
            yield EventTrouble("sigma/self-test", test.rule, f"does not {wanted} the event of its self-test {number}")
