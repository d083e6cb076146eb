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
from ringfence.author.recorded_events import RecordedPart
from ringfence.author.sigma_recorded import Replayed, RuleTally
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


def recorded(cache: ProofCache, answer: Answer | Lost) -> EngineTrial:
    """A proof with one recording of 50 events, about which a worker says this."""

    def worker(task: Task) -> Answer | Lost:
        return answer if task.kind is TaskKind.RECORDED else good_worker(task)

    part = RecordedPart("day.jsonl", 101, 50, b"x" * 300)
    reader = UnitReader(with_events())
    return EngineProver(reader, [], cache, "p" * 64, lambda *_: None, [part]).run(FakePool(worker))


def test_recorded_events_are_judged_under_the_gate_of_the_goodware(cache: ProofCache) -> None:
    trial = recorded(cache, Replayed(50, 1_500, (), (RuleTally(4, 2, 7, 30),)))
    (only,) = trial.troubles
    assert (only.code, only.rule, only.file) == (
        "sigma/recorded-noise", NAMES[4], "detections/process_creation-01.json"
    )  # fmt: skip
    assert "2 of 50 recorded events, first at day.jsonl:108" in only.text
    assert CheckName.GOODWARE in trial.failed
    assert (trial.recorded_events, trial.recorded_event_us) == (50, 30)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Lost("prove/engine-died", "signal 11"), "prove/engine-died"),
        (Replayed(49, 1, (), ()), "prove/babble"),
        (Replayed(50, 1, (70,), ()), "prove/babble"),
        (Replayed(50, 1, (), (RuleTally(70, 0, 0, 1),)), "prove/babble"),
    ],
)
def test_a_part_of_a_recording_that_was_not_replayed_refuses(
    cache: ProofCache, answer: Answer | Lost, code: str
) -> None:
    trial = recorded(cache, answer)
    assert [one.code for one in trial.troubles] == [code]
    assert "from day.jsonl:101 on" in trial.troubles[0].text
    assert CheckName.GOODWARE in trial.failed
    assert trial.recorded_events == 0


def test_a_real_worker_replays_a_recording() -> None:
    work = Work(encode_release(with_events(asked("Image", "ends", "/nc"), asked("Image", "ends", "/sh"))), [])
    images = ("/bin/ls", "/bin/sh", "/bin/cat", "/usr/bin/sh")
    lines = "".join(f'{{"type": "process_creation", "fields": {{"Image": "{image}"}}}}\n' for image in images).encode()
    task = Task(TaskKind.RECORDED, (), (len(lines),))
    answer = work.do(task, lambda length, at: lines[at : at + length])
    assert isinstance(answer, Replayed)
    assert (answer.events, answer.differing) == (4, ())
    assert [(one.rule, one.matches, one.first_event) for one in answer.rules] == [(1, 2, 1)]


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
