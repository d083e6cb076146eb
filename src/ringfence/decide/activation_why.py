"""Why is this host on this release?  Always an answer, and the evidence for it, from what the machine knows.

`why` gives lines in the order in which a person asks: what runs, since when and how it came to that; what speaks
against it; what is being tried and how far it is; what else is good, on the way back; what the operator said; what was
refused and why; what is not as it should be.  Values for programs stand beside the words for people.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from ringfence.decide.activation_shadow import compared_of
from ringfence.decide.activation_turn import Activation, chosen, wanted
from ringfence.model import limits
from ringfence.model.activation import Candidate, How, Proven, Reason, ReleaseKey, Stage

_HOW: Final = {
    How.PACKAGED: "it came with the sensor, and no other release was ever good here",
    How.TRIED: "it was compiled, compared with what ran before, and let run",
    How.FELL_BACK: "what ran before it was refused, or its file was lost",
    How.PINNED: "the operator pinned it, or what is newer was ruled out by the pin",
    How.UNPINNED: "the operator took the pin back, and it is the newest that is good",
    How.CHOSEN: "the operator loaded it, and it was good already",
    How.WITHDRAWN: "what was being tried made room, without being refused",
    How.GUARDED: "boots with what ran before did not become healthy",
    How.CAUTIOUS: "the host went down without order and the record cannot be written",
    How.RETURNED: "what kept it from running is over",
    How.GAVE_UP: "even the release of the package died too often, or its file is lost",
    How.SWITCHED_OFF: "the boot guard switched the sensor off until the operator says otherwise",
}

_REASON: Final = {
    Reason.NOT_COMPILED: "it does not compile, or a self-test does not hold",
    Reason.CRASHED: "its engine crashed",
    Reason.HUNG: "its engine made no progress",
    Reason.GREW: "its engine went over its memory",
    Reason.HOST_CRASHED: "the host went down without order while it was tried or ran",
    Reason.BOOT_FAILED: "boots with it did not become healthy",
    Reason.BLOCKED_VITAL: "it would block what the host cannot do without",
    Reason.BLOCKED_KNOWN: "it would block files that the host has had for long",
    Reason.BLOCKED_NEW: "it would block far more than what runs",
    Reason.SHADOW_CRASHED: "its scanners died on files that others bear",
    Reason.SHADOW_TIMEOUTS: "it did not judge in time",
    Reason.SHADOW_SLOW: "it is far slower than what runs",
    Reason.SHADOW_GREW: "it needs more memory than it may",
    Reason.BREAKER: "it condemned so much at once that the breaker tripped",
}


@unique
class Topic(StrEnum):
    """What a line is about."""

    RUNS = "runs"
    DEATHS = "deaths"
    TRYING = "trying"
    GOOD = "good"
    PIN = "pin"
    HOLD = "hold"
    REFUSED = "refused"
    TROUBLE = "trouble"
    BOOT = "boot"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line: what it is about, in words, which release, since when, and the word of the record if there is one."""

    topic: Topic
    text: str
    release: ReleaseKey | None = None
    at_s: int | None = None
    code: str = ""


def why(state: Activation) -> tuple[Evidence, ...]:
    """Why this host is on this release.  The first line says what it is on."""
    kept = state.kept
    lines = [_runs(state)]
    good = chosen(kept)
    running = wanted(state, kept)
    lines += [_deaths(state, one) for one in kept.chain if one.deaths and one.release in (running, good.release)]
    if kept.candidate is not None:
        lines.append(_trying(state, kept.candidate))
    lines += [_good(one, is_baseline=one is kept.baseline) for one in kept.chain if one.release != running]
    if kept.pin is not None:
        found = "" if kept.find(kept.pin.release.sha256) else "; it is not good here, so nothing newer than it runs"
        lines.append(
            Evidence(Topic.PIN, f"{kept.pin.text or 'no reason given'}{found}", kept.pin.release, kept.pin.at_s)
        )
    if kept.hold is not None:
        lines.append(Evidence(Topic.HOLD, kept.hold.text or "no reason given", None, kept.hold.at_s))
    for one in reversed(kept.refused):
        detail = f": {one.text}" if one.text else ""
        again = f"; metadata above version {one.signed_version} would let it be tried again"
        text = f"{_REASON[one.reason]}{detail}{again}"
        lines.append(Evidence(Topic.REFUSED, text, one.release, one.at_s, one.reason))
    return (*lines, *_troubles(state))


