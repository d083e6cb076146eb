"""Proofs for tests."""

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
    Verdict,
    WaiverFacts,
    Weight,
)

SUBJECT = "5" * 64
WAIVER = "a" * 64
CONTRACT = "c" * 64


def proven() -> Proof:
    """A proof that proves, with one waived finding and one older engine."""
    return Proof(
        subject_sha256=SUBJECT,
        name="example",
        version=7,
        prover_version=PROVER_VERSION,
        made_s=1_800_000_000,
        engines=(
            EngineFacts("0.2.0", "yara-x", "1.23.0", CONTRACT),
            EngineFacts("0.1.0", "yara-x", "1.22.0", ""),
        ),
        machine=MachineFacts("x86_64", 2, 25_000_000_000),
        checks=tuple(
            Check(name, CheckOutcome.PASSED, 10, (Figure("inputs", 3), Figure("worst_us", 1_200)), "")
            for name in CheckName
        ),
        findings=(
            ProofFinding("rules/a.yar", 3, 1, "prove/goodware-alert", Weight.WARNING, "Some_Rule", "2 hits", ""),
            ProofFinding("rules/b.yar", 9, 5, "prove/slow", Weight.ERROR, "Other_Rule", "231 ms on zeros", WAIVER),
        ),
        waivers=(WaiverFacts(WAIVER, "measured on a slow machine", 1_900_000_000),),
        slowest=(RuleCost("Other_Rule", "zeros", 231_000), RuleCost("Some_Rule", "random", 12_000)),
        budget=Budget(850, 41_000_000, 231, 12_000),
        goodware=GoodwareFacts(95_384, 5_100_000_000, "9" * 64, 0, 2),
        verdict=Verdict.PROVEN,
    )
