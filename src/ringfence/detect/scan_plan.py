"""Which rules share an engine scanner, and which scanners a file of each class meets.  Texts only; no engine here.

1. A file of class c meets the packs "any" and the packs c, and no others.  Up to `RULES_MERGED_MAX` rules are one
   scanner: the whole plan of a small release.
2. More rules than that are two *sets*, those of "any" and those of c, each cut into groups (`RULES_PER_SCANNER_MAX`).
   Packs that import an expensive module (`pe` costs 50 µs per scan, `elf` up to 1 ms) are kept apart from the others.
3. A large set stands behind a *sieve*: for each group one or more rules with the witnesses (`detect/witness.py`) of all
   its rules and the condition `any of them`.  Where none of them matches, no rule of the group can, and it is not run.
   The patterns are copied word for word, so the engine itself decides what matches.
4. Rules without a rare witness must always run.  They, and the rules that they name, are copied out of their pack, with
   those imports that they use, into the scanner of the sieve: one pass over the bytes does both.
5. A pack with a global rule, with anything odd, or with mostly such rules always runs whole.  Private rules report
   nothing: they need no witness, and run where a rule that names them does.
6. A release whose sieves would need too many scanners is planned without any.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from ringfence.detect.file_type import FileClass
from ringfence.detect.rule_outline import PackOutline
from ringfence.detect.rule_text import RuleText, only_imports, read_rule
from ringfence.detect.witness import PROGRAM_TEST, Witness, is_rare, witness_of
from ringfence.model.limits import (
    ENGINE_SCANNERS_MAX,
    RULES_MERGED_MAX,
    RULES_PER_SCANNER_MAX,
    SIEVE_PATTERNS_MAX,
    SIEVE_RULES_MIN,
)
from ringfence.model.release import Pack

CHEAP_MODULES: Final = frozenset({"hash", "math", "string", "time"})
"""Modules that do nothing until a condition calls them.  The others parse each file that their scanner meets."""

SIEVE_NAMESPACE: Final = ":sieve"
"""Namespace of a sieve's rules; no pack can have this name."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the compiler gets in one namespace."""

    namespace: str
    origin: str
    """For errors."""

    source: str
    imports: frozenset[str]
    rules: frozenset[str]
    """Names of all rules in `source`, private ones too."""


@dataclass(frozen=True, slots=True)
class ScannerPlan:
    """One engine scanner."""

    parts: tuple[Part, ...]
    guards: dict[str, int] = field(default_factory=dict)
    """Rule of the sieve -> number of the scanner that must run where it matches; empty for one without a sieve."""


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """All scanners of a release."""

    scanners: tuple[ScannerPlan, ...]
    first: dict[FileClass, tuple[int, ...]]
    """Numbers of the scanners that every file of a class meets; those behind a sieve are not among them."""


def plan_scanners(packs: Sequence[Pack], outlines: Sequence[PackOutline]) -> ScanPlan:
    """The plan of a release."""
    plan = _Planner(packs, outlines, sieves=True).plan()
    return plan if len(plan.scanners) <= ENGINE_SCANNERS_MAX else _Planner(packs, outlines, sieves=False).plan()


class _Planner:
    """Collects scanners; each set of packs is planned once, however many classes meet it."""

    def __init__(self, packs: Sequence[Pack], outlines: Sequence[PackOutline], *, sieves: bool) -> None:
        self._packs = packs
        self._outlines = outlines
        self._sieves = sieves
        self._parts = [_whole(pack, declared) for pack, declared in zip(packs, outlines, strict=True)]
        self._scanners: list[ScannerPlan] = []
        self._known: dict[tuple[tuple[int, ...], bool], tuple[int, ...]] = {}

    def plan(self) -> ScanPlan:
        """Rules 1 and 2."""
        classes = [pack.entry.file_class for pack in self._packs]
        every = tuple(place for place, named in enumerate(classes) if named == FileClass.ANY)
        first: dict[FileClass, tuple[int, ...]] = {}
        for kind in FileClass:
            own = tuple(place for place, named in enumerate(classes) if named == kind and kind is not FileClass.ANY)
            if _count(self._parts[place] for place in every + own) <= RULES_MERGED_MAX:
                first[kind] = self._set(tuple(sorted(every + own)), large=False)
            else:
                first[kind] = self._set(every, large=True) + self._set(own, large=True)
        return ScanPlan(tuple(self._scanners), first)

    def _set(self, places: tuple[int, ...], *, large: bool) -> tuple[int, ...]:
        """The scanners that come first for one set of packs."""
        parts = [self._parts[place] for place in places]
        sieved = (
            self._sieves
            and large
            and (_count(parts) >= SIEVE_RULES_MIN or any(not part.imports <= CHEAP_MODULES for part in parts))
        )
        if (places, sieved) not in self._known:
            self._known[places, sieved] = self._behind_sieve(places) if sieved else self._plain(_chunks(parts))
        return self._known[places, sieved]

    def _plain(self, groups: Iterable[tuple[Part, ...]]) -> tuple[int, ...]:
        """Add a scanner for each group; returns their numbers."""
        start = len(self._scanners)
        self._scanners.extend(ScannerPlan(group) for group in groups)
        return tuple(range(start, len(self._scanners)))

    def _behind_sieve(self, places: Sequence[int]) -> tuple[int, ...]:
        """Rules 3 to 5."""
        always: list[Part] = []
        guarded: dict[Part, list[Witness]] = {}
        for place in places:
            whole = self._parts[place]
            kind = self._packs[place].entry.file_class
            sorted_out = _sort_out(whole, self._outlines[place], are_programs=kind == FileClass.PE)
            if sorted_out is None:
                always.append(whole)
                continue
            guarded[whole], rest = sorted_out
            if rest is not None:
                always.append(rest)
        if not guarded:
            return self._plain(_chunks(always))
        groups = list(_cut(guarded))
        numbers = self._plain(groups)
        sieve, guards = _sieve(groups, guarded, numbers)
        start = len(self._scanners)
        shared, *others = list(_chunks(always)) or [()]
        self._scanners.append(ScannerPlan((sieve, *shared), guards))
        return (start, *self._plain(others))


