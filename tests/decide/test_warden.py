"""The warden's machine as scripts: who is started, armed, connected and killed, in which order."""

from tests.decide.playbook import Playbook

from ringfence.decide.warden import WardenState, step
from ringfence.decide.warden_messages import (
    Arm,
    BeatStale,
    BecameArmed,
    BecameReady,
    Begin,
    Command,
    Connect,
    Convict,
    Died,
    Disconnect,
    EndTrial,
    Event,
    KeepConviction,
    KeepMode,
    Kill,
    Kind,
    ModeWanted,
    Note,
    NoteKind,
    ReleaseConvicted,
    Retire,
    RuleConvicted,
    RunRelease,
    SetMode,
    Start,
    StopWanted,
    Tick,
    TryRelease,
    WatchGate,
)
from ringfence.model import limits
from ringfence.model.conviction import NOT_CONVICTED
from ringfence.model.verdict import Mode

ZYGOTE, WATCHDOG, COURIER, FIRST, SECOND = 1, 2, 3, 4, 5
Book = Playbook[WardenState, Event, Command]
BACKOFF = limits.RESTART_BACKOFF_MS


def begun() -> Book:
    return Playbook(step, WardenState(mode=Mode.ENFORCE)).on(Begin())


def protected() -> Book:
    """A host whose first gate answers and whose second stands by."""
    book = begun()
    for serial in (ZYGOTE, WATCHDOG, COURIER, FIRST):
        book.on(BecameReady(serial))
    return book.on(BecameArmed(FIRST)).on(BecameReady(SECOND))


# --- the start ----------------------------------------------------------------------------------------------------


def test_the_order_of_the_start() -> None:
    begun().expects(
        Start(ZYGOTE, Kind.ZYGOTE, 1), Start(WATCHDOG, Kind.WATCHDOG, 0), Start(COURIER, Kind.COURIER, 0)
    ).on(BecameReady(WATCHDOG)).expects().on(BecameReady(COURIER)).expects().on(BecameReady(ZYGOTE)).expects(
        Start(FIRST, Kind.GATE, 0), Connect(FIRST, ZYGOTE)
    ).on(BecameReady(FIRST)).expects(
        WatchGate(WATCHDOG, FIRST), Arm(FIRST), Start(SECOND, Kind.GATE, 0), Connect(SECOND, ZYGOTE)
    ).on(BecameArmed(FIRST)).expects(Note(NoteKind.PROTECTED, FIRST)).on(BecameReady(SECOND)).expects(
        WatchGate(WATCHDOG, SECOND), WatchGate(SECOND, FIRST)
    ).on(Tick()).expects()


def test_no_gate_without_scanners() -> None:
    begun().on(BecameReady(WATCHDOG)).expects().on(Tick()).expects()


def test_a_process_that_never_becomes_ready_is_killed() -> None:
    begun().at(limits.PROCESS_READY_MS - 1).on(Tick()).expects().after(1).on(Tick()).expects(
        Kill(ZYGOTE), Kill(WATCHDOG), Kill(COURIER)
    )


def test_a_gate_that_never_becomes_armed_is_killed() -> None:
    book = begun()
    for serial in (ZYGOTE, WATCHDOG, COURIER, FIRST):
        book.on(BecameReady(serial))
    book.after(limits.PROCESS_READY_MS).on(Tick()).includes(Kill(FIRST))


# --- deaths -------------------------------------------------------------------------------------------------------


def test_the_standby_takes_over_and_another_follows() -> None:
    protected().on(Died(FIRST)).expects(
        Note(NoteKind.PROCESS_DIED, FIRST),
        Arm(SECOND),
    ).on(BecameArmed(SECOND)).expects(Note(NoteKind.GATE_REPLACED, SECOND)).after(BACKOFF).on(Tick()).expects(
        Start(6, Kind.GATE, 0), Connect(6, ZYGOTE)
    )


def test_a_standby_that_armed_itself_before_anybody_heard_of_the_death() -> None:
    protected().on(BecameArmed(SECOND)).expects(Note(NoteKind.GATE_REPLACED, SECOND)).on(Died(FIRST)).expects(
        Note(NoteKind.PROCESS_DIED, FIRST)
    )


def test_a_dead_courier_comes_back_after_a_growing_pause() -> None:
    book = protected()
    serial, pause = COURIER, BACKOFF
    for _ in range(8):
        following = book.state.next_serial
        book.on(Died(serial)).expects(Note(NoteKind.PROCESS_DIED, serial))
        book.after(pause - 1).on(Tick()).expects()
        book.after(1).on(Tick()).expects(Start(following, Kind.COURIER, 0))
        serial, pause = following, min(2 * pause, limits.RESTART_BACKOFF_MS_MAX)
        book.on(BecameReady(serial))
    assert book.state.restarts_of(Kind.COURIER) == 8


