"""The page of a proof for people: one file without scripts, fonts or pictures from anywhere.

Every text goes through autoescape, and what could turn the direction of text or move a cursor is shown as an escape
before it is written into a proof (`author/proof_tasks.py`).  Charts are SVG made here; each has its numbers beside it
as a table, which is what a screen reader gets.
"""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, StrictUndefined

from ringfence import __version__
from ringfence.author.prove import good_files_hit
from ringfence.model.limits import PROOF_BARS_ROWS_MAX, PROOF_SLOW_MS_MAX
from ringfence.model.proof import Check, CheckName, CheckOutcome, Proof, ProofFinding, Verdict, Weight

TITLES: Final[Mapping[CheckName, tuple[str, str]]] = {
    CheckName.LOAD: ("Loads as on a host", "Decoded, held against the contract and compiled in the host's sandbox."),
    CheckName.SELF_TESTS: ("Self-tests", "What must match matches, what must not does not."),
    CheckName.ALONE: ("Each rule alone", "Every rule on inputs made to hurt it."),
    CheckName.WHOLE: ("The whole release", "All rules together on hostile inputs and archives."),
    CheckName.THROUGHPUT: ("Speed on ordinary files", "CPU for one MiB, against what the release claims."),
    CheckName.GOODWARE: ("Goodware", "Files of this system that must be left alone."),
    CheckName.REPEAT: ("The same twice", "Another process finds the same."),
    CheckName.AGREEMENT: ("Fast path and plain engine", "The host's short cut says what the engine says."),
    CheckName.ENGINES: ("Older engines", "Every other engine that must take the release."),
}
WORDS: Final[Mapping[CheckOutcome, tuple[str, str]]] = {
    CheckOutcome.PASSED: ("good", "passed"),
    CheckOutcome.REFUSED: ("critical", "refused"),
    CheckOutcome.NOT_RUN: ("medium", "not run"),
}
BAR_WIDTH: Final = 300
UNITS: Final[Mapping[str, str]] = {"us": "µs", "ms": "ms", "s": "s", "bytes": "bytes", "mib": "µs for 1 MiB"}
MILLISECONDS_FROM_US: Final = 10_000
"""From here on microseconds are shown as milliseconds."""

LABELS: Final[Mapping[str, str]] = {
    "compile_cpu_ms": "CPU to compile",
    "event_mean_us": "all rules, one ordinary event",
    "event_rules": "rules over events",
    "recorded_event_us": "all rules, one recorded event",
    "remembered_rules": "rules known from before",
    "remembered_samples": "samples known from before",
    "resident_bytes": "memory",
    "scan_us_per_mib": "CPU",
    "size_bytes": "together",
    "unopened_files": "files not fully opened",
    "worst_us": "worst",
}
"""Names of figures for people, where the document's own read badly."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart."""

    label: str
    detail: str
    value: str
    width: float
    tone: str


def page_of(proof: Proof) -> str:
    """The page."""
    package = files("ringfence.programs")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    tokens = files("ringfence.control.console").joinpath("static/tokens.css").read_text("utf-8")
    return environment.from_string(package.joinpath("proof_page.html").read_text("utf-8")).render(
        _values(proof, tokens)
    )


