"""What the courier does next: the machine between gates, spool and server.

`step(state, event, now) -> (state, commands)`; no clock, no randomness, no I/O.  Whoever drives it carries the commands
out in their order and answers `Store` with `Stored` or `StoringFailed`, `SendNext` with `Delivered`, `DeliveryFailed`
or `NothingToSend`.

What it holds, in the order of the code:

1. A gate's sightings are taken in the order of their numbers, each once.  What the gate no longer keeps and we never
   took is a `Lost` record.  What comes too early is left: the gate sends it again.
2. Findings wait, bounded in number and time, for sightings of their job; they stay, because a cached verdict uses them
   again.  A sighting never waits for findings.
3. **Nothing is acknowledged before `Stored`**: `Store` is a barrier.
4. When the disk refuses, detections are kept and no more are read from the gates (`accepts`), which have bounds and
   counts of their own; events are counted.  When the spool is nearly full, skipped files and events are counted.
5. The latest status replaces an older one while the server is away: it is a state, not a history.
6. One batch is in flight at a time.  Waits after failures double, with jitter, up to a bound; while the host is not
   enrolled they stay short.  A refused credential stops the sending for long, never the storing.  A batch that the
   server calls malformed is sent record by record; a record refused `UPLINK_REFUSALS_MAX` times becomes a gap.
7. A server that has taken more than we have stored knows another life of this spool: a new epoch begins.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, assert_never

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
from ringfence.detect.alerts import event_of, record_of, status_of
from ringfence.model import limits
from ringfence.model.records import Counter, HostStatus, Lost, Record, RecordKey, SkippedFile
from ringfence.wire.detections import Findings, Sighting
from ringfence.wire.rule_table import RuleTable
from ringfence.wire.sensor_reports import SensorEvent, StatusReport
from ringfence.wire.spool import SpoolEntry

_PERMILLE: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Kept:
    """Findings and when they came."""

    findings: Findings
    at_ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """How sending stands."""

    in_flight: bool = False
    idle: bool = False
    """The server has everything that is stored."""

    failures: int = 0
    """Failures in a row."""

    retry_at_ms: int = 0
    single: bool = False
    """Send record by record: the server called a batch malformed."""

    refused: bool = False
    """The server does not know us."""

    delivered_records: int = 0
    skipped_records: int = 0


@dataclass(frozen=True, slots=True)
class CourierState:
    """Everything that the machine knows.  Pairs are (gate, number) and (index, table)."""

    gates: tuple[tuple[int, int], ...] = ()
    """How far each gate is durable."""

    received: tuple[tuple[int, int], ...] = ()
    """How far each gate is taken in, durable or not."""

    tables: tuple[tuple[int, RuleTable], ...] = ()
    findings: tuple[_Kept, ...] = ()
    pending: tuple[SpoolEntry, ...] = ()
    storing: tuple[SpoolEntry, ...] = ()
    blocked_until_ms: int | None = None
    """The disk refused; try again then."""

    status: HostStatus | None = None
    uncounted: tuple[tuple[str, int], ...] = ()
    """What was dropped and is not in a `Lost` record yet."""

    spool_bytes: int = 0
    early: int = 0
    """Sightings that came too early."""

    delivery: Delivery = Delivery()


Step = tuple[CourierState, tuple[Command, ...]]


def begin(gates: Iterable[tuple[int, int]], spool_bytes: int) -> CourierState:
    """The state of a courier whose spool has just been opened."""
    known = tuple(gates)
    return CourierState(gates=known, received=known, spool_bytes=spool_bytes)


def accepts(state: CourierState) -> bool:
    """Whether sightings may be read from the gates."""
    return state.blocked_until_ms is None and len(state.pending) < limits.COURIER_BATCH_FRAMES_MAX


def wake_at_ms(state: CourierState) -> int | None:
    """When `TurnEnded` is due although nothing arrives, on the monotonic clock; None: never."""
    waits = [] if state.blocked_until_ms is None else [state.blocked_until_ms]
    if not state.delivery.in_flight and not state.delivery.idle:
        waits.append(state.delivery.retry_at_ms)
    return min(waits, default=None)


def step(state: CourierState, event: Event, now: Now) -> Step:
    """Take one event."""
    match event:
        case SightingArrived(sighting):
            return _on_sighting(state, sighting, now)
        case FindingsArrived(findings):
            return _keep(state, findings, now), ()
        case TableArrived(index, table):
            others = tuple(pair for pair in state.tables if pair[0] != index)
            return replace(state, tables=(*others, (index, table))[-limits.COURIER_TABLES_MAX :]), ()
        case StatusArrived(report):
            return _on_status(state, report), ()
        case EventArrived(sensor_event):
            return _on_event(state, sensor_event), ()
        case TurnEnded():
            return _on_turn(state, now)
        case Stored(spool_bytes):
            return _on_stored(state, spool_bytes, now)
        case StoringFailed():
            return _on_storing_failed(state, now), ()
        case Delivered():
            return _on_delivered(state, event, now)
        case DeliveryFailed():
            return _on_failed(state, event, now)
        case NothingToSend():
            return replace(state, delivery=replace(state.delivery, in_flight=False, idle=True)), ()
        case _:
            assert_never(event)


def _on_sighting(state: CourierState, sighting: Sighting, now: Now) -> Step:
    """Rule 1."""
    gate_id = sighting.gate_id
    through = dict(state.received).get(gate_id, 0)
    if sighting.number <= through:
        durable = dict(state.gates).get(gate_id, 0)
        return state, (Acknowledge(gate_id, durable),) if sighting.number <= durable else ()
    if sighting.number > max(through + 1, sighting.oldest_kept):
        return replace(state, early=state.early + 1), ()
    missing = sighting.oldest_kept - 1 - through
    if missing > 0:
        entry = SpoolEntry(Lost(now.unix_ms, "gate", missing), gate_id, sighting.oldest_kept - 1)
        state = replace(state, pending=(*state.pending, entry))
    record = record_of(sighting, _findings_of(state, sighting), dict(state.tables))
    state = _take(state, record, gate_id, sighting.number)
    return replace(state, received=_with(state.received, gate_id, sighting.number)), ()


def _take(state: CourierState, record: Record, gate_id: int, number: int) -> CourierState:
    """Rule 4, the spool nearly full: skipped files in a row become one count."""
    if not isinstance(record, SkippedFile) or not _is_nearly_full(state):
        return replace(state, pending=(*state.pending, SpoolEntry(record, gate_id, number)))
    count, before = 1, state.pending
    last = before[-1] if before else SpoolEntry(record)
    if last.gate_id == gate_id and isinstance(last.record, Lost) and last.record.source == "skipped":
        count, before = last.record.count + 1, before[:-1]
    entry = SpoolEntry(Lost(record.at_unix_ms, "skipped", count), gate_id, number)
    return replace(state, pending=(*before, entry))


def _keep(state: CourierState, findings: Findings, now: Now) -> CourierState:
    """Rule 2."""
    oldest = now.monotonic_ms - limits.COURIER_FINDINGS_LIFE_MS
    kept = tuple(one for one in state.findings if one.at_ms > oldest)
    return replace(state, findings=(*kept, _Kept(findings, now.monotonic_ms))[-limits.COURIER_FINDINGS_MAX :])


def _findings_of(state: CourierState, sighting: Sighting) -> Findings | None:
    wanted = (sighting.gate_id, sighting.job, sighting.release_index)
    for kept in reversed(state.findings):
        found = kept.findings
        if (found.gate_id, found.job, found.release_index) == wanted:
            return found
    return None


def _on_status(state: CourierState, report: StatusReport) -> CourierState:
    """Rule 5."""
    status = status_of(report, dict(state.tables))
    ours = (
        Counter("courier_spool_bytes", state.spool_bytes),
        Counter("courier_delivered_records", state.delivery.delivered_records),
        Counter("courier_delivery_failures", state.delivery.failures),
        Counter("courier_refused_records", state.delivery.skipped_records),
        Counter("courier_early_sightings", state.early),
    )
    counters = (*status.counters[: limits.STATUS_COUNTERS_MAX - len(ours)], *ours)
    return _with_status(replace(state, status=replace(status, counters=counters)))


def _with_status(state: CourierState) -> CourierState:
    """Put the latest status on its way, unless the server is away or the disk refuses."""
    if state.status is None or state.delivery.failures or state.blocked_until_ms is not None:
        return state
    return replace(state, status=None, pending=(*state.pending, SpoolEntry(state.status)))


def _on_event(state: CourierState, event: SensorEvent) -> CourierState:
    """Rule 4."""
    if state.blocked_until_ms is not None or _is_nearly_full(state):
        return replace(state, uncounted=_counted(state.uncounted, "event", 1))
    return replace(state, pending=(*state.pending, SpoolEntry(event_of(event))))


def _on_turn(state: CourierState, now: Now) -> Step:
    state, storing = _store(state, now)
    state, sending = _send(state, now)
    return state, (*storing, *sending)


def _store(state: CourierState, now: Now) -> Step:
    if state.storing or (state.blocked_until_ms is not None and now.monotonic_ms < state.blocked_until_ms):
        return state, ()
    losses = tuple(SpoolEntry(Lost(now.unix_ms, source, count)) for source, count in state.uncounted)
    entries = (*state.pending, *losses)
    if not entries:
        return replace(state, blocked_until_ms=None), ()
    return replace(state, pending=(), uncounted=(), storing=entries), (Store(entries),)


def _on_stored(state: CourierState, spool_bytes: int, now: Now) -> Step:
    """Rule 3."""
    gates = state.gates
    for entry in state.storing:
        if entry.source_number:
            gates = _with(gates, entry.gate_id, entry.source_number)
    stored_gates = dict.fromkeys(entry.gate_id for entry in state.storing if entry.source_number)
    acknowledged = tuple(Acknowledge(gate_id, dict(gates)[gate_id]) for gate_id in stored_gates)
    delivery = replace(state.delivery, idle=False)
    state = replace(state, gates=gates, storing=(), blocked_until_ms=None, spool_bytes=spool_bytes, delivery=delivery)
    state, sending = _send(state, now)
    return state, (*acknowledged, *sending)


def _on_storing_failed(state: CourierState, now: Now) -> CourierState:
    """Rule 4: what a gate would send again, or what counts a loss, is kept; the rest is counted."""
    kept: list[SpoolEntry] = []
    uncounted = state.uncounted
    status = state.status
    for entry in state.storing:
        record = entry.record
        if entry.source_number:
            kept.append(entry)
        elif isinstance(record, Lost):
            uncounted = _counted(uncounted, record.source, record.count)
        elif isinstance(record, HostStatus):
            status = status or record
        else:
            uncounted = _counted(uncounted, "event", 1)
    return replace(
        state,
        pending=(*kept, *state.pending),
        storing=(),
        uncounted=uncounted,
        status=status,
        blocked_until_ms=now.monotonic_ms + limits.COURIER_APPEND_RETRY_MS,
    )


def _send(state: CourierState, now: Now) -> Step:
    """Rule 6: one at a time, not before its time."""
    delivery = state.delivery
    if delivery.in_flight or delivery.idle or now.monotonic_ms < delivery.retry_at_ms:
        return state, ()
    records_max = 1 if delivery.single else limits.UPLINK_RECORDS_MAX
    return replace(state, delivery=replace(delivery, in_flight=True)), (SendNext(records_max),)


def _on_delivered(state: CourierState, answer: Delivered, now: Now) -> Step:
    if answer.accepted_through < answer.first_number:
        return _failed(state, now, answer.jitter_permille), ()  # no progress: the server does not keep what it takes
    if answer.epoch == answer.stored_last.epoch and answer.accepted_through > answer.stored_last.number:
        return _failed(state, now, answer.jitter_permille), (BeginEpoch(),)  # rule 7; waits, should the disk refuse
    delivery = state.delivery
    delivered = min(answer.accepted_through, answer.last_number) - answer.first_number + 1
    delivery = Delivery(
        delivered_records=delivery.delivered_records + delivered, skipped_records=delivery.skipped_records
    )
    state = _with_status(replace(state, delivery=delivery))
    state, sending = _send(state, now)
    return state, (Forget(RecordKey(answer.epoch, answer.accepted_through)), *sending)


def _on_failed(state: CourierState, failure: DeliveryFailed, now: Now) -> Step:
    match failure.why:
        case Failure.UNREACHABLE:
            return _failed(state, now, failure.jitter_permille), ()
        case Failure.NOT_ENROLLED:  # a look at a file: soon, and no sooner after many times
            return _failed(replace(state, delivery=replace(state.delivery, failures=0)), now, _PERMILLE), ()
        case Failure.CREDENTIAL:
            wait_ms = limits.COURIER_CREDENTIAL_RETRY_MS
            delivery = replace(
                state.delivery,
                in_flight=False,
                refused=True,
                failures=state.delivery.failures + 1,
                retry_at_ms=now.monotonic_ms + _with_jitter(wait_ms, failure.jitter_permille),
            )
            return replace(state, delivery=delivery), ()
        case Failure.MALFORMED:
            return _on_malformed(state, failure, now)
        case _:
            assert_never(failure.why)


def _on_malformed(state: CourierState, failure: DeliveryFailed, now: Now) -> Step:
    """Rule 6: only a record that was alone and often refused is given up."""
    if not state.delivery.single:
        delivery = replace(state.delivery, single=True, failures=0)
        return _failed(replace(state, delivery=delivery), now, failure.jitter_permille), ()
    if state.delivery.failures < limits.UPLINK_REFUSALS_MAX:
        return _failed(state, now, failure.jitter_permille), ()
    delivery = replace(state.delivery, failures=0, skipped_records=state.delivery.skipped_records + 1)
    state = _failed(replace(state, delivery=delivery), now, failure.jitter_permille)
    return state, (Forget(RecordKey(failure.epoch, failure.last_number)),)


def _failed(state: CourierState, now: Now, jitter_permille: int) -> CourierState:
    """One more failure: wait longer."""
    failures = state.delivery.failures + 1
    doubled = limits.COURIER_BACKOFF_MS << min(failures - 1, limits.COURIER_DOUBLINGS_MAX)
    wait_ms = _with_jitter(min(doubled, limits.COURIER_BACKOFF_MS_MAX), jitter_permille)
    delivery = replace(state.delivery, in_flight=False, failures=failures, retry_at_ms=now.monotonic_ms + wait_ms)
    return replace(state, delivery=delivery)


def _with_jitter(wait_ms: int, jitter_permille: int) -> int:
    """Between half of the wait and the whole: hosts that failed together do not come back together."""
    half = wait_ms // 2
    return half + half * jitter_permille // _PERMILLE


def _is_nearly_full(state: CourierState) -> bool:
    return state.spool_bytes > limits.SPOOL_BYTES_MAX - limits.SPOOL_RESERVED_BYTES


def _with(pairs: tuple[tuple[int, int], ...], gate_id: int, number: int) -> tuple[tuple[int, int], ...]:
    """The pairs with this gate at the end; the gates used longest ago go when there are too many."""
    others = tuple(pair for pair in pairs if pair[0] != gate_id)
    return (*others, (gate_id, number))[-limits.SPOOL_GATES_MAX :]


def _counted(counts: tuple[tuple[str, int], ...], source: str, count: int) -> tuple[tuple[str, int], ...]:
    sums = dict(counts)
    sums[source] = sums.get(source, 0) + count
    return tuple(sums.items())