def test_who_lived_long_starts_with_the_first_pause() -> None:
    book = protected()
    book.on(Died(COURIER)).after(BACKOFF).on(Tick()).expects(Start(6, Kind.COURIER, 0))
    book.on(BecameReady(6)).after(limits.RESTART_CALM_MS).on(Died(6)).after(BACKOFF).on(Tick()).includes(
        Start(7, Kind.COURIER, 0)
    )


def test_a_new_watchdog_is_shown_every_gate() -> None:
    protected().on(Died(WATCHDOG)).after(BACKOFF).on(Tick()).expects(Start(6, Kind.WATCHDOG, 0)).on(
        BecameReady(6)
    ).expects(WatchGate(6, FIRST), WatchGate(6, SECOND))


def test_a_stale_beat_is_death() -> None:
    protected().on(BeatStale(WATCHDOG)).expects(Kill(WATCHDOG)).on(BeatStale(99)).expects()


def test_gates_get_the_scanners_of_a_zygote_that_came_back() -> None:
    book = protected()
    book.on(Died(ZYGOTE)).expects(Note(NoteKind.PROCESS_DIED, ZYGOTE))
    book.after(BACKOFF).on(Tick()).expects(Start(6, Kind.ZYGOTE, 1)).on(BecameReady(6))
    book.includes(Connect(FIRST, 6), Connect(SECOND, 6))
    assert len(book.commands) == 2


def test_gates_that_die_again_and_again_set_the_host_to_observe() -> None:
    book = protected()
    armed, standby = FIRST, SECOND
    for death in range(1, limits.GATE_DEATHS_MAX + 1):
        book.on(Died(armed))
        degraded = Note(NoteKind.DEGRADED) in book.commands
        assert degraded == (death == limits.GATE_DEATHS_MAX)
        book.on(BecameArmed(standby)).after(limits.RESTART_BACKOFF_MS_MAX)
        armed, standby = standby, book.state.next_serial
        book.on(Tick()).includes(Start(standby, Kind.GATE, 0)).on(BecameReady(standby))
    assert book.state.mode is Mode.OBSERVE


