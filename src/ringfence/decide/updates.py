"""When a host looks for an update, and what it makes of how the look ended: step(state, event, now).  No I/O.

1. One look at a time.  The first comes soon after the start; then one each interval, with jitter, so that a fleet does
   not come at once.
2. A look that nobody answered is repeated sooner, after pauses that double up to the interval.  One that was refused is
   not: whoever lies will lie again, and whoever made a mistake needs time.
3. A look that takes too long is ended.
4. Nothing here touches the running release: metadata that has expired is *said*, days ahead and afterwards, and the
   host goes on with what it has.
5. What is said is said once, until it changes.
"""

from dataclasses import dataclass, replace
from enum import StrEnum, unique

from ringfence.model import limits
from ringfence.model.update import UpdateOutcome, UpdateReport

_PERMILLE = 1_000


@dataclass(frozen=True, slots=True)
class Moment:
    """Both clocks: one for pauses, one for expiry."""

    monotonic_ms: int
    unix_s: int


@unique
class Trouble(StrEnum):
    """What the operator and the control plane are told."""

    NONE = "none"
    STALE = "stale"
    """The first document that the host believes expires soon, or has expired."""

    REFUSED = "refused"
    """What came is not genuine, or cannot be kept."""


@dataclass(frozen=True, slots=True)
class UpdatesState:
    """All that is known about updates."""

    due_ms: int
    looking_since_ms: int = -1
    """-1: no look is under way."""

    failures: int = 0
    last: UpdateReport | None = None
    told: Trouble = Trouble.NONE
    told_detail: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class LookWanted:
    """The operator wants a look now."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The look is over.  `report` is None when it died without a word."""

    report: UpdateReport | None
    jitter_permille: int


@dataclass(frozen=True, slots=True)
class StartLook:
    """Start an updater."""


@dataclass(frozen=True, slots=True)
class EndLook:
    """Kill it; `Ended` follows."""


@dataclass(frozen=True, slots=True)
class Tell:
    """Say this.  `Trouble.NONE`: what was said before is over."""

    trouble: Trouble
    detail: str


Event = Tick | LookWanted | Ended
Command = StartLook | EndLook | Tell
Step = tuple[UpdatesState, tuple[Command, ...]]


def begin(now: Moment, jitter_permille: int) -> UpdatesState:
    """The state at the start."""
    return UpdatesState(due_ms=now.monotonic_ms + limits.UPDATE_FIRST_LOOK_MS * jitter_permille // _PERMILLE)


def step(state: UpdatesState, event: Event, now: Moment) -> Step:
    """One event: the new state and what to do, in order."""
    match event:
        case Tick():
            return _tick(state, now)
        case LookWanted():
            return _start(state, now) if state.looking_since_ms < 0 else (state, ())
        case Ended(report, jitter_permille):
            return _ended(state, report, jitter_permille, now)


def wake_at_ms(state: UpdatesState) -> int:
    """When the next look is due, or the one under way has taken too long."""
    return state.due_ms if state.looking_since_ms < 0 else state.looking_since_ms + limits.UPDATE_LOOK_MS_MAX


def _tick(state: UpdatesState, now: Moment) -> Step:
    if state.looking_since_ms >= 0:
        late = now.monotonic_ms - state.looking_since_ms >= limits.UPDATE_LOOK_MS_MAX
        return (replace(state, looking_since_ms=now.monotonic_ms), (EndLook(),)) if late else _told(state, now)
    return _start(state, now) if now.monotonic_ms >= state.due_ms else _told(state, now)


def _start(state: UpdatesState, now: Moment) -> Step:
    return replace(state, looking_since_ms=now.monotonic_ms), (StartLook(),)


def _ended(state: UpdatesState, report: UpdateReport | None, jitter_permille: int, now: Moment) -> Step:
    """Rules 1 and 2."""
    answered = report is not None and report.outcome is not UpdateOutcome.UNREACHABLE
    failures = 0 if answered else state.failures + 1
    if failures:
        doubled = limits.UPDATE_RETRY_MS << min(failures - 1, limits.COURIER_DOUBLINGS_MAX)
        wait_ms = min(doubled, limits.UPDATE_INTERVAL_MS)
    else:
        wait_ms = limits.UPDATE_INTERVAL_MS
    half = wait_ms // 2
    due_ms = now.monotonic_ms + half + half * jitter_permille // _PERMILLE
    last = report if answered or state.last is None else state.last  # silence clears nobody
    state = replace(state, due_ms=due_ms, looking_since_ms=-1, failures=failures, last=last)
    return _told(state, now)


def _told(state: UpdatesState, now: Moment) -> Step:
    """Rules 4 and 5."""
    trouble, detail = _trouble(state.last, now)
    if (trouble, detail) == (state.told, state.told_detail) or (trouble is state.told is Trouble.STALE):
        return state, ()
    return replace(state, told=trouble, told_detail=detail), (Tell(trouble, detail),)


def _trouble(last: UpdateReport | None, now: Moment) -> tuple[Trouble, str]:
    if last is None:
        return Trouble.NONE, ""
    if last.outcome in (UpdateOutcome.REFUSED, UpdateOutcome.DISK_FULL):
        return Trouble.REFUSED, last.detail
    left_s = last.expires_at_s - now.unix_s
    if last.outcome is UpdateOutcome.EXPIRED or (last.expires_at_s and left_s <= limits.UPDATE_STALE_AHEAD_S):
        if left_s <= 0:
            return Trouble.STALE, "the signed metadata has expired; the running release stays"
        hours = left_s // limits.SECONDS_PER_HOUR
        return Trouble.STALE, f"the signed metadata expires in {hours} hours, and nobody renews it"
    return Trouble.NONE, ""
