"""Rules over events under the gates of a proof: what is asked of the workers, and what it amounts to.

1. Each rule alone meets hostile events; one that kills, hangs or fills its worker is refused for that.  What was tried
   before under the same limits is remembered, by the digest of the rule.
2. All together meet ordinary events, and their self-tests are held.
3. All together meet the events that the author recorded on good machines, part by part; what all parts say is judged
   in the end.
4. A slow or noisy rule closes the gate of each rule alone, a difference of the matchers that of fast and plain, a
   self-test its own, a cost of all together that of the whole release, and what is said of recorded events that of the
   goodware.
"""

import hashlib
import os
from collections.abc import Callable, Sequence

from ringfence.author.proof_cache import ProofCache, key_of
from ringfence.author.proof_jobs import Done, Feed, Job, Lost
from ringfence.author.proof_tasks import Answer, ProbeCost, Task, TaskKind, Tried, Trouble
from ringfence.author.recorded_events import RecordedPart
from ringfence.author.sigma_recorded import Replayed, judge
from ringfence.model import limits
from ringfence.model.detection import DetectionRule, Detections
from ringfence.model.limits import EVENT_RULE_US_MAX, PROOF_RULES_PER_TASK_MAX
from ringfence.model.proof import CheckName
from ringfence.model.release import DetectionPack
from ringfence.wire.detection_ir import decode_detections, encode_detections

_GATES = {
    "sigma/costly": CheckName.WHOLE,
    "sigma/matchers-differ": CheckName.AGREEMENT,
    "sigma/self-test": CheckName.SELF_TESTS,
    "sigma/recorded-cost": CheckName.GOODWARE,
    "sigma/recorded-noise": CheckName.GOODWARE,
}
"""Rule 4: the rest closes the gate of each rule alone."""

_LIMITS = "EVENT_RULE_US_MAX PROBE_EVENTS_MAX PROBE_VALUE_CHARACTERS EXAMPLE_TRIES_ENTRIES_MAX".split()


class EventProver:
    """Rules over events of one release in one engine.  Notes troubles and closed gates where it is told to."""

    def __init__(
        self,
        packs: Sequence[DetectionPack],
        cache: ProofCache,
        base: str,
        troubles: list[Trouble],
        failed: set[CheckName],
        recorded: Sequence[RecordedPart] = (),
    ) -> None:
        self._recorded = recorded
        self._replayed: list[tuple[RecordedPart, Replayed]] = []
        self._rules: dict[str, DetectionRule] = {}
        self._paths: dict[str, str] = {}
        for pack in packs:
            for rule in decode_detections(pack.data, pack.entry.path).rules:
                self._rules[rule.identifier] = rule
                self._paths[rule.identifier] = pack.entry.path
        self._cache = cache
        self._base = key_of(base, *(f"{name}={getattr(limits, name)}" for name in _LIMITS))
        self._troubles = troubles
        self._failed = failed
        self.costs: dict[str, ProbeCost] = {}
        self.mean_us = 0
        self.done = 0
        """Rules of which something was said."""

    @property
    def total(self) -> int:
        """All rules."""
        return len(self._rules)

    def begin(self, feed: Feed) -> None:
        """Ask for what is not remembered."""
        if not self._rules:
            return
        feed.add(Job(Task(TaskKind.EVENTS)))
        for part in self._recorded:
            feed.add(Job(Task(TaskKind.RECORDED, (), (len(part.data),)), part, _prepared(part)))
        left = [name for name, rule in self._rules.items() if not self._remembers(name, rule)]
        self.done = len(self._rules) - len(left)
        for start in range(0, len(left), PROOF_RULES_PER_TASK_MAX):
            feed.add(Job(Task(TaskKind.EVENTS, tuple(left[start : start + PROOF_RULES_PER_TASK_MAX]))))

    def take(self, done: Done, feed: Feed) -> None:
        """Take an answer."""
        names, answer, part = done.job.task.rules, done.answer, done.job.key
        if isinstance(part, RecordedPart):
            self._take_recorded(part, answer)
        elif isinstance(answer, Lost):
            self._lost(names, answer, feed)
        elif isinstance(answer, Tried):
            for trouble in answer.troubles:
                self._refuse(trouble)
            if names:
                self._take_alone(names, answer)
            else:
                self.mean_us = max((cost.cpu_us for cost in answer.costs), default=0)

    @property
    def recorded_events(self) -> int:
        """Recorded events that were replayed."""
        return sum(replayed.events for _, replayed in self._replayed)

    @property
    def recorded_us(self) -> int:
        """What all rules take for a recorded event on average."""
        return sum(replayed.cost_us for _, replayed in self._replayed) // max(1, self.recorded_events)

    def end(self) -> None:
        """Judge what all parts of the recordings say together."""
        for one in judge(list(self._rules.values()), self._replayed):
            self._refuse(Trouble(one.code, one.rule, one.text))

    def _take_recorded(self, part: RecordedPart, answer: Answer | Lost) -> None:
        if isinstance(answer, Replayed) and answer.events == part.events and self._knows(answer):
            self._replayed.append((part, answer))
            return
        code, text = (answer.code, answer.text) if isinstance(answer, Lost) else ("prove/babble", "it tells of others")
        self._troubles.append(Trouble(code, "", f"on the recorded events from {part.place(0)} on: {text}"))
        self._failed.add(CheckName.GOODWARE)

    def _knows(self, answer: Replayed) -> bool:
        """Whether every rule that an answer tells of is one."""
        told = [*answer.differing, *(one.rule for one in answer.rules)]
        return max(told, default=0) < len(self._rules)

    def _take_alone(self, names: Sequence[str], answer: Tried) -> None:
        bad = {trouble.rule for trouble in answer.troubles}
        for cost in answer.costs:
            if cost.name not in names:
                continue
            self.costs[cost.name] = cost
            if cost.name not in bad:
                self._cache.put(self._key(self._rules[cost.name]), cost.cpu_us)
        for name in names:
            if name not in self.costs:
                self._refuse(Trouble("prove/babble", name, "the worker's answer does not tell of it"))
        self.done += len(names)

    def _lost(self, names: Sequence[str], lost: Lost, feed: Feed) -> None:
        if len(names) > 1 and not lost.refused:
            for name in names:
                feed.add(Job(Task(TaskKind.EVENTS, (name,))))
            return
        for name in names or ("",):
            self._refuse(Trouble(lost.code, name, f"on events: {lost.text}"))
        self.done += len(names)

    def _refuse(self, trouble: Trouble) -> None:
        path = trouble.file or self._paths.get(trouble.rule, "")
        self._troubles.append(Trouble(trouble.code, trouble.rule, trouble.text, path, max(1, trouble.line)))
        self._failed.add(_GATES.get(trouble.code, CheckName.ALONE))

    def _remembers(self, name: str, rule: DetectionRule) -> bool:
        value = self._cache.get(self._key(rule))
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= EVENT_RULE_US_MAX:
            return False
        self.costs[name] = ProbeCost(name, "hostile events", value, ())
        return True

    def _key(self, rule: DetectionRule) -> str:
        text = encode_detections(Detections((rule,), ()))
        return key_of(self._base, "events", hashlib.sha256(text).hexdigest())


def _prepared(part: RecordedPart) -> Callable[[Job], int]:
    """What makes a file for a worker out of the lines of a part."""
    return lambda _: _file_of(part)


def _file_of(part: RecordedPart) -> int:
    descriptor = os.memfd_create("events", os.MFD_CLOEXEC)
    view = memoryview(part.data)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor
