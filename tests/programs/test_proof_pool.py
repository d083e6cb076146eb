"""The prover's workers when somebody kills them: a chance is forgiven, a habit is not, and a crash never."""

import os
import signal
from collections import deque
from collections.abc import Iterator

import pytest
from tests.unit.author.proof_fakes import release_of

from ringfence.author.proof_jobs import Done, Feed, Job, Lost
from ringfence.author.proof_tasks import ScannedFiles, Task, TaskKind
from ringfence.programs.proof_pool import ProofPool, memory_file, memory_file_of
from ringfence.wire.release import encode_release

FILE = b"a file with Alpha in it"

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def pool() -> Iterator[ProofPool]:
    """One worker over a release of one rule, ready."""
    files = memory_file(encode_release(release_of("Alpha"))), memory_file_of([b"\x7fELF program"])
    with ProofPool(*files, workers=1) as made:
        made.wait_ready()
        yield made
    for file in files:
        os.close(file)


def scans(pool: ProofPool, *signals: signal.Signals) -> list[Done]:
    """What comes of a scan whose worker gets these signals, one at each try, before it has the task."""
    waiting = list(signals)

    def prepare(_: Job) -> int:
        if waiting:
            os.kill(pool.worker_pids[0], waiting.pop(0))
        return memory_file(FILE)

    done = list(pool.run(Feed(deque([Job(Task(TaskKind.SCAN, (), (len(FILE),)), prepare=prepare)]))))
    assert not waiting
    return done


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_killed_from_outside_is_tried_once_more(pool: ProofPool, number: signal.Signals) -> None:
    (done,) = scans(pool, number)
    assert isinstance(done.answer, ScannedFiles)
    assert done.answer.hits == (0, 0)
    assert pool.replaced == 1


def test_what_gets_two_workers_killed_is_blamed(pool: ProofPool) -> None:
    (done,) = scans(pool, signal.SIGKILL, signal.SIGKILL)
    assert done.answer == Lost("prove/engine-died", "the engine's process died of it (signal 9)")
    assert pool.replaced == 2
    (after,) = scans(pool)
    assert isinstance(after.answer, ScannedFiles)


def test_a_crash_is_blamed_at_once(pool: ProofPool) -> None:
    (done,) = scans(pool, signal.SIGSEGV)
    assert done.answer == Lost("prove/engine-died", "the engine's process died of it (signal 11)")
    assert pool.replaced == 1
