"""Keeps every table within its bound: old rows go in small transactions, and what matters is said in the audit log.

Order of removal of alerts: settled before open, oldest first; per host before over all, so that a noisy or hostile host
pushes out its own alerts and nobody else's.
"""

from typing import Final

from sqlalchemy import Column, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringfence.control.audit import SERVER_ACTOR, AuditAction, write_audit
from ringfence.control.database import Database
from ringfence.control.schema import (
    ALERTS,
    AUDIT_LOG,
    HOST_EVENTS,
    HOST_GAPS,
    HOST_LOSSES,
    HOST_STATUS,
    HOSTS,
    SKIPPED_FILES,
)
from ringfence.control.views import AlertState
from ringfence.model.limits import (
    ALERTS_KEPT_MAX,
    ALERTS_KEPT_PER_HOST_MAX,
    AUDIT_KEPT_MAX,
    HOST_EVENTS_KEPT_MAX,
    HOST_GAPS_MAX,
    RETENTION_ROWS_AT_ONCE_MAX,
    SKIPPED_KEPT_MAX,
    STATUS_KEPT_PER_HOST_MAX,
)

_WHOLE_TABLES: Final = (
    (SKIPPED_FILES, SKIPPED_FILES.c.skipped_id, SKIPPED_KEPT_MAX),
    (HOST_EVENTS, HOST_EVENTS.c.event_id, HOST_EVENTS_KEPT_MAX),
    (HOST_LOSSES, HOST_LOSSES.c.loss_id, HOST_EVENTS_KEPT_MAX),
)
_PER_HOST_TABLES: Final = (
    (HOST_STATUS, HOST_STATUS.c.status_id, STATUS_KEPT_PER_HOST_MAX),
    (HOST_GAPS, HOST_GAPS.c.gap_id, HOST_GAPS_MAX),
)


async def remove_old_rows(database: Database, *, now_unix_ms: int) -> int:
    """Bring every table back within its bound, at most `RETENTION_ROWS_AT_ONCE_MAX` rows of each.

    Returns how many rows went; call it again while that is not 0 and nothing else is waiting.
    """
    removed = 0
    async with database.reading() as connection:
        host_ids = tuple((await connection.execute(select(HOSTS.c.host_id))).scalars())
    for table, key, kept in _WHOLE_TABLES:
        async with database.writing() as connection:
            removed += await _keep_newest(connection, table, key, kept)
    for host_id in host_ids:
        for table, key, kept in _PER_HOST_TABLES:
            async with database.writing() as connection:
                removed += await _keep_newest(connection, table, key, kept, host_id)
    async with database.writing() as connection:
        alerts = 0
        for host_id in host_ids:
            alerts += await _keep_alerts(connection, ALERTS_KEPT_PER_HOST_MAX, host_id)
        alerts += await _keep_alerts(connection, ALERTS_KEPT_MAX)
        audit = await _keep_newest(connection, AUDIT_LOG, AUDIT_LOG.c.audit_id, AUDIT_KEPT_MAX)
        for action, count in ((AuditAction.ALERTS_REMOVED, alerts), (AuditAction.AUDIT_REMOVED, audit)):
            if count:
                await write_audit(
                    connection, action, SERVER_ACTOR, subject="server", detail=str(count), at_unix_ms=now_unix_ms
                )
    return removed + alerts + audit


async def _keep_newest(
    connection: AsyncConnection, table: Table, key: Column[int], kept: int, host_id: str | None = None
) -> int:
    """Remove the oldest rows past `kept`, of one host or of all.  Returns how many went."""
    whose = [] if host_id is None else [table.c.host_id == host_id]
    newest_to_go = await connection.scalar(select(key).where(*whose).order_by(key.desc()).offset(kept).limit(1))
    if newest_to_go is None:
        return 0
    going = (
        select(key).where(*whose, key <= newest_to_go).order_by(key).limit(RETENTION_ROWS_AT_ONCE_MAX).scalar_subquery()
    )
    return (await connection.execute(delete(table).where(key.in_(going)))).rowcount


async def _keep_alerts(connection: AsyncConnection, kept: int, host_id: str | None = None) -> int:
    """Remove alerts past `kept`: settled ones first, then the oldest.  Returns how many went."""
    alerts = ALERTS.c
    whose = [] if host_id is None else [alerts.host_id == host_id]
    count = await connection.scalar(select(func.count()).select_from(ALERTS).where(*whose)) or 0
    if count <= kept:
        return 0
    going = (
        select(alerts.alert_id)
        .where(*whose)
        .order_by(alerts.state == AlertState.OPEN.value, alerts.alert_id)
        .limit(min(count - kept, RETENTION_ROWS_AT_ONCE_MAX))
        .scalar_subquery()
    )
    return (await connection.execute(delete(ALERTS).where(alerts.alert_id.in_(going)))).rowcount
