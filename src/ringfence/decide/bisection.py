"""Which rules make a scanner fault on one file: delta debugging over the rules of a release.

No I/O: `begin` and `step` say which rules to try next, the caller tries them in a sandbox and says what happened.

    begin(suspects, …)       -> (state, Try | Attribution)
    step(state, outcome)     -> (state, Try | Attribution)

Rules, in the order of the phases:

1. Everything together must fault, within a few tries; otherwise it was chance, and nobody is guilty.
2. No rule at all must not fault; otherwise it is the file that does it, to the reader of its format.
3. The scanner's own word about where it was comes first, if those rules alone fault; it is a hint and nothing more.
4. Then `SPLIT` parts, one after the other, because a trial that goes well takes milliseconds and one that hangs takes
   seconds: one part that faults alone is the new whole; failing that, all but one part; failing that, smaller parts.
5. A single rule that needs others is innocent where those alone fault.
6. The guilty must fault once more, alone, and all the others must not: what is left over is searched again, a bounded
   number of times.

A trial that could not be judged (the machine had no time, the rules did not compile) is tried again; all trials
together are bounded.  An outcome that comes and goes can make this give up or find too many, but what it names has
faulted twice with no other rule beside it but those that it needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum, unique
from itertools import chain, pairwise
from typing import Final

from ringfence.model.fault import Attribution, FaultKind, Finding, RuleName
from ringfence.model.limits import (
    EXAMINATION_GUILTY_RULES_MAX,
    EXAMINATION_REPEATS_MAX,
    EXAMINATION_TESTS_MAX,
)

SPLIT: Final = 16
"""Parts of one level."""

Rules = tuple[RuleName, ...]


@dataclass(frozen=True, slots=True)
class Try:
    """Scan the file with exactly these rules."""

    rules: frozenset[RuleName]


@dataclass(frozen=True, slots=True)
class Tried:
    """What happened.  `fault` None: the scan came to an end.  `judged` False: nothing can be said."""

    fault: FaultKind | None = None
    judged: bool = True


FINE: Final = Tried()
UNJUDGED: Final = Tried(judged=False)


@unique
class Phase(IntEnum):
    """Where the search is: the numbers of the module's rules."""

    EVERYTHING = 1
    NOTHING = 2
    HINT = 3
    PARTS = 4
    REST_OF_PARTS = 5
    NEEDED = 6
    ALONE = 7
    OTHERS = 8


@dataclass(frozen=True, slots=True)
class Bisection:
    """The state of one search."""

    everything: Rules
    needs: Mapping[RuleName, frozenset[RuleName]]
    """For each rule all that it refers to, directly or not."""

    hint: Rules = ()
    phase: Phase = Phase.EVERYTHING
    suspects: Rules = ()
    parts: tuple[Rules, ...] = ()
    at: int = 0
    """Which part is being tried."""

    guilty: Rules = ()
    kind: FaultKind | None = None
    trials: int = 0
    repeats: int = 0
    """How often this very trial came to nothing."""

    trying: frozenset[RuleName] = field(default_factory=frozenset)


Next = tuple[Bisection, Try | Attribution]


def begin(
    everything: Rules, needs: Mapping[RuleName, frozenset[RuleName]], hint: frozenset[RuleName] = frozenset()
) -> Next:
    """Start a search among `everything`, in the order in which it is to be split."""
    first = tuple(rule for rule in everything if rule in hint)
    state = Bisection(everything, needs, hint=first if len(first) < len(everything) else ())
    return _try(state, everything)


def step(state: Bisection, tried: Tried) -> Next:
    """What comes after the trial that was asked for."""
    if not tried.judged:
        return _again(state)
    if tried.fault is not None and state.kind is None:
        state = replace(state, kind=tried.fault)
    return _HANDLERS[state.phase](state, tried.fault is not None)


def _try(state: Bisection, rules: Rules) -> Next:
    """Ask for a trial, unless there have been too many."""
    if state.trials >= EXAMINATION_TESTS_MAX:
        return _end(state, Finding.GAVE_UP, ())
    needed = frozenset(rules).union(*(state.needs.get(rule, frozenset()) for rule in rules))
    state = replace(state, trials=state.trials + 1, trying=needed)
    return state, Try(needed)


def _again(state: Bisection) -> Next:
    """The same trial once more, a bounded number of times."""
    if state.repeats >= EXAMINATION_REPEATS_MAX or state.trials >= EXAMINATION_TESTS_MAX:
        return _end(state, Finding.GAVE_UP, ())
    state = replace(state, repeats=state.repeats + 1, trials=state.trials + 1)
    return state, Try(state.trying)


def _end(state: Bisection, finding: Finding, rules: Rules) -> Next:
    return state, Attribution(finding, state.kind, tuple(sorted(rules)), state.trials)


def _go(state: Bisection, phase: Phase, rules: Rules) -> Next:
    return _try(replace(state, phase=phase, repeats=0), rules)


