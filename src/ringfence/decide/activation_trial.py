"""What a release goes through: its trial, deaths and refusal.  Rules 4 to 9, 14 and 16 of `decide/activation.py`."""

from dataclasses import replace
from typing import Final

from ringfence.decide.activation_messages import (
    BreakerTripped,
    Cause,
    Compile,
    Compiled,
    CompileFailed,
    Damaged,
    EngineDied,
    EngineReady,
    ReportKind,
    ShadowReport,
    StartShadow,
    StopCandidate,
)
from ringfence.decide.activation_shadow import compared_of, harm_of, is_enough
from ringfence.decide.activation_turn import NO_COUNTS, Turn
from ringfence.model import limits
from ringfence.model.activation import Candidate, How, Proven, Reason, Refusal, ReleaseKey, Stage, printable
from ringfence.model.errors import InternalError

_REASON_OF: Final = {Cause.CRASHED: Reason.CRASHED, Cause.HUNG: Reason.HUNG, Cause.GREW: Reason.GREW}


def begin(turn: Turn, candidate: Candidate) -> None:
    """Start, or start again, with the compiler."""
    turn.keep(candidate=replace(candidate, stage=Stage.COMPILING))
    turn.note(stage_ms=0, counts=NO_COUNTS)
    turn.starts = [Compile(candidate.release)]


# --- the trial ----------------------------------------------------------------------------------------------------


def _tried(turn: Turn, release: ReleaseKey, *stages: Stage) -> Candidate | None:
    """The candidate, if it is this release and in one of these stages."""
    candidate = turn.kept.candidate
    if candidate is None or candidate.release != release or candidate.stage not in stages:
        return None
    return candidate


def on_compiled(turn: Turn, event: Compiled) -> None:
    """Its zygote is ready: it goes to the shadow, or runs if it owes none."""
    candidate = _tried(turn, event.release, Stage.COMPILING)
    if candidate is None:
        return
    if not candidate.owes_shadow:
        _let_run(turn, candidate)
        return
    turn.keep(candidate=replace(candidate, stage=Stage.SHADOW))
    turn.starts = [StartShadow(event.release)]
    turn.report(ReportKind.SHADOWING, event.release)


def on_compile_failed(turn: Turn, event: CompileFailed) -> None:
    """Rule 6: what its child says itself refuses it at once."""
    if _tried(turn, event.release, Stage.COMPILING) is not None:
        refuse_candidate(turn, Reason.NOT_COMPILED, event.text)


def on_shadow_report(turn: Turn, event: ShadowReport) -> None:
    """Rule 4: harm refuses it at once, harmlessness takes its time."""
    candidate = _tried(turn, event.release, Stage.SHADOW)
    if candidate is None:
        return
    turn.note(counts=event.counts)
    harm = harm_of(event.counts)
    if harm is not None:
        refuse_candidate(turn, *harm)
    else:
        look_at_shadow(turn, candidate)


def look_at_shadow(turn: Turn, candidate: Candidate) -> None:
    """Rule 4."""
    if is_enough(turn.state.counts, turn.state.stage_ms):
        _let_run(turn, candidate)
    elif turn.state.stage_ms >= limits.SHADOW_MS_MAX:
        _set_aside(turn, f"only {compared_of(turn.state.counts)} files could be compared")


def _let_run(turn: Turn, candidate: Candidate) -> None:
    turn.keep(candidate=replace(candidate, stage=Stage.SOAKING, owes_shadow=False))
    turn.note(stage_ms=0)
    turn.how = How.TRIED
    turn.report(ReportKind.SOAKING, candidate.release)


def soaked(turn: Turn, candidate: Candidate) -> None:
    """Rules 5 and 7: it is good."""
    proven = Proven(candidate.release, candidate.signed_version, candidate.attempts - 1, turn.wall_s)
    chain = [proven, *turn.kept.chain]
    if len(chain) > limits.GOOD_RELEASES_MAX:
        pinned = turn.kept.pin.release if turn.kept.pin is not None else None
        chain.remove(next(one for one in reversed(chain[1:-1]) if one.release != pinned))
    refused = tuple(one for one in turn.kept.refused if one.release.sha256 != candidate.release.sha256)
    turn.keep(chain=tuple(chain), candidate=None, refused=refused, calm_steps=0)
    turn.note(calm_ms=0)
    turn.report(ReportKind.GOOD, candidate.release)


def candidate_died(turn: Turn, candidate: Candidate, reason: Reason) -> None:
    """Rule 6."""
    if candidate.attempts >= limits.TRIAL_STARTS_MAX:
        refuse_candidate(turn, reason, f"{candidate.attempts} times, the last time {candidate.stage}")
        return
    turn.report(ReportKind.DIED, candidate.release, f"while {candidate.stage}", reason)
    again = replace(candidate, attempts=candidate.attempts + 1)
    if candidate.stage is Stage.SOAKING:
        turn.keep(candidate=again)
        turn.note(stage_ms=0)
        turn.again = True
    else:
        begin(turn, again)


def refuse_candidate(turn: Turn, reason: Reason, text: str) -> None:
    """The trial ends: the release is harmful."""
    candidate = _end_trial(turn)
    turn.how = How.GUARDED if reason is Reason.BOOT_FAILED else How.FELL_BACK
    _refuse(turn, candidate.release, candidate.signed_version, reason, text)


