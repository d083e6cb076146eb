"""The checks of Sigma rules: what hosts cannot run, what would hurt them, and what no sensor would ever feed.

1. What `author/sigma_source.py` finds refuses the rule; the other checks look at rules that could be run.
2. A rule that matches the event without any field is refused, and so is one without a witness: a text that must be
   there for it to be true (`detect/sigma/witness.py`).  Of the second kind some are honest; those need a waiver.
3. Every alternative must say something (`author/sigma_breadth.py`).
4. A network must not hold a large part of all addresses.  A rule for which no event can be made that it matches is
   warned of: of all public rules there are three, one of which asks a value to be two things at once.
5. Every contract must supply the rule's event type and all its fields (`trust/eligibility.py`).
6. pySigma's and SigmaHQ's validators (`author/sigma_validators.py`), and the self-tests (`author/sigma_tests.py`).
7. An id stands for one rule.
"""

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from ringfence.author.finding import Finding, Level, in_order
from ringfence.author.finding_cache import Check
from ringfence.author.sigma_breadth import NEGATED, untelling
from ringfence.author.sigma_source import SigmaSource, read_sigma
from ringfence.author.sigma_tests import AuthoredEvent, self_test_findings
from ringfence.author.sigma_validators import validator_findings
from ringfence.author.strict_yaml import Key
from ringfence.detect.sigma.example import example_event
from ringfence.detect.sigma.naive import holds
from ringfence.detect.sigma.needs import event_needs
from ringfence.detect.sigma.witness import best_clauses
from ringfence.model.contract import InputKind, SensorContract
from ringfence.model.detection import AllOf, AnyOf, Condition, DetectionRule, NotOf, Operator, Predicate, predicates
from ringfence.trust.eligibility import shortages

SHORT_WITNESS_CHARACTERS: Final = 3
"""A shorter text is in most values: the rule is asked at most events."""

NARROW_PREFIX: Final = {4: 8, 6: 7}
"""Version of the protocol -> the shortest prefix of a network that a rule may ask for: as large as the largest that
stands for one kind of address.  To leave out, a rule may name any network but all addresses."""

TOLD_FINDINGS: Final = 16
"""Alternatives of one rule that are told; a list of thousands teaches nobody more."""


def lint_sigma_file(path: str, text: str, contracts: Sequence[SensorContract]) -> list[Finding]:
    """Everything that is wrong with the Sigma file `path`, which holds `text`; its self-tests are not looked at.

    `contracts` are those of the fleet's sensor builds; without any, rule 5 is not looked at.
    """
    return list(in_order(_of_source(read_sigma(path, text), contracts)))


def lint_sigma_rules(
    sources: Sequence[SigmaSource],
    tests: Sequence[AuthoredEvent],
    contracts: Sequence[SensorContract],
    remembered: Callable[[SigmaSource, Check], Iterable[Finding]] = lambda _, check: check(),
) -> list[Finding]:
    """Everything that is wrong with the Sigma rules of a content directory and their self-tests.

    `remembered` may answer for the check of one file (`author/finding_cache.py`).
    """
    found: list[Finding] = []
    for source in sources:
        found += remembered(source, partial(_of_source, source, contracts))
    found += duplicate_findings(sources)
    found += self_test_findings(sources, tests)
    return list(in_order(found))


def duplicate_findings(sources: Sequence[SigmaSource]) -> Iterator[Finding]:
    """Rule 7."""
    known: dict[str, str] = {}
    for source in sources:
        if source.rule is None:
            continue
        first = known.setdefault(source.rule.identifier, source.file)
        if first != source.file:
            yield source.finding("sigma/duplicate-id", f"has the id of the rule in {first}", "id")


def _of_source(source: SigmaSource, contracts: Sequence[SensorContract]) -> Iterator[Finding]:
    yield from source.findings
    yield from harm_findings(source)
    if source.rule is not None and contracts:
        yield from _contract_findings(source, source.rule, contracts)
    yield from validator_findings(source)


def harm_findings(source: SigmaSource) -> Iterator[Finding]:
    """Rules 2 to 4: what a rule that can be run would do to a host."""
    if (rule := source.rule) is None:
        return
    at_condition: tuple[Key, ...] = ("detection", "condition")
    if holds(rule.condition, {}):
        what = "is true of an event without any field: it only says what must not be there"
        yield source.finding("sigma/matches-empty", what, *at_condition)
    elif not (clauses := best_clauses(rule.condition, 1)):
        what = "no text must be present for it to be true, so it is asked at every event of its type"
        yield source.finding("sigma/no-witness", what, *at_condition)
    elif short := sorted(one.text for one in clauses[0] if _is_short(one.operator, one.text)):
        what = f"nothing longer than {short[0]!a} must be present for it to be true"
        yield source.finding("sigma/short-witness", what, *at_condition, level=Level.WARNING)
    for number, origin in enumerate(untelling(rule.condition)):
        if number == TOLD_FINDINGS:
            break
        path = at_condition if origin == NEGATED else source.origins.get(origin, at_condition)
        what = "a negation alone" if origin == NEGATED else f"{origin.operator} {origin.value[:64]!a}"
        yield source.finding("sigma/broad-alternative", f"one alternative is {what}: most events have that", *path)
    if example_event(rule) is None:
        what = "no event could be put together that it matches: its parts may contradict each other"
        yield source.finding("sigma/may-never-match", what, *at_condition, level=Level.WARNING)
    yield from _network_findings(source, rule)


def _is_short(operator: Operator, text: str) -> bool:
    return operator is not Operator.EQUALS and len(text) < SHORT_WITNESS_CHARACTERS and text.isascii()


def _network_findings(source: SigmaSource, rule: DetectionRule) -> Iterator[Finding]:
    wanted = set(_asked_for(rule.condition))
    for predicate in dict.fromkeys(predicates(rule.condition)):
        if predicate.operator is not Operator.NETWORK:
            continue
        for origin, path in source.origins.items():
            if (origin.field, origin.operator) != (predicate.field, predicate.operator):
                continue
            if origin.value not in predicate.values:
                continue
            network = ipaddress.ip_network(origin.value)
            if network.prefixlen < (NARROW_PREFIX[network.version] if predicate in wanted else 1):
                yield source.finding("sigma/wide-network", f"{network} holds a large part of all addresses", *path)
            elif predicate in wanted and network.is_private and not network.is_loopback:
                what = f"{network} is private: inside such a network that is all traffic"
                yield source.finding("sigma/private-network", what, *path, level=Level.WARNING)


def _asked_for(condition: Condition) -> Iterator[Predicate]:
    """The predicates that must be true rather than false."""
    match condition:
        case Predicate():
            yield condition
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from _asked_for(part)
        case NotOf():
            return


def _contract_findings(
    source: SigmaSource, rule: DetectionRule, contracts: Sequence[SensorContract]
) -> Iterator[Finding]:
    """Rule 5.  Of an event type that is not supplied the fields are not told as well."""
    found = shortages(event_needs(rule), contracts)
    types = [one for one in found if one.need.kind is InputKind.EVENT_TYPE]
    lacking = frozenset(build for one in types for build in one.builds)
    for shortage in found:
        if shortage.need.kind is InputKind.EVENT_TYPE:
            yield source.finding("sigma/not-supplied", shortage.text, "logsource")
        elif not lacking.issuperset(shortage.builds):
            field = shortage.need.name.removeprefix(f"{rule.event_type}.")
            yield source.finding("sigma/not-supplied", shortage.text, *source.field_path(field))
