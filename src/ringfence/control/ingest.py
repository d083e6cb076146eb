"""Stores a batch of a host's records: all of it or nothing, each record once, gaps remembered.

1. One transaction: find out what of the batch is new (`order.py`), store that, remember what has been seen.
2. The caller answers the host only after `store_batch` has returned, that is, after the commit is on the disk.
3. A batch that is sent again changes nothing but the host's "last seen".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, assert_never

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from ringfence.control.database import Database
from ringfence.control.documents import document_of
from ringfence.control.order import Gap, Seen, admit
from ringfence.control.schema import (
    ALERT_RULES,
    ALERTS,
    HOST_EPOCHS,
    HOST_EVENTS,
    HOST_GAPS,
    HOST_LOSSES,
    HOST_STATUS,
    HOSTS,
    SKIPPED_FILES,
)
from ringfence.control.views import AlertState
from ringfence.model.limits import ALERT_SEARCH_CHARACTERS_MAX, HOST_EPOCHS_MAX
from ringfence.model.records import (
    Alert,
    HostEvent,
    HostStatus,
    Lost,
    NumberedRecord,
    ProcessReference,
    Severity,
    SkippedFile,
)

_HIGHEST_INTEGER: Final = 2**63 - 1
_SEVERITY_RANK: Final = {severity: rank for rank, severity in enumerate(Severity, start=1)}

_Row = dict[str, Any]
"""Column name to value: what SQLAlchemy takes for one row.  Never leaves this module."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch.  `newest_alert_id` is 0 when it brought no new alert."""

    accepted_through: int
    new_records: int
    new_alerts: int
    newest_alert_id: int
    has_host_news: bool


async def store_batch(
    database: Database, host_id: str, epoch: str, records: Sequence[NumberedRecord], *, now_unix_ms: int
) -> Stored:
    """Store what is new of `records`, which all belong to `host_id` and `epoch`.  Durable when it returns.

    Raises `DiskFull`; then nothing of the batch was stored.
    """
    async with database.writing() as connection:
        seen, is_new_epoch = await _seen(connection, host_id, epoch)
        admission = admit(seen, (one.key.number for one in records))
        wanted = set(admission.new_numbers)
        new: list[NumberedRecord] = []
        for one in records:
            if one.key.number in wanted:
                wanted.discard(one.key.number)  # a number given twice in a batch is stored once
                new.append(one)
        newest_alert_id, new_alerts = await _store_alerts(connection, host_id, new, now_unix_ms)
        await _store_others(connection, host_id, new, now_unix_ms)
        await _remember(connection, host_id, epoch, seen, admission.seen, now_unix_ms)
        if is_new_epoch:
            await _forget_old_epochs(connection, host_id)
        has_host_news = await _update_host(connection, host_id, new, now_unix_ms)
    return Stored(
        accepted_through=admission.seen.through,
        new_records=len(new),
        new_alerts=new_alerts,
        newest_alert_id=newest_alert_id,
        has_host_news=has_host_news,
    )


async def _seen(connection: AsyncConnection, host_id: str, epoch: str) -> tuple[Seen, bool]:
    """What has been seen of the epoch, and whether the epoch is new."""
    through = await connection.scalar(
        select(HOST_EPOCHS.c.accepted_through).where(HOST_EPOCHS.c.host_id == host_id, HOST_EPOCHS.c.epoch == epoch)
    )
    if through is None:
        return Seen(), True
    gaps = await connection.execute(
        select(HOST_GAPS.c.first_number, HOST_GAPS.c.last_number)
        .where(HOST_GAPS.c.host_id == host_id, HOST_GAPS.c.epoch == epoch)
        .order_by(HOST_GAPS.c.first_number)
    )
    return Seen(through, tuple(Gap(row.first_number, row.last_number) for row in gaps)), False


async def _remember(
    connection: AsyncConnection, host_id: str, epoch: str, before: Seen, after: Seen, now_unix_ms: int
) -> None:
    """Write down what has been seen: the epoch's last number, and the gaps that came, changed or went."""
    remembered = insert_sqlite(HOST_EPOCHS).values(
        host_id=host_id,
        epoch=epoch,
        accepted_through=after.through,
        first_seen_unix_ms=now_unix_ms,
        last_seen_unix_ms=now_unix_ms,
    )
    await connection.execute(
        remembered.on_conflict_do_update(
            index_elements=["host_id", "epoch"],
            set_={"accepted_through": after.through, "last_seen_unix_ms": now_unix_ms},
        )
    )
    old, new = set(before.gaps), set(after.gaps)
    for gap in old - new:
        await connection.execute(
            delete(HOST_GAPS).where(
                HOST_GAPS.c.host_id == host_id, HOST_GAPS.c.epoch == epoch, HOST_GAPS.c.first_number == gap.first
            )
        )
    rows = [
        {
            "host_id": host_id,
            "epoch": epoch,
            "first_number": gap.first,
            "last_number": gap.last,
            "found_at_unix_ms": now_unix_ms,
        }
        for gap in sorted(new - old)
    ]
    if rows:
        await connection.execute(insert(HOST_GAPS), rows)


