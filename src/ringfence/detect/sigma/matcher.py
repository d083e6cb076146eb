"""The matcher: many rules against one event, at the price of the few that may match.

1. Rules are sorted by event type; an event meets only rules of its own.
2. Of each rule the two best clauses of witnesses (`witness.py`) are kept.  Each clause is a bit: rule + clause * rules.
3. Every field's value is looked up once (`index.py`); the found bits are united.  A rule is a candidate if the bits of
   all its clauses are there.  Rules without a clause always are.
4. Candidates are asked (`evaluate.py`).

Rules 2 and 3 may only ever let too many through: `naive.py` says what is right, and tests compare the two.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ringfence.detect.events import Event
from ringfence.detect.sigma.evaluate import Fields, Places, Test, Values, compiled
from ringfence.detect.sigma.index import FieldIndex
from ringfence.detect.sigma.witness import Witness, best_clauses
from ringfence.model.detection import DetectionRule, folded
from ringfence.model.limits import MATCH_MEMO_CHARACTERS_MAX, MATCH_MEMO_ENTRIES_MAX

CLAUSES: Final = 2
"""Clauses of one rule: a third costs more than it saves."""

UNIQUE_FIELDS: Final = frozenset({"CommandLine", "ParentCommandLine", "Hashes", "ProcessGuid", "TargetFilename"})
"""Fields that hardly ever have the same value twice: to remember their values would only cost."""

Clock = Callable[[], int]
"""Nanoseconds since whenever."""


class Matcher:
    """The rules of a sensor, ready to be asked.  Never raises for an event that `normalise` made."""

    def __init__(self, rules: Sequence[DetectionRule]) -> None:
        self.rules = tuple(rules)
        places: dict[str, list[int]] = {}
        for place, rule in enumerate(self.rules):
            places.setdefault(rule.event_type, []).append(place)
        self._by_type = {
            event_type: _TypeMatcher([self.rules[place] for place in found], found)
            for event_type, found in places.items()
        }

    def matches(self, event: Event) -> list[int]:
        """The places of the rules that match `event`, rising."""
        matcher = self._by_type.get(event.event_type)
        return matcher.matches(event.fields) if matcher is not None else []

    def timed_matches(self, event: Event, clock: Clock) -> Iterator[tuple[int, bool, int]]:
        """(place, whether it matches, nanoseconds) of every candidate: what each rule costs."""
        matcher = self._by_type.get(event.event_type)
        if matcher is not None:
            yield from matcher.timed_matches(event.fields, clock)

    @property
    def always_asked(self) -> list[int]:
        """The places of the rules without a witness: candidates for every event of their type."""
        return sorted(place for matcher in self._by_type.values() for place in matcher.always_asked)


class _FieldPlan:
    """What is done with one indexed field."""

    __slots__ = ("field", "index", "memo", "place")

    def __init__(self, field: str, place: int, index: FieldIndex) -> None:
        self.field = field
        self.place = place
        self.index = index
        self.memo: dict[str, tuple[str, int]] | None = None if field in UNIQUE_FIELDS else {}

    def look_up(self, value: str) -> tuple[str, int]:
        """The value folded, and its mask."""
        memo = self.memo
        if memo is None or len(value) > MATCH_MEMO_CHARACTERS_MAX:
            text = folded(value)
            return text, self.index.mask_of(text)
        known = memo.get(value)
        if known is None:
            if len(memo) >= MATCH_MEMO_ENTRIES_MAX:
                memo.clear()
            text = folded(value)
            known = memo[value] = text, self.index.mask_of(text)
        return known


class _TypeMatcher:
    """The rules of one event type.  `places` are their places among all rules."""

    def __init__(self, rules: Sequence[DetectionRule], places: Sequence[int]) -> None:
        self._places = places
        self._count = len(rules)
        self._everything = (1 << len(rules)) - 1
        slots = Places()
        self._tests: list[Test] = [compiled(rule.condition, slots) for rule in rules]
        masks, needed = self._masks(rules)
        self._free = sum((self._everything & ~needed[slot]) << (slot * self._count) for slot in range(CLAUSES))
        bare = self._everything & ~needed[0]
        self.always_asked = [places[number] for number in range(self._count) if bare >> number & 1]
        fields = sorted({witness.field for witness in masks if witness.field is not None})
        self._plans = [
            _FieldPlan(field, slots.of(field, fold=True), FieldIndex(_of_field(masks, field))) for field in fields
        ]
        keywords = _of_field(masks, None)
        self._keywords = FieldIndex(keywords) if keywords else None
        self._blank: Values = [None] * len(slots.numbers)
        self._others = [
            (field, place, fold)
            for (field, fold), place in slots.numbers.items()
            if not fold or field not in set(fields)
        ]

    def _masks(self, rules: Sequence[DetectionRule]) -> tuple[dict[Witness, int], list[int]]:
        """The mask of every witness, and for each clause the rules that have it."""
        masks: dict[Witness, int] = {}
        needed = [0] * CLAUSES
        for number, rule in enumerate(rules):
            for slot, clause in enumerate(best_clauses(rule.condition, CLAUSES)):
                needed[slot] |= 1 << number
                for witness in clause:
                    masks[witness] = masks.get(witness, 0) | 1 << (number + slot * self._count)
        return masks, needed

    def matches(self, fields: Fields) -> list[int]:
        candidates, values = self._candidates(fields)
        found = []
        while candidates:
            lowest = candidates & -candidates
            candidates ^= lowest
            number = lowest.bit_length() - 1
            if self._tests[number](values, fields):
                found.append(self._places[number])
        return found

    def timed_matches(self, fields: Fields, clock: Clock) -> Iterator[tuple[int, bool, int]]:
        candidates, values = self._candidates(fields)
        for number in range(self._count):
            if candidates >> number & 1:
                begin = clock()
                matched = self._tests[number](values, fields)
                yield self._places[number], matched, clock() - begin

    def _candidates(self, fields: Fields) -> tuple[int, Values]:
        """Rule 3, and the prepared values."""
        found = self._free
        values = self._blank[:]
        for plan in self._plans:
            value = fields.get(plan.field)
            if value is not None:
                values[plan.place], mask = plan.look_up(value)
                found |= mask
        if self._keywords is not None:
            for value in fields.values():
                found |= self._keywords.mask_of(folded(value))
        candidates = found & self._everything
        for slot in range(1, CLAUSES):
            candidates &= found >> (slot * self._count)
        if candidates:
            for field, place, fold in self._others:
                value = fields.get(field)
                if value is not None:
                    values[place] = folded(value) if fold else value
        return candidates, values


def _of_field(masks: dict[Witness, int], field: str | None) -> dict[Witness, int]:
    return {witness: mask for witness, mask in masks.items() if witness.field == field}
