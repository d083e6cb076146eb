"""One step of the activation machine in progress: what it changes, and in which order that becomes commands.

Here live the parts of the rules that hold for every event: disk first (3), the chain and the pin (7, 8, 10), no memory,
no risks (13), files (14), clocks (15).  The rules themselves stand in `decide/activation.py`.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from ringfence.decide.activation_messages import (
    Command,
    Forget,
    Idle,
    Persist,
    Report,
    ReportKind,
    Run,
    ShadowCounts,
)
from ringfence.model import limits
from ringfence.model.activation import ActivationState, Arrival, How, Proven, Reason, ReleaseKey, Stage

NO_COUNTS = ShadowCounts()


@dataclass(frozen=True, slots=True)
class Activation:
    """All that the machine knows.  `kept` survives a restart; everything else begins anew with each `Booted`."""

    kept: ActivationState
    durable: ActivationState | None = None
    """What the disk holds, when that is not `kept`."""

    asked: tuple[Command, ...] | None = None
    """What the last step wanted after its `Persist`, until it is known whether that was made durable."""

    begun: bool = False
    unkept: bool = False
    """The last attempt to write the record failed."""

    unclean: bool = False
    """The last `Persist` was to write down an end of the host that nobody ordered."""

    cautious: bool = False
    """Rule 13: that could not be written down."""

    off: bool = False
    baseline_lost: bool = False
    runs: ReleaseKey | None = None
    ready: bool = False
    """The engine of `runs` answers."""

    last_ms: int = 0
    stage_ms: int = 0
    """Time of the candidate in its stage."""

    calm_ms: int = 0
    steady_ms: int = 0
    """How long the good release that runs has answered in this life."""

    retry_ms: int = 0
    counts: ShadowCounts = NO_COUNTS
    aside: str = ""
    """Digest of the release whose trial ended without a result last."""

    aside_ms: int = 0

    @property
    def files(self) -> frozenset[str]:
        """Digests of the releases whose files must stay: what is believed names them, or what the disk holds."""
        return self.kept.files if self.durable is None else self.kept.files | self.durable.files


def chosen(kept: ActivationState) -> Proven:
    """The good release that the chain and the pin name: rules 7 and 10."""
    if kept.pin is None:
        return kept.chain[0]
    pinned = kept.find(kept.pin.release.sha256)
    if pinned is not None:
        return pinned
    newest = kept.pin.release.version
    return next((one for one in kept.chain[:-1] if one.release.version <= newest), kept.baseline)


def wanted(state: Activation, kept: ActivationState) -> ReleaseKey | None:
    """The release that has to run; None: nothing."""
    candidate = kept.candidate
    if state.off:
        return None
    if candidate is not None and candidate.stage is Stage.SOAKING:
        return candidate.release
    good = kept.baseline if state.cautious else chosen(kept)
    if good is kept.baseline and (state.baseline_lost or good.deaths >= limits.RELEASE_DEATHS_MAX):
        return None
    return good.release


@dataclass(slots=True)
class Turn:
    """What a step has found out so far.  `kept` is what shall survive a restart."""

    state: Activation
    kept: ActivationState
    wall_s: int
    how: How = How.RETURNED
    """How the host comes to what it runs, should that change."""

    again: bool = False
    """What runs has to be told again."""

    write: bool = False
    """The record has to be written although it has not changed."""

    mute: bool = False
    """The disk has just refused: nothing is written in this step."""

    stops: list[Command] = field(default_factory=list)
    starts: list[Command] = field(default_factory=list)
    declined: list[ReleaseKey] = field(default_factory=list)
    reports: list[Command] = field(default_factory=list)

    def note(self, **changes: Any) -> None:  # noqa: ANN401 - fields of `Activation`
        """Change what is forgotten at the next start."""
        self.state = replace(self.state, **changes)

    def keep(self, **changes: Any) -> None:  # noqa: ANN401 - fields of `ActivationState`
        """Change what survives a restart."""
        self.kept = replace(self.kept, **changes)

    def report(
        self, kind: ReportKind, release: ReleaseKey | None, text: str = "", reason: Reason | None = None
    ) -> None:
        """Tell people."""
        self.reports.append(Report(kind, release, text, reason))

    def elapse(self, now_ms: int) -> None:
        """Rule 15."""
        state = self.state
        passed_ms = min(max(now_ms - state.last_ms, 0), limits.ACTIVATION_TICK_MS_MAX)
        candidate = self.kept.candidate
        stage = None if candidate is None else candidate.stage
        counts = stage is Stage.SHADOW or (stage is Stage.SOAKING and state.ready)
        calm = not state.off and (state.ready or state.runs is None)
        aside_ms = max(state.aside_ms - passed_ms, 0)
        self.note(
            last_ms=now_ms,
            stage_ms=state.stage_ms + passed_ms if counts else state.stage_ms,
            calm_ms=state.calm_ms + passed_ms if calm else state.calm_ms,
            steady_ms=state.steady_ms + passed_ms if state.ready and stage is not Stage.SOAKING else 0,
            retry_ms=max(state.retry_ms - passed_ms, 0),
            aside_ms=aside_ms,
            aside=state.aside if aside_ms else "",
        )

    def finish(self) -> tuple[Activation, tuple[Command, ...]]:
        """The new state, and the commands in their order: disk, stop, run, start, forget, report."""
        self._settle_what_runs()
        before = self.state.durable or self.state.kept
        write = not self.mute and (self.write or self.kept != self.state.kept)
        gone = [*self.declined, *_gone(before, self.kept)] if write else self.declined
        named = before.files | self.kept.files if not write else self.kept.files
        forgets = [Forget(one) for one in dict.fromkeys(gone) if one.sha256 not in named]
        rest = (*self.stops, *self._level(), *self.starts, *forgets, *self.reports)
        if write:
            self.note(asked=rest, durable=before, kept=self.kept)
            return self.state, (Persist(self.kept), *rest)
        if self.kept is not self.state.kept:
            self.note(kept=self.kept)
        return self.state, rest

    def _settle_what_runs(self) -> None:
        release = wanted(self.state, self.kept)
        if release != self.kept.arrival.release:
            how = self.how
            if release is None:
                how = How.SWITCHED_OFF if self.state.off else How.GAVE_UP
            elif self.state.cautious:
                how = How.CAUTIOUS
            self.keep(arrival=Arrival(release, how, self.wall_s), calm_steps=0, steady=False)
            self.note(calm_ms=0, steady_ms=0)
            self.report(ReportKind.IDLE if release is None else ReportKind.RUNS, release, how)
        if release != self.state.runs:
            self.again = True

    def _level(self) -> tuple[Command, ...]:
        if not self.again:
            return ()
        release = wanted(self.state, self.kept)
        self.note(runs=release, ready=False)
        return (Idle() if release is None else Run(release),)


def _gone(before: ActivationState, after: ActivationState) -> list[ReleaseKey]:
    """The releases whose files are no longer needed."""
    named = [one.release for one in before.chain[:-1]]
    if before.candidate is not None:
        named.append(before.candidate.release)
    return [one for one in named if one.sha256 not in after.files]
