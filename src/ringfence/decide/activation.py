"""Which release a host runs, and when it goes back.  step(state, event, now_ms, wall_s) -> (state, commands), no I/O.

Rules:

 1. *One at a time.*  An offered release becomes the candidate when none is tried, nobody holds or pins otherwise, it is
    not refused and (unless the operator brings it) newer than every good release that was signed.  What is declined is
    forgotten: offer it again.  The operator's offer ends a trial in progress.
 2. *Order.*  verified -> compiling (a child under limits, self-tests) -> shadow -> soaking (it runs) -> good.
 3. *Disk first.*  Every change is durable before what it leads to: attempts before the start that they count, deaths
    before the restart, refusals before the release that follows.  Whatever happens, the next start knows of it.  A
    start writes first, changed or not: a record that is new, or of another package, knows what runs before it runs.
 4. *Shadow.*  After `SHADOW_MS_MIN` and `SHADOW_QUESTIONS_MIN` comparisons it is passed.  One block of a vital file,
    more than `SHADOW_KNOWN_FILES_MAX` of long-known ones or `SHADOW_NEW_FILES_MAX` of any, too many deaths or timeouts,
    too much time or memory: refused.  Without enough comparisons in `SHADOW_MS_MAX` the trial ends without a result:
    no data never promotes, and it convicts nobody either; the release may come back after `SHADOW_ASIDE_MS`.
 5. *Soak.*  `SOAK_MS` during which its engine answers, within one life of the warden.  A death begins it anew.
 6. *Trial.*  A candidate that ends in harm `TRIAL_STARTS_MAX` times is refused.  Harm is a death of its engine, or an
    end of the host that nobody ordered while it was tried.  What its child says itself refuses it at once, and so does
    a soak in which its engine computes and answers nothing; of a good release that proves nothing.
 7. *The way back.*  Good releases stand in a chain, the one proven last first, the packaged baseline last.  One that
    dies `RELEASE_DEATHS_MAX` times is refused and the next runs.  Deaths belong to the release: those of the trial
    count on, `FORGIVE_STEPS` x `FORGIVE_STEP_MS` of calm while it runs forgive one.  An end of the host that nobody
    ordered is a death of what ran, unless that had answered for `STEADY_MS`: a good release has lived through a soak,
    and the power is cut far more often than a release that was calm so long takes a host down.
 8. *The end of the way.*  The baseline is never refused.  At `RELEASE_DEATHS_MAX` nothing runs until one is forgiven:
    host up, sensor reduced, no loop.  A new release is tried all the same.  So, between two words from outside, content
    costs a host at most `GOOD_RELEASES_MAX` x `RELEASE_DEATHS_MAX` + `TRIAL_STARTS_MAX` deaths, each followed by at
    most one restart, and one more for each that was forgiven.
 9. *Refusals* hold for the digest until metadata with a higher version vouches for it, or the operator forces it.  They
    stay while it is tried again.  Past `REFUSED_RELEASES_MAX` the oldest becomes a rank: what is above neither its
    version nor its metadata's is as good as refused.
10. *Pin.*  The pinned release runs if it is good; else it may be tried, and meanwhile the first of the chain that is
    not newer runs, at the end the baseline.  A refused release is pinned only by force.  When the pin is taken back,
    the newest good release runs again.
11. *Hold.*  No new candidates but the operator's.  A trial that has not begun to soak is withdrawn; a soak goes on.
12. *Boot guard.*  `PREVIOUS` refuses what ran in the boots that did not become healthy; `BASELINE` does, and drops the
    rest of the chain without refusing it; `OFF` runs nothing and tries nothing.
13. *No memory, no risks.*  While the record cannot be written nothing is tried.  What is good goes on, and falls back
    if it must; its deaths count in memory.  If the host has just gone down without order, only the baseline runs.
14. *Lost files.*  A release whose file is gone leaves the chain or its trial without a refusal.
15. *Clocks.*  Only time between two events counts, at most `ACTIVATION_TICK_MS_MAX` of it.  Wall time is written down.
16. *Somebody else's SIGKILL* is nobody's fault: what ran runs again, a trial that did not run ends without a result.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ringfence.decide.activation_messages import (
    Booted,
    BreakerTripped,
    Command,
    Compile,
    Compiled,
    CompileFailed,
    Damaged,
    EngineDied,
    EngineReady,
    Event,
    Forget,
    Guard,
    Held,
    HoldLifted,
    Idle,
    Offered,
    PersistFailed,
    Pinned,
    Report,
    ReportKind,
    Run,
    ShadowReport,
    StopCandidate,
    Tick,
    Unpinned,
)
from ringfence.decide.activation_trial import (
    begin,
    candidate_died,
    good_died,
    look_at_shadow,
    on_breaker_tripped,
    on_compile_failed,
    on_compiled,
    on_damaged,
    on_engine_died,
    on_engine_ready,
    on_shadow_report,
    refuse_candidate,
    refuse_good,
    soaked,
    withdraw,
)
from ringfence.decide.activation_turn import Activation, Turn, chosen
from ringfence.model import limits
from ringfence.model.activation import Candidate, Hold, How, Pin, Proven, Reason, ReleaseKey, Stage, printable

__all__ = ["Activation", "chosen", "step"]


def step(state: Activation, event: Event, now_ms: int, wall_s: int) -> tuple[Activation, tuple[Command, ...]]:
    """One event: the new state and what to do, in order."""
    if isinstance(event, Booted):
        state = Activation(state.kept, begun=True, last_ms=now_ms)
    elif not state.begun:
        return state, ()
    turn = Turn(state, state.kept, min(max(wall_s, 0), limits.JSON_INTEGER_MAX))
    turn.elapse(now_ms)
    if not isinstance(event, PersistFailed) and (state.asked is not None or state.unclean):
        turn.note(asked=None, durable=None, unkept=False, unclean=False, cautious=False)
    _HANDLERS[type(event)](turn, event)
    return turn.finish()


# --- the start ----------------------------------------------------------------------------------------------------


def _booted(turn: Turn, event: Booted) -> None:
    """Rules 6, 7 and 12."""
    candidate, ran = turn.kept.candidate, turn.kept.arrival.release
    turn.how, turn.again, turn.write = How.WITHDRAWN, True, True
    if candidate is None and ran is not None and turn.kept.find(ran.sha256) is None:
        turn.how = How.PACKAGED  # what ran was the baseline of another package
    turn.note(off=event.guard is Guard.OFF)
    if not event.clean:
        turn.note(unclean=True)
        _host_went_down(turn, candidate, ran)
    turn.keep(steady=False)
    if event.begun and event.guard in (Guard.PREVIOUS, Guard.BASELINE):
        _refuse_what_did_not_boot(turn, candidate, ran, only_baseline=event.guard is Guard.BASELINE)
    candidate = turn.kept.candidate
    if candidate is not None and turn.state.off:
        withdraw(turn, "the boot guard has switched the sensor off")
    elif candidate is not None:
        turn.keep(candidate=replace(candidate, stage=Stage.COMPILING))
        turn.starts = [Compile(candidate.release)]
    turn.stops = []


def _host_went_down(turn: Turn, candidate: Candidate | None, ran: ReleaseKey | None) -> None:
    """One end counts once: against what is new, if anything is; else against what ran, unless it was steady."""
    if candidate is not None:
        candidate_died(turn, candidate, Reason.HOST_CRASHED)
    elif not turn.kept.steady and ran is not None and (good := turn.kept.find(ran.sha256)) is not None:
        good_died(turn, good, Reason.HOST_CRASHED)


def _refuse_what_did_not_boot(
    turn: Turn, candidate: Candidate | None, ran: ReleaseKey | None, *, only_baseline: bool
) -> None:
    """Rule 12.  What was refused for the end of the host already is not followed by the next in the chain."""
    turn.how = How.GUARDED
    if candidate is not None:
        if turn.kept.candidate is not None:
            refuse_candidate(turn, Reason.BOOT_FAILED, "")
    elif ran is not None and (good := turn.kept.find(ran.sha256)) is not None:
        refuse_good(turn, good, Reason.BOOT_FAILED, "")
    if only_baseline:
        turn.keep(chain=turn.kept.chain[-1:])


# --- offers -------------------------------------------------------------------------------------------------------


def _offered(turn: Turn, event: Offered) -> None:
    """Rules 1, 9, 10, 11 and 13."""
    good = turn.kept.find(event.release.sha256)
    refused = _what_forbids(turn, event)
    if not refused and good is not None:
        refused = _choose(turn, event, good)
    elif not refused:
        if turn.kept.candidate is not None:
            withdraw(turn, "the operator brought another release")
        at_once = event.by_operator and event.at_once
        candidate = Candidate(
            event.release, event.signed_version, Stage.COMPILING, 1, not at_once, event.by_operator, turn.wall_s
        )
        begin(turn, candidate)
        turn.report(ReportKind.TRYING, event.release)
        return
    if refused:
        turn.declined.append(event.release)
        turn.report(ReportKind.DECLINED, event.release, refused)


def _what_forbids(turn: Turn, event: Offered) -> str:
    """Why the release is not tried; "": nothing."""
    kept, by_hand = turn.kept, event.by_operator
    refusal = kept.refusal_of(event.release.sha256)
    ranked = max(event.release.version - kept.forgotten_version, event.signed_version - kept.forgotten_signed_version)
    forced = by_hand and event.forced
    pinned = kept.pin is not None and kept.pin.release.sha256 == event.release.sha256
    if turn.state.off:
        return "the boot guard has switched the sensor off"
    if turn.state.unkept:
        return "the record cannot be written"
    if kept.pin is not None and not pinned:
        return f"pinned to {kept.pin.release.label}"
    if kept.hold is not None and not by_hand:
        return "new releases are held"
    if refusal is not None and not forced and event.signed_version <= refusal.signed_version:
        return f"refused: {refusal.reason}"
    if refusal is None and ranked <= 0 and not forced and kept.forgotten_version:
        return "as old as releases that were refused"
    if kept.candidate is not None and not _makes_room(kept.candidate, event):
        return f"{kept.candidate.release.label} is being tried"
    if not by_hand and not pinned and event.release.version <= _newest_signed(turn):
        return "not newer than what is good"
    if not by_hand and turn.state.aside == event.release.sha256:
        return "its trial ended without a result not long ago"
    return ""


def _makes_room(candidate: Candidate, event: Offered) -> bool:
    """The operator's offer ends a trial, its own only if it would spare it the shadow."""
    another = candidate.release.sha256 != event.release.sha256
    return event.by_operator and (another or (event.at_once and candidate.owes_shadow))


