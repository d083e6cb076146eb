"""The warden's machine when a rule is left out of the active release: another zygote takes the place of the first."""

from tests.decide.test_warden import FIRST, SECOND, ZYGOTE, protected

from ringfence.decide.warden_messages import (
    BecameReady,
    Connect,
    Died,
    Kill,
    Kind,
    Note,
    NoteKind,
    RenewZygote,
    Start,
    StopWanted,
    Tick,
)
from ringfence.model import limits

SECOND_ZYGOTE, THIRD_ZYGOTE = 6, 7


def test_the_gates_go_over_when_it_is_ready_and_the_first_one_ends() -> None:
    book = protected().on(RenewZygote(1)).expects(Start(SECOND_ZYGOTE, Kind.ZYGOTE, 1))
    book.on(BecameReady(SECOND_ZYGOTE)).expects(Connect(FIRST, SECOND_ZYGOTE), Connect(SECOND, SECOND_ZYGOTE))
    book.on(Tick()).expects()
    book.after(limits.PROCESS_RETIRE_MS).on(Tick()).expects(Kill(ZYGOTE)).on(Died(ZYGOTE)).expects()
    book.after(limits.RESTART_BACKOFF_MS_MAX).on(Tick()).expects()


def test_one_that_fails_changes_nothing() -> None:
    book = protected().on(RenewZygote(1))
    book.on(Died(SECOND_ZYGOTE)).expects(Note(NoteKind.PROCESS_DIED, SECOND_ZYGOTE))
    book.after(limits.RESTART_BACKOFF_MS_MAX).on(Tick()).expects()
    assert book.state.ready_zygote is not None
    assert book.state.ready_zygote.serial == ZYGOTE


def test_a_second_rule_while_it_starts_begins_anew() -> None:
    book = protected().on(RenewZygote(1)).on(RenewZygote(1))
    book.expects(Kill(SECOND_ZYGOTE), Start(THIRD_ZYGOTE, Kind.ZYGOTE, 1))
    book.on(Died(SECOND_ZYGOTE)).expects()
    book.on(BecameReady(THIRD_ZYGOTE)).expects(Connect(FIRST, THIRD_ZYGOTE), Connect(SECOND, THIRD_ZYGOTE))


def test_another_release_and_a_sensor_that_ends_are_left_alone() -> None:
    protected().on(RenewZygote(2)).expects()
    protected().on(StopWanted()).on(RenewZygote(1)).expects()
