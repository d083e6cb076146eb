"""The courier's machine as scripts: events in, the exact commands out."""

import dataclasses

import pytest
from tests.unit.wire.detection_examples import FINDINGS, SIGHTING
from tests.unit.wire.record_examples import RULE

from ringfence.decide.courier import CourierState, accepts, begin, step, wake_at_ms
from ringfence.decide.courier_messages import (
    Acknowledge,
    BeginEpoch,
    Command,
    Delivered,
    DeliveryFailed,
    Event,
    EventArrived,
    Failure,
    FindingsArrived,
    Forget,
    NothingToSend,
    Now,
    SendNext,
    SightingArrived,
    StatusArrived,
    Store,
    Stored,
    StoringFailed,
    TableArrived,
    TurnEnded,
)
from ringfence.model import limits
from ringfence.model.records import (
    Alert,
    HostEventKind,
    HostStatus,
    Lost,
    RecordKey,
    ReleaseReference,
    SkippedFile,
)
from ringfence.model.verdict import Mode, Outcome, UnknownReason
from ringfence.wire.detections import Sighting
from ringfence.wire.rule_table import RuleTable
from ringfence.wire.sensor_reports import SensorEvent, StatusReport

GATE = SIGHTING.gate_id
EPOCH = "00000000000000aa"
SEND = SendNext(limits.UPLINK_RECORDS_MAX)
NEARLY_FULL = limits.SPOOL_BYTES_MAX - limits.SPOOL_RESERVED_BYTES + 1


def sighting(number: int, oldest_kept: int = 1) -> Sighting:
    return dataclasses.replace(SIGHTING, number=number, oldest_kept=oldest_kept)


def skipped(number: int) -> Sighting:
    return dataclasses.replace(
        sighting(number),
        outcome=Outcome.UNKNOWN,
        reason=UnknownReason.QUEUE_FULL,
        response=None,
        top_rule=None,
    )


def delivered(last: int, through: int, stored_last: int = 100) -> Delivered:
    return Delivered(EPOCH, 1, last, through, RecordKey(EPOCH, stored_last), 0)


def failed(why: Failure, last: int = 3) -> DeliveryFailed:
    return DeliveryFailed(why, EPOCH, last, 1_000)


def play(state: CourierState, *events: Event, at_ms: int = 0) -> tuple[CourierState, list[Command]]:
    """The state after the events, and all commands in order."""
    found: list[Command] = []
    for event in events:
        state, commands = step(state, event, Now(at_ms, at_ms + 5))
        found += commands
    return state, found


def stored(state: CourierState) -> Store:
    """The store command that the end of a turn brings."""
    _, commands = play(state, TurnEnded())
    (store,) = [command for command in commands if isinstance(command, Store)]
    return store


def idle() -> CourierState:
    return play(begin([], 0), TurnEnded(), NothingToSend())[0]


def test_a_start_asks_for_what_the_spool_still_holds() -> None:
    assert play(begin([(GATE, 4)], 9), TurnEnded())[1] == [SEND]
    state, commands = play(begin([], 0), TurnEnded(), NothingToSend(), TurnEnded())
    assert commands == [SEND]
    assert wake_at_ms(state) is None


def test_a_sighting_is_acknowledged_after_it_is_stored_and_not_before() -> None:
    state, commands = play(idle(), SightingArrived(sighting(1)), SightingArrived(sighting(2)))
    assert commands == []
    state, commands = play(state, TurnEnded())
    assert [type(command) for command in commands] == [Store]
    state, commands = play(state, Stored(700))
    assert commands == [Acknowledge(GATE, 2), SEND]


def test_a_sighting_that_is_durable_is_acknowledged_again_and_stored_once() -> None:
    state, commands = play(begin([(GATE, 3)], 0), SightingArrived(sighting(2)), SightingArrived(sighting(3)))
    assert commands == [Acknowledge(GATE, 3)] * 2
    assert state.pending == ()


def test_a_sighting_that_waits_for_the_disk_is_not_taken_twice() -> None:
    state, commands = play(idle(), SightingArrived(sighting(1)), SightingArrived(sighting(1)))
    assert commands == []
    assert len(state.pending) == 1


def test_what_a_gate_has_dropped_is_counted_before_what_it_kept() -> None:
    state, _ = play(idle(), SightingArrived(sighting(1)), SightingArrived(sighting(7, oldest_kept=7)))
    records = [(entry.record, entry.source_number) for entry in stored(state).entries]
    assert records[1] == (Lost(5, "gate", 5), 6)
    assert [number for _, number in records] == [1, 6, 7]


def test_a_sighting_that_comes_too_early_is_left_to_the_gate() -> None:
    state, commands = play(idle(), SightingArrived(sighting(3)))
    assert (state.pending, commands, state.early) == ((), [], 1)