async def _forget_old_epochs(connection: AsyncConnection, host_id: str) -> None:
    """Keep the newest `HOST_EPOCHS_MAX` epochs of a host: nobody may make the table grow without end."""
    epochs = HOST_EPOCHS.c
    kept = (
        select(epochs.epoch)
        .where(epochs.host_id == host_id)
        .order_by(epochs.last_seen_unix_ms.desc(), epochs.epoch)
        .limit(HOST_EPOCHS_MAX)
    )
    await connection.execute(delete(HOST_GAPS).where(HOST_GAPS.c.host_id == host_id, HOST_GAPS.c.epoch.not_in(kept)))
    await connection.execute(delete(HOST_EPOCHS).where(epochs.host_id == host_id, epochs.epoch.not_in(kept)))


async def _store_alerts(
    connection: AsyncConnection, host_id: str, new: Sequence[NumberedRecord], now_unix_ms: int
) -> tuple[int, int]:
    """Store the alerts and their rules.  Returns the highest number given out and how many alerts were stored."""
    alerts = [(one, one.record) for one in new if isinstance(one.record, Alert)]
    if not alerts:
        return 0, 0
    written = await connection.execute(
        insert_sqlite(ALERTS).on_conflict_do_nothing().returning(ALERTS.c.alert_id, ALERTS.c.number),
        [_record_row(one, host_id, now_unix_ms) | _alert_columns(alert) for one, alert in alerts],
    )
    alert_ids = {row.number: row.alert_id for row in written}
    rules = [
        {"rule": rule, "alert_id": alert_ids[one.key.number]}
        for one, alert in alerts
        if one.key.number in alert_ids
        for rule in {reference.identifier for reference in alert.rules}
    ]
    if rules:
        await connection.execute(insert(ALERT_RULES), rules)
    return max(alert_ids.values(), default=0), len(alert_ids)


async def _store_others(
    connection: AsyncConnection, host_id: str, new: Sequence[NumberedRecord], now_unix_ms: int
) -> None:
    """Store everything that is not an alert, a table at a time."""
    rows: dict[Table, list[_Row]] = {}
    for one in new:
        if not isinstance(one.record, Alert):
            table, columns = _other_columns(one.record)
            rows.setdefault(table, []).append(_record_row(one, host_id, now_unix_ms) | columns)
    for table, some in rows.items():
        await connection.execute(insert_sqlite(table).on_conflict_do_nothing(), some)


async def _update_host(
    connection: AsyncConnection, host_id: str, new: Sequence[NumberedRecord], now_unix_ms: int
) -> bool:
    """Note that the host was heard of, and what its newest status says.  Returns whether there is news to show."""
    values: dict[str, str | int] = {"last_seen_unix_ms": now_unix_ms}
    statuses = [one.record for one in new if isinstance(one.record, HostStatus)]
    if statuses:
        values["mode"] = statuses[-1].mode
        if (release := statuses[-1].release) is not None:
            values |= {"release_name": release.name, "release_version": min(release.version, _HIGHEST_INTEGER)}
    await connection.execute(update(HOSTS).where(HOSTS.c.host_id == host_id).values(**values))
    return bool(statuses) or any(isinstance(one.record, HostEvent | Lost) for one in new)


def _record_row(one: NumberedRecord, host_id: str, now_unix_ms: int) -> _Row:
    """The columns that every record has."""
    return {
        "host_id": host_id,
        "epoch": one.key.epoch,
        "number": one.key.number,
        "at_unix_ms": min(one.record.at_unix_ms, _HIGHEST_INTEGER),
        "received_at_unix_ms": now_unix_ms,
    }


def _other_columns(record: SkippedFile | Lost | HostEvent | HostStatus) -> tuple[Table, _Row]:
    """The table of a record that is not an alert, and the record's own columns."""
    match record:
        case SkippedFile():
            return SKIPPED_FILES, {
                "path": record.path,
                "size_bytes": min(record.size_bytes, _HIGHEST_INTEGER),
                "reason": record.reason,
                "will_rescan": record.will_rescan,
            }
        case Lost():
            return HOST_LOSSES, {"source": record.source, "count": min(record.count, _HIGHEST_INTEGER)}
        case HostEvent():
            return HOST_EVENTS, {"kind": record.kind.value, "subject": record.subject, "detail": record.detail}
        case HostStatus():
            return HOST_STATUS, {"mode": record.mode, "document": document_of(record)}
        case _:
            assert_never(record)


def _alert_columns(alert: Alert) -> _Row:
    """An alert's own columns: the whole of it as a document, and what lists filter and show."""
    worst = max(alert.rules, key=lambda rule: _SEVERITY_RANK[rule.severity])  # the first of the worst
    return {
        "severity": worst.severity.value,
        "severity_rank": _SEVERITY_RANK[worst.severity],
        "source": alert.source.value,
        "response": alert.response.value,
        "rule": worst.identifier,
        "path": alert.file.path,
        "sha256": alert.file.sha256,
        "process_name": alert.process.name if alert.process else "",
        "release_name": alert.release.name,
        "release_version": min(alert.release.version, _HIGHEST_INTEGER),
        "state": AlertState.OPEN.value,
        "search_text": _search_text(alert),
        "document": document_of(alert),
    }


def _search_text(alert: Alert) -> str:
    """What a search looks through, in lower case and bounded."""
    processes: tuple[ProcessReference, ...] = (*((alert.process,) if alert.process else ()), *alert.ancestors)
    words = [
        alert.file.path,
        alert.file.sha256,
        *(f"{rule.identifier} {rule.technique} {rule.description}" for rule in alert.rules),
        *(match.member for match in alert.matches if match.member),
        *(f"{process.name} {process.executable} {process.command_line}" for process in processes),
    ]
    return "\n".join(words).lower()[:ALERT_SEARCH_CHARACTERS_MAX]
