"""The proof of a release: canonical JSON <-> `model.proof.Proof`.

Strict: exactly these fields, each within its bounds, and everything that `model/proof.py` promises is checked, above
all that the verdict is what checks and findings add up to.  What a proof proves, and for whom, is the business of
`trust/proof_check.py`.
"""

import re
from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Final

from ringfence.model.errors import ContentRefused
from ringfence.model.limits import (
    JSON_INTEGER_MAX,
    NAME_CHARACTERS_MAX,
    PROOF_BYTES_MAX,
    PROOF_ENGINES_ENTRIES_MAX,
    PROOF_FIGURES_ROWS_MAX,
    PROOF_FINDINGS_MAX,
    PROOF_SLOWEST_ROWS_MAX,
    PROOF_TEXT_CHARACTERS_MAX,
    PROOF_WAIVERS_ENTRIES_MAX,
    RELEASE_VERSION_MAX,
    RULE_IDENTIFIER_CHARACTERS_MAX,
)
from ringfence.model.proof import (
    PROOF_FORMAT,
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
    Verdict,
    WaiverFacts,
    Weight,
    verdict_of,
)
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, JsonValue, refuse
from ringfence.wire.manifest import RELEASE_NAME, SHA256

PROOF_NAME: Final = "proof.json"
"""What the document is called in a release, and in errors."""

CODE: Final = re.compile(r"[a-z]+/[a-z0-9]+(?:-[a-z0-9]+)*")
FIGURE_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
NOTHING_OR_SHA256: Final = re.compile(r"(?:[0-9a-f]{64})?")
VERSION_TEXT: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}")
WORD: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_TOP: Final = frozenset(
    """format subject_sha256 name version prover_version made_s engines machine checks findings waivers slowest budget
    goodware verdict""".split()
)
_ENGINE: Final = frozenset({"build", "engine", "engine_version", "contract_sha256"})
_MACHINE: Final = frozenset({"architecture", "processors", "memory_bytes"})
_CHECK: Final = frozenset({"name", "outcome", "spent_ms", "figures", "reason"})
_FIGURE: Final = frozenset({"name", "value"})
_FINDING: Final = frozenset({"file", "line", "column", "code", "weight", "rule", "text", "waived_by"})
_WAIVER: Final = frozenset({"sha256", "reason", "expires_s"})
_COST: Final = frozenset({"rule", "probe", "cpu_us"})
_BUDGET: Final = frozenset({"compile_cpu_ms", "resident_bytes", "slowest_probe_ms", "scan_us_per_mib"})
_GOODWARE: Final = frozenset({"files", "size_bytes", "list_sha256", "blocked", "alerted"})


def decode_proof(data: bytes) -> Proof:
    """Read a proof.  Raises ContentRefused with the place of the first thing that is off."""
    value = canonical.decode(data, file=PROOF_NAME, bytes_max=PROOF_BYTES_MAX)
    if isinstance(value, dict) and value.get("format") != PROOF_FORMAT:
        refuse(f"has format {str(value.get('format'))[:16]!a}; this version reads {PROOF_FORMAT}", PROOF_NAME)
    top = Fields(value, _TOP, file=PROOF_NAME)
    machine, budget, goodware = (
        top.inner("machine", _MACHINE),
        top.inner("budget", _BUDGET),
        top.inner("goodware", _GOODWARE),
    )
    proof = Proof(
        subject_sha256=top.word("subject_sha256", SHA256),
        name=top.word("name", RELEASE_NAME),
        version=top.integer("version", 1, RELEASE_VERSION_MAX),
        prover_version=top.integer("prover_version", 1, JSON_INTEGER_MAX),
        made_s=_count(top, "made_s"),
        engines=tuple(_engine(row) for row in top.rows("engines", PROOF_ENGINES_ENTRIES_MAX, _ENGINE)),
        machine=MachineFacts(
            machine.word("architecture", WORD), _count(machine, "processors"), _count(machine, "memory_bytes")
        ),
        checks=tuple(_check(row) for row in top.rows("checks", len(CheckName), _CHECK)),
        findings=tuple(_finding(row) for row in top.rows("findings", PROOF_FINDINGS_MAX, _FINDING)),
        waivers=tuple(_waiver(row) for row in top.rows("waivers", PROOF_WAIVERS_ENTRIES_MAX, _WAIVER)),
        slowest=tuple(_cost(row) for row in top.rows("slowest", PROOF_SLOWEST_ROWS_MAX, _COST)),
        budget=Budget(
            _count(budget, "compile_cpu_ms"),
            _count(budget, "resident_bytes"),
            _count(budget, "slowest_probe_ms"),
            _count(budget, "scan_us_per_mib"),
        ),
        goodware=GoodwareFacts(
            _count(goodware, "files"),
            _count(goodware, "size_bytes"),
            goodware.word("list_sha256", NOTHING_OR_SHA256),
            _count(goodware, "blocked"),
            _count(goodware, "alerted"),
        ),
        verdict=top.choice("verdict", Verdict),
    )
    _check_promises(proof)
    return proof