def _whole(pack: Pack, declared: PackOutline) -> Part:
    names = frozenset(rule.name for rule in declared.rules)
    return Part(pack.entry.name, pack.entry.path, pack.source, declared.imports, names)


def _count(parts: Iterable[Part]) -> int:
    return sum(len(part.rules) for part in parts)


def _chunks(parts: Sequence[Part]) -> Iterator[tuple[Part, ...]]:
    """`parts` as few groups: one, if they are few rules."""
    if parts and _count(parts) <= RULES_MERGED_MAX:
        yield tuple(parts)
    else:
        yield from _cut(parts)


def _cut(parts: Iterable[Part]) -> Iterator[tuple[Part, ...]]:
    """Groups of at most `RULES_PER_SCANNER_MAX` rules, expensive modules apart; a larger pack stays whole and alone."""
    ordered = list(parts)
    for cheap in (True, False):
        group: list[Part] = []
        for part in ordered:
            if (part.imports <= CHEAP_MODULES) is not cheap:
                continue
            if group and _count([*group, part]) > RULES_PER_SCANNER_MAX:
                yield tuple(group)
                group = []
            group.append(part)
        if group:
            yield tuple(group)


def _sort_out(whole: Part, declared: PackOutline, *, are_programs: bool) -> tuple[list[Witness], Part | None] | None:
    """The witnesses of a pack's rules, and those of its rules that must always run; None where that is the pack."""
    rules = _read(whole.source, declared)
    if rules is None:
        return None
    known: dict[str, Witness] = {}
    always: set[str] = set()
    witnesses: list[Witness] = []
    for rule, named in zip(rules, declared.rules, strict=True):
        witness = witness_of(rule, known)
        if witness is not None:
            known[rule.name] = witness
        if named.private:
            continue
        if witness is not None and is_rare(witness) and not (witness.is_program and are_programs):
            witnesses.append(witness)
        else:
            always.add(rule.name)
    if not witnesses:
        return None
    for rule in reversed(rules):
        if rule.name in always:
            always |= whole.rules.intersection(rule.condition)
    if not always:
        return witnesses, None
    if len(always) * 2 > len(rules):
        return None
    return witnesses, _copied(whole, declared, [rule for rule in rules if rule.name in always])


def _read(source: str, declared: PackOutline) -> list[RuleText] | None:
    """Every rule of a pack, or None where anything in it is odd or global."""
    starts = [rule.start for rule in declared.rules]
    if not starts or not only_imports(source, starts[0]):
        return None
    rules: list[RuleText] = []
    for named, end in zip(declared.rules, [*starts[1:], len(source)], strict=True):
        rule = read_rule(source, named.start, end)
        if rule is None or rule.name != named.name or "global" in rule.marks:
            return None
        rules.append(rule)
    return rules


def _copied(whole: Part, declared: PackOutline, rules: Sequence[RuleText]) -> Part:
    """A part of only these rules of `whole`."""
    starts = {rule.name: rule.start for rule in declared.rules}
    imports = frozenset(name for name in whole.imports if any(name in rule.condition for rule in rules))
    lines = [f'import "{name}"' for name in sorted(imports)]
    lines += [whole.source[starts[rule.name] : rule.end] for rule in rules]
    return Part(whole.namespace, whole.origin, "\n".join(lines), imports, frozenset(rule.name for rule in rules))


def _sieve(
    groups: Sequence[tuple[Part, ...]], witnesses: dict[Part, list[Witness]], numbers: Sequence[int]
) -> tuple[Part, dict[str, int]]:
    """The sieve before `groups`, and which of its rules stands for which of their numbers."""
    guards: dict[str, int] = {}
    texts = []
    for group, number in zip(groups, numbers, strict=True):
        several = [witness for part in group for witness in witnesses[part]]
        declarations = sorted(frozenset[str]().union(*(witness.declarations for witness in several)))
        bodies = [
            "strings:\n"
            + "\n".join(f"$p{at}{line}" for at, line in enumerate(declarations[start : start + SIEVE_PATTERNS_MAX]))
            + "\ncondition: any of them"
            for start in range(0, len(declarations), SIEVE_PATTERNS_MAX)
        ]
        if any(witness.is_program for witness in several):
            bodies.append(f"condition: {PROGRAM_TEST}")
        for body in bodies:
            name = f"sieve_{len(guards)}"
            texts.append(f"rule {name} {{ {body} }}")
            guards[name] = number
    return Part(SIEVE_NAMESPACE, "the sieve", "\n".join(texts), frozenset(), frozenset(guards)), guards
