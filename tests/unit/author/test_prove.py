"""Hits, troubles and gates -> findings with their places, and the verdict."""

import dataclasses
from pathlib import Path

import pytest
from tests.unit.author.proof_fakes import FakePool, good_worker, release_of

from ringfence.author.finding import Level
from ringfence.author.goodware import Batch, batches_of, files_below, listed
from ringfence.author.lint import LintResult
from ringfence.author.proof_cache import ProofCache
from ringfence.author.proof_jobs import Lost
from ringfence.author.proof_tasks import Answer, Loaded, ScannedFiles, Task, TaskKind, Trouble
from ringfence.author.proof_units import UnitReader
from ringfence.author.prove import ALERTS_MAX, Judge, Places, Special, findings_of
from ringfence.author.prove_codes import PROVE_CODES
from ringfence.author.prove_engine import EngineProver, EngineTrial
from ringfence.model.limits import PROOF_GOODWARE_FILES_MIN
from ringfence.model.proof import CheckName, CheckOutcome, EngineFacts, MachineFacts, Proof, Verdict
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import Release
from ringfence.model.waiver import WaiverBook
from ringfence.wire.proof import decode_proof, encode_proof

MACHINE = MachineFacts("x86_64", 2, 8 << 30)
SUBJECT = "5" * 64


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> list[Batch]:
    """Enough goodware."""
    directory = tmp_path_factory.mktemp("goodware")
    for number in range(PROOF_GOODWARE_FILES_MIN + 200):
        (directory / f"file{number:04}").write_bytes(b"good")
    return batches_of(listed(files_below(directory)))


def trial_of(
    release: Release, batches: list[Batch], *, hits: int = 0, worker: object = None, rule: int = 0
) -> EngineTrial:
    """A trial in which `rule` hits the first `hits` files of the list."""
    left = [hits]

    def hitting(task: Task) -> Answer | Lost:
        if task.kind is not TaskKind.SCAN or not started:
            started.append(task.kind is TaskKind.SCAN)
            started[:] = [one for one in started if one]
            return good_worker(task)
        count = min(left[0], len(task.sizes))
        left[0] -= count
        pairs = tuple(value for file in range(count) for value in (file, rule))
        return ScannedFiles(1, 100_000, 0, 0, pairs, (), 0, crowded=False)

    started: list[bool] = []
    with ProofCache(None) as cache:
        pool = FakePool(worker if callable(worker) else hitting)
        return EngineProver(UnitReader(release), batches, cache, "p" * 64, lambda *_: None).run(pool)


def proof_of(
    release: Release,
    *trials: EngineTrial,
    places: dict[str, tuple[str, int]] | None = None,
    special: Special | None = None,
    unproven: tuple[str, ...] = (),
) -> Proof:
    """The proof, as it comes back from its bytes."""
    judge = Judge(UnitReader(release), Places(places or {}), special or Special(frozenset(), ("/own/",)))
    engines = [EngineFacts(one.build, "yara-x", one.engine_version, one.contract_sha256) for one in trials]
    nothing = LintResult((), WaiverBook((), ()), 1, 1)
    proof = judge.proof(
        SUBJECT, trials, engines=engines, unproven_builds=unproven, machine=MACHINE, made_s=1_800_000_000, lint=nothing
    )
    assert decode_proof(encode_proof(proof)) == proof
    assert {finding.code for finding in proof.findings} <= set(PROVE_CODES)
    return proof


def gates(proof: Proof) -> dict[CheckName, CheckOutcome]:
    """The gates that are not open."""
    return {check.name: check.outcome for check in proof.checks if check.outcome is not CheckOutcome.PASSED}


def with_severity(release: Release, severity: Severity) -> Release:
    """`release` with every rule of this severity."""
    rules = tuple(dataclasses.replace(rule, severity=severity) for rule in release.manifest.rules)
    return dataclasses.replace(release, manifest=dataclasses.replace(release.manifest, rules=rules))


def test_a_good_release_is_proven(batches: list[Batch]) -> None:
    release = release_of("One", "Two")
    proof = proof_of(release, trial_of(release, batches))
    assert (proof.verdict, gates(proof), proof.findings) == (Verdict.PROVEN, {}, ())
    assert proof.goodware.files == PROOF_GOODWARE_FILES_MIN + 200
    assert [cost.rule for cost in proof.slowest] == ["One", "Two"]


def test_one_blocked_good_file_refuses_at_the_rule_in_the_authors_file(batches: list[Batch]) -> None:
    release = release_of("One", "Two")
    proof = proof_of(release, trial_of(release, batches, hits=1, rule=1), places={"Two": ("rules/web.yar", 17)})
    (finding,) = findings_of(proof)
    assert (finding.code, finding.level, finding.rule) == ("prove/goodware-block", Level.ERROR, "Two")
    assert (finding.file, finding.line) == ("rules/web.yar", 17)
    assert finding.text.startswith("blocks 1 good files: /")
    assert gates(proof) == {CheckName.GOODWARE: CheckOutcome.REFUSED}
    assert proof.goodware.blocked == 1