def _newest_signed(turn: Turn) -> int:
    return max((one.release.version for one in turn.kept.chain[:-1] if one.signed_version), default=0)


def _choose(turn: Turn, event: Offered, good: Proven) -> str:
    """The operator brings a release that is good already: it runs.  Otherwise why not."""
    if not event.by_operator or good is chosen(turn.kept):
        return "good already"
    if good is turn.kept.baseline:
        return "the release of the package: pin it to run it"
    if turn.kept.candidate is not None:
        withdraw(turn, "the operator brought another release")
    turn.how = How.CHOSEN
    turn.keep(chain=(good, *(one for one in turn.kept.chain if one is not good)))
    return ""


def _tick(turn: Turn, event: Tick) -> None:
    del event
    candidate = turn.kept.candidate
    if turn.state.unkept and not turn.state.retry_ms:
        turn.write = True
    if candidate is not None and candidate.stage is Stage.SHADOW:
        look_at_shadow(turn, candidate)
    elif candidate is not None and candidate.stage is Stage.SOAKING and turn.state.stage_ms >= limits.SOAK_MS:
        soaked(turn, candidate)
    if turn.state.calm_ms >= limits.FORGIVE_STEP_MS:
        turn.note(calm_ms=turn.state.calm_ms - limits.FORGIVE_STEP_MS)
        _forgive(turn)
    if turn.state.steady_ms >= limits.STEADY_MS:
        turn.keep(steady=True)


