"""The gates in one engine: what is asked, what is remembered, and what a lost worker convicts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.author.proof_fakes import FakePool, Worker, good_worker, release_of

from ringfence.author.goodware import Batch, batches_of, files_below, listed
from ringfence.author.proof_cache import ProofCache
from ringfence.author.proof_jobs import Lost
from ringfence.author.proof_tasks import Agreed, Agreement, Answer, Loaded, ScannedFiles, Task, TaskKind, Tried, Trouble
from ringfence.author.proof_units import UnitReader
from ringfence.author.prove_engine import NOT_LOADED, REFUSED_ALONE, UNMET, EngineProver, EngineTrial
from ringfence.model.proof import CheckName
from ringfence.model.release import Release

BAD_SIZE = len(b"good 7")
NAMES = tuple(f"Rule_{number:02}" for number in range(40))


@pytest.fixture
def batches(tmp_path: Path) -> list[Batch]:
    """Some goodware."""
    directory = tmp_path / "goodware"
    directory.mkdir()
    for number in range(1_200):
        (directory / f"file{number:04}").write_bytes(b"good %d" % number)
    return batches_of(listed(files_below(directory)))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ProofCache]:
    """A cache that is empty at first."""
    with ProofCache(tmp_path / "cache") as opened:
        yield opened


def prove(
    worker: Worker, batches: list[Batch], cache: ProofCache, release: Release | None = None
) -> tuple[EngineTrial, FakePool]:
    """One engine's trial, and the pool that it used."""
    pool = FakePool(worker)
    reader = UnitReader(release or release_of(*NAMES))
    return EngineProver(reader, batches, cache, "p" * 64, lambda *_: None).run(pool), pool


def test_a_good_release_passes_every_gate(batches: list[Batch], cache: ProofCache) -> None:
    trial, pool = prove(good_worker, batches, cache)
    assert (trial.troubles, trial.failed, trial.not_run) == ([], set(), {})
    assert set(trial.costs) == set(NAMES)
    assert trial.repeated == 40
    assert trial.goodware is not None
    assert trial.goodware.files == 1_200
    assert all(not task.rules for task in pool.tasks if task.kind is TaskKind.SCAN)


def test_what_is_remembered_is_not_done_again(batches: list[Batch], cache: ProofCache) -> None:
    first, _ = prove(good_worker, batches, cache)
    again, pool = prove(good_worker, batches, cache)
    assert {task.kind for task in pool.tasks} == {TaskKind.LOAD, TaskKind.WHOLE, TaskKind.SCAN}
    assert pool.count(TaskKind.SCAN) == 1, "only the sample for the speed"
    assert (again.remembered, again.agreed) == (40, 40)
    assert first.goodware is not None
    assert again.goodware is not None
    assert again.goodware.list_sha256 == first.goodware.list_sha256


def test_one_changed_rule_is_tried_and_meets_the_goodware_alone(batches: list[Batch], cache: ProofCache) -> None:
    prove(good_worker, batches, cache)
    trial, pool = prove(good_worker, batches, cache, release_of(*NAMES, changed="Rule_07"))
    assert [task.rules for task in pool.tasks if task.kind is TaskKind.ALONE] == [("Rule_07",)]
    assert {task.rules for task in pool.tasks if task.kind is TaskKind.SCAN} == {("Rule_07",), ()}
    assert sum(task.rules == () for task in pool.tasks if task.kind is TaskKind.SCAN) == 1
    assert trial.failed == set()


def test_a_changed_file_is_looked_at_again_by_all_rules(
    batches: list[Batch], cache: ProofCache, tmp_path: Path
) -> None:
    prove(good_worker, batches, cache)
    (tmp_path / "goodware" / "file0500").write_bytes(b"changed")
    changed = batches_of(listed(files_below(tmp_path / "goodware")))
    _, pool = prove(good_worker, changed, cache)
    assert pool.count(TaskKind.SCAN) == 2, "the batch of the file, and the sample"


def losing(rule: str, code: str) -> Worker:
    """A worker that is lost whenever `rule` is tried alone."""

    def worker(task: Task) -> Answer | Lost:
        if task.kind is TaskKind.ALONE and rule in task.rules:
            return Lost(code, "it is gone")
        return good_worker(task)

    return worker


@pytest.mark.parametrize("code", ["prove/engine-died", "prove/hang", "prove/memory", "prove/babble"])
def test_a_rule_that_takes_its_worker_along_is_found_and_the_others_go_on(
    code: str, batches: list[Batch], cache: ProofCache
) -> None:
    trial, pool = prove(losing("Rule_05", code), batches, cache)
    assert trial.troubles == [Trouble(code, "Rule_05", "it is gone")]
    assert trial.failed == {CheckName.ALONE}
    assert set(trial.not_run.values()) == {REFUSED_ALONE, UNMET}
    assert set(trial.costs) == set(NAMES) - {"Rule_05"}
    scans = [task for task in pool.tasks if task.kind is TaskKind.SCAN]
    assert scans
    assert all("Rule_05" not in task.rules and len(task.rules) == 39 for task in scans)