def test_findings_of_the_job_go_with_the_sighting_and_stay_for_the_next() -> None:
    table = RuleTable(ReleaseReference("starter", 3, "cd" * 32), (RULE, RULE))
    state, _ = play(
        idle(),
        TableArrived(5, table),
        FindingsArrived(FINDINGS),
        FindingsArrived(dataclasses.replace(FINDINGS, job=10)),
        SightingArrived(sighting(1)),
        SightingArrived(sighting(2)),
    )
    for entry in stored(state).entries:
        assert isinstance(entry.record, Alert)
        assert entry.record.file.sha256 == bytes(range(32)).hex()
        assert entry.record.rules == (RULE, RULE)


def test_findings_are_bounded_in_number_and_time() -> None:
    state = idle()
    for job in range(limits.COURIER_FINDINGS_MAX + 10):
        state, _ = play(state, FindingsArrived(dataclasses.replace(FINDINGS, job=job)))
    assert len(state.findings) == limits.COURIER_FINDINGS_MAX
    state, _ = play(state, FindingsArrived(FINDINGS), at_ms=limits.COURIER_FINDINGS_LIFE_MS + 1)
    assert len(state.findings) == 1


def test_tables_are_bounded_and_the_newest_stay() -> None:
    table = RuleTable(ReleaseReference("starter", 3, "cd" * 32), ())
    state, _ = play(idle(), *(TableArrived(index, table) for index in range(9)))
    assert [index for index, _ in state.tables] == [5, 6, 7, 8]


def test_when_the_disk_refuses_detections_are_kept_and_gates_wait() -> None:
    started = SensorEvent(1, HostEventKind.STARTED, b"", b"")
    state, _ = play(idle(), SightingArrived(sighting(1)), EventArrived(started), TurnEnded(), StoringFailed())
    assert not accepts(state)
    assert wake_at_ms(state) == limits.COURIER_APPEND_RETRY_MS
    assert play(state, TurnEnded(), at_ms=limits.COURIER_APPEND_RETRY_MS - 1)[1] == []
    state, commands = play(state, EventArrived(started), TurnEnded(), at_ms=limits.COURIER_APPEND_RETRY_MS)
    (store,) = commands
    assert isinstance(store, Store)
    kinds = [type(entry.record) for entry in store.entries]
    assert kinds == [Alert, Lost]
    lost = store.entries[1].record
    assert isinstance(lost, Lost)
    assert (lost.source, lost.count) == ("event", 2)
    state, commands = play(state, Stored(1))
    assert commands == [Acknowledge(GATE, 1), SEND]
    assert accepts(state)


def test_counts_survive_a_refusal_of_the_disk() -> None:
    started = SensorEvent(1, HostEventKind.STARTED, b"", b"")
    state, _ = play(idle(), EventArrived(started), TurnEnded(), StoringFailed())
    for _ in range(3):
        state, _ = play(state, TurnEnded(), StoringFailed(), at_ms=10**9)
    assert state.uncounted == (("event", 1),)


def test_a_nearly_full_spool_counts_skipped_files_and_keeps_alerts() -> None:
    state, _ = play(idle(), SightingArrived(sighting(1)), TurnEnded(), Stored(NEARLY_FULL))
    state, _ = play(
        state,
        SightingArrived(skipped(2)),
        SightingArrived(skipped(3)),
        SightingArrived(sighting(4)),
        SightingArrived(skipped(5)),
        EventArrived(SensorEvent(1, HostEventKind.STARTED, b"", b"")),
    )
    found = [(entry.record, entry.source_number) for entry in stored(state).entries]
    assert found[0] == (Lost(SIGHTING.at_unix_ms, "skipped", 2), 3)
    assert isinstance(found[1][0], Alert)
    assert found[2] == (Lost(SIGHTING.at_unix_ms, "skipped", 1), 5)
    assert found[3] == (Lost(5, "event", 1), 0)


def test_a_skipped_file_is_a_record_while_there_is_room() -> None:
    state, _ = play(idle(), SightingArrived(skipped(1)))
    assert isinstance(stored(state).entries[0].record, SkippedFile)


def test_a_status_waits_while_the_server_is_away_and_only_the_latest_is_kept() -> None:
    state, _ = play(begin([], 0), TurnEnded(), failed(Failure.UNREACHABLE))
    for at in range(5):
        state, _ = play(state, StatusArrived(StatusReport(at, Mode.ENFORCE, None, (), (), ())))
    assert state.pending == ()
    state, _ = play(state, TurnEnded(), at_ms=10**6)
    state, _ = play(state, delivered(3, 3), at_ms=10**6)
    (entry,) = state.pending
    assert isinstance(entry.record, HostStatus)
    assert entry.record.at_unix_ms == 4
    assert "courier_spool_bytes" in [counter.name for counter in entry.record.counters]


