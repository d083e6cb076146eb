"""When a host looks for an update, and what it says about how the look ended."""

from ringfence.decide.updates import (
    Ended,
    EndLook,
    Event,
    LookWanted,
    Moment,
    StartLook,
    Tell,
    Tick,
    Trouble,
    UpdatesState,
    begin,
    step,
    wake_at_ms,
)
from ringfence.model import limits
from ringfence.model.update import UpdateOutcome, UpdateReport

DAY_S = 86_400
NOW_S = 1_000 * DAY_S
FRESH = NOW_S + 3 * DAY_S


def at(ms: int, unix_s: int = NOW_S) -> Moment:
    return Moment(ms, unix_s)


def report(outcome: UpdateOutcome, expires_at_s: int = FRESH, detail: str = "why") -> UpdateReport:
    return UpdateReport(outcome, expires_at_s, detail)


def after(*events: tuple[Event, Moment]) -> tuple[UpdatesState, list[object]]:
    """The state and every command after a script of events."""
    state = begin(at(0), 1_000)
    said: list[object] = []
    for event, moment in events:
        state, commands = step(state, event, moment)
        said += commands
    return state, said


def looked(outcome: UpdateOutcome, *, expires_at_s: int = FRESH) -> tuple[UpdatesState, list[object]]:
    return after((LookWanted(), at(0)), (Ended(report(outcome, expires_at_s), 0), at(10)))


def test_the_first_look_comes_soon_and_not_at_once() -> None:
    state = begin(at(0), 500)
    assert wake_at_ms(state) == limits.UPDATE_FIRST_LOOK_MS // 2
    assert step(state, Tick(), at(wake_at_ms(state) - 1))[1] == ()
    assert step(state, Tick(), at(wake_at_ms(state)))[1] == (StartLook(),)


def test_one_look_at_a_time() -> None:
    assert after((LookWanted(), at(0)), (LookWanted(), at(1)), (Tick(), at(2)))[1] == [StartLook()]


def test_looks_follow_each_other_with_jitter_between_half_of_the_interval_and_the_whole() -> None:
    for jitter, wanted in ((0, limits.UPDATE_INTERVAL_MS // 2), (1_000, limits.UPDATE_INTERVAL_MS)):
        state, _ = after((LookWanted(), at(0)), (Ended(report(UpdateOutcome.CURRENT), jitter), at(10)))
        assert state.due_ms == 10 + wanted


def test_a_look_that_nobody_answered_is_repeated_after_pauses_that_double() -> None:
    state, waits, now = begin(at(0), 0), [], 0
    for _ in range(12):
        state, _ = step(state, LookWanted(), at(now))
        state, said = step(state, Ended(report(UpdateOutcome.UNREACHABLE), 1_000), at(now))
        assert said == ()
        waits.append(state.due_ms - now)
        now = state.due_ms
    assert waits[:4] == [30_000, 60_000, 120_000, 240_000]
    assert waits[-1] == limits.UPDATE_INTERVAL_MS
    state, _ = step(state, LookWanted(), at(now))
    state, _ = step(state, Ended(report(UpdateOutcome.CURRENT), 1_000), at(now))
    assert state.failures == 0


def test_a_look_that_was_refused_is_not_hurried() -> None:
    state, said = looked(UpdateOutcome.REFUSED)
    assert state.due_ms - 10 == limits.UPDATE_INTERVAL_MS // 2
    assert said == [StartLook(), Tell(Trouble.REFUSED, "why")]


def test_a_look_that_takes_too_long_is_ended() -> None:
    late = limits.UPDATE_LOOK_MS_MAX
    assert after((LookWanted(), at(0)), (Tick(), at(late - 1)))[1] == [StartLook()]
    assert after((LookWanted(), at(0)), (Tick(), at(late)))[1] == [StartLook(), EndLook()]


def test_a_look_that_died_counts_as_unanswered() -> None:
    state, said = after((LookWanted(), at(0)), (Ended(None, 0), at(10)))
    assert (state.failures, said) == (1, [StartLook()])


def test_the_same_trouble_is_said_once_and_its_end_too() -> None:
    state, said = looked(UpdateOutcome.REFUSED)
    for outcome in (UpdateOutcome.REFUSED, UpdateOutcome.REFUSED, UpdateOutcome.CURRENT, UpdateOutcome.CURRENT):
        state, _ = step(state, LookWanted(), at(20))
        state, commands = step(state, Ended(report(outcome), 0), at(30))
        said += commands
    assert said == [StartLook(), Tell(Trouble.REFUSED, "why"), Tell(Trouble.NONE, "")]


def test_silence_clears_nobody() -> None:
    state, _ = looked(UpdateOutcome.REFUSED)
    state, _ = step(state, LookWanted(), at(20))
    state, said = step(state, Ended(report(UpdateOutcome.UNREACHABLE), 0), at(30))
    assert (said, state.told) == ((), Trouble.REFUSED)


def test_stale_metadata_is_said_a_day_ahead_and_nothing_else_happens() -> None:
    """R42: a clock past every expiry, and the host goes on."""
    state, said = looked(UpdateOutcome.CURRENT)
    assert said == [StartLook()]
    soon = FRESH - limits.UPDATE_STALE_AHEAD_S
    state, commands = step(state, Tick(), at(11, soon - 1))
    assert commands == ()
    state, commands = step(state, Tick(), at(12, soon))
    assert commands == (Tell(Trouble.STALE, "the signed metadata expires in 24 hours, and nobody renews it"),)
    for later in (soon + 3_600, FRESH, FRESH + 10_000 * DAY_S):
        state, commands = step(state, Tick(), at(13, later))
        assert commands == ()
    assert state.told is Trouble.STALE
    state, _ = step(state, LookWanted(), at(14, FRESH))
    state, commands = step(state, Ended(report(UpdateOutcome.CURRENT, FRESH + 3 * DAY_S), 0), at(15, FRESH))
    assert commands == (Tell(Trouble.NONE, ""),)


def test_expired_metadata_is_stale_and_no_accusation() -> None:
    state, said = looked(UpdateOutcome.EXPIRED, expires_at_s=NOW_S - 1)
    assert said[-1] == Tell(Trouble.STALE, "the signed metadata has expired; the running release stays")
    assert state.failures == 0


def test_a_full_disk_is_said() -> None:
    assert looked(UpdateOutcome.DISK_FULL)[1][-1] == Tell(Trouble.REFUSED, "why")