def _forgive(turn: Turn) -> None:
    """Rules 7 and 8: what runs, or would, has lived in calm for one step more."""
    good = turn.kept.baseline if turn.state.runs is None else chosen(turn.kept)
    if turn.state.runs not in (None, good.release) or not good.deaths:
        return
    steps = turn.kept.calm_steps + 1
    if steps < limits.FORGIVE_STEPS:
        turn.keep(calm_steps=steps)
        return
    forgiven = replace(good, deaths=good.deaths - 1)
    turn.keep(chain=tuple(forgiven if one is good else one for one in turn.kept.chain), calm_steps=0)
    turn.report(ReportKind.FORGIVEN, good.release)


# --- the operator and the disk ------------------------------------------------------------------------------------


def _pinned(turn: Turn, event: Pinned) -> None:
    """Rule 10."""
    refusal, candidate = turn.kept.refusal_of(event.release.sha256), turn.kept.candidate
    is_tried = candidate is not None and candidate.release == event.release
    if refusal is not None and not event.forced and not is_tried:
        turn.report(ReportKind.DECLINED, event.release, f"refused: {refusal.reason}")
        return
    if candidate is not None and not is_tried:
        withdraw(turn, f"pinned to {event.release.label}")
    if event.forced:
        turn.keep(refused=tuple(one for one in turn.kept.refused if one is not refusal))
    turn.keep(pin=Pin(event.release, printable(event.text), turn.wall_s))
    turn.how = How.PINNED


