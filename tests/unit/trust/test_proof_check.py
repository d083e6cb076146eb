"""A proof counts only for the release, the engine and the contract that it is about."""

import dataclasses

import pytest
from tests.unit.wire.proof_examples import CONTRACT, SUBJECT, proven

from ringfence.model.limits import PROOF_GOODWARE_FILES_MIN
from ringfence.model.proof import CheckName, CheckOutcome, GoodwareFacts, Proof, Verdict
from ringfence.trust.proof_check import Asker, reasons_against

ASKER = Asker("yara-x", "1.23.0", CONTRACT)
PROOF = proven()
ALONE, GOODWARE = (list(CheckName).index(name) for name in (CheckName.ALONE, CheckName.GOODWARE))
NOW_S = PROOF.made_s + 60


def against(proof: Proof, asker: Asker = ASKER, now_s: int = NOW_S, **other: str) -> tuple[str, ...]:
    """The reasons against `proof` for the example release."""
    subject = other.get("subject_sha256", SUBJECT)
    return reasons_against(proof, subject_sha256=subject, name="example", version=7, asker=asker, now_s=now_s)


def test_a_good_proof_has_nothing_against_it() -> None:
    assert against(PROOF) == ()


def test_a_proof_of_another_release_is_no_proof() -> None:
    (reason,) = against(PROOF, subject_sha256="6" * 64)
    assert reason == "it proves example 7 (555555555555), not example 7 (666666666666)"


@pytest.mark.parametrize(
    "asker",
    [
        Asker("yara-x", "1.24.0", CONTRACT),
        Asker("yara", "1.23.0", CONTRACT),
        Asker("yara-x", "1.23.0", "d" * 64),
        Asker("yara-x", "1.22.0", CONTRACT),
    ],
)
def test_an_engine_or_contract_that_was_not_tried_is_a_reason(asker: Asker) -> None:
    (reason,) = against(PROOF, asker)
    assert "was not tried in" in reason


def test_an_older_engine_that_was_tried_is_none() -> None:
    assert against(PROOF, Asker("yara-x", "1.22.0", "")) == ()


def test_a_step_that_was_not_run_is_a_reason_and_all_are_told() -> None:
    checks = list(PROOF.checks)
    goodware = dataclasses.replace(checks[GOODWARE], outcome=CheckOutcome.NOT_RUN, reason="no goodware was given")
    checks[GOODWARE] = goodware
    checks[ALONE] = dataclasses.replace(checks[ALONE], outcome=CheckOutcome.REFUSED)
    assert against(dataclasses.replace(PROOF, checks=tuple(checks), verdict=Verdict.REFUSED)) == (
        "its check each-rule-alone is refused",
        "its check goodware is not-run (no goodware was given)",
    )


def test_a_verdict_that_contradicts_the_checks_is_not_believed() -> None:
    checks = (dataclasses.replace(PROOF.checks[0], outcome=CheckOutcome.REFUSED), *PROOF.checks[1:])
    assert against(dataclasses.replace(PROOF, checks=checks)) == ("its check load is refused",)
    assert against(dataclasses.replace(PROOF, checks=PROOF.checks[1:])) == ("it does not tell of the check load",)
    assert against(dataclasses.replace(PROOF, verdict=Verdict.REFUSED)) == ("its verdict is refused",)


def test_a_finding_that_refuses_is_a_reason() -> None:
    findings = tuple(dataclasses.replace(finding, waived_by="") for finding in PROOF.findings)
    (reason,) = against(dataclasses.replace(PROOF, findings=findings))
    assert reason == "it has 1 findings that refuse, the first prove/slow: 231 ms on zeros"


def test_too_little_goodware_is_a_reason_and_so_is_a_block() -> None:
    few = GoodwareFacts(PROOF_GOODWARE_FILES_MIN - 1, 10, "9" * 64, 0, 0)
    assert "goodware files" in against(dataclasses.replace(PROOF, goodware=few))[0]
    unnamed = GoodwareFacts(PROOF_GOODWARE_FILES_MIN, 10, "", 0, 0)
    assert len(against(dataclasses.replace(PROOF, goodware=unnamed))) == 1
    hit = dataclasses.replace(PROOF.goodware, blocked=1)
    assert against(dataclasses.replace(PROOF, goodware=hit)) == ("it blocked 1 goodware files",)


def test_a_waiver_that_ended_takes_its_proof_along() -> None:
    end_s = PROOF.waivers[0].expires_s
    assert against(PROOF, now_s=end_s - 1) == ()
    assert against(PROOF, now_s=end_s) == ("its waiver aaaaaaaaaaaa ended (measured on a slow machine)",)


def test_a_prover_that_is_too_old_is_a_reason_and_a_newer_one_is_none() -> None:
    (reason,) = against(dataclasses.replace(PROOF, prover_version=0))
    assert "prover 0" in reason
    assert against(dataclasses.replace(PROOF, prover_version=99)) == ()