def test_a_release_that_does_not_load_is_not_tried_as_a_whole(batches: list[Batch], cache: ProofCache) -> None:
    def worker(task: Task) -> Answer | Lost:
        if task.kind is TaskKind.LOAD:
            return Loaded(1, 1, 0, 0, (Trouble("prove/load", "", "syntax error", "yara/any-01.yar", 3),))
        if task.kind in (TaskKind.SCAN, TaskKind.AGREE, TaskKind.WHOLE):
            return Lost("prove/load", "syntax error", refused=True)
        return good_worker(task)

    trial, pool = prove(worker, batches, cache)
    assert CheckName.LOAD in trial.failed
    wanted = (CheckName.SELF_TESTS, CheckName.WHOLE, CheckName.THROUGHPUT, CheckName.REPEAT, CheckName.AGREEMENT)
    assert {name: trial.not_run[name] for name in wanted} == dict.fromkeys(wanted, NOT_LOADED)
    assert trial.not_run[CheckName.GOODWARE] == NOT_LOADED
    assert pool.count(TaskKind.WHOLE) == 0


def test_a_loader_that_dies_convicts_the_release(batches: list[Batch], cache: ProofCache) -> None:
    def worker(task: Task) -> Answer | Lost:
        return Lost("prove/memory", "1025 MiB") if task.kind is TaskKind.LOAD else good_worker(task)

    trial, _ = prove(worker, batches, cache)
    assert [trouble.code for trouble in trial.troubles] == ["prove/memory"]
    assert CheckName.WHOLE in trial.not_run


def test_what_costs_more_than_the_release_claims_is_refused(batches: list[Batch], cache: ProofCache) -> None:
    def worker(task: Task) -> Answer | Lost:
        if task.kind is TaskKind.LOAD:
            return Loaded(10_001, 600 << 20, 1, 0, ())
        if task.kind is TaskKind.SCAN and not task.rules:
            return ScannedFiles(10**9, sum(task.sizes), 0, 0, (), (), 0, crowded=False)
        return good_worker(task)

    trial, pool = prove(worker, batches, cache)
    assert [trouble.code for trouble in trial.troubles] == ["prove/budget"] * 3
    assert trial.failed == {CheckName.LOAD, CheckName.THROUGHPUT}
    assert pool.count(TaskKind.SCAN) == 3, "the speed is measured three times before it is believed"
    assert CheckName.GOODWARE in trial.not_run


def test_a_file_that_kills_the_engine_is_found_by_halving(batches: list[Batch], cache: ProofCache) -> None:
    def worker(task: Task) -> Answer | Lost:
        if task.kind is TaskKind.SCAN and BAD_SIZE in task.sizes and len(measured) > 0:
            return Lost("prove/engine-died", "signal 11")
        if task.kind is TaskKind.SCAN:
            measured.append("the speed, first of all")
        return good_worker(task)

    measured: list[str] = []
    bad = [file.path for batch in batches for file in batch.files if file.size_bytes == BAD_SIZE]
    trial, _ = prove(worker, batches, cache)
    assert sorted(trouble.text for trouble in trial.troubles) == [
        f"on the goodware file {path}: signal 11" for path in bad
    ]
    assert trial.failed == {CheckName.GOODWARE}


def test_a_difference_between_fast_and_plain_is_refused(batches: list[Batch], cache: ProofCache) -> None:
    def worker(task: Task) -> Answer | Lost:
        if task.kind is TaskKind.AGREE:
            return Agreed(tuple(Agreement(name, (), "Rule_03" if name == "Rule_02" else "") for name in task.rules))
        return good_worker(task)

    trial, _ = prove(worker, batches, cache)
    assert [(trouble.code, trouble.rule) for trouble in trial.troubles] == [("prove/fast-differs", "Rule_03")]
    assert trial.failed == {CheckName.AGREEMENT}


def test_a_second_run_that_differs_is_refused_and_another_process_makes_it(
    batches: list[Batch], cache: ProofCache
) -> None:
    seen: list[str] = []

    def worker(task: Task) -> Answer | Lost:
        if task.kind is TaskKind.AGREE and "Rule_04" in task.rules:
            seen.append("run")
            return Agreed(tuple(Agreement(name, (4,) if len(seen) == 1 else (), "") for name in task.rules))
        return good_worker(task)

    trial, _ = prove(worker, batches, cache)
    troubled = {(trouble.code, trouble.rule) for trouble in trial.troubles}
    assert troubled == {("prove/not-repeatable", "Rule_04")}
    assert trial.failed == {CheckName.REPEAT}


def test_without_goodware_nothing_is_said_about_it(cache: ProofCache) -> None:
    trial, _ = prove(good_worker, [], cache)
    assert set(trial.not_run) == {CheckName.GOODWARE, CheckName.THROUGHPUT}


def test_a_worker_that_forgets_a_rule_convicts_it(batches: list[Batch], cache: ProofCache) -> None:
    def worker(task: Task) -> Answer | Lost:
        return Tried((), ()) if task.kind is TaskKind.ALONE and "Rule_00" in task.rules else good_worker(task)

    trial, _ = prove(worker, batches, cache)
    assert {trouble.rule for trouble in trial.troubles} == set(NAMES[:16])
    assert {trouble.code for trouble in trial.troubles} == {"prove/babble"}
