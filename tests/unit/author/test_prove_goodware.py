"""Goodware under a release: what is remembered of it, and what must not be."""

import os
from pathlib import Path

import pytest
from tests.unit.author.proof_fakes import release_of

from ringfence.author.goodware import Batch, files_below, listed
from ringfence.author.proof_cache import ProofCache
from ringfence.author.proof_tasks import ScannedFiles
from ringfence.author.proof_units import UnitReader
from ringfence.author.prove_goodware import GoodwareTrial
from ringfence.model.limits import PROOF_ROWS_PER_BATCH_MAX

NAMES = ("A", "B", "C")
EVERY = frozenset(NAMES)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    """Five files."""
    (tmp_path / "good").mkdir()
    for number in range(5):
        (tmp_path / "good" / str(number)).write_text(f"file {number}")
    return Batch(tuple(listed(files_below(tmp_path / "good"))))


def trial_of(batch: Batch, cache: ProofCache, *names: str, changed: str = "") -> GoodwareTrial:
    """A trial of these rules."""
    units = UnitReader(release_of(*(names or NAMES), changed=changed)).units()
    return GoodwareTrial([batch], units, cache, "base")


def run(trial: GoodwareTrial, *hits: int, crowded: bool = False, allowed: frozenset[str] = EVERY) -> int:
    """Do every job of a trial with this result; returns how many there were."""
    jobs = trial.jobs(allowed)
    for job in jobs:
        assert job.prepare is not None
        os.close(job.prepare(job))
        trial.take(job, ScannedFiles(1, 1, 0, 0, tuple(hits), (), 0, crowded=crowded))
    return len(jobs)


def test_hits_are_told_by_rule_and_remembered(batch: Batch, tmp_path: Path) -> None:
    with ProofCache(tmp_path / "cache") as cache:
        first = trial_of(batch, cache)
        assert run(first, 0, 1, 4, 1, 2, 2) == 1
        again = trial_of(batch, cache)
        assert run(again) == 0
        for trial in (first, again):
            found = {name: [Path(file).name for file in files] for name, files in trial.hits_by_rule().items()}
            assert found == {"B": ["0", "4"], "C": ["2"]}


def test_hits_of_a_rule_that_is_gone_or_changed_are_forgotten(batch: Batch, tmp_path: Path) -> None:
    with ProofCache(tmp_path / "cache") as cache:
        run(trial_of(batch, cache), 0, 0, 1, 1)
        changed = trial_of(batch, cache, changed="B")
        assert list(changed.hits_by_rule()) == ["A"]
        (job,) = changed.jobs(EVERY)
        assert job.task.rules == ("B",)
        assert trial_of(batch, cache, "A", "C").jobs(EVERY) == []


def test_a_crowded_batch_is_told_but_not_remembered(batch: Batch, tmp_path: Path) -> None:
    with ProofCache(tmp_path / "cache") as cache:
        first = trial_of(batch, cache)
        run(first, 0, 0, crowded=True)
        assert list(first.hits_by_rule()) == ["A"]
        assert len(trial_of(batch, cache).jobs(EVERY)) == 1


def test_a_batch_that_could_not_be_read_whole_is_not_remembered(batch: Batch, tmp_path: Path) -> None:
    Path(batch.files[0].path).unlink()
    with ProofCache(tmp_path / "cache") as cache:
        first = trial_of(batch, cache)
        run(first)
        assert first.files == 4
        assert len(trial_of(batch, cache).jobs(EVERY)) == 1


def test_rules_that_may_not_take_part_are_looked_at_later(batch: Batch, tmp_path: Path) -> None:
    with ProofCache(tmp_path / "cache") as cache:
        assert run(trial_of(batch, cache), allowed=frozenset({"A", "B"})) == 1
        (job,) = trial_of(batch, cache).jobs(EVERY)
        assert job.task.rules == ("C",)


def test_many_changes_do_not_make_the_memory_grow(batch: Batch, tmp_path: Path) -> None:
    with ProofCache(tmp_path / "cache") as cache:
        trials = [
            trial_of(batch, cache, "A", "B", f"C{number}")
            for number in range(4 * PROOF_ROWS_PER_BATCH_MAX)
            if run(trial_of(batch, cache, "A", "B", f"C{number}"), 1, 0, allowed=frozenset({"A", "B", f"C{number}"}))
        ]
        assert all("A" in trial.hits_by_rule() for trial in trials)
        rows = cache.get(trials[-1]._key_of_batch(trials[-1].known[0].sha256))
        assert isinstance(rows, list)
        assert len(rows) <= PROOF_ROWS_PER_BATCH_MAX + 1
        assert trial_of(batch, cache, "A", "B").jobs(EVERY) == []


def test_a_job_is_cut_in_halves_down_to_one_file(batch: Batch, tmp_path: Path) -> None:
    with ProofCache(None) as cache:
        trial = trial_of(batch, cache)
        waiting = trial.jobs(EVERY)
        single = []
        while waiting:
            job = waiting.pop()
            halves = trial.halves(job)
            waiting += halves
            if not halves:
                single.append(trial.path_of(job))
        assert sorted(single) == [file.path for file in batch.files]


def test_the_sample_for_the_speed_is_for_all_rules_and_bounded(batch: Batch) -> None:
    with ProofCache(None) as cache:
        job = trial_of(batch, cache).sample(13)
        assert job.prepare is not None
        os.close(job.prepare(job))
        assert (job.task.rules, job.task.sizes) == ((), (6, 6))