def _runs(state: Activation) -> Evidence:
    arrival = state.kept.arrival
    what = "it runs" if arrival.release is not None else "no release runs, files are allowed unseen"
    answers = "" if arrival.release is None or state.ready else "; its engine does not answer yet"
    return Evidence(Topic.RUNS, f"{what}: {_HOW[arrival.how]}{answers}", arrival.release, arrival.at_s, arrival.how)


def _deaths(state: Activation, proven: Proven) -> Evidence:
    left = limits.FORGIVE_STEPS - state.kept.calm_steps
    hours = -(-left * limits.FORGIVE_STEP_MS // limits.HOUR_MS)
    text = (
        f"{proven.deaths} of {limits.RELEASE_DEATHS_MAX} deaths are held against it; {hours} hours of calm forgive one"
    )
    return Evidence(Topic.DEATHS, text, proven.release)


def _trying(state: Activation, candidate: Candidate) -> Evidence:
    text = f"{candidate.stage}, start {candidate.attempts} of {limits.TRIAL_STARTS_MAX}"
    if candidate.stage is Stage.SHADOW:
        counts = state.counts
        text += (
            f", {state.stage_ms // 1000} s: {compared_of(counts)} of {limits.SHADOW_QUESTIONS_MIN} files compared"
            f" ({counts.questions} live, {counts.replayed} replayed), {counts.new_blocks} new blocks"
            f" ({counts.known_blocks} of long-known, {counts.vital_blocks} of vital files),"
            f" {counts.missed_blocks} missed, {counts.crashes} deaths, {counts.timeouts} timeouts,"
            f" {counts.candidate_ms} ms for {counts.active_ms} ms"
        )
    elif candidate.stage is Stage.SOAKING:
        text += f", {state.stage_ms // 1000} of {limits.SOAK_MS // 1000} s"
    by = "the operator" if candidate.by_operator else f"metadata version {candidate.signed_version}"
    return Evidence(Topic.TRYING, f"{text}; brought by {by}", candidate.release, candidate.since_s, candidate.stage)


def _good(proven: Proven, *, is_baseline: bool) -> Evidence:
    text = "the release of the package, the end of the way back" if is_baseline else "good, on the way back"
    deaths = f", {proven.deaths} deaths" if proven.deaths else ""
    return Evidence(Topic.GOOD, f"{text}{deaths}", proven.release, proven.proven_at_s)


def _troubles(state: Activation) -> list[Evidence]:
    found = []
    if state.unkept and state.asked is None:
        found.append(Evidence(Topic.TROUBLE, "the record cannot be written: nothing new is tried", code="not-kept"))
    if state.cautious:
        found.append(Evidence(Topic.TROUBLE, "until it can, only the release of the package runs", code="cautious"))
    if state.off:
        found.append(Evidence(Topic.TROUBLE, "the boot guard has switched the sensor off", code="off"))
    if state.baseline_lost:
        text = "the file of the package's release is lost"
        found.append(Evidence(Topic.TROUBLE, text, state.kept.baseline.release, code="baseline-lost"))
    if state.aside:
        hours = -(-state.aside_ms // limits.HOUR_MS)
        text = f"a trial ended without a result; not again for {hours} hours: {state.aside[:12]}"
        found.append(Evidence(Topic.TROUBLE, text, code="aside"))
    return found
