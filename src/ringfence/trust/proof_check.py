"""Does this proof prove this very release, for this very sensor?  Pure: every fact is an argument.

Rules, in code order; each that is broken is one reason, and all of them are given:

1. The proof is about these bytes: its subject is the digest of the manifest without the proof's own digest, and the
   manifest names every other byte of the release by digest.
2. It was made by a prover that is at least as strict as the one that this build knows.
3. It proves: every check passed and nothing refuses.  The document's own verdict is not believed but counted again.
4. This engine, in this version, under this contract, is among those in which the release was tried.
5. It was tried on goodware worth the name, and blocked none of it.
6. No waiver that it rests on has ended.
"""

from dataclasses import dataclass

from ringfence.model.limits import PROOF_GOODWARE_FILES_MIN
from ringfence.model.proof import PROVER_VERSION, CheckName, CheckOutcome, Proof, Verdict


@dataclass(frozen=True, slots=True)
class Asker:
    """The sensor that asks."""

    engine: str
    engine_version: str
    contract_sha256: str


def reasons_against(
    proof: Proof, *, subject_sha256: str, name: str, version: int, asker: Asker, now_s: int
) -> tuple[str, ...]:
    """Why `proof` does not prove the release for `asker`; empty when it does."""
    reasons = []
    if (proof.subject_sha256, proof.name, proof.version) != (subject_sha256, name, version):
        reasons.append(
            f"it proves {proof.name} {proof.version} ({proof.subject_sha256[:12]}),"
            f" not {name} {version} ({subject_sha256[:12]})"
        )
    if proof.prover_version < PROVER_VERSION:
        reasons.append(f"it was made by prover {proof.prover_version}, and {PROVER_VERSION} is needed")
    reasons += _refusals(proof)
    if not any(
        (known.engine, known.engine_version, known.contract_sha256)
        == (asker.engine, asker.engine_version, asker.contract_sha256)
        for known in proof.engines
    ):
        reasons.append(f"it was not tried in {asker.engine} {asker.engine_version} under this sensor's contract")
    if proof.goodware.files < PROOF_GOODWARE_FILES_MIN or not proof.goodware.list_sha256:
        reasons.append(f"it was tried on {proof.goodware.files} goodware files, {PROOF_GOODWARE_FILES_MIN} are needed")
    if proof.goodware.blocked:
        reasons.append(f"it blocked {proof.goodware.blocked} goodware files")
    reasons += [
        f"its waiver {waiver.sha256[:12]} ended ({waiver.reason})"
        for waiver in proof.waivers
        if waiver.expires_s <= now_s
    ]
    return tuple(reasons)


def _refusals(proof: Proof) -> list[str]:
    """Rule 3."""
    reasons = [
        f"its check {check.name} is {check.outcome}{f' ({check.reason})' if check.reason else ''}"
        for check in proof.checks
        if check.outcome is not CheckOutcome.PASSED
    ]
    if untold := sorted(set(CheckName) - {check.name for check in proof.checks}):
        reasons.append(f"it does not tell of the check {untold[0]}")
    refusing = [finding for finding in proof.findings if finding.refuses]
    if refusing:
        first = refusing[0]
        reasons.append(f"it has {len(refusing)} findings that refuse, the first {first.code}: {first.text}")
    if not reasons and proof.verdict is not Verdict.PROVEN:
        reasons.append("its verdict is refused")
    return reasons
