"""YARA-X: from a release's source packs to scanners.  The only module that knows the engine.

Compiling (`compile_release`):
1. Packs are compiled from source, each in its own namespace, without includes, with `model.release.YARA_VARIABLES` as
   empty text.  Whatever the engine raises, a panic too, becomes ContentRefused with pack and line.
2. The engine, our reader of declarations and the manifest must name the same rules, or the release is refused.
3. `detect/scan_plan.py` says which packs share an engine scanner (a *group*: a scan costs a pass over the bytes for
   each, and a rule that times out silences its whole group for that file), and which groups stand behind a sieve.

Scanning (`ContentScanner.scan`):
4. The groups that come first for the file's class are run.  A sieve that matches, and one that fails, runs the groups
   behind it; where it is silent no rule behind it can match.
5. This first pass runs in the engine's fast mode and decides.  A clean file costs nothing else.
6. Only groups that hit are scanned a second time for offsets and excerpts.  What that pass finds changes no outcome.
7. A timeout or a panic silences one group: the others still speak, and the result is incomplete, never clean.

A `CompiledContent` may be shared over fork.  A `ContentScanner` belongs to the thread and process that made it: the
engine panics otherwise, and its timer thread does not survive fork.  Make it after the fork, and `warm` it before
seccomp forbids new threads.
"""

import datetime as dt  # noqa: F401 - the engine imports it at its first scan, which a sandboxed process could not
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, unique
from functools import partial
from itertools import islice
from typing import Any, Final, Protocol

import yara_x

from ringfence.detect.file_type import FileClass, classify
from ringfence.detect.findings import CLEAN, RuleMatch, ScanFindings, member_label
from ringfence.detect.findings import join as join_findings
from ringfence.detect.needs import outlines_of
from ringfence.detect.rule_outline import PackOutline, RuleScope
from ringfence.detect.scan_plan import SIEVE_NAMESPACE, Part, ScannerPlan, plan_scanners
from ringfence.model.errors import ContentRefused
from ringfence.model.fault import RuleName
from ringfence.model.limits import (
    ENGINE_SCANNERS_MAX,
    FINDING_MATCHES_MAX,
    FINDING_RULES_MAX,
    MATCH_EXCERPT_BYTES_MAX,
    MATCHES_PER_PATTERN_MAX,
    MATCHES_TRACKED_MAX,
    PATTERN_NAME_BYTES_MAX,
)
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import FILE_CLASSES, YARA_VARIABLES, Pack, Release, RuleEntry
from ringfence.model.verdict import Outcome, UnknownReason

ENGINE_MATCHES_DEFAULT: Final = 1_000_000
"""The engine's own bound of matches per pattern, restored after the pass for details."""

WAY_OUT: Final = "correct the rule and build the release again; the host keeps the release that it has"

_SEVERITIES: Final = tuple(reversed(Severity))


@unique
class View(IntEnum):
    """What the bytes given to a scan are.  Matches of rules that must see more than that are not believed."""

    PART = RuleScope.ANY_PART
    """A piece from the middle or the end of a file."""

    START = RuleScope.FILE_START
    """The beginning of a longer file."""

    WHOLE = RuleScope.WHOLE_FILE


@dataclass(frozen=True, slots=True)
class _Rules:
    """The manifest's rules as the scanner needs them, by index."""

    entries: tuple[RuleEntry, ...]
    index: dict[str, int]
    rank: tuple[int, ...]
    """Place of each rule in the order worst first: blocking before alerting, then by severity."""

    scope: tuple[RuleScope, ...]


@dataclass(frozen=True, slots=True)
class _Groups:
    """The compiled groups and when they are run."""

    compiled: tuple[yara_x.Rules, ...]
    first: dict[FileClass, tuple[int, ...]]
    """The groups that every file of a class meets."""

    names: tuple[frozenset[RuleName], ...]
    """The rules of each group, without those of its sieve."""

    guards: tuple[dict[str, int], ...]
    """For each group the rules of its sieve, and the group that each stands for; most groups have no sieve."""


class Watch(Protocol):
    """Whoever wants to know what a scanner is at.  It is called often: it must cost nothing, and never raise."""

    def begin(self, group: int) -> None:
        """The group is about to be run."""

    def end(self, group: int) -> None:
        """It came back, with or without a result."""