def test_gates_that_die_now_and_then_do_not() -> None:
    book = protected()
    armed, standby = FIRST, SECOND
    for _ in range(3 * limits.GATE_DEATHS_MAX):
        book.on(Died(armed)).on(BecameArmed(standby)).after(limits.GATE_DEATHS_WINDOW_MS // 2)
        armed, standby = standby, book.state.next_serial
        book.on(Tick()).on(BecameReady(standby))
    assert book.state.mode is Mode.ENFORCE


# --- releases -----------------------------------------------------------------------------------------------------


def tried(book: Book) -> Book:
    """Release 2 has been compiled by zygote 6, beside the active one."""
    return book.on(TryRelease(2)).on(BecameReady(6))


def test_a_trial_stands_beside_the_active_one_and_no_gate_hears_of_it() -> None:
    book = protected()
    book.on(TryRelease(2)).expects(Start(6, Kind.ZYGOTE, 2))
    book.on(BecameReady(6)).expects(Note(NoteKind.TRIAL_READY, 6, 2))
    assert (book.state.release, book.state.trial) == (1, 2)
    book.on(EndTrial(2)).expects(Kill(6)).on(Died(6)).expects()
    assert (book.state.release, book.state.trial) == (1, 0)


def test_what_was_tried_runs_with_the_zygote_that_is_there() -> None:
    book = tried(protected())
    book.on(RunRelease(2)).expects(Connect(FIRST, 6), Connect(SECOND, 6), Note(NoteKind.RELEASE_ACTIVATED, 6, 2))
    book.on(Tick()).expects().after(limits.PROCESS_RETIRE_MS).on(Tick()).expects(Kill(ZYGOTE))
    book.on(Died(ZYGOTE)).expects()
    assert (book.state.release, book.state.trial) == (2, 0)
    book.on(RunRelease(2)).expects()


def test_what_was_not_tried_is_started_and_the_one_before_serves_until_it_is_ready() -> None:
    book = protected()
    book.on(RunRelease(2)).expects(Start(6, Kind.ZYGOTE, 2))
    book.on(Died(ZYGOTE)).expects(Note(NoteKind.PROCESS_DIED, ZYGOTE))
    book.on(BecameReady(6)).includes(Connect(FIRST, 6), Note(NoteKind.RELEASE_ACTIVATED, 6, 2))
    book.after(limits.RESTART_BACKOFF_MS_MAX).on(Tick()).expects()


def test_what_is_to_run_is_started_until_it_is_ready_while_the_one_before_serves() -> None:
    book = protected().on(RunRelease(2)).on(Died(6)).expects(Note(NoteKind.PROCESS_DIED, 6))
    book.after(BACKOFF).on(Tick()).expects(Start(7, Kind.ZYGOTE, 2))
    book.on(RunRelease(1)).expects(Kill(7), Connect(FIRST, ZYGOTE), Connect(SECOND, ZYGOTE))
    book.on(Died(7)).expects().after(60_000).on(Tick()).expects()


def test_going_back_waits_for_no_pause_of_what_kept_dying() -> None:
    book = tried(protected()).on(RunRelease(2)).on(Died(ZYGOTE))
    book.on(Died(6)).expects(Note(NoteKind.PROCESS_DIED, 6)).on(RunRelease(1)).expects(Start(7, Kind.ZYGOTE, 1))
    book.after(60_000 - 1).on(Tick())
    assert [one.serial for one in book.state.of(Kind.ZYGOTE)] == [7]


def test_nothing_runs_where_nothing_is_to_run_and_something_again_later() -> None:
    book = protected().on(RunRelease(0)).expects(Disconnect(FIRST), Disconnect(SECOND), Kill(ZYGOTE))
    book.on(Died(ZYGOTE)).expects().after(60_000).on(Tick()).expects()
    book.on(RunRelease(1)).expects(Start(6, Kind.ZYGOTE, 1))
    book.on(BecameReady(6)).includes(Connect(FIRST, 6), Connect(SECOND, 6))


def test_a_host_that_begins_with_nothing_starts_no_gate() -> None:
    book = Playbook(step, WardenState(mode=Mode.ENFORCE, release=0, wanted=0)).on(Begin())
    book.expects(Start(1, Kind.WATCHDOG, 0), Start(2, Kind.COURIER, 0)).on(BecameReady(1)).expects()


def test_a_trial_that_dies_changes_nothing() -> None:
    book = protected()
    book.on(TryRelease(2)).on(Died(6)).expects()
    assert (book.state.release, book.state.trial) == (1, 0)
    book.after(60_000).on(Tick()).expects()


def test_a_superseded_trial_says_nothing_even_if_it_is_ready_first() -> None:
    book = protected()
    book.on(TryRelease(2)).on(TryRelease(3)).expects(Kill(6), Start(7, Kind.ZYGOTE, 3))
    book.on(BecameReady(6)).expects()
    book.on(Died(6)).expects()
    book.on(BecameReady(7)).expects(Note(NoteKind.TRIAL_READY, 7, 3))


def test_the_active_zygote_comes_back_while_others_are_tried() -> None:
    book = protected()
    book.on(TryRelease(2)).on(TryRelease(3)).on(Died(ZYGOTE))
    book.after(BACKOFF).on(Tick()).expects(Start(8, Kind.ZYGOTE, 1))


def test_the_gate_that_starts_next_takes_the_new_release() -> None:
    book = tried(protected())
    book.on(RunRelease(2)).on(Died(SECOND)).after(BACKOFF).on(Tick())
    book.includes(Start(7, Kind.GATE, 0), Connect(7, 6))


# --- convictions --------------------------------------------------------------------------------------------------

CONVICTED = NOT_CONVICTED.with_release()


def test_a_convicted_release_is_kept_told_to_every_gate_once_and_the_mode_stays() -> None:
    book = protected().on(ReleaseConvicted(1)).expects(
        KeepConviction(1, CONVICTED),
        Convict(FIRST, 1, CONVICTED),
        Convict(SECOND, 1, CONVICTED),
        Note(NoteKind.RELEASE_CONVICTED, 0, 1),
    ).on(ReleaseConvicted(1)).expects()
    assert book.state.mode is Mode.ENFORCE


def test_a_rule_that_only_observes_is_kept_and_told_as_well() -> None:
    seven = NOT_CONVICTED.with_rule(7)
    book = protected().on(RuleConvicted(1, 7)).expects(
        KeepConviction(1, seven), Convict(FIRST, 1, seven), Convict(SECOND, 1, seven),
        Note(NoteKind.RULE_CONVICTED, 0, 7),
    ).on(RuleConvicted(1, 7)).expects()
    book.on(ReleaseConvicted(1)).includes(KeepConviction(1, seven.with_release()))


def test_a_gate_that_starts_later_has_it_from_the_start() -> None:
    book = protected().on(ReleaseConvicted(1)).on(Died(FIRST)).after(BACKOFF).on(Tick())
    book.expects(Start(6, Kind.GATE, 0), Connect(6, ZYGOTE, CONVICTED))


def test_gates_keep_it_when_the_zygote_comes_back() -> None:
    book = protected().on(ReleaseConvicted(1)).on(Died(ZYGOTE)).after(BACKOFF).on(Tick()).on(BecameReady(6))
    book.includes(Connect(FIRST, 6, CONVICTED), Connect(SECOND, 6, CONVICTED))


def test_a_start_with_a_release_that_was_convicted_before_says_so() -> None:
    book = Playbook(step, WardenState(mode=Mode.ENFORCE, release=0, wanted=0)).on(Begin())
    book.on(RunRelease(1, CONVICTED)).expects(Start(3, Kind.ZYGOTE, 1)).on(BecameReady(3)).expects(
        KeepConviction(1, CONVICTED),
        Note(NoteKind.RELEASE_ACTIVATED, 3, 1),
        Note(NoteKind.RELEASE_CONVICTED, 0, 1),
        Start(4, Kind.GATE, 0),
        Connect(4, 3, CONVICTED),
    )


def test_another_release_begins_without_it() -> None:
    book = tried(protected().on(ReleaseConvicted(1))).on(RunRelease(2))
    book.expects(
        KeepConviction(2, NOT_CONVICTED),
        Connect(FIRST, 6),
        Connect(SECOND, 6),
        Note(NoteKind.RELEASE_ACTIVATED, 6, 2),
    )


def test_a_trial_leaves_it() -> None:
    book = tried(protected().on(ReleaseConvicted(1))).on(EndTrial(2))
    assert book.state.conviction == CONVICTED


def test_what_a_gate_says_of_another_release_is_ignored() -> None:
    book = tried(protected()).on(RunRelease(2))
    book.on(ReleaseConvicted(1)).expects().on(RuleConvicted(1, 3)).expects()


def test_the_operators_word_ends_it() -> None:
    protected().on(ReleaseConvicted(1)).on(ModeWanted(Mode.ENFORCE)).expects(
        KeepConviction(1, NOT_CONVICTED),
        KeepMode(Mode.ENFORCE),
        SetMode(FIRST, Mode.ENFORCE),
        SetMode(SECOND, Mode.ENFORCE),
        Note(NoteKind.MODE_CHANGED, 0, Mode.ENFORCE),
    )


def test_gates_that_die_again_and_again_do_not_end_it() -> None:
    book = protected().on(ReleaseConvicted(1))
    armed, standby = FIRST, SECOND
    for _ in range(limits.GATE_DEATHS_MAX):
        book.on(Died(armed))
        if book.state.mode is Mode.OBSERVE:
            told = book.commands
            assert told.index(SetMode(standby, Mode.OBSERVE)) < told.index(Convict(standby, 1, CONVICTED))
        book.on(BecameArmed(standby)).after(limits.RESTART_BACKOFF_MS_MAX)
        armed, standby = standby, book.state.next_serial
        book.on(Tick()).on(BecameReady(standby))
    assert (book.state.mode, book.state.conviction) == (Mode.OBSERVE, CONVICTED)


# --- the operator -------------------------------------------------------------------------------------------------


def test_every_gate_hears_the_mode() -> None:
    protected().on(ModeWanted(Mode.OBSERVE)).expects(
        KeepMode(Mode.OBSERVE), SetMode(FIRST, Mode.OBSERVE), SetMode(SECOND, Mode.OBSERVE),
        Note(NoteKind.MODE_CHANGED, 0, Mode.OBSERVE),
    )


def test_the_order_of_the_end() -> None:
    protected().on(StopWanted()).expects(Kill(SECOND), Retire(FIRST), Note(NoteKind.STOPPED)).on(
        StopWanted()
    ).expects().on(Died(SECOND)).expects().on(Died(FIRST)).expects(Kill(ZYGOTE), Kill(WATCHDOG), Kill(COURIER))


def test_a_gate_that_does_not_retire_is_killed() -> None:
    protected().on(StopWanted()).after(limits.PROCESS_RETIRE_MS - 1).on(Tick()).expects().after(1).on(Tick()).expects(
        Kill(FIRST), Kill(SECOND)
    )


def test_nothing_is_started_after_the_stop() -> None:
    book = protected().on(Died(COURIER)).on(StopWanted())
    for event in (TryRelease(2), RunRelease(2), Died(ZYGOTE), Died(SECOND), Tick()):
        book.after(limits.RESTART_BACKOFF_MS_MAX).on(event)
        assert not any(isinstance(one, Start | Arm) for one in book.commands)


def test_who_is_unknown_is_ignored() -> None:
    protected().on(Died(99)).expects().on(BecameReady(99)).expects().on(BecameArmed(99)).expects().on(
        BecameArmed(COURIER)
    ).expects()
