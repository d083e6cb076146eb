"""The search for guilty rules: it finds them, convicts nobody else, and comes to an end."""

import random
from collections.abc import Callable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from ringfence.decide.bisection import FINE, UNJUDGED, Rules, Tried, Try, begin, step
from ringfence.model.fault import Attribution, FaultKind, Finding, RuleName
from ringfence.model.limits import EXAMINATION_GUILTY_RULES_MAX, EXAMINATION_TESTS_MAX

HUNG = Tried(FaultKind.HUNG)
Needs = Mapping[RuleName, frozenset[RuleName]]
Oracle = Callable[[frozenset[RuleName]], Tried]


def rules(count: int) -> Rules:
    return tuple(RuleName(f"pack{number // 7}", f"rule{number}") for number in range(count))


def search(
    everything: Rules, oracle: Oracle, needs: Needs | None = None, hint: frozenset[RuleName] = frozenset()
) -> tuple[Attribution, int]:
    """The end of a search and how many of its trials faulted, which are what takes time."""
    state, command = begin(everything, needs or {}, hint)
    faults = 0
    while isinstance(command, Try):
        tried = oracle(command.rules)
        faults += tried.fault is not None
        state, command = step(state, tried)
    assert command.trials <= EXAMINATION_TESTS_MAX
    return command, faults


def guilty(*culprits: RuleName) -> Oracle:
    return lambda tried: HUNG if tried & set(culprits) else FINE


def test_script_of_one_guilty_rule_among_three() -> None:
    """Everything, nothing, each part, the one alone once more, the others."""
    one, two, three = everything = rules(3)
    state, command = begin(everything, {})
    asked = []
    while isinstance(command, Try):
        asked.append(command.rules)
        state, command = step(state, guilty(two)(command.rules))
    assert asked == [{one, two, three}, set(), {one}, {two}, {two}, {one, three}]
    assert command == Attribution(Finding.RULES, FaultKind.HUNG, (two,), 6)


def test_no_fault_is_nobodys() -> None:
    found, _ = search(rules(50), lambda _: FINE)
    assert found == Attribution(Finding.NOT_REPRODUCED, None, (), 3)


def test_a_fault_without_rules_is_no_rules() -> None:
    found, _ = search(rules(50), lambda _: Tried(FaultKind.DIED))
    assert (found.finding, found.kind, found.rules) == (Finding.NO_RULE, FaultKind.DIED, ())


def test_one_of_sixteen_thousand_costs_few_hangs() -> None:
    everything = rules(16_384)
    found, hangs = search(everything, guilty(everything[9_999]))
    assert found.rules == (everything[9_999],)
    assert hangs <= 7
    assert found.trials <= 80


def test_the_hint_saves_trials_and_a_lie_costs_one() -> None:
    everything = rules(300)
    without, _ = search(everything, guilty(everything[120]))
    honest, _ = search(everything, guilty(everything[120]), hint=frozenset(everything[112:128]))
    lying, _ = search(everything, guilty(everything[120]), hint=frozenset(everything[:16]))
    assert honest.rules == lying.rules == without.rules == (everything[120],)
    assert honest.trials < without.trials
    assert lying.trials == without.trials + 1


def test_a_rule_is_innocent_of_what_the_rule_that_it_needs_does() -> None:
    user, helper, other = everything = rules(3)
    needs = {user: frozenset({helper})}
    found, _ = search(everything, guilty(helper), needs)
    assert found.rules == (helper,)
    found, _ = search((user, helper, other), guilty(user), needs)
    assert found.rules == (user,)


def test_rules_that_only_do_it_together_are_named_together() -> None:
    everything = rules(40)
    both = {everything[3], everything[31]}
    found, _ = search(everything, lambda tried: HUNG if both <= tried else FINE)
    assert (found.finding, set(found.rules)) == (Finding.RULES, both)


def test_two_that_do_it_alone_are_both_found() -> None:
    everything = rules(100)
    found, _ = search(everything, guilty(everything[5], everything[77]))
    assert (found.finding, found.rules) == (Finding.RULES, tuple(sorted((everything[5], everything[77]))))


def test_many_guilty_are_no_matter_of_single_rules() -> None:
    everything = rules(100)
    found, _ = search(everything, guilty(*everything[:50]))
    assert found.finding is Finding.TOO_MANY
    assert len(found.rules) == EXAMINATION_GUILTY_RULES_MAX


def test_a_machine_without_time_convicts_nobody() -> None:
    found, _ = search(rules(10), lambda _: UNJUDGED)
    assert (found.finding, found.rules) == (Finding.GAVE_UP, ())


def test_a_fault_that_does_not_come_again_convicts_nobody() -> None:
    """A scanner that was killed from outside in the middle of a search, once."""
    outcomes = iter([HUNG, FINE, HUNG])
    found, _ = search(rules(10), lambda _: next(outcomes, FINE))
    assert (found.finding, found.rules) == (Finding.NOT_REPRODUCED, ())


@given(
    count=st.integers(1, 300),
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    seed=st.integers(0, 1 << 32),
    hinted=st.booleans(),
)
def test_what_is_found_explains_the_fault_and_nothing_in_it_is_too_much(
    *, count: int, sizes: list[int], seed: int, hinted: bool
) -> None:
    """For any sets of rules that fault together: the named ones fault, and without any of them they do not."""
    everything, chance = rules(count), random.Random(seed)
    sets = [frozenset(chance.sample(everything, min(size, count))) for size in sizes]
    hint = frozenset(chance.sample(everything, count // 2)) if hinted else frozenset()

    def oracle(tried: frozenset[RuleName]) -> Tried:
        return HUNG if any(one <= tried for one in sets) else FINE

    found, _ = search(everything, oracle, hint=hint)
    named = frozenset(found.rules)
    if found.finding is Finding.RULES:
        assert not any(one <= set(everything) - named for one in sets)
        assert all(any(rule in one for one in sets) for rule in named)
    else:
        assert found.finding in (Finding.TOO_MANY, Finding.GAVE_UP)
        assert found.finding is Finding.GAVE_UP or named


@given(
    count=st.integers(1, 120),
    culprits=st.integers(0, 2),
    seed=st.integers(0, 1 << 32),
    miss=st.floats(0, 0.5),
    starved=st.floats(0, 0.3),
)
def test_a_flaky_fault_never_convicts_an_innocent_alone(
    *, count: int, culprits: int, seed: int, miss: float, starved: float
) -> None:
    """A guilty rule may be lucky in any trial, and any trial may come to nothing."""
    everything, chance = rules(count), random.Random(seed)
    real = frozenset(chance.sample(everything, min(culprits, count)))

    def oracle(tried: frozenset[RuleName]) -> Tried:
        if chance.random() < starved:
            return UNJUDGED
        return HUNG if tried & real and chance.random() >= miss else FINE

    found, _ = search(everything, oracle)
    if found.finding in (Finding.RULES, Finding.TOO_MANY):
        assert frozenset(found.rules) & real
        assert len(found.rules) > 1 or frozenset(found.rules) <= real
    if not real:
        assert found.rules == ()
