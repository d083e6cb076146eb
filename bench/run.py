"""The run: pairs of an unprotected and a protected side in alternating order, with everything undone at the end."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.figures import Pair, SubjectKey
from bench.ground import Ground
from bench.materials import Materials
from bench.progress import Progress
from bench.status import HostSnapshot, cpu_us_per_question
from bench.subjects import Place, Subject, SubjectFailedError, lay_probe
from bench.works import SESSIONS, Measured, Scene, Sizes, Step, StepFailedError, StepStuckError, steps_of

FAILURES_MAX: Final = 2
"""After so many failed sides a subject is left out of the rest of the run."""

PURE_SESSION: Final = "latency"
"""The session that only asks: no closed files and no writers cost the gate anything beside its questions."""

UNITS: Final = {"gate_cpu_per_question": "us", "memory_pss": "MB", "ready": "s"}
"""Figures that are noted beside the pairs."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A subject in the run: its key, how to make one for a start, and how much it does."""

    key: SubjectKey
    make: Callable[[Place], Subject]
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class Plan:
    """What the run is to do."""

    home: Path
    materials: Materials
    contenders: tuple[Contender, ...]
    wanted: tuple[str, ...]
    pairs: int
    file_system: str
    seconds_max: float


@dataclass(slots=True)
class Outcome:
    """What the run has found so far."""

    pairs: list[Pair] = field(default_factory=list)
    noted: dict[tuple[str, SubjectKey], list[float]] = field(default_factory=lambda: defaultdict(list))
    complaints: list[str] = field(default_factory=list)
    failures: dict[SubjectKey, int] = field(default_factory=lambda: defaultdict(int))


def run(plan: Plan, outcome: Outcome, progress: Progress) -> None:
    """Measure every pair of the plan into `outcome`; what was measured stays there when the run is interrupted."""
    begin, longest_round = time.monotonic(), 0.0
    _warm_up(plan, progress)
    for pair in range(plan.pairs):
        round_begin = time.monotonic()
        if round_begin - begin + longest_round > plan.seconds_max:
            outcome.complaints.append(f"only {pair} of {plan.pairs} pairs: the time for the whole run was used up")
            break
        for contender in plan.contenders:
            for session in SESSIONS:
                _measure_pair(plan, contender, session, pair, outcome, progress)
        longest_round = max(longest_round, time.monotonic() - round_begin)


def _warm_up(plan: Plan, progress: Progress) -> None:
    """Do everything once unprotected and forget the times: the first run pays for cold memory and programs."""
    progress.show("warming up")
    largest = max(plan.contenders, key=lambda contender: contender.sizes.read, default=None)
    for session in SESSIONS:
        if largest is not None and steps_of(session, plan.wanted):
            _side(plan, largest, session, protected=False, outcome=Outcome())


def _measure_pair(
    plan: Plan, contender: Contender, session: str, pair: int, outcome: Outcome, progress: Progress
) -> None:
    """One session on both sides.  A subject that fails is noted, and left out when it fails again and again."""
    steps = len(steps_of(session, plan.wanted))
    if not steps or outcome.failures[contender.key] >= FAILURES_MAX:
        progress.advance(2)
        return
    sides: dict[bool, dict[str, Measured]] = {}
    for protected in (False, True) if pair % 2 == 0 else (True, False):
        progress.show(f"pair {pair + 1}: {session}, {' '.join(contender.key) if protected else 'unprotected'}")
        try:
            sides[protected] = _side(plan, contender, session, protected=protected, outcome=outcome)
        except (SubjectFailedError, StepStuckError, StepFailedError) as failure:
            outcome.failures[contender.key] += 1
            outcome.complaints.append(f"{' '.join(contender.key)}, {session}, pair {pair + 1}: {failure}")
        progress.advance(1)
    if True in sides and False in sides:
        bare, guarded = sides[False], sides[True]
        outcome.pairs += [Pair(work, contender.key, bare[work], guarded[work]) for work in bare if work in guarded]


def _side(plan: Plan, contender: Contender, session: str, *, protected: bool, outcome: Outcome) -> dict[str, Measured]:
    """One side on a fresh file system.  Whatever happens, the subject is ended before the ground is left."""
    with Ground(plan.home, plan.file_system) as ground:
        place = Place(plan.home, ground.path)
        lay_probe(place)
        subject = contender.make(place) if protected else None
        scene = Scene(
            plan.home,
            ground.path,
            plan.materials,
            contender.sizes,
            plan.wanted,
            subject.quiet if subject else _no_wait,
            subject.kill if subject else _nothing,
            {},
        )
        steps = steps_of(session, plan.wanted)
        for step in steps:
            step.prepare(scene)
        ground.settle()
        if subject is None:
            _perform(steps, scene)
            return scene.done
        try:
            subject.start()
            subject.quiet()
            _check(subject, contender, outcome)
            before = subject.host_snapshot()
            _perform(steps, scene)
            _note(subject, contender, session, before, outcome)
        finally:
            subject.stop()
        return scene.done


def _perform(steps: list[Step], scene: Scene) -> None:
    """All works of a session, in order."""
    for step in steps:
        step.perform(scene)


def _check(subject: Subject, contender: Contender, outcome: Outcome) -> None:
    """A subject that does not refuse the test file does not protect, and its times would mean nothing."""
    outcome.noted["ready", contender.key].append(subject.ready_s)
    if subject.refuses_probe and not subject.probe_refused():
        raise SubjectFailedError("it lets the test file through, so it does not protect")


def _note(subject: Subject, contender: Contender, session: str, before: HostSnapshot | None, outcome: Outcome) -> None:
    """Memory, and the gate's CPU time per question, of one session."""
    outcome.noted["memory_pss", contender.key].append(subject.pss() / 1e6)
    after = subject.host_snapshot()
    if before is not None and after is not None:
        if after.questions <= before.questions:
            raise SubjectFailedError("the kernel asked it nothing, so it did not protect")
        spent = cpu_us_per_question(before, after)
        if spent is not None and session == PURE_SESSION:
            outcome.noted["gate_cpu_per_question", contender.key].append(spent)


def _no_wait() -> float:
    return 0.0


def _nothing() -> None:
    pass