class CompiledContent:
    """The rules of one release, compiled.  Immutable after construction; see the module for sharing."""

    __slots__ = ("_groups", "_rules")

    def __init__(self, rules: _Rules, groups: _Groups) -> None:
        """Made by `compile_release`."""
        self._rules = rules
        self._groups = groups

    @property
    def rules(self) -> tuple[RuleEntry, ...]:
        """The manifest's rules: `ScanFindings.rules` are indexes into this."""
        return self._rules.entries

    @property
    def scanner_count(self) -> int:
        """How many engine scanners a `ContentScanner` holds."""
        return len(self._groups.compiled)

    def groups_for(self, kind: FileClass) -> tuple[int, ...]:
        """Which groups every file of class `kind` meets; for figures and tests."""
        return self._groups.first[kind]

    def rules_of(self, group: int) -> frozenset[RuleName]:
        """The rules that are run together in a group; none where there is no such group."""
        return self._groups.names[group] if 0 <= group < len(self._groups.names) else frozenset()

    def scanner(self, timeout_s: int, watch: Watch | None = None) -> "ContentScanner":
        """Make a scanner for the calling thread of the calling process.  `timeout_s`, from 1, bounds each group."""
        return ContentScanner(self._rules, self._groups, timeout_s, watch)


class ContentScanner:
    """Scans bytes with the rules of one release."""

    __slots__ = ("_groups", "_rules", "_scanners", "_timeout_s", "_watch")

    def __init__(self, rules: _Rules, groups: _Groups, timeout_s: int, watch: Watch | None = None) -> None:
        """Made by `CompiledContent.scanner`.  Raises ValueError when `timeout_s` is below 1: 0 means "at once"."""
        if timeout_s < 1:
            raise ValueError("the engine counts whole seconds, from 1")
        self._rules = rules
        self._groups = groups
        self._timeout_s = timeout_s
        self._watch = watch
        self._scanners = [self._fresh(number) for number in range(len(groups.compiled))]

    def warm(self) -> None:
        """Scan nothing once with every group: starts the engine's timer thread and touches its tables.

        Must run before seccomp forbids threads and before anybody waits.
        """
        for scanner in self._scanners:
            scanner.scan(b"")

    def scan(
        self, data: bytes, member: str = "", view: View = View.WHOLE, kind: FileClass | None = None
    ) -> ScanFindings:
        """Scan `data`; returns the one value `CLEAN` for a clean file.

        `member` is copied into the matches.  `kind` is the class of the whole file when `data` is a part of it; it is
        read from `data` otherwise.  Offsets are from the start of `data`.  Raises nothing for anything in `data`.
        """
        first = self._groups.first[classify(data) if kind is None else kind]
        hits: list[tuple[int, tuple[yara_x.Rule, ...]]] = []
        missing, behind = self._run(data, first, hits)
        if behind:
            missing_behind, _ = self._run(data, sorted(behind), hits)
            missing = missing_behind if missing is UnknownReason.NONE else missing
        if not hits and missing is UnknownReason.NONE:
            return CLEAN
        return self._findings(data, member_label(member), view, hits, missing)

    def _run(
        self, data: bytes, numbers: Sequence[int], hits: list[tuple[int, tuple[yara_x.Rule, ...]]]
    ) -> tuple[UnknownReason, set[int]]:
        """The first pass over some groups.  Adds what hits; returns what is missing, and the groups to run next."""
        missing = UnknownReason.NONE
        behind: set[int] = set()
        scanners, watch = self._scanners, self._watch
        for number in numbers:
            if watch is not None:
                watch.begin(number)
            try:
                matching = scanners[number].scan(data).matching_rules
            except yara_x.TimeoutError:
                missing = UnknownReason.ENGINE_TIMEOUT
                behind.update(self._groups.guards[number].values())
                continue
            except BaseException as failure:  # noqa: BLE001 - `_recover` raises again what is not the engine's
                self._recover(number, failure)
                missing = UnknownReason.ENGINE_PANIC
                behind.update(self._groups.guards[number].values())
                continue
            finally:
                if watch is not None:
                    watch.end(number)
            if matching and (guards := self._groups.guards[number]):
                behind.update(guards[rule.identifier] for rule in matching if rule.namespace == SIEVE_NAMESPACE)
                matching = _reporting(matching)
            if matching:
                hits.append((number, matching))
        return missing, behind

    def join(self, parts: Sequence[ScanFindings]) -> ScanFindings:
        """The findings of the parts of one file as one."""
        return join_findings(parts, self._rules.rank.__getitem__)

    def _fresh(self, number: int) -> yara_x.Scanner:
        scanner = yara_x.Scanner(self._groups.compiled[number])
        scanner.set_timeout(self._timeout_s)
        scanner.fast_scan(yes=True)
        return scanner

    def _recover(self, number: int, failure: BaseException) -> None:
        """Replace the scanner of group `number` after `failure`; raises it again if it is not the engine's."""
        if not is_engine_failure(failure):
            raise failure
        self._scanners[number] = self._fresh(number)

    def _findings(
        self,
        data: bytes,
        member: str,
        view: View,
        hits: list[tuple[int, tuple[yara_x.Rule, ...]]],
        missing: UnknownReason,
    ) -> ScanFindings:
        """Rules, matches and outcome of a file on which something hit or something failed."""
        table = self._rules
        found: dict[int, tuple[int, yara_x.Rule]] = {}
        for number, matching in hits:
            for rule in matching:
                place = table.index[rule.identifier]
                if table.scope[place] <= view:
                    found[place] = (number, rule)
        worst = sorted(found, key=table.rank.__getitem__)[:FINDING_RULES_MAX]
        detailed = self._detailed(data, {found[place][0] for place in worst})
        matches: list[RuleMatch] = []
        for place in worst:
            rule = detailed.get(table.entries[place].identifier, found[place][1])
            matches.extend(_matches(place, rule, data, member, FINDING_MATCHES_MAX - len(matches)))
        outcome = _outcome((table.entries[place].action for place in worst), missing)
        return ScanFindings(tuple(worst), tuple(matches), outcome, missing)

    def _detailed(self, data: bytes, groups: set[int]) -> dict[str, yara_x.Rule]:
        """The second pass: rules by name with all their matches.  Empty for a group that fails this time."""
        rules: dict[str, yara_x.Rule] = {}
        for number in sorted(groups):
            scanner = self._scanners[number]
            try:
                scanner.fast_scan(yes=False)
                scanner.max_matches_per_pattern(MATCHES_TRACKED_MAX)
                rules.update((rule.identifier, rule) for rule in _reporting(scanner.scan(data).matching_rules))
            except BaseException as failure:  # noqa: BLE001 - `_recover` raises again what is not the engine's
                self._recover(number, failure)
                continue
            scanner.max_matches_per_pattern(ENGINE_MATCHES_DEFAULT)
            scanner.fast_scan(yes=True)
        return rules


