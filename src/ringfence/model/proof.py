"""The proof of a release: what was tried on it, in which engine, and what came of it.

A proof says something about one release (`subject_sha256`), and only for the engines and contracts that it names.  What
holds for every `Proof` that `wire/proof.py` has read:

1. `checks` has one entry for each of `CheckName`, in their order.  What was not run is said to be not run.
2. The verdict is `PROVEN` exactly when every check passed and no finding refuses.
3. `findings`, `waivers`, `engines` and `slowest` are in order and without repetition; every waived finding's waiver is
   there, with its reason and its end.
4. Only engines and goodware, not the machine's name or its owner, are told about where the proof was made.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

PROOF_FORMAT: Final = 1
"""The one format of proofs that this version reads and writes."""

PROVER_VERSION: Final = 1
"""Rises when a check gets stricter.  A host asks for at least the version that it knows; see `trust/proof_check.py`."""


@unique
class CheckName(StrEnum):
    """The gates of a proof, in the order in which a person reads them."""

    LOAD = "load"
    """Decoded and compiled exactly as a host does, within a host's time and memory."""

    SELF_TESTS = "self-tests"
    ALONE = "each-rule-alone"
    """Each rule, with the rules that it refers to, on adversarial inputs made for it."""

    WHOLE = "whole-release"
    """All rules together on adversarial inputs and hostile archives."""

    THROUGHPUT = "throughput"
    GOODWARE = "goodware"
    REPEAT = "two-runs"
    """The same inputs, scanned again by another process, give the same result."""

    AGREEMENT = "fast-and-plain"
    """The host's fast path says what the plain engine says."""

    ENGINES = "older-engines"
    """Every supported older engine, under the same gates."""


@unique
class CheckOutcome(StrEnum):
    """What came of a gate.  One that was not run is as good as one that refused."""

    PASSED = "passed"
    REFUSED = "refused"
    NOT_RUN = "not-run"


@unique
class Verdict(StrEnum):
    """What a proof says in the end."""

    PROVEN = "proven"
    REFUSED = "refused"


@unique
class Weight(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """One engine in which the release was tried."""

    build: str
    """Version of the sensor build."""

    engine: str
    engine_version: str
    contract_sha256: str
    """Digest of the build's contract, or "" for a build that has none."""


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What about the proving machine may change a figure."""

    architecture: str
    processors: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; the unit is the last word of its name."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Check:
    """One gate, what came of it, and what was measured."""

    name: CheckName
    outcome: CheckOutcome
    spent_ms: int
    figures: tuple[Figure, ...]
    reason: str
    """Why it was not run, or ""."""


@dataclass(frozen=True, slots=True)
class ProofFinding:
    """One thing that a check has to say.  `file` and `line` are the author's, or the release's where those are gone."""

    file: str
    line: int
    column: int
    code: str
    weight: Weight
    rule: str
    text: str
    waived_by: str
    """SHA-256 of the waiver that excuses it, or ""."""

    @property
    def refuses(self) -> bool:
        """Whether this alone refuses the release."""
        return self.weight is Weight.ERROR and not self.waived_by

    @property
    def sort_key(self) -> tuple[str, int, int, str, str, str, str]:
        """Order of findings: as in a compiler's output."""
        return self.file, self.line, self.column, self.code, self.rule, self.text, self.waived_by


@dataclass(frozen=True, slots=True)
class WaiverFacts:
    """A signed waiver that excused something."""

    sha256: str
    reason: str
    expires_s: int
    """End of its validity, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class RuleCost:
    """The most expensive probe of one rule."""

    rule: str
    probe: str
    cpu_us: int


@dataclass(frozen=True, slots=True)
class Budget:
    """What a host will need for the release, measured."""

    compile_cpu_ms: int
    resident_bytes: int
    slowest_probe_ms: int
    scan_us_per_mib: int


@dataclass(frozen=True, slots=True)
class GoodwareFacts:
    """The files that the release must leave alone."""

    files: int
    size_bytes: int
    list_sha256: str
    """Digest over the paths, sizes and contents of all files, in order; see `author/goodware.py`."""

    blocked: int
    """Hits of rules that block: 0 in a proof that proves."""

    alerted: int


@dataclass(frozen=True, slots=True)
class Proof:
    """A whole proof; see the module for what holds."""

    subject_sha256: str
    name: str
    version: int
    prover_version: int
    made_s: int
    """When the proof was finished, in seconds since 1970."""

    engines: tuple[EngineFacts, ...]
    """This build's first."""

    machine: MachineFacts
    checks: tuple[Check, ...]
    findings: tuple[ProofFinding, ...]
    waivers: tuple[WaiverFacts, ...]
    slowest: tuple[RuleCost, ...]
    budget: Budget
    goodware: GoodwareFacts
    verdict: Verdict


def verdict_of(checks: Iterable[Check], findings: Iterable[ProofFinding]) -> Verdict:
    """The verdict that these checks and findings add up to."""
    passed = all(check.outcome is CheckOutcome.PASSED for check in checks)
    return Verdict.PROVEN if passed and not any(finding.refuses for finding in findings) else Verdict.REFUSED
