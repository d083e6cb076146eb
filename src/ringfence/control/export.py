"""Whole alerts in bulk, as hosts sent them: what leaves for a file, a pipe or another system."""

from dataclasses import dataclass

from sqlalchemy import select

from ringfence.control.database import Database
from ringfence.control.documents import alert_of
from ringfence.control.rows import ALERT_COLUMNS, alert_row, check_page_limit
from ringfence.control.schema import ALERTS, HOSTS
from ringfence.control.views import AlertRow
from ringfence.model.limits import PAGE_ROWS_DEFAULT
from ringfence.model.records import Alert


@dataclass(frozen=True, slots=True)
class ExportedAlert:
    """An alert as the server keeps it: its row with the triage, and the host's record."""

    row: AlertRow
    record: Alert


async def newest_alerts(
    database: Database, *, before: int | None = None, limit: int = PAGE_ROWS_DEFAULT
) -> tuple[ExportedAlert, ...]:
    """Alerts below `before`, newest first.  Raises `RequestRefused` when `limit` is out of bounds."""
    check_page_limit(limit)
    wanted = select(*ALERT_COLUMNS, ALERTS.c.document).join(HOSTS, HOSTS.c.host_id == ALERTS.c.host_id)
    if before is not None:
        wanted = wanted.where(ALERTS.c.alert_id < before)
    async with database.reading() as connection:
        found = await connection.execute(wanted.order_by(ALERTS.c.alert_id.desc()).limit(limit))
        return tuple(ExportedAlert(alert_row(row), alert_of(row.document)) for row in found)


async def next_alerts(database: Database, *, after: int, limit: int = PAGE_ROWS_DEFAULT) -> tuple[ExportedAlert, ...]:
    """Alerts above `after`, oldest first.  Raises `RequestRefused` when `limit` is out of bounds."""
    check_page_limit(limit)
    wanted = select(*ALERT_COLUMNS, ALERTS.c.document).join(HOSTS, HOSTS.c.host_id == ALERTS.c.host_id)
    wanted = wanted.where(ALERTS.c.alert_id > after).order_by(ALERTS.c.alert_id).limit(limit)
    async with database.reading() as connection:
        found = await connection.execute(wanted)
        return tuple(ExportedAlert(alert_row(row), alert_of(row.document)) for row in found)