def is_engine_failure(failure: BaseException) -> bool:
    """Whether `failure` is the engine's: its errors, or a panic.

    PanicException derives from BaseException only, and its class cannot be imported, so it is known by name.
    """
    return isinstance(failure, (yara_x.ScanError, yara_x.TimeoutError, yara_x.CompileError)) or (
        type(failure).__name__ == "PanicException"
    )


def _reporting(rules: Iterable[yara_x.Rule]) -> tuple[yara_x.Rule, ...]:
    """`rules` without those of a sieve."""
    return tuple(rule for rule in rules if rule.namespace != SIEVE_NAMESPACE)


def _outcome(actions: Iterable[RuleAction], missing: UnknownReason) -> Outcome:
    """The outcome of the rules that hit, as `detect/findings.py` numbers it."""
    met = set(actions)
    if RuleAction.BLOCK in met:
        return Outcome.MALICIOUS
    if met:
        return Outcome.SUSPICIOUS
    return Outcome.CLEAN if missing is UnknownReason.NONE else Outcome.UNKNOWN


def _matches(place: int, rule: yara_x.Rule, data: bytes, member: str, room: int) -> Iterator[RuleMatch]:
    """Up to `room` matches of one rule, a few of each pattern."""
    several = (
        RuleMatch(
            place,
            pattern.identifier[:PATTERN_NAME_BYTES_MAX],
            match.offset,
            match.length,
            data[match.offset : match.offset + min(match.length, MATCH_EXCERPT_BYTES_MAX)],
            member,
        )
        for pattern in rule.patterns
        for match in islice(pattern.matches, MATCHES_PER_PATTERN_MAX)
    )
    return islice(several, max(0, room))


# --- compiling ----------------------------------------------------------------------------------------------------


def compile_release(release: Release, outlines: Sequence[PackOutline] | None = None) -> CompiledContent:
    """Compile every pack of `release`.  Raises ContentRefused naming the pack and the line, and nothing else.

    `outlines` are those of its packs, for who has read them already.  CPU and memory are not bounded here: 16,000 rules
    take some seconds, hostile source may take minutes.  Run it in a process that may be killed.
    """
    packs = release.packs
    for pack in packs:
        if pack.entry.file_class not in FILE_CLASSES:
            _refuse(pack, f"no file is of class {pack.entry.file_class!r}", "")
    outlines = outlines or outlines_of(release)
    rules = _rules_of(release, outlines)
    plan = plan_scanners(packs, outlines)
    if len(plan.scanners) > ENGINE_SCANNERS_MAX:
        raise ContentRefused(
            f"needs {len(plan.scanners)} engine scanners, more than {ENGINE_SCANNERS_MAX}",
            "put packs of the same file class together",
        )
    compiled = tuple(_compile(scanner) for scanner in plan.scanners)
    names = tuple(_names(scanner.parts) for scanner in plan.scanners)
    guards = tuple(scanner.guards for scanner in plan.scanners)
    return CompiledContent(rules, _Groups(compiled, plan.first, names, guards))