def _unpinned(turn: Turn, event: Unpinned) -> None:
    del event
    candidate = turn.kept.candidate
    turn.keep(pin=None)
    older = candidate is not None and candidate.release.version <= _newest_signed(turn)
    if candidate is not None and older and not candidate.by_operator:
        withdraw(turn, "the pin was taken back")
    *others, baseline = turn.kept.chain
    if others:
        newest = max(others, key=lambda one: one.release.version)
        turn.keep(chain=(newest, *(one for one in others if one is not newest), baseline))
    turn.how = How.UNPINNED


def _held(turn: Turn, event: Held) -> None:
    """Rule 11."""
    turn.keep(hold=Hold(printable(event.text), turn.wall_s))
    candidate = turn.kept.candidate
    if candidate is not None and candidate.stage is not Stage.SOAKING and not candidate.by_operator:
        withdraw(turn, "new releases are held")


def _hold_lifted(turn: Turn, event: HoldLifted) -> None:
    del event
    turn.keep(hold=None)


def _persist_failed(turn: Turn, event: PersistFailed) -> None:
    """Rule 13."""
    asked, turn.mute = turn.state.asked, True
    if asked is None:
        return
    if not turn.state.unkept:
        turn.report(ReportKind.NOT_KEPT, None, printable(event.text))
    cautious = turn.state.cautious or turn.state.unclean
    turn.note(asked=None, unkept=True, unclean=False, cautious=cautious, retry_ms=limits.PERSIST_RETRY_MS)
    turn.again = any(isinstance(one, Run | Idle) for one in asked)
    turn.declined = [one.release for one in asked if isinstance(one, Forget)]
    turn.reports = [*(one for one in asked if isinstance(one, Report)), *turn.reports]
    stops = [one for one in asked if isinstance(one, StopCandidate)]
    candidate = turn.kept.candidate
    if candidate is not None:
        turn.declined.append(candidate.release)
        withdraw(turn, "the record cannot be written")
        if any(isinstance(one, Run) for one in asked):  # it would have run, and is still the child beside what runs
            stops.append(StopCandidate(candidate.release))
    turn.stops = list(dict.fromkeys((*stops, *turn.stops)))


_HANDLERS: Final[dict[type, Callable[..., None]]] = {
    Booted: _booted,
    Offered: _offered,
    Compiled: on_compiled,
    CompileFailed: on_compile_failed,
    ShadowReport: on_shadow_report,
    EngineReady: on_engine_ready,
    EngineDied: on_engine_died,
    BreakerTripped: on_breaker_tripped,
    Tick: _tick,
    Pinned: _pinned,
    Unpinned: _unpinned,
    Held: _held,
    HoldLifted: _hold_lifted,
    Damaged: on_damaged,
    PersistFailed: _persist_failed,
}