def _values(proof: Proof, tokens: str) -> dict[str, Any]:
    hits = Counter(finding.code for finding in proof.findings)
    return {
        "proof": proof,
        "proven": proof.verdict is Verdict.PROVEN,
        "tokens": tokens,
        "made": dt.datetime.fromtimestamp(proof.made_s, dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "version": __version__,
        "checks": [_check(check) for check in proof.checks],
        "closed": sum(check.outcome is not CheckOutcome.PASSED for check in proof.checks),
        "refusing": sum(finding.refuses for finding in proof.findings),
        "findings": [_finding(finding, proof) for finding in proof.findings],
        "codes": sorted(hits.items(), key=lambda item: (-item[1], item[0])),
        "slowest": slowest_bars(proof),
        "times": time_bars(proof),
        "hits": goodware_bars(proof),
        "engines": [(_engine(proof, one.engine_version), one) for one in proof.engines],
        "tiles": _tiles(proof),
    }


def slowest_bars(proof: Proof) -> list[Bar]:
    """The most expensive rules, each by its worst probe."""
    rows = proof.slowest[:PROOF_BARS_ROWS_MAX]
    most = max((cost.cpu_us for cost in rows), default=0)
    slow = {finding.rule for finding in proof.findings if finding.refuses and finding.code.startswith("prove/")}
    return [
        Bar(
            cost.rule,
            cost.probe,
            _milliseconds(cost.cpu_us),
            _width(cost.cpu_us, most),
            "critical" if cost.rule in slow else "accent",
        )
        for cost in rows
    ]


def time_bars(proof: Proof) -> list[Bar]:
    """CPU by gate."""
    most = max((check.spent_ms for check in proof.checks), default=0)
    return [
        Bar(TITLES[check.name][0], "", f"{check.spent_ms / 1000:.1f} s", _width(check.spent_ms, most), "accent")
        for check in proof.checks
        if check.spent_ms
    ]


def goodware_bars(proof: Proof) -> list[Bar]:
    """The rules that hit most good files; those that are refused for it first."""
    rows: dict[str, tuple[bool, int, ProofFinding]] = {}
    for finding in proof.findings:
        if files_hit := good_files_hit(finding):
            row = (finding.refuses, files_hit, finding)
            rows[finding.rule] = max(rows.get(finding.rule, row), row, key=lambda one: one[:2])
    shown = sorted(rows.values(), key=lambda row: (not row[0], -row[1], row[2].rule))[:PROOF_BARS_ROWS_MAX]
    most = max((files_hit for _, files_hit, _ in shown), default=0)
    return [
        Bar(
            finding.rule,
            finding.code,
            f"{number(files_hit)} file{'' if files_hit == 1 else 's'}",
            _width(files_hit, most),
            "critical" if refuses else "accent",
        )
        for refuses, files_hit, finding in shown
    ]


def number(value: int) -> str:
    """A count with thin spaces, so that it can be read."""
    return f"{value:,}".replace(",", "\u202f")


def size(value: int) -> str:
    """Bytes for people."""
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if value >= step:
            return f"{value / step:.1f}\u202f{unit}"
    return f"{value} bytes"


def _check(check: Check) -> dict[str, Any]:
    title, what = TITLES[check.name]
    tone, word = WORDS[check.outcome]
    return {
        "title": title,
        "what": what,
        "tone": tone,
        "word": word,
        "reason": check.reason,
        "spent": f"{check.spent_ms / 1000:.1f}",
        "figures": [(_name(figure.name), _value(figure.name, figure.value)) for figure in check.figures],
    }


def _finding(finding: ProofFinding, proof: Proof) -> dict[str, Any]:
    waiver = next((one for one in proof.waivers if one.sha256 == finding.waived_by), None)
    tone = {Weight.ERROR: "critical", Weight.WARNING: "medium", Weight.NOTE: "informational"}[finding.weight]
    return {
        "place": f"{finding.file}:{finding.line}",
        "code": finding.code,
        "tone": "low" if waiver else tone,
        "word": "waived" if waiver else finding.weight.value,
        "rule": finding.rule,
        "text": finding.text,
        "waiver": "" if waiver is None else f"{waiver.reason} (until {_day(waiver.expires_s)})",
    }


def _tiles(proof: Proof) -> Sequence[tuple[str, str, str]]:
    """What a person asks first: caption, value, what it is."""
    budget, goodware = proof.budget, proof.goodware
    return (
        ("Goodware", number(goodware.files), f"files, {size(goodware.size_bytes)}"),
        ("Blocked good files", number(goodware.blocked), f"and {number(goodware.alerted)} alerts"),
        (
            "Worst rule alone",
            _milliseconds(proof.slowest[0].cpu_us if proof.slowest else 0),
            f"of {PROOF_SLOW_MS_MAX} ms allowed",
        ),
        ("All rules, worst input", f"{number(budget.slowest_probe_ms)}\u202fms", "of CPU"),
        ("Compiling", f"{budget.compile_cpu_ms / 1000:.1f}\u202fs", f"of CPU, {size(budget.resident_bytes)}"),
        ("Scanning", f"{number(budget.scan_us_per_mib)}\u202fµs", "for each MiB of ordinary files"),
    )


def _milliseconds(value_us: int) -> str:
    return f"{value_us / 1000:.1f}\u202fms"


def _width(value: int, most: int) -> float:
    return round(max(2.0, BAR_WIDTH * value / most), 1) if most else 2.0


def _engine(proof: Proof, version: str) -> str:
    """What an engine is to this proof: that of the build that made it, or an older one."""
    return "Engine" if version == proof.engines[0].engine_version else "Older engine"


def _name(name: str) -> str:
    if name in LABELS:
        return LABELS[name]
    words = name.split("_")
    return " ".join(words[:-1] if words[-1] in UNITS and len(words) > 1 else words)


def _value(name: str, value: int) -> str:
    unit = name.rsplit("_", maxsplit=1)[-1]
    if unit == "us" and value >= MILLISECONDS_FROM_US:
        return _milliseconds(value)
    return size(value) if unit == "bytes" else f"{number(value)}{UNITS.get(unit, '') and f' {UNITS[unit]}'}"


def _day(seconds: int) -> str:
    return dt.datetime.fromtimestamp(min(seconds, 32_503_680_000), dt.UTC).strftime("%Y-%m-%d")
