"""Work for a prover's workers: jobs, what comes back, and who carries them (`programs/proof_pool.py` does).

A worker that dies, hangs, grows or babbles is killed and replaced; what it worked on comes back as `Lost`, with the
code under which the rules in hand are refused.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ringfence.author.proof_tasks import Answer, Task


@dataclass(frozen=True, slots=True)
class Lost:
    """A job without an answer: the code (`prove/engine-died`, `hang`, `memory` or `babble`), and what happened."""

    code: str
    text: str
    refused: bool = False
    """The worker lives and says itself that it could not: the release did not load."""


@dataclass(slots=True)
class Job:
    """One task and what is needed to understand its answer.  `key` is the caller's."""

    task: Task
    key: object = None
    prepare: "Callable[[Job], int] | None" = None
    """Makes the descriptor that goes with the task, and may set `task`, at the last moment."""

    resident_bytes_max: int = 0
    """0: the pool's own bound."""

    avoid_pid: int = 0
    """A worker that must not do it, as long as there is another."""

    uses: int = 0
    """Workers that were killed from outside over it."""


@dataclass(frozen=True, slots=True)
class Done:
    """A job that came back, and the CPU that its worker took for it."""

    job: Job
    answer: Answer | Lost
    cpu_ms: int
    pid: int
    """Of the worker."""


class Pool(Protocol):
    """A fixed number of workers over one release and one engine."""

    build: str
    engine_version: str
    contract_sha256: str

    def wait_ready(self) -> None:
        """Wait until a worker has said who it is."""

    def run(self, feed: "Feed") -> Iterator[Done]:
        """Do every job of `feed`, also those that are added meanwhile."""


@dataclass(slots=True)
class Feed:
    """Jobs in their order; more may be added while the others run."""

    jobs: deque[Job] = field(default_factory=deque)

    def add(self, job: Job) -> None:
        """One more."""
        self.jobs.append(job)

    def add_first(self, job: Job) -> None:
        """One that goes before all others: it takes long, or whoever is free now has what it needs."""
        self.jobs.appendleft(job)

    def next(self, pid: int, *, others: bool) -> Job | None:
        """The next job for the worker `pid`, or None when there is none at the moment.  `others`: it is not alone."""
        for at, job in enumerate(self.jobs):
            if not (others and job.avoid_pid == pid):
                del self.jobs[at]
                return job
        return None