def encode_proof(proof: Proof) -> bytes:
    """The canonical bytes of `proof`.  Raises ContentRefused where `decode_proof` would refuse them."""

    def row(value: object, names: frozenset[str]) -> dict[str, JsonValue]:
        return {name: getattr(value, name) for name in names}

    document: dict[str, JsonValue] = {
        "format": PROOF_FORMAT,
        "subject_sha256": proof.subject_sha256,
        "name": proof.name,
        "version": proof.version,
        "prover_version": proof.prover_version,
        "made_s": proof.made_s,
        "engines": [row(engine, _ENGINE) for engine in proof.engines],
        "machine": row(proof.machine, _MACHINE),
        "checks": [
            row(check, _CHECK) | {"figures": [row(figure, _FIGURE) for figure in check.figures]}
            for check in proof.checks
        ],
        "findings": [row(finding, _FINDING) for finding in proof.findings],
        "waivers": [row(waiver, _WAIVER) for waiver in proof.waivers],
        "slowest": [row(cost, _COST) for cost in proof.slowest],
        "budget": row(proof.budget, _BUDGET),
        "goodware": row(proof.goodware, _GOODWARE),
        "verdict": proof.verdict,
    }
    data = canonical.encode(document)
    if decode_proof(data) != proof:
        raise ContentRefused("does not come back as it was", canonical.WAY_OUT, file=PROOF_NAME)
    return data


def _count(row: Fields, name: str) -> int:
    return row.integer(name, 0, JSON_INTEGER_MAX)


def _engine(row: Fields) -> EngineFacts:
    return EngineFacts(
        build=row.word("build", VERSION_TEXT),
        engine=row.word("engine", WORD),
        engine_version=row.word("engine_version", VERSION_TEXT),
        contract_sha256=row.word("contract_sha256", NOTHING_OR_SHA256),
    )


def _check(row: Fields) -> Check:
    return Check(
        name=row.choice("name", CheckName),
        outcome=row.choice("outcome", CheckOutcome),
        spent_ms=_count(row, "spent_ms"),
        figures=tuple(
            Figure(figure.word("name", FIGURE_NAME), _count(figure, "value"))
            for figure in row.rows("figures", PROOF_FIGURES_ROWS_MAX, _FIGURE)
        ),
        reason=row.text("reason", PROOF_TEXT_CHARACTERS_MAX),
    )


def _finding(row: Fields) -> ProofFinding:
    return ProofFinding(
        file=row.text("file", PROOF_TEXT_CHARACTERS_MAX),
        line=row.integer("line", 1, JSON_INTEGER_MAX),
        column=row.integer("column", 1, JSON_INTEGER_MAX),
        code=row.word("code", CODE),
        weight=row.choice("weight", Weight),
        rule=row.text("rule", RULE_IDENTIFIER_CHARACTERS_MAX),
        text=row.text("text", PROOF_TEXT_CHARACTERS_MAX, empty=False),
        waived_by=row.word("waived_by", NOTHING_OR_SHA256),
    )


def _waiver(row: Fields) -> WaiverFacts:
    reason = row.text("reason", PROOF_TEXT_CHARACTERS_MAX, empty=False)
    return WaiverFacts(row.word("sha256", SHA256), reason, _count(row, "expires_s"))


def _cost(row: Fields) -> RuleCost:
    rule = row.text("rule", RULE_IDENTIFIER_CHARACTERS_MAX, empty=False)
    return RuleCost(rule, row.text("probe", NAME_CHARACTERS_MAX, empty=False), _count(row, "cpu_us"))


def _check_promises(proof: Proof) -> None:
    """Refuse a document that contradicts itself; see `model/proof.py`."""
    if [check.name for check in proof.checks] != list(CheckName):
        refuse("must tell of each check once, in their order", PROOF_NAME, "/checks")
    for place, check in enumerate(proof.checks):
        if (check.outcome is CheckOutcome.NOT_RUN) != bool(check.reason):
            refuse("must have a reason exactly when it was not run", PROOF_NAME, f"/checks/{place}")
        _check_rising(f"checks/{place}/figures", [figure.name for figure in check.figures])
    if not proof.engines:
        refuse("names no engine", PROOF_NAME, "/engines")
    if len(set(proof.engines)) != len(proof.engines):
        refuse("names an engine twice", PROOF_NAME, "/engines")
    _check_rising("findings", [finding.sort_key for finding in proof.findings])
    _check_rising("waivers", [waiver.sha256 for waiver in proof.waivers])
    _check_rising("slowest", [(-cost.cpu_us, cost.rule) for cost in proof.slowest])
    waivers = {waiver.sha256 for waiver in proof.waivers}
    used = {finding.waived_by for finding in proof.findings if finding.waived_by}
    if lost := sorted(used - waivers):
        refuse(f"the waiver {lost[0]} is not told of", PROOF_NAME, "/waivers")
    if proof.verdict is not verdict_of(proof.checks, proof.findings):
        refuse("is not what the checks and findings add up to", PROOF_NAME, "/verdict")


def _check_rising(place: str, keys: Sequence[Hashable]) -> None:
    for index, (one, other) in enumerate(pairwise(keys), 1):
        if not one < other:  # type: ignore[operator]
            refuse("must be sorted and without repetition", PROOF_NAME, f"/{place}/{index}")
