"""Witnesses: texts without one of which a rule cannot be true.  They are what the fast matcher looks for first.

A *clause* is a set of witnesses of which at least one is in every event that the rule matches.

1. A predicate's values are one clause, if each of them has a witness; a `re` has those of its expression, and a glob
   its longest text.
2. "and" has the clauses of all its parts.  "or" has one clause for each branch, united, if every branch has one.
3. "not" has none: what is absent is no witness.  Nor have presence, numbers, networks and other fields.
4. All witnesses are folded, and are looked for in folded values.  Folding does not depend on context, so this also
   holds for predicates that mind case.
5. A single character of ASCII is no witness, unless it is the whole value: it would be found everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ringfence.detect.sigma.regex_literals import required_texts
from ringfence.model.detection import (
    AllOf,
    AnyOf,
    Condition,
    NotOf,
    Operator,
    Predicate,
    folded,
    glob_parts,
)

WITNESS_CHARACTERS: Final = 2
"""Rule 5."""

_WEIGHTS: Final = {Operator.EQUALS: 60, Operator.ENDS: 40, Operator.STARTS: 20, Operator.CONTAINS: 10}
_WEIGHED_CHARACTERS: Final = 30
"""A text of this length is as rare as it gets."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A text that is in a field's value at the place that `operator` says: eq, starts, ends or contains."""

    field: str | None
    operator: Operator
    text: str

    @property
    def weight(self) -> int:
        """How much it tells: its place, and its length."""
        return _WEIGHTS[self.operator] + min(len(self.text), _WEIGHED_CHARACTERS)


Clause = frozenset[Witness]


def clauses_of(condition: Condition) -> list[Clause]:
    """The clauses of `condition`, in the order of its parts."""
    match condition:
        case Predicate():
            return _of_predicate(condition)
        case NotOf():
            return []
        case AllOf(parts):
            return [clause for part in parts for clause in clauses_of(part)]
        case AnyOf(parts):
            return _of_branches([clauses_of(part) for part in parts])


def weight_of(clause: Clause) -> tuple[int, int]:
    """How much a clause tells: as much as its weakest witness, and less the more there are."""
    return min(witness.weight for witness in clause), -len(clause)


def best_clauses(condition: Condition, count: int) -> list[Clause]:
    """The `count` clauses that tell most, the best first; fewer where there are no more."""
    return _best(clauses_of(condition), count)


def _best(clauses: Sequence[Clause], count: int) -> list[Clause]:
    return sorted(dict.fromkeys(clauses), key=weight_of, reverse=True)[:count]


def _of_branches(branches: Sequence[list[Clause]]) -> list[Clause]:
    """Rule 2.  Up to two clauses: the best of each branch, and the second best of those that have one."""
    best = [_best(branch, 2) for branch in branches]
    if not all(best):
        return []
    united = frozenset[Witness]().union(*(clauses[0] for clauses in best))
    if all(len(clauses) == 1 for clauses in best):
        return [united]
    return [united, frozenset[Witness]().union(*(clauses[-1] for clauses in best))]


def _of_predicate(predicate: Predicate) -> list[Clause]:
    if not predicate.values:
        return []
    if predicate.operator is Operator.REGEX:
        return _of_expressions(predicate)
    found = [_of_value(predicate, value) for value in predicate.values]
    clause = frozenset(witness for witness in found if witness is not None)
    return [clause] if None not in found else []


def _of_expressions(predicate: Predicate) -> list[Clause]:
    branches = []
    for pattern in predicate.values:
        clauses = [
            frozenset(Witness(predicate.field, Operator.CONTAINS, text) for text in texts)
            for texts in required_texts(pattern)
            if all(_is_enough(text) for text in texts)
        ]
        branches.append(clauses)
    return branches[0] if len(branches) == 1 else _of_branches(branches)


def _of_value(predicate: Predicate, value: str) -> Witness | None:
    match predicate.operator:
        case Operator.EQUALS if value:
            return Witness(predicate.field, Operator.EQUALS, folded(value))
        case Operator.CONTAINS | Operator.STARTS | Operator.ENDS:
            operator, text = predicate.operator, folded(value)
        case Operator.GLOB:
            texts = [part for part in glob_parts(value) if isinstance(part, str)]
            operator, text = Operator.CONTAINS, folded(max(texts, key=len, default=""))
        case _:
            return None
    return Witness(predicate.field, operator, text) if _is_enough(text) else None


def _is_enough(text: str) -> bool:
    """Rule 5."""
    return len(text) >= WITNESS_CHARACTERS or not text.isascii()