def _names(parts: Sequence[Part]) -> frozenset[RuleName]:
    """The rules of a group."""
    return frozenset(
        RuleName(part.namespace, rule) for part in parts if part.namespace != SIEVE_NAMESPACE for rule in part.rules
    )


def _rules_of(release: Release, outlines: Sequence[PackOutline]) -> _Rules:
    """The rule table.  Refuses a release whose manifest and sources do not name the same reporting rules."""
    entries = release.manifest.rules
    listed = {(entry.pack, entry.identifier) for entry in entries}
    scopes: dict[str, RuleScope] = {}
    for pack, declared in zip(release.packs, outlines, strict=True):
        for rule in declared.rules:
            if rule.private:
                continue
            if (pack.entry.name, rule.name) not in listed:
                _refuse(pack, f"rule {rule.name} is not in the manifest", str(rule.line))
            scopes[rule.name] = rule.scope
    for entry in entries:
        if entry.identifier not in scopes:
            raise ContentRefused(
                f"the manifest names rule {entry.identifier}, but no source declares it", WAY_OUT, file=entry.pack
            )
    order = sorted(range(len(entries)), key=lambda place: _badness(entries[place]))
    rank = [0] * len(entries)
    for position, place in enumerate(order):
        rank[place] = position
    index = {entry.identifier: place for place, entry in enumerate(entries)}
    return _Rules(entries, index, tuple(rank), tuple(scopes[entry.identifier] for entry in entries))


def _badness(entry: RuleEntry) -> tuple[bool, int, str]:
    """Sort key: worst first, then by name so that the order is always the same."""
    return entry.action is not RuleAction.BLOCK, _SEVERITIES.index(entry.severity), entry.identifier


def _compile(group: ScannerPlan) -> yara_x.Rules:
    """Compile one group."""
    compiler = yara_x.Compiler(includes_enabled=False)
    for variable in sorted(YARA_VARIABLES):
        compiler.define_global(variable, "")
    for part in group.parts:
        compiler.new_namespace(part.namespace)
        _guarded(part, compiler, partial(compiler.add_source, part.source, origin=part.origin))
    rules: yara_x.Rules = _guarded(group.parts[0], compiler, compiler.build)
    _check_same_rules(group.parts, rules)
    return rules


def _guarded(part: Part, compiler: yara_x.Compiler, step: Callable[[], Any]) -> Any:  # noqa: ANN401 - the engine's
    """Run one step of the compiler; whatever the engine raises becomes ContentRefused."""
    try:
        return step()
    except yara_x.CompileError as refusal:
        raise _refusal(part, compiler.errors(), str(refusal)) from None
    except BaseException as failure:
        if not is_engine_failure(failure) and not isinstance(failure, (ValueError, TypeError, UnicodeError)):
            raise
        raise _refusal(part, (), f"the engine failed: {type(failure).__name__}: {failure}") from None


def _refusal(part: Part, diagnostics: Sequence[dict[str, Any]], text: str) -> ContentRefused:
    """ContentRefused with the place and title of the engine's first diagnostic."""
    first = diagnostics[0] if diagnostics else {}
    line = first.get("line")
    what = str(first.get("title") or text.splitlines()[0] if text else "refused by the engine")
    code = first.get("code")
    return ContentRefused(
        f"{what} [{code}]" if code else what, WAY_OUT, file=part.origin, position=str(line) if line else ""
    )


def _check_same_rules(parts: Sequence[Part], rules: yara_x.Rules) -> None:
    """Refuse a group in which the engine found other rules than our reader: scopes and table would be wrong."""
    compiled: dict[str, set[str]] = {}
    for rule in rules:
        compiled.setdefault(rule.namespace, set()).add(rule.identifier)
    for part in parts:
        odd = sorted(part.rules ^ compiled.get(part.namespace, set()))
        if odd:
            what = f"the engine and the outline disagree about {', '.join(odd[:4])}"
            raise ContentRefused(what, WAY_OUT, file=part.origin)


def _refuse(pack: Pack, what: str, position: str) -> None:
    raise ContentRefused(what, WAY_OUT, file=pack.entry.path, position=position)