def _everything(state: Bisection, faulted: bool) -> Next:  # noqa: FBT001 - a handler of `step`
    if faulted:
        return _go(state, Phase.NOTHING, ())
    if state.repeats < EXAMINATION_REPEATS_MAX:
        return _again(state)
    return _end(state, Finding.NOT_REPRODUCED, ())


def _nothing(state: Bisection, faulted: bool) -> Next:  # noqa: FBT001
    if faulted:
        return _end(state, Finding.NO_RULE, ())
    if state.hint:
        return _go(state, Phase.HINT, state.hint)
    return _narrow(state, state.everything)


def _hint(state: Bisection, faulted: bool) -> Next:  # noqa: FBT001
    return _narrow(state, state.hint if faulted else state.everything)


def _narrow(state: Bisection, suspects: Rules, parts: int = SPLIT) -> Next:
    """A new whole: split it, or go on with what is only one rule."""
    state = replace(state, suspects=suspects)
    if len(suspects) == 1:
        (rule,) = suspects
        needed = _in_order(state, state.needs.get(rule, frozenset()) - {rule})
        return _go(state, Phase.NEEDED, needed) if needed else _go(state, Phase.ALONE, suspects)
    state = replace(state, parts=_split(suspects, parts), at=0)
    return _go(state, Phase.PARTS, state.parts[0])


def _split(rules: Rules, parts: int) -> tuple[Rules, ...]:
    """`rules` in at most `parts` pieces of nearly the same size."""
    count = min(parts, len(rules))
    edges = [len(rules) * number // count for number in range(count + 1)]
    return tuple(rules[start:end] for start, end in pairwise(edges))


def _parts(state: Bisection, faulted: bool) -> Next:  # noqa: FBT001
    if faulted:
        return _narrow(state, state.parts[state.at])
    if state.at + 1 < len(state.parts):
        state = replace(state, at=state.at + 1)
        return _go(state, Phase.PARTS, state.parts[state.at])
    if len(state.parts) == 2:  # noqa: PLR2004 - of two parts, all but the one is the other
        return _finer(state)
    state = replace(state, at=0)
    return _go(state, Phase.REST_OF_PARTS, _all_but(state))


def _rest_of_parts(state: Bisection, faulted: bool) -> Next:  # noqa: FBT001
    if faulted:
        return _narrow(state, _all_but(state), max(2, len(state.parts) - 1))
    if state.at + 1 < len(state.parts):
        state = replace(state, at=state.at + 1)
        return _go(state, Phase.REST_OF_PARTS, _all_but(state))
    return _finer(state)


def _finer(state: Bisection) -> Next:
    """No part alone, and none left out: smaller ones; with parts of one rule each they only do it together."""
    if len(state.parts) < len(state.suspects):
        return _narrow(state, state.suspects, len(state.parts) * 2)
    return _go(state, Phase.ALONE, state.suspects)


def _all_but(state: Bisection) -> Rules:
    return tuple(chain.from_iterable(part for place, part in enumerate(state.parts) if place != state.at))


def _needed(state: Bisection, faulted: bool) -> Next:  # noqa: FBT001
    if not faulted:
        return _go(state, Phase.ALONE, state.suspects)
    (rule,) = state.suspects
    return _narrow(state, _in_order(state, state.needs[rule] - {rule}))


def _alone(state: Bisection, faulted: bool) -> Next:  # noqa: FBT001
    if not faulted:  # it did so once and does not any more: nobody is convicted of that
        return _again(state) if state.repeats < EXAMINATION_REPEATS_MAX else _end(state, Finding.NOT_REPRODUCED, ())
    state = replace(state, guilty=(*state.guilty, *state.suspects))
    if len(state.guilty) > EXAMINATION_GUILTY_RULES_MAX:
        return _end(state, Finding.TOO_MANY, state.guilty[:EXAMINATION_GUILTY_RULES_MAX])
    return _go(state, Phase.OTHERS, _others(state))


def _others(state: Bisection) -> Rules:
    """All rules but the guilty and those that refer to them."""
    gone = frozenset(state.guilty)
    return tuple(rule for rule in state.everything if not gone & {rule, *state.needs.get(rule, ())})


def _rest(state: Bisection, faulted: bool) -> Next:  # noqa: FBT001
    if not faulted:
        return _end(state, Finding.RULES, state.guilty)
    if len(state.guilty) >= EXAMINATION_GUILTY_RULES_MAX:
        return _end(state, Finding.TOO_MANY, state.guilty)
    return _narrow(state, _others(state))


def _in_order(state: Bisection, rules: frozenset[RuleName]) -> Rules:
    return tuple(rule for rule in state.everything if rule in rules)


_HANDLERS: Final = {
    Phase.EVERYTHING: _everything,
    Phase.NOTHING: _nothing,
    Phase.HINT: _hint,
    Phase.PARTS: _parts,
    Phase.REST_OF_PARTS: _rest_of_parts,
    Phase.NEEDED: _needed,
    Phase.ALONE: _alone,
    Phase.OTHERS: _rest,
}
