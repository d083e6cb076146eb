"""Rules over events under the gates of a proof: by a pool that is told what to say, and by a real worker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.unit.author.proof_fakes import FakePool, Worker, good_worker, release_of
from tests.unit.detect.sigma_cases import asked, rule_of
from tests.unit.wire.release_fixtures import make_detections

from ringfence.author.proof_cache import ProofCache
from ringfence.author.proof_jobs import Lost
from ringfence.author.proof_tasks import Answer, ProbeCost, Task, TaskKind, Tried, Trouble
from ringfence.author.proof_units import UnitReader
from ringfence.author.proof_work import Work
from ringfence.author.prove_engine import EngineProver, EngineTrial
from ringfence.model.detection import Condition, Detections, EventTest
from ringfence.model.limits import PROOF_RULES_PER_TASK_MAX
from ringfence.model.proof import CheckName
from ringfence.model.release import Release
from ringfence.wire.detection_ir import encode_detections
from ringfence.wire.release import encode_release

RULES: Final = tuple(rule_of(asked("Image", "ends", f"/tool-{number}"), number) for number in range(70))
NAMES: Final = tuple(rule.identifier for rule in RULES)


def with_events(*conditions: Condition, tests: tuple[EventTest, ...] = ()) -> Release:
    """A release of one YARA rule and these rules over events (the usual ones where none is given)."""
    rules = tuple(rule_of(one, number) for number, one in enumerate(conditions)) or RULES
    pack = make_detections("process_creation-01", encode_detections(Detections(rules, tests)))
    plain = release_of("One")
    fields = {name: getattr(plain.manifest, name) for name in plain.manifest.__dataclass_fields__}
    manifest = type(plain.manifest)(**fields | {"detections": (pack.entry,)})
    return Release(manifest, plain.packs, plain.samples, (pack,))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ProofCache]:
    with ProofCache(tmp_path / "cache") as opened:
        yield opened


def prove(worker: Worker, cache: ProofCache, release: Release | None = None) -> tuple[EngineTrial, FakePool]:
    pool = FakePool(worker)
    reader = UnitReader(release or with_events())
    return EngineProver(reader, [], cache, "p" * 64, lambda *_: None).run(pool), pool


def events(pool: FakePool) -> list[tuple[str, ...]]:
    return [task.rules for task in pool.tasks if task.kind is TaskKind.EVENTS]


def test_every_rule_is_tried_once_and_then_remembered(cache: ProofCache) -> None:
    trial, pool = prove(good_worker, cache)
    assert (trial.troubles, trial.failed) == ([], set())
    assert set(trial.event_costs) == set(NAMES)
    assert trial.event_mean_us == 500
    assert sorted(name for names in events(pool) for name in names) == sorted(NAMES)
    assert max(map(len, events(pool))) <= PROOF_RULES_PER_TASK_MAX
    again, pool = prove(good_worker, cache)
    assert events(pool) == [()], "only all together"
    assert again.event_costs.keys() == trial.event_costs.keys()


def test_one_changed_rule_is_tried_alone(cache: ProofCache) -> None:
    prove(good_worker, cache)
    conditions = [rule.condition for rule in RULES]
    _, pool = prove(good_worker, cache, with_events(*conditions[:-1], asked("Image", "ends", "/other")))
    assert sorted(events(pool)) == [(), (NAMES[-1],)]


def test_a_release_without_them_asks_nothing(cache: ProofCache) -> None:
    _, pool = prove(good_worker, cache, release_of("One"))
    assert events(pool) == []


def saying(trouble: Trouble) -> Worker:
    """A worker that says this of all rules together."""

    def answer(task: Task) -> Answer | Lost:
        if task.kind is TaskKind.EVENTS and not task.rules:
            return Tried((), (trouble,))
        return good_worker(task)

    return answer


@pytest.mark.parametrize(
    ("code", "gate"),
    [
        ("sigma/noise", CheckName.ALONE),
        ("sigma/costly", CheckName.WHOLE),
        ("sigma/matchers-differ", CheckName.AGREEMENT),
        ("sigma/self-test", CheckName.SELF_TESTS),
    ],
)
def test_each_trouble_closes_its_gate(cache: ProofCache, code: str, gate: CheckName) -> None:
    trial, _ = prove(saying(Trouble(code, NAMES[3], "is bad")), cache)
    assert gate in trial.failed
    (only,) = trial.troubles
    assert (only.code, only.rule, only.file) == (code, NAMES[3], "detections/process_creation-01.json")


def test_a_rule_that_takes_its_worker_along_is_found_and_not_remembered(cache: ProofCache) -> None:
    def worker(task: Task) -> Answer | Lost:
        if task.kind is TaskKind.EVENTS and NAMES[5] in task.rules:
            return Lost("prove/hang", "did not end")
        return good_worker(task)

    trial, pool = prove(worker, cache)
    assert [(one.code, one.rule) for one in trial.troubles] == [("prove/hang", NAMES[5])]
    assert (NAMES[5],) in events(pool)
    assert CheckName.ALONE in trial.failed
    _, pool = prove(good_worker, cache)
    assert sorted(events(pool)) == [(), (NAMES[5],)]


def test_a_worker_that_forgets_a_rule_convicts_it(cache: ProofCache) -> None:
    def worker(task: Task) -> Answer | Lost:
        if task.kind is TaskKind.EVENTS and task.rules:
            return Tried(tuple(ProbeCost(name, "hostile events", 1, ()) for name in task.rules if name != NAMES[9]), ())
        return good_worker(task)

    trial, _ = prove(worker, cache)
    assert [(one.code, one.rule) for one in trial.troubles] == [("prove/babble", NAMES[9])]


def test_a_real_worker_tries_them() -> None:
    noisy, quiet = asked("Image", "starts", "/usr/"), asked("Image", "ends", "/nc")
    test = EventTest(NAMES[1], (("Image", "/bin/ls"),), expects_match=True)
    work = Work(encode_release(with_events(noisy, quiet, tests=(test,))), [])
    alone = work.do(Task(TaskKind.EVENTS, (NAMES[1],)), lambda *_: b"")
    assert isinstance(alone, Tried)
    assert ([cost.name for cost in alone.costs], alone.troubles) == ([NAMES[1]], ())
    together = work.do(Task(TaskKind.EVENTS), lambda *_: b"")
    assert isinstance(together, Tried)
    assert [(one.code, one.rule) for one in together.troubles] == [
        ("sigma/noise", NAMES[0]),
        ("sigma/self-test", NAMES[1]),
    ]