def test_a_vital_file_is_named_first(batches: list[Batch]) -> None:
    release = release_of("One")
    vital = batches[0].files[4].path
    special = Special(frozenset({vital}), ("/own/",))
    (finding,) = proof_of(release, trial_of(release, batches, hits=5), special=special).findings
    assert finding.code == "prove/goodware-vital"
    assert finding.text == f"blocks 5 good files: {vital}, ..."


def test_our_own_files_may_not_even_be_reported(batches: list[Batch]) -> None:
    release = with_severity(release_of("One", action=RuleAction.ALERT), Severity.INFORMATIONAL)
    special = Special(frozenset(), (f"{Path(batches[0].files[0].path).parent}/",))
    proof = proof_of(release, trial_of(release, batches, hits=1), special=special)
    assert [finding.code for finding in proof.findings] == ["prove/goodware-own"]
    assert proof.verdict is Verdict.REFUSED


@pytest.mark.parametrize("severity", Severity)
def test_an_alerting_rule_may_hit_as_many_files_as_its_severity_allows(
    severity: Severity, batches: list[Batch]
) -> None:
    release = with_severity(release_of("One", action=RuleAction.ALERT), severity)
    most = ALERTS_MAX[severity]
    if most:
        proof = proof_of(release, trial_of(release, batches, hits=most))
        assert proof.verdict is Verdict.PROVEN
        assert [(finding.code, finding.weight) for finding in proof.findings] == [("prove/goodware-alert", "warning")]
        assert proof.goodware.alerted == most
    proof = proof_of(release, trial_of(release, batches, hits=most + 1))
    assert proof.verdict is Verdict.REFUSED
    assert [finding.code for finding in proof.findings] == ["prove/goodware-noise"]
    assert f"{most} are allowed" in proof.findings[0].text


def test_too_little_goodware_closes_its_gate(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("file")
    release = release_of("One")
    proof = proof_of(release, trial_of(release, batches_of(listed(files_below(tmp_path)))))
    assert gates(proof) == {CheckName.GOODWARE: CheckOutcome.NOT_RUN}
    assert proof.verdict is Verdict.REFUSED


@pytest.mark.parametrize(
    ("condition", "refused"),
    [
        ("time.now() > 1900000000", True),
        ("time . now ( ) % 2 == 0", True),
        ('/* time.now() */ "time.now()" == "x"', False),
    ],
)
def test_a_rule_that_reads_the_clock_is_refused_by_its_text(
    condition: str,
    refused: bool,  # noqa: FBT001 - a parameter of the test
    batches: list[Batch],
) -> None:
    release = release_of("One")
    source = f"rule One {{ condition: {condition} }}\n"
    pack = dataclasses.replace(release.packs[0], source=source)
    release = dataclasses.replace(release, packs=(pack,))
    proof = proof_of(release, trial_of(release, batches))
    assert (proof.verdict is Verdict.REFUSED) is refused
    assert gates(proof) == ({CheckName.REPEAT: CheckOutcome.REFUSED} if refused else {})


def test_troubles_without_a_rule_stand_at_the_place_that_the_engine_named(batches: list[Batch]) -> None:
    release = release_of("One")
    trouble = Trouble("prove/load", "", "syntax error", "yara/any-01.yar", 7)

    def worker(task: Task) -> Answer | Lost:
        return Loaded(1, 1, 0, 0, (trouble,)) if task.kind is TaskKind.LOAD else good_worker(task)

    proof = proof_of(release, trial_of(release, batches, worker=worker))
    assert [(one.file, one.line, one.text) for one in proof.findings] == [("yara/any-01.yar", 7, "syntax error")]
    assert CheckName.LOAD in gates(proof)


def test_an_older_engine_must_say_yes_too_and_is_named(batches: list[Batch]) -> None:
    release = release_of("One")
    older = trial_of(release, batches)
    older.engine_version = "1.22.0"
    good = proof_of(release, trial_of(release, batches), older)
    assert good.verdict is Verdict.PROVEN
    assert [engine.engine_version for engine in good.engines] == ["1.23.0", "1.22.0"]
    older.troubles.append(Trouble("prove/self-test", "One", "does not match"))
    older.failed.add(CheckName.SELF_TESTS)
    bad = proof_of(release, trial_of(release, batches), older)
    assert gates(bad) == {CheckName.ENGINES: CheckOutcome.REFUSED}
    assert bad.findings[0].text == "does not match [engine 1.22.0]"
    older.troubles.clear()
    older.failed.clear()
    older.not_run[CheckName.GOODWARE] = "no goodware was given"
    assert gates(proof_of(release, trial_of(release, batches), older)) == {CheckName.ENGINES: CheckOutcome.NOT_RUN}


def test_a_supported_build_without_an_engine_closes_the_gate(batches: list[Batch]) -> None:
    release = release_of("One")
    proof = proof_of(release, trial_of(release, batches), unproven=("0.0.9+abc",))
    assert gates(proof) == {CheckName.ENGINES: CheckOutcome.NOT_RUN}
    reason = next(check.reason for check in proof.checks if check.name is CheckName.ENGINES)
    assert reason == "no engine was given for the sensor build 0.0.9+abc"
