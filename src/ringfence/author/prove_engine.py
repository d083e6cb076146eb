"""A release under every gate, in one engine: what is asked of the workers, in which order, and what it amounts to.

1. The release is loaded as a host loads it; meanwhile each rule is tried alone.  A rule that kills, hangs or fills its
   worker is refused for that; one that is refused alone takes no further part, so that the others can still be judged.
2. Few rules (a changed one, above all) meet the goodware at once.
3. The whole release meets adversarial inputs, hostile archives, and then a sample of goodware for its speed: as soon as
   it is loaded and no rule is refused alone, by the worker that has it compiled.
4. The host's path and the plain engine look at a sample made for each rule; the rest of the goodware is scanned.
5. All samples again, by another process: the same must come of it.

A step that makes no sense after what was found before it is not run, and says why.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from ringfence.author.goodware import Batch
from ringfence.author.proof_cache import ProofCache, key_of
from ringfence.author.proof_inputs import INPUTS_VERSION
from ringfence.author.proof_jobs import Done, Feed, Job, Lost, Pool
from ringfence.author.proof_tasks import (
    Agreed,
    Agreement,
    Loaded,
    ProbeCost,
    ScannedFiles,
    Task,
    TaskKind,
    Tried,
    Trouble,
)
from ringfence.author.proof_units import RuleUnit, UnitReader
from ringfence.author.prove_events import EventProver
from ringfence.author.prove_goodware import GoodwareTrial
from ringfence.author.recorded_events import RecordedPart
from ringfence.model import limits
from ringfence.model.limits import (
    PROOF_PART_RULES_MAX,
    PROOF_RULES_PER_TASK_MAX,
    PROOF_THROUGHPUT_SAMPLE_BYTES_MAX,
    PROOF_WHOLE_MS_MAX,
    ZYGOTE_RESIDENT_BYTES_MAX,
)
from ringfence.model.proof import PROVER_VERSION, CheckName
from ringfence.wire.canonical import JsonValue

Step = Callable[[str, int, int], None]
"""Hears what is being done, how much of it is done, and how much there is."""

REFUSED_ALONE: Final = "rules that are refused alone must not meet the others"
UNMET: Final = "rules that are refused alone have not met it"
NOT_LOADED: Final = "the release does not load"

_LIMITS: Final = (
    "FINDING_RULES_MAX PROOF_SLOW_MS_MAX PROOF_PROBE_TIMEOUT_S PROOF_RULE_COMPILE_MS_MAX RULE_PROBE_SMALL_BYTES"
    " SYNC_SCAN_BYTES_MAX SCAN_WHOLE_BYTES_MAX ARCHIVE_DEPTH_MAX ARCHIVE_MEMBERS_MAX ARCHIVE_UNPACKED_BYTES_MAX"
    " ARCHIVE_RATIO_MAX ARCHIVE_MEMBER_BYTES_MAX PROOF_SAMPLE_BYTES_MAX PROOF_OWN_TEXT_BYTES_MAX"
    " PROOF_OWN_SIZES_ENTRIES_MAX"
).split()
"""Limits on which an earlier result depends."""


@dataclass(slots=True)
class EngineTrial:
    """What came of one release in one engine."""

    build: str = ""
    engine_version: str = ""
    contract_sha256: str = ""
    loaded: Loaded | None = None
    troubles: list[Trouble] = field(default_factory=list)
    """Of all checks but goodware."""

    not_run: dict[CheckName, str] = field(default_factory=dict)
    failed: set[CheckName] = field(default_factory=set)
    spent_ms: dict[CheckName, int] = field(default_factory=dict)
    costs: dict[str, ProbeCost] = field(default_factory=dict)
    """Most expensive probe by rule."""

    whole: list[ProbeCost] = field(default_factory=list)
    agreements: dict[str, Agreement] = field(default_factory=dict)
    scan_us_per_mib: int = 0
    remembered: int = 0
    """Rules whose own trial was remembered."""

    agreed: int = 0
    repeated: int = 0
    goodware: GoodwareTrial | None = None
    event_costs: dict[str, ProbeCost] = field(default_factory=dict)
    """Most expensive event by rule over events."""

    event_mean_us: int = 0
    recorded_events: int = 0
    recorded_event_us: int = 0
    """What all rules take for a recorded event on average."""


class EngineProver:
    """Drives one pool through the gates."""

    def __init__(
        self,
        reader: UnitReader,
        batches: Sequence[Batch],
        cache: ProofCache,
        programs_sha256: str,
        step: Step,
        recorded: Sequence[RecordedPart] = (),
    ) -> None:
        self._recorded = recorded
        self._units = reader.units()
        self._by_name = {unit.name: unit for unit in self._units}
        self._packs = {pack.entry.name: pack.entry.sha256 for pack in reader.release.packs}
        self._classes = {pack.entry.name: pack.entry.file_class for pack in reader.release.packs}
        self._budget = reader.release.manifest.budget
        self._detections = reader.release.detections
        self._batches = batches
        self._cache = cache
        self._programs_sha256 = programs_sha256
        self._step = step
        self._trial = EngineTrial()
        self._bad: set[str] = set()
        """Rules that are refused alone."""

        self._measured = 0
        """Times that the speed was measured."""

        self._base = ""
        self._pids: dict[str, int] = {}
        """Which worker made a rule's first sample scan."""

    def run(self, pool: Pool) -> EngineTrial:
        """Every gate."""
        trial = self._trial
        pool.wait_ready()
        trial.build, trial.engine_version, trial.contract_sha256 = pool.build, pool.engine_version, pool.contract_sha256
        values = [f"{name}={getattr(limits, name)}" for name in _LIMITS]
        self._base = key_of(str(PROVER_VERSION), str(INPUTS_VERSION), trial.build, trial.engine_version, *values)
        trial.goodware = GoodwareTrial(self._batches, self._units, self._cache, self._base)
        self._load_alone_and_whole(pool)
        self._samples_and_goodware(pool)
        return trial

    # --- 1 to 3 ---------------------------------------------------------------------------------------------------

    def _load_alone_and_whole(self, pool: Pool) -> None:
        feed = Feed()
        feed.add(Job(Task(TaskKind.LOAD), resident_bytes_max=ZYGOTE_RESIDENT_BYTES_MAX))
        trial = self._trial
        events = EventProver(self._detections, self._cache, self._base, trial.troubles, trial.failed, self._recorded)
        events.begin(feed)
        left = self._untried()
        total = len(self._units)
        for chunk in _chunks(left):
            feed.add(Job(Task(TaskKind.ALONE, chunk)))
        waiting = set(left)
        few = bool(self._units) and self._few_left()
        if not waiting and few:
            self._add_goodware(feed)
        for done in pool.run(feed):
            kind = done.job.task.kind
            if kind is TaskKind.LOAD:
                self._take_load(done)
            elif kind is TaskKind.ALONE:
                if self._take_alone(done, feed):
                    waiting -= set(done.job.task.rules)
                    if not waiting and few:
                        self._add_goodware(feed)
            else:
                self._take_rest(done, feed, events)
            if kind in (TaskKind.LOAD, TaskKind.ALONE) and not waiting:
                self._begin_whole(feed)
            self._step("each rule alone", total - len(waiting) + events.done, total + events.total)
        events.end()
        self._say_why_not_whole()
        trial.event_costs, trial.event_mean_us = events.costs, events.mean_us
        trial.recorded_events, trial.recorded_event_us = events.recorded_events, events.recorded_us

    def _take_rest(self, done: Done, feed: Feed, events: EventProver) -> None:
        """Take what is done meanwhile: rules over events, the whole release, its speed, the goodware."""
        match done.job.task.kind:
            case TaskKind.WHOLE:
                self._take_whole(done)
                if self._batches:
                    feed.add_first(self._speed())
            case TaskKind.SCAN if done.job.key is None:
                self._take_throughput(done, feed)
            case TaskKind.SCAN:
                self._take_scan(done, feed)
            case TaskKind.EVENTS:
                self._spend(CheckName.ALONE, done)
                events.take(done, feed)
            case _:
                self._spend(CheckName.GOODWARE, done)
                events.take(done, feed)

    def _untried(self) -> list[str]:
        """Rules whose own trial is not remembered, by class of file: inputs are made once for each class."""
        left = []
        for unit in self._units:
            value = self._cache.get(self._key_alone(unit))
            cost = _remembered_cost(unit.name, value)
            if cost is None:
                left.append(unit)
            else:
                self._trial.costs[unit.name] = cost
                self._trial.remembered += 1
        return [unit.name for unit in sorted(left, key=lambda unit: (self._classes[unit.pack], unit.name))]

    def _few_left(self) -> bool:
        """Whether only few rules must still look at the goodware."""
        goodware = self._goodware
        every = frozenset(unit.name for unit in self._units)
        jobs = goodware.jobs(every)
        return all(0 < len(job.task.rules) <= PROOF_PART_RULES_MAX for job in jobs)

    def _take_load(self, done: Done) -> None:
        trial = self._trial
        self._spend(CheckName.LOAD, done)
        answer = done.answer
        if isinstance(answer, Lost):
            text = f"while the release is loaded and self-tested: {answer.text}"
            trial.troubles.append(Trouble(answer.code, "", text))
            trial.failed.add(CheckName.LOAD)
            trial.not_run[CheckName.SELF_TESTS] = NOT_LOADED
        elif isinstance(answer, Loaded):
            trial.loaded = answer
            trial.troubles += [*answer.troubles, *self._over_budget(answer)]
            broken = [one for one in answer.troubles if one.code == "prove/self-test"]
            if len(broken) < len(answer.troubles) or self._over_budget(answer):
                trial.failed.add(CheckName.LOAD)
            if broken:
                trial.failed.add(CheckName.SELF_TESTS)
            if any(one.code == "prove/load" for one in answer.troubles):
                trial.not_run[CheckName.SELF_TESTS] = NOT_LOADED

    def _over_budget(self, loaded: Loaded) -> list[Trouble]:
        """Where compiling costs more than the release claims."""
        budget, found = self._budget, []
        if loaded.compile_cpu_ms > budget.compile_cpu_ms:
            text = f"compiling takes {loaded.compile_cpu_ms} ms of CPU, the release claims {budget.compile_cpu_ms}"
            found.append(Trouble("prove/budget", "", text))
        if loaded.resident_bytes > budget.compile_bytes:
            needs, claims = loaded.resident_bytes >> 20, budget.compile_bytes >> 20
            found.append(
                Trouble("prove/budget", "", f"compiling takes {needs} MiB of memory, the release claims {claims}")
            )
        return found

    def _take_alone(self, done: Done, feed: Feed) -> bool:
        """Take the answer about some rules; False when they are tried again one by one."""
        trial = self._trial
        self._spend(CheckName.ALONE, done)
        names, answer = done.job.task.rules, done.answer
        if isinstance(answer, Lost):
            if len(names) > 1 and not answer.refused:
                for name in names:
                    feed.add(Job(Task(TaskKind.ALONE, (name,))))
                return False
            for name in names:
                self._refuse_alone(Trouble(answer.code, name, answer.text))
        elif isinstance(answer, Tried):
            troubles = {one.rule: one for one in answer.troubles}
            for cost in answer.costs:
                if cost.name not in names:
                    continue
                trial.costs[cost.name] = cost
                if cost.name in troubles:
                    self._refuse_alone(troubles[cost.name])
                else:
                    value: dict[str, JsonValue] = {"probe": cost.probe, "cpu_us": cost.cpu_us}
                    self._cache.put(self._key_alone(self._by_name[cost.name]), value)
            for name in set(names) - {cost.name for cost in answer.costs}:
                self._refuse_alone(Trouble("prove/babble", name, "the worker's answer does not tell of it"))
        return True

    def _refuse_alone(self, trouble: Trouble) -> None:
        self._trial.troubles.append(trouble)
        self._trial.failed.add(CheckName.ALONE)
        self._bad.add(trouble.rule)

    def _why_not_whole(self) -> str:
        """Why the whole release must not meet anything; "" when it may."""
        loaded = self._trial.loaded
        if loaded is None or any(one.code == "prove/load" for one in loaded.troubles):
            return NOT_LOADED
        return REFUSED_ALONE if self._bad else ""

    def _begin_whole(self, feed: Feed) -> None:
        """Try the whole release, once nothing speaks against it any more."""
        if not self._why_not_whole():
            feed.add_first(Job(Task(TaskKind.WHOLE)))

    def _say_why_not_whole(self) -> None:
        if reason := self._why_not_whole():
            later = (CheckName.WHOLE, CheckName.THROUGHPUT, CheckName.REPEAT, CheckName.AGREEMENT)
            self._trial.not_run.update(dict.fromkeys(later, reason))
        elif not self._batches:
            self._trial.not_run[CheckName.THROUGHPUT] = "no goodware was given"

    def _speed(self) -> Job:
        """A sample of the goodware for all rules at once; it has no key."""
        return self._goodware.sample(PROOF_THROUGHPUT_SAMPLE_BYTES_MAX)

    def _take_whole(self, done: Done) -> None:
        self._spend(CheckName.WHOLE, done)
        answer = done.answer
        if isinstance(answer, Tried):
            self._trial.whole = list(answer.costs)
            troubles = list(answer.troubles)
        elif isinstance(answer, Lost):
            troubles = [Trouble(answer.code, "", f"on hostile inputs: {answer.text}")]
        else:
            troubles = []
        self._trial.troubles += troubles
        if troubles:
            self._trial.failed.add(CheckName.WHOLE)

    def _take_throughput(self, done: Done, feed: Feed) -> None:
        """Take the speed; a slow one is measured again, because another tenant can make it look slower."""
        trial = self._trial
        self._measured += 1
        self._spend(CheckName.THROUGHPUT, done)
        answer = done.answer
        if isinstance(answer, ScannedFiles):
            per_mib_us = answer.cpu_us * (1 << 20) // max(1, answer.size_bytes)
            trial.scan_us_per_mib = min(trial.scan_us_per_mib or per_mib_us, per_mib_us)
            if trial.scan_us_per_mib <= self._budget.scan_us_per_mib:
                return
            if self._measured < limits.PROOF_PROBE_USES_MAX:
                feed.add_first(self._speed())
                return
            text = f"{trial.scan_us_per_mib} us of CPU for 1 MiB, the release claims {self._budget.scan_us_per_mib}"
            trial.troubles.append(Trouble("prove/budget", "", f"ordinary files take {text}"))
            trial.failed.add(CheckName.THROUGHPUT)
        elif isinstance(answer, Lost):
            trial.troubles.append(Trouble(answer.code, "", f"on ordinary files: {answer.text}"))
            trial.failed.add(CheckName.THROUGHPUT)

    # --- 4 and 5 ---------------------------------------------------------------------------------------------------

    def _samples_and_goodware(self, pool: Pool) -> None:
        trial = self._trial
        if not self._batches:
            trial.not_run[CheckName.GOODWARE] = "no goodware was given"
        if trial.failed & {CheckName.WHOLE, CheckName.THROUGHPUT}:
            trial.not_run[CheckName.GOODWARE] = "the whole release is too slow for it"
            return
        feed = Feed()
        agrees = CheckName.AGREEMENT not in trial.not_run
        if agrees:
            for chunk in _chunks(self._unsampled()):
                feed.add(Job(Task(TaskKind.AGREE, chunk)))
        self._add_goodware(feed)
        total = len(feed.jobs)
        for done in pool.run(feed):
            if done.job.task.kind is TaskKind.AGREE:
                self._take_agreement(done, feed)
            else:
                self._take_scan(done, feed)
            self._step("goodware and samples", total - len(feed.jobs), total)
        if self._bad:
            trial.not_run[CheckName.GOODWARE] = UNMET
        if agrees:
            self._repeat(pool)

    def _unsampled(self) -> list[str]:
        """Rules whose sample has not been looked at in this pack, pack by pack: each is compiled plainly once."""
        left = [unit for unit in self._units if self._cache.get(self._key_sample(unit)) is None]
        self._trial.agreed = len(self._units) - len(left)
        return [unit.name for unit in sorted(left, key=lambda unit: (unit.pack, unit.name))]

    def _add_goodware(self, feed: Feed) -> None:
        allowed = frozenset(unit.name for unit in self._units if unit.name not in self._bad)
        for job in self._goodware.jobs(allowed) if allowed else []:
            feed.add(job)

    def _take_scan(self, done: Done, feed: Feed) -> None:
        self._spend(CheckName.GOODWARE, done)
        answer = done.answer
        if isinstance(answer, ScannedFiles):
            self._goodware.take(done.job, answer)
            if answer.slowest_us > PROOF_WHOLE_MS_MAX * 1_000:
                path = self._goodware.path_of(done.job, answer.slowest_file)
                text = f"{answer.slowest_us // 1_000} ms of CPU on the goodware file {path}"
                trouble = Trouble("prove/slow", "", f"{text}, {PROOF_WHOLE_MS_MAX} are allowed")
                self._trial.troubles.append(trouble)
                self._trial.failed.add(CheckName.GOODWARE)
        elif isinstance(answer, Lost):
            if answer.refused:
                self._trial.not_run[CheckName.GOODWARE] = NOT_LOADED
                return
            halves = self._goodware.halves(done.job)
            for half in halves:
                feed.add(half)
            if not halves:
                path = self._goodware.path_of(done.job)
                rule = done.job.task.rules[0] if len(done.job.task.rules) == 1 else ""
                self._trial.troubles.append(Trouble(answer.code, rule, f"on the goodware file {path}: {answer.text}"))
                self._trial.failed.add(CheckName.GOODWARE)

    def _take_agreement(self, done: Done, feed: Feed) -> None:
        trial = self._trial
        self._spend(CheckName.AGREEMENT, done)
        answer = done.answer
        if isinstance(answer, Agreed):
            for one in answer.rules:
                trial.agreements[one.rule] = one
                self._pids[one.rule] = done.pid
                if one.plain_differs:
                    text = f"on the sample made for {one.rule}, the host's path and the plain engine differ"
                    trial.troubles.append(Trouble("prove/fast-differs", one.plain_differs, text))
                    trial.failed.add(CheckName.AGREEMENT)
        elif isinstance(answer, Lost):
            self._lost_samples(done, answer, feed, CheckName.AGREEMENT)

    def _lost_samples(self, done: Done, lost: Lost, feed: Feed, check: CheckName) -> None:
        names = done.job.task.rules
        if len(names) > 1 and not lost.refused:
            for name in names:
                feed.add(Job(Task(TaskKind.AGREE, (name,)), avoid_pid=done.job.avoid_pid))
        else:
            self._trial.troubles += [Trouble(lost.code, name, f"on its own sample: {lost.text}") for name in names]
            self._trial.failed.add(check)

    def _repeat(self, pool: Pool) -> None:
        trial = self._trial
        feed = Feed()
        by_pid: dict[int, list[str]] = {}
        for name in trial.agreements:
            by_pid.setdefault(self._pids[name], []).append(name)
        for pid, names in by_pid.items():
            for chunk in _chunks(names):
                feed.add(Job(Task(TaskKind.AGREE, chunk), avoid_pid=pid))
        total = len(feed.jobs)
        for done in pool.run(feed):
            self._spend(CheckName.REPEAT, done)
            self._step("the same again", total - len(feed.jobs), total)
            if isinstance(done.answer, Agreed):
                for again in done.answer.rules:
                    self._compare(again)
            elif isinstance(done.answer, Lost):
                self._lost_samples(done, done.answer, feed, CheckName.REPEAT)

    def _compare(self, again: Agreement) -> None:
        first = self._trial.agreements.get(again.rule)
        if first is None or set(first.found) == set(again.found):
            if first is not None and not first.plain_differs:
                self._trial.repeated += 1
                self._cache.put(self._key_sample(self._by_name[again.rule]), True)
            return
        odd = min(set(first.found) ^ set(again.found))
        name = self._units[odd].name if odd < len(self._units) else again.rule
        text = f"the same sample, made for {again.rule}, gives another result in another process"
        self._trial.troubles.append(Trouble("prove/not-repeatable", name, text))
        self._trial.failed.add(CheckName.REPEAT)

    # --- small change ----------------------------------------------------------------------------------------------

    @property
    def _goodware(self) -> GoodwareTrial:
        if self._trial.goodware is None:
            raise TypeError("the goodware is made when the engine is known")
        return self._trial.goodware

    def _spend(self, check: CheckName, done: Done) -> None:
        self._trial.spent_ms[check] = self._trial.spent_ms.get(check, 0) + done.cpu_ms

    def _key_sample(self, unit: RuleUnit) -> str:
        return key_of("sample", self._base, unit.digest, self._packs[unit.pack])

    def _key_alone(self, unit: RuleUnit) -> str:
        return key_of("alone", self._base, self._programs_sha256, unit.digest)


def _chunks(names: Collection[str]) -> list[tuple[str, ...]]:
    ordered = list(names)
    size = PROOF_RULES_PER_TASK_MAX
    return [tuple(ordered[at : at + size]) for at in range(0, len(ordered), size)]


def _remembered_cost(name: str, value: object) -> ProbeCost | None:
    """A cost from the cache, or None for anything that is none."""
    if not isinstance(value, dict) or set(value) != {"probe", "cpu_us"}:
        return None
    probe, cpu_us = value["probe"], value["cpu_us"]
    if not isinstance(probe, str) or not isinstance(cpu_us, int) or not 0 <= cpu_us <= limits.PROOF_SLOW_MS_MAX * 1_000:
        return None
    return ProbeCost(name, probe, cpu_us, ())