def withdraw(turn: Turn, text: str) -> None:
    """The trial ends without a result."""
    candidate = _end_trial(turn)
    turn.how = How.WITHDRAWN
    turn.report(ReportKind.WITHDRAWN, candidate.release, text)


def _set_aside(turn: Turn, text: str) -> None:
    candidate = turn.kept.candidate
    if candidate is not None:
        turn.note(aside=candidate.release.sha256, aside_ms=limits.SHADOW_ASIDE_MS)
        withdraw(turn, text)


def _end_trial(turn: Turn) -> Candidate:
    candidate = turn.kept.candidate
    if candidate is None:
        raise InternalError("a trial ends that has not begun", "report it with the activation record")
    if candidate.stage is not Stage.SOAKING:
        turn.stops = [StopCandidate(candidate.release)]
    turn.starts = []
    turn.keep(candidate=None)
    return candidate


# --- what runs ----------------------------------------------------------------------------------------------------


def on_engine_ready(turn: Turn, event: EngineReady) -> None:
    """From now on time counts as soak or as calm."""
    if event.release == turn.state.runs:
        turn.note(ready=True)


def on_engine_died(turn: Turn, event: EngineDied) -> None:
    """Rules 6, 7 and 16."""
    if event.cause is Cause.MUTE:
        if _tried(turn, event.release, Stage.SOAKING) is not None:
            refuse_candidate(turn, Reason.HUNG, "its engine computed and answered nothing")
        return
    if event.release == turn.state.runs:
        turn.note(ready=False)
        turn.again = True
    reason = _REASON_OF.get(event.cause)
    candidate = turn.kept.candidate
    if candidate is not None and candidate.release == event.release:
        if reason is not None:
            candidate_died(turn, candidate, reason)
        elif candidate.stage is Stage.SOAKING:
            turn.note(stage_ms=0)
        else:
            _set_aside(turn, "somebody else ended it")
    elif reason is not None and (good := turn.kept.find(event.release.sha256)) is not None:
        good_died(turn, good, reason)


def good_died(turn: Turn, good: Proven, reason: Reason) -> None:
    """Rules 7 and 8."""
    died = replace(good, deaths=min(good.deaths + 1, limits.RELEASE_DEATHS_MAX))
    turn.report(ReportKind.DIED, good.release, f"{died.deaths} of {limits.RELEASE_DEATHS_MAX}", reason)
    turn.keep(chain=tuple(died if one is good else one for one in turn.kept.chain), calm_steps=0, steady=False)
    turn.note(calm_ms=0)
    if died.deaths >= limits.RELEASE_DEATHS_MAX:
        refuse_good(turn, died, reason, f"{died.deaths} times")


def refuse_good(turn: Turn, good: Proven, reason: Reason, text: str) -> None:
    """The next of the chain runs, unless there is none."""
    if good is turn.kept.baseline:
        return
    turn.how = How.GUARDED if reason is Reason.BOOT_FAILED else How.FELL_BACK
    turn.keep(chain=tuple(one for one in turn.kept.chain if one is not good))
    _refuse(turn, good.release, good.signed_version, reason, text)


def _refuse(turn: Turn, release: ReleaseKey, signed_version: int, reason: Reason, text: str) -> None:
    """Rule 9."""
    before = turn.kept.refusal_of(release.sha256)
    if before is not None:  # the operator forced it: that is no newer metadata
        signed_version = max(signed_version, before.signed_version)
    refusal = Refusal(release, signed_version, reason, printable(text), turn.wall_s)
    refused = [*(one for one in turn.kept.refused if one.release.sha256 != release.sha256), refusal]
    if len(refused) > limits.REFUSED_RELEASES_MAX:
        oldest = refused.pop(0)
        turn.keep(
            forgotten_version=max(turn.kept.forgotten_version, oldest.release.version),
            forgotten_signed_version=max(turn.kept.forgotten_signed_version, oldest.signed_version),
        )
    turn.keep(refused=tuple(refused))
    turn.report(ReportKind.REFUSED, release, refusal.text, reason)


def on_breaker_tripped(turn: Turn, event: BreakerTripped) -> None:
    """What condemns so much at once is refused, wherever it stands; the baseline observes, the breaker saw to that."""
    candidate = turn.kept.candidate
    if candidate is not None and candidate.release == event.release:
        refuse_candidate(turn, Reason.BREAKER, event.text)
    elif (good := turn.kept.find(event.release.sha256)) is not None:
        refuse_good(turn, good, Reason.BREAKER, event.text)


def on_damaged(turn: Turn, event: Damaged) -> None:
    """Rule 14."""
    candidate = turn.kept.candidate
    good = turn.kept.find(event.release.sha256)
    if candidate is not None and candidate.release == event.release:
        turn.report(ReportKind.LOST, event.release)
        withdraw(turn, "its file is lost")
    elif good is not None:
        turn.report(ReportKind.LOST, event.release)
        turn.how = How.FELL_BACK
        if good is turn.kept.baseline:
            turn.note(baseline_lost=True)
        else:
            turn.keep(chain=tuple(one for one in turn.kept.chain if one is not good))
