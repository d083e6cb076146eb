"""Rules against events, for whoever judges rules: what each matched, what it cost, and whether both matchers agree.

Probe events are made of a rule's own texts, because nothing else meets its expensive parts: an event that it matches,
each text in its place, all texts of a field at once, and the same repeated to the longest value that a sensor sends.
Beside them the strangers: nothing, one letter, and noise.  The same rule always gives the same events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from ringfence.detect.events import Event
from ringfence.detect.sigma.example import KEYWORD_FIELD, example_event
from ringfence.detect.sigma.matcher import Clock, Matcher
from ringfence.detect.sigma.naive import matches_of
from ringfence.detect.sigma.regex_literals import required_texts
from ringfence.model.detection import DetectionRule, Operator, Predicate, Wildcard, fields_of, glob_parts, predicates
from ringfence.model.limits import PROBE_EVENTS_MAX, PROBE_VALUE_CHARACTERS


@dataclass(frozen=True, slots=True)
class RuleCost:
    """What one rule did."""

    matches: int
    candidacies: int
    """How often the index let it through."""

    cost_ns: int
    """What asking it took, all together."""

    worst_ns: int
    worst_event: int
    """The place of the event that took longest, or -1 where it was never asked."""

    first_match: int
    """The place of the first event that it matched, or -1."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An event that the two matchers see differently: a bug of ours that this rule brings to light."""

    event: int
    rule: int
    fast_matches: bool


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of all events.  `costs` has one entry for each rule, in their order."""

    events: int
    cost_ns: int
    """What the matcher took for all events, index and candidates."""

    worst_ns: int
    costs: tuple[RuleCost, ...]
    disagreements: tuple[Disagreement, ...]


def replay(rules: Sequence[DetectionRule], events: Sequence[Event], clock: Clock, *, compare: bool = True) -> Replay:
    """Match `events` against `rules`.  `compare` asks the reference as well, which takes a hundred times as long."""
    matcher = Matcher(rules)
    tallies = [_Tally() for _ in rules]
    differences: list[Disagreement] = []
    whole = worst = 0
    for number, event in enumerate(events):
        begin = clock()
        found = matcher.matches(event)
        taken = clock() - begin
        whole += taken
        worst = max(worst, taken)
        for place, matched, cost_ns in matcher.timed_matches(event, clock):
            tallies[place].add(number, cost_ns, matched=matched)
        if compare:
            differences += _differences(number, set(found), set(matches_of(matcher.rules, event)))
    return Replay(len(events), whole, worst, tuple(tally.cost() for tally in tallies), tuple(differences))


def _differences(event: int, fast: set[int], right: set[int]) -> list[Disagreement]:
    return [Disagreement(event, rule, rule in fast) for rule in sorted(fast ^ right)]


class _Tally:
    """Counts for one rule."""

    def __init__(self) -> None:
        self._matches = self._candidacies = self._cost_ns = 0
        self._worst_ns = self._worst_event = self._first_match = -1

    def add(self, number: int, cost_ns: int, *, matched: bool) -> None:
        self._candidacies += 1
        self._matches += matched
        if matched and self._first_match < 0:
            self._first_match = number
        self._cost_ns += cost_ns
        if cost_ns > self._worst_ns:
            self._worst_ns, self._worst_event = cost_ns, number

    def cost(self) -> RuleCost:
        return RuleCost(
            self._matches,
            self._candidacies,
            self._cost_ns,
            max(self._worst_ns, 0),
            self._worst_event,
            self._first_match,
        )


def probe_events(rule: DetectionRule) -> list[Event]:
    """The probe events of `rule`: at most `PROBE_EVENTS_MAX`, the hardest among the first."""
    made: dict[tuple[tuple[str, str], ...], Event] = {}
    for fields in _probes(rule):
        made.setdefault(tuple(sorted(fields.items())), Event(rule.event_type, dict(sorted(fields.items()))))
        if len(made) == PROBE_EVENTS_MAX:
            break
    return list(made.values())


def _probes(rule: DetectionRule) -> Iterator[dict[str, str]]:
    texts: dict[str, list[str]] = {}
    for predicate in predicates(rule.condition):
        texts.setdefault(predicate.field or KEYWORD_FIELD, []).extend(_texts_of(predicate))
    fields = sorted(fields_of(rule) | set(texts))
    joined = {field: "".join(dict.fromkeys(texts.get(field, []))) for field in fields}
    first = {field: next(iter(texts.get(field, [])), "x") for field in fields}
    example = example_event(rule)
    if example is not None:
        yield example
        yield _long(example)
    yield {}
    yield dict.fromkeys(fields, "")
    yield first
    yield joined
    yield from (_long(first), _long(joined), _noise(fields), _long(dict.fromkeys(fields, "a")))
    for field in fields:
        yield {**first, field: _repeated(joined[field])}
        yield {field: joined[field] or "x"}
    for field in fields:
        for text in dict.fromkeys(texts.get(field, [])):
            yield {**first, field: text}
            yield {**first, field: _repeated(text)}
            yield {**first, field: _repeated(text[:-1] or "x") + text}


def _texts_of(predicate: Predicate) -> list[str]:
    """Texts that come near what `predicate` asks for."""
    match predicate.operator:
        case Operator.GLOB:
            return ["".join(map(_filling, glob_parts(value))) for value in predicate.values]
        case Operator.REGEX:
            found = ["".join(min(clause) for clause in required_texts(value)) for value in predicate.values]
            return [text for text in found if text] or ["x"]
        case Operator.NETWORK:
            return [value.partition("/")[0] for value in predicate.values]
        case Operator.EXISTS | Operator.SAME_AS:
            return ["x"]
        case _:
            return list(predicate.values)


def _filling(part: str | Wildcard) -> str:
    return part if isinstance(part, str) else "y" if part is Wildcard.ONE else ""


def _repeated(text: str) -> str:
    return (text * (PROBE_VALUE_CHARACTERS // max(1, len(text)) + 1))[:PROBE_VALUE_CHARACTERS] if text else ""


def _long(values: dict[str, str]) -> dict[str, str]:
    return {field: _repeated(text) for field, text in values.items()}


def _noise(fields: Sequence[str]) -> dict[str, str]:
    return dict.fromkeys(fields, _numbers())


@cache
def _numbers() -> str:
    """Text in which nothing repeats soon: numbers, one after the other.  The same for every rule, so made once."""
    digits = PROBE_VALUE_CHARACTERS
    return "".join(f"{number:x}" for number in range(digits))[:digits]
