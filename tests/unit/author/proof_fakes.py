"""A pool without processes: workers are a function that answers, in the very form in which processes do."""

import os
from collections.abc import Callable, Iterator

from tests.unit.wire.release_fixtures import make_pack, make_rule

from ringfence.author.proof_jobs import Done, Feed, Lost
from ringfence.author.proof_tasks import (
    Agreed,
    Agreement,
    Answer,
    Loaded,
    ProbeCost,
    ScannedFiles,
    Task,
    TaskKind,
    Tried,
    decode_answer,
    decode_task,
    encode_answer,
    encode_task,
)
from ringfence.author.sigma_recorded import Replayed, RuleTally
from ringfence.model.records import RuleAction
from ringfence.model.release import Contract, Manifest, Release

Worker = Callable[[Task], Answer | Lost]


class FakePool:
    """Answers at once, with two workers that take turns."""

    def __init__(self, worker: Worker) -> None:
        self.build = "0.1.0+abc"
        self.engine_version = "1.23.0"
        self.contract_sha256 = "c" * 64
        self.tasks: list[Task] = []
        self._worker = worker
        self._turn = 0

    def wait_ready(self) -> None:
        """Nothing to wait for."""

    def run(self, feed: Feed) -> Iterator[Done]:
        """Every job, one after the other."""
        while feed.jobs:
            self._turn = 3 - self._turn if self._turn else 1
            pid = self._turn
            job = feed.next(pid, others=True)
            if job is None:
                continue
            if job.prepare is not None:
                os.close(job.prepare(job))
            task = decode_task(encode_task(job.task))
            self.tasks.append(task)
            answer = self._worker(task)
            if not isinstance(answer, Lost):
                answer = decode_answer(task.kind, encode_answer(answer))
            yield Done(job, answer, 10, pid)

    def count(self, kind: TaskKind) -> int:
        """Tasks of one kind that were done."""
        return sum(task.kind is kind for task in self.tasks)


def good_worker(task: Task) -> Answer:
    """A worker that finds nothing wrong."""
    match task.kind:
        case TaskKind.LOAD:
            return Loaded(100, 50_000_000, 1, 2, ())
        case TaskKind.ALONE:
            return Tried(tuple(ProbeCost(name, "zeros", 1_000, ()) for name in task.rules), ())
        case TaskKind.EVENTS:
            names = task.rules or ("ordinary events",)
            return Tried(tuple(ProbeCost(name, "hostile events", 500, ()) for name in names), ())
        case TaskKind.RECORDED:
            return Replayed(2, 60, (), (RuleTally(0, 0, 0, 8),))
        case TaskKind.WHOLE:
            return Tried((ProbeCost("zeros", "zeros", 2_000, ()),), ())
        case TaskKind.AGREE:
            return Agreed(tuple(Agreement(name, (0,), "") for name in task.rules))
        case TaskKind.SCAN:
            return ScannedFiles(1, sum(task.sizes), 0, 10, (), (), 0, crowded=False)


def release_of(*names: str, action: RuleAction = RuleAction.BLOCK, changed: str = "") -> Release:
    """A release with these rules; the text of `changed` is another one."""
    source = "".join(
        f'rule {name} {{ strings: $a = "{name}{"!" if name == changed else ""}" condition: $a }}\n' for name in names
    )
    pack = make_pack("any-01", "any", source)
    rules = tuple(make_rule(name, "any-01", action) for name in sorted(names))
    return Release(Manifest("fake", 1, "", Contract((), ()), (pack.entry,), rules, ()), (pack,), ())