def test_one_batch_at_a_time_and_the_next_after_the_answer() -> None:
    state, _ = play(begin([], 0), TurnEnded())
    state, commands = play(state, SightingArrived(sighting(1)), TurnEnded(), Stored(1), TurnEnded())
    assert SEND not in commands
    _, commands = play(state, delivered(3, 3))
    assert commands == [Forget(RecordKey(EPOCH, 3)), SEND]


def test_the_servers_word_counts_where_it_has_less_or_more_than_the_batch() -> None:
    state, _ = play(begin([], 0), TurnEnded())
    assert play(state, delivered(3, 2))[1] == [Forget(RecordKey(EPOCH, 2)), SEND]
    assert play(state, delivered(3, 50))[1] == [Forget(RecordKey(EPOCH, 50)), SEND]


def test_a_server_that_takes_nothing_is_tried_later() -> None:
    state, _ = play(begin([], 0), TurnEnded())
    state, commands = play(state, delivered(3, 0), TurnEnded())
    assert commands == []
    assert state.delivery.failures == 1


def test_a_server_that_knows_more_than_the_spool_brings_a_new_epoch() -> None:
    state, _ = play(begin([], 0), TurnEnded())
    assert play(state, delivered(3, 101))[1] == [BeginEpoch()]


def test_waits_double_up_to_a_bound_and_carry_jitter() -> None:
    state, _ = play(begin([], 0), TurnEnded())
    waits = []
    now = 0
    for _ in range(30):
        state, _ = play(state, failed(Failure.UNREACHABLE), at_ms=now)
        wake = wake_at_ms(state)
        assert wake is not None
        waits.append(wake - now)
        now = wake
        state, commands = play(state, TurnEnded(), at_ms=now)
        assert commands == [SEND]
    assert waits[:4] == [500, 1_000, 2_000, 4_000]
    assert max(waits) == waits[-1] == limits.COURIER_BACKOFF_MS_MAX
    least, _ = play(state, dataclasses.replace(failed(Failure.UNREACHABLE), jitter_permille=0), at_ms=0)
    assert wake_at_ms(least) == limits.COURIER_BACKOFF_MS_MAX // 2


def test_a_host_that_is_not_enrolled_looks_again_soon_for_ever() -> None:
    state, _ = play(begin([], 0), TurnEnded())
    for _ in range(9):
        state, _ = play(state, failed(Failure.NOT_ENROLLED))
        assert wake_at_ms(state) == limits.COURIER_BACKOFF_MS
        state, _ = play(state, TurnEnded(), at_ms=10**6)


def test_a_refused_credential_stops_the_sending_and_not_the_storing() -> None:
    state, _ = play(begin([], 0), TurnEnded(), failed(Failure.CREDENTIAL))
    assert state.delivery.refused
    assert wake_at_ms(state) == limits.COURIER_CREDENTIAL_RETRY_MS
    state, commands = play(state, SightingArrived(sighting(1)), TurnEnded(), Stored(1))
    assert [type(command) for command in commands] == [Store, Acknowledge]


def test_a_record_that_no_server_takes_becomes_a_gap_only_after_many_tries() -> None:
    state, _ = play(begin([], 0), TurnEnded(), failed(Failure.MALFORMED))
    for _ in range(limits.UPLINK_REFUSALS_MAX - 1):
        state, commands = play(state, TurnEnded(), failed(Failure.MALFORMED, last=1), at_ms=10**9)
        assert commands == [SendNext(1)]
        state = dataclasses.replace(state, delivery=dataclasses.replace(state.delivery, retry_at_ms=0))
    state, commands = play(state, TurnEnded(), failed(Failure.MALFORMED, last=1), at_ms=10**9)
    assert commands == [SendNext(1), Forget(RecordKey(EPOCH, 1))]
    assert state.delivery.skipped_records == 1
    state, _ = play(state, TurnEnded(), at_ms=2 * 10**9)
    state, commands = play(state, delivered(2, 2), at_ms=2 * 10**9)
    assert commands[-1] == SEND, "whole batches again"


@pytest.mark.parametrize("count", [limits.COURIER_BATCH_FRAMES_MAX - 1, limits.COURIER_BATCH_FRAMES_MAX])
def test_sightings_are_read_only_while_there_is_room(count: int) -> None:
    state, _ = play(idle(), *(SightingArrived(sighting(number)) for number in range(1, count + 1)))
    assert accepts(state) == (count < limits.COURIER_BATCH_FRAMES_MAX)


def test_gates_are_bounded_and_the_latest_stay() -> None:
    state = idle()
    for gate_id in range(1, limits.SPOOL_GATES_MAX + 10):
        one = dataclasses.replace(sighting(1), gate_id=gate_id)
        state, _ = play(state, SightingArrived(one), TurnEnded(), Stored(1))
    assert len(state.gates) == len(state.received) == limits.SPOOL_GATES_MAX
    assert state.gates[-1] == (limits.SPOOL_GATES_MAX + 9, 1)
