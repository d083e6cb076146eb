"""From what the engines said to the proof: findings with their places, gates with their figures, the verdict.

1. Every trouble becomes a finding, at the place where its rule stands: in the author's directory if it is known,
   otherwise in the release.  An older engine's trouble says in which engine.
2. Hits on goodware are judged here: a blocking rule may hit nothing, an alerting one as many files as its severity
   allows, nobody may hit our own files.
3. A rule that reads the clock is refused by its text: two runs may agree, and the third not.
4. What the lint refuses is refused here too; what a signed waiver excuses is shown.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ringfence.author.finding import Finding, Level
from ringfence.author.lint import LintResult
from ringfence.author.proof_tasks import cleaned
from ringfence.author.proof_units import UnitReader
from ringfence.author.prove_engine import EngineTrial
from ringfence.author.prove_goodware import GoodwareTrial
from ringfence.model.limits import (
    PROOF_ALERTS_HIGH_FILES_MAX,
    PROOF_ALERTS_INFORMATIONAL_FILES_MAX,
    PROOF_ALERTS_LOW_FILES_MAX,
    PROOF_ALERTS_MEDIUM_FILES_MAX,
    PROOF_EXAMPLES_FILES_MAX,
    PROOF_FINDINGS_MAX,
    PROOF_GOODWARE_FILES_MIN,
    PROOF_SLOWEST_ROWS_MAX,
    RULE_IDENTIFIER_CHARACTERS_MAX,
)
from ringfence.model.proof import (
    PROVER_VERSION,
    Budget,
    Check,
    CheckName,
    CheckOutcome,
    EngineFacts,
    Figure,
    GoodwareFacts,
    MachineFacts,
    Proof,
    ProofFinding,
    RuleCost,
    WaiverFacts,
    Weight,
    verdict_of,
)
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import Release
from ringfence.model.waiver import WaiverBook
from ringfence.wire.waiver import waiver_digest

ALERTS_MAX: Final[Mapping[Severity, int]] = {
    Severity.CRITICAL: 0,
    Severity.HIGH: PROOF_ALERTS_HIGH_FILES_MAX,
    Severity.MEDIUM: PROOF_ALERTS_MEDIUM_FILES_MAX,
    Severity.LOW: PROOF_ALERTS_LOW_FILES_MAX,
    Severity.INFORMATIONAL: PROOF_ALERTS_INFORMATIONAL_FILES_MAX,
}
"""Good files that one alerting rule may hit, by its severity."""

_HITS: Final = re.compile(r"(?:blocks|reports) ([0-9]+) good files")
"""The beginning of what is told of hits on goodware."""

_CLOCK: Final = re.compile(r"\btime\s*\.\s*now\b")
_COMMENTS: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"|/\*.*?\*/|//[^\n]*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Places:
    """Where rules stand in the author's directory: name -> file and line; empty where only the release is known."""

    rules: Mapping[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Special:
    """Files that must not be hit at all: `vital` by path, our `own` by the beginning of their paths."""

    vital: frozenset[str]
    own: tuple[str, ...]


class Judge:
    """Puts one proof together."""

    def __init__(self, reader: UnitReader, places: Places, special: Special) -> None:
        self._reader = reader
        self._release: Release = reader.release
        self._units = {unit.name: unit for unit in reader.units()}
        self._entries = {entry.identifier: entry for entry in reader.release.manifest.rules}
        self._places = places
        self._special = special

    def proof(
        self,
        subject_sha256: str,
        trials: Sequence[EngineTrial],
        *,
        engines: Sequence[EngineFacts],
        unproven_builds: Sequence[str],
        machine: MachineFacts,
        made_s: int,
        lint: LintResult,
    ) -> Proof:
        """The proof.  `trials`: this build's engine first; `engines`: for whom it holds; `unproven_builds`: supported,
        but without an engine here.

        `lint` is what the lint has found: its errors refuse the release too; the waivers that excuse some are shown.
        """
        own = trials[0]
        findings = [self._static(name) for name in self._units]
        findings += [_of_lint(one) for one in lint.findings if one.level is Level.ERROR]
        checks, older = self._checks(own), []
        for number, trial in enumerate(trials):
            said = "" if not number else f" [engine {trial.engine_version}]"
            told = trial.troubles
            found = [self._of_trouble(one.code, one.rule, one.text + said, one.file, one.line) for one in told]
            found += self._of_goodware(trial.goodware, said)
            findings += found
            if number:
                older += found
        checks.append(_older_engines(trials[1:], older, unproven_builds))
        ordered = _ordered(finding for finding in findings if finding is not None)
        checks = [_judged(check, ordered) for check in checks]
        goodware = own.goodware
        loaded = own.loaded
        return Proof(
            subject_sha256=subject_sha256,
            name=self._release.manifest.name,
            version=self._release.manifest.version,
            prover_version=PROVER_VERSION,
            made_s=made_s,
            engines=tuple(dict.fromkeys(engines)),
            machine=machine,
            checks=tuple(checks),
            findings=ordered,
            waivers=_waivers(lint.waivers),
            slowest=_slowest(own),
            budget=Budget(
                compile_cpu_ms=loaded.compile_cpu_ms if loaded else 0,
                resident_bytes=loaded.resident_bytes if loaded else 0,
                slowest_probe_ms=max((cost.cpu_us for cost in own.whole), default=0) // 1_000,
                scan_us_per_mib=own.scan_us_per_mib,
            ),
            goodware=self._goodware_facts(goodware),
            verdict=verdict_of(checks, ordered),
        )

    # --- findings ----------------------------------------------------------------------------------------------------

    def _static(self, name: str) -> ProofFinding | None:
        """Rule 3."""
        text = _COMMENTS.sub(" ", self._reader.source(name))
        if not _CLOCK.search(text):
            return None
        return self._of_trouble("prove/clock", name, "reads the clock: what it matches tomorrow was never tried")

    def _of_trouble(self, code: str, rule: str, text: str, file: str = "", line: int = 0) -> ProofFinding:
        place, number = self._place(rule, file, line)
        weight = Weight.WARNING if code == "prove/goodware-alert" else Weight.ERROR
        return ProofFinding(place, number, 1, code, weight, rule, cleaned(text) or code, "")

    def _place(self, rule: str, file: str, line: int) -> tuple[str, int]:
        """Where `rule` stands, or the place in the release that the engine named."""
        if rule in self._places.rules:
            return self._places.rules[rule]
        unit = self._units.get(rule)
        if unit is not None:
            return unit.path, unit.line
        return cleaned(file) or "manifest.json", max(1, line)

    def _of_goodware(self, trial: GoodwareTrial | None, said: str) -> list[ProofFinding]:
        """Rule 2."""
        if trial is None:
            return []
        found = []
        for name, files in trial.hits_by_rule().items():
            entry = self._entries[name]
            code = _code_of_hits(entry.action, entry.severity, files, self._special)
            does = "blocks" if entry.action is RuleAction.BLOCK else "reports"
            special = [path for path in files if path in self._special.vital or path.startswith(self._special.own)]
            first = special if code in ("prove/goodware-vital", "prove/goodware-own") else files
            more = ", ..." if len(files) > PROOF_EXAMPLES_FILES_MAX else ""
            named = ", ".join(first[:PROOF_EXAMPLES_FILES_MAX]) + more
            bound = f", {ALERTS_MAX[entry.severity]} are allowed" if code == "prove/goodware-noise" else ""
            found.append(self._of_trouble(code, name, f"{does} {len(files)} good files{bound}: {named}{said}"))
        found += [
            self._of_trouble("prove/goodware-failed", "", f"the engine fails on {path}{said}")
            for path in sorted(trial.incomplete)
        ]
        return found

    # --- gates -------------------------------------------------------------------------------------------------------

    def _checks(self, trial: EngineTrial) -> list[Check]:
        """The gates of one engine, without the older engines'."""
        return [
            _check(trial, name, figures)
            for name, figures in {
                CheckName.LOAD: _load_figures(trial),
                CheckName.SELF_TESTS: {"self_tests": trial.loaded.self_tests if trial.loaded else 0},
                CheckName.ALONE: {
                    "event_mean_us": trial.event_mean_us,
                    "event_rules": len(trial.event_costs),
                    "remembered_rules": trial.remembered,
                    "rules": len(self._units),
                    "worst_us": max((cost.cpu_us for cost in trial.costs.values()), default=0),
                },
                CheckName.WHOLE: {
                    "probes": len(trial.whole),
                    "worst_us": max((cost.cpu_us for cost in trial.whole), default=0),
                },
                CheckName.THROUGHPUT: {"scan_us_per_mib": trial.scan_us_per_mib},
                CheckName.GOODWARE: _goodware_figures(trial),
                CheckName.REPEAT: {"remembered_samples": trial.agreed, "samples": trial.repeated},
                CheckName.AGREEMENT: {"remembered_samples": trial.agreed, "samples": len(trial.agreements)},
            }.items()
        ]

    def _goodware_facts(self, trial: GoodwareTrial | None) -> GoodwareFacts:
        if trial is None:
            return GoodwareFacts(0, 0, "", 0, 0)
        hits = {name: len(files) for name, files in trial.hits_by_rule().items()}
        blocked = sum(count for name, count in hits.items() if self._entries[name].action is RuleAction.BLOCK)
        return GoodwareFacts(trial.files, trial.size_bytes, trial.list_sha256, blocked, sum(hits.values()) - blocked)


def _slowest(trial: EngineTrial) -> tuple[RuleCost, ...]:
    """The most expensive rules of an engine, the worst first."""
    costs = sorted((*trial.costs.values(), *trial.event_costs.values()), key=lambda cost: (-cost.cpu_us, cost.name))
    return tuple(RuleCost(cost.name, cost.probe, cost.cpu_us) for cost in costs[:PROOF_SLOWEST_ROWS_MAX])


def good_files_hit(finding: ProofFinding) -> int:
    """How many good files a finding of the goodware's gate tells of; 0 for every other one."""
    found = _HITS.match(finding.text) if finding.code.startswith("prove/goodware-") else None
    return int(found[1]) if found is not None else 0


def _of_lint(one: Finding) -> ProofFinding:
    return ProofFinding(
        cleaned(one.file) or "content.yaml",
        one.line,
        one.column,
        one.code,
        Weight.ERROR,
        cleaned(one.rule, RULE_IDENTIFIER_CHARACTERS_MAX),
        cleaned(one.text) or one.code,
        one.waived_by,
    )


def _waivers(book: WaiverBook) -> tuple[WaiverFacts, ...]:
    """The waivers that excuse a finding, in the order of their digests; each holds to the end of its last day."""
    return tuple(
        WaiverFacts(
            waiver_digest(signed),
            cleaned(signed.waiver.reason),
            int(dt.datetime.combine(signed.waiver.expires + dt.timedelta(1), dt.time(), dt.UTC).timestamp()),
        )
        for signed in book.waivers
    )


def findings_of(proof: Proof) -> tuple[Finding, ...]:
    """The findings of a proof in the form that every check of content has."""
    return tuple(
        Finding(one.file, one.line, one.column, one.code, Level(one.weight), one.rule, one.text, one.waived_by)
        for one in proof.findings
    )


def _code_of_hits(action: RuleAction, severity: Severity, files: Sequence[str], special: Special) -> str:
    if any(path.startswith(special.own) for path in files):
        return "prove/goodware-own"
    if action is RuleAction.BLOCK:
        return "prove/goodware-vital" if special.vital.intersection(files) else "prove/goodware-block"
    return "prove/goodware-noise" if len(files) > ALERTS_MAX[severity] else "prove/goodware-alert"


def _check(trial: EngineTrial, name: CheckName, figures: Mapping[str, int]) -> Check:
    """One gate.  What the goodware's hits mean is judged later, by the findings."""
    reason = trial.not_run.get(name, "")
    if name is CheckName.GOODWARE and not reason:
        files = trial.goodware.files if trial.goodware else 0
        if files < PROOF_GOODWARE_FILES_MIN:
            reason = f"{files} files are too few to say anything, {PROOF_GOODWARE_FILES_MIN} are needed"
    outcome = CheckOutcome.NOT_RUN if reason else CheckOutcome.PASSED
    if name in trial.failed:
        outcome, reason = CheckOutcome.REFUSED, ""
    rows = tuple(Figure(figure, figures[figure]) for figure in sorted(figures))
    return Check(name, outcome, trial.spent_ms.get(name, 0), rows, reason)


def _judged(check: Check, findings: Sequence[ProofFinding]) -> Check:
    """The goodware's gate is refused by its findings, and a rule that reads the clock refuses the second run."""
    prefix = {CheckName.GOODWARE: "prove/goodware-", CheckName.REPEAT: "prove/clock"}.get(check.name)
    if prefix is None or not any(one.refuses and one.code.startswith(prefix) for one in findings):
        return check
    return Check(check.name, CheckOutcome.REFUSED, check.spent_ms, check.figures, "")


def _older_engines(
    trials: Sequence[EngineTrial], findings: Sequence[ProofFinding], unproven_builds: Sequence[str]
) -> Check:
    figures = (Figure("engines", len(trials)),)
    spent_ms = sum(sum(trial.spent_ms.values()) for trial in trials)
    unrun = [f"{name} in {trial.engine_version}: {why}" for trial in trials for name, why in trial.not_run.items()]
    unrun += [f"no engine was given for the sensor build {build}" for build in unproven_builds]
    if any(trial.failed for trial in trials) or any(one.refuses for one in findings):
        return Check(CheckName.ENGINES, CheckOutcome.REFUSED, spent_ms, figures, "")
    if unrun:
        return Check(CheckName.ENGINES, CheckOutcome.NOT_RUN, spent_ms, figures, cleaned(unrun[0]))
    return Check(CheckName.ENGINES, CheckOutcome.PASSED, spent_ms, figures, "")


def _load_figures(trial: EngineTrial) -> dict[str, int]:
    loaded = trial.loaded
    if loaded is None:
        return {}
    return {
        "compile_cpu_ms": loaded.compile_cpu_ms,
        "resident_bytes": loaded.resident_bytes,
        "scanners": loaded.scanners,
    }


def _goodware_figures(trial: EngineTrial) -> dict[str, int]:
    goodware, figures = trial.goodware, {}
    if goodware is not None:
        figures = {"files": goodware.files, "size_bytes": goodware.size_bytes, "unopened_files": goodware.unopened}
    if trial.recorded_events:
        figures |= {"recorded_event_us": trial.recorded_event_us, "recorded_events": trial.recorded_events}
    return figures


def _ordered(findings: Iterable[ProofFinding]) -> tuple[ProofFinding, ...]:
    """In order, each once, and bounded: the errors first to stay."""
    every = {finding.sort_key: finding for finding in findings}
    kept = sorted(every.values(), key=lambda finding: (not finding.refuses, finding.sort_key))[:PROOF_FINDINGS_MAX]
    return tuple(sorted(kept, key=lambda finding: finding.sort_key))
