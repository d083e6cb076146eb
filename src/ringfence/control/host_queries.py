"""Hosts: the list, one host in full, and its counters over time."""

from typing import Final

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringfence.control.database import Database
from ringfence.control.documents import status_of
from ringfence.control.refusals import NotFound, RequestRefused
from ringfence.control.rows import ALERT_COLUMNS, EVENT_COLUMNS, AnyRow, alert_row, check_page_limit, event_row, view_of
from ringfence.control.schema import (
    ALERTS,
    HOST_EVENTS,
    HOST_GAPS,
    HOST_LOSSES,
    HOST_STATUS,
    HOSTS,
    SKIPPED_FILES,
)
from ringfence.control.views import (
    AlertState,
    CounterPoint,
    GapRow,
    HostDetail,
    HostPage,
    HostRow,
    LossRow,
    SkippedRow,
)
from ringfence.model.limits import (
    DETAIL_ROWS_MAX,
    HOST_SILENT_AFTER_MS,
    PAGE_ROWS_DEFAULT,
    SEARCH_TEXT_MAX,
    STATUS_KEPT_PER_HOST_MAX,
)
from ringfence.model.records import HostStatus

_OPEN_ALERTS: Final = (
    select(func.count())
    .where(ALERTS.c.host_id == HOSTS.c.host_id, ALERTS.c.state == AlertState.OPEN.value)
    .scalar_subquery()
    .label("open_alerts")
)


async def list_hosts(
    database: Database,
    *,
    now_unix_ms: int,
    search: str = "",
    after: str | None = None,
    limit: int = PAGE_ROWS_DEFAULT,
) -> HostPage:
    """One page of hosts by name; `after` is the `next_after` of the page before.  Raises `RequestRefused`."""
    check_page_limit(limit)
    if len(search) > SEARCH_TEXT_MAX:
        raise RequestRefused(f"a search has at most {SEARCH_TEXT_MAX} characters", "shorten it")
    hosts = HOSTS.c
    conditions: list[ColumnElement[bool]] = []
    if search:
        conditions.append(
            or_(
                *(
                    func.lower(column).contains(search.lower(), autoescape=True)
                    for column in (hosts.host_name, hosts.host_id)
                )
            )
        )
    place = hosts.host_name + "/" + hosts.host_id
    page = conditions if after is None else [*conditions, place > after]
    async with database.reading() as connection:
        found = (
            await connection.execute(select(*hosts, _OPEN_ALERTS).where(*page).order_by(place).limit(limit + 1))
        ).all()
        total = await connection.scalar(select(func.count()).select_from(HOSTS).where(*conditions))
    rows = tuple(_host_row(row, now_unix_ms) for row in found[:limit])
    next_after = f"{rows[-1].host_name}/{rows[-1].host_id}" if len(found) > limit else None
    return HostPage(rows=rows, next_after=next_after, total=total or 0)


async def host_detail(database: Database, host_id: str, *, now_unix_ms: int) -> HostDetail:
    """Everything about one host.  Raises `NotFound`."""
    async with database.reading() as connection:
        row = (await connection.execute(select(*HOSTS.c, _OPEN_ALERTS).where(HOSTS.c.host_id == host_id))).one_or_none()
        if row is None:
            raise NotFound(f"there is no host {host_id!r}", "look at the list of hosts")
        events = await connection.execute(
            select(*EVENT_COLUMNS)
            .join(HOSTS, HOSTS.c.host_id == HOST_EVENTS.c.host_id)
            .where(HOST_EVENTS.c.host_id == host_id)
            .order_by(HOST_EVENTS.c.event_id.desc())
            .limit(DETAIL_ROWS_MAX)
        )
        alerts = await connection.execute(
            select(*ALERT_COLUMNS)
            .join(HOSTS, HOSTS.c.host_id == ALERTS.c.host_id)
            .where(ALERTS.c.host_id == host_id)
            .order_by(ALERTS.c.alert_id.desc())
            .limit(DETAIL_ROWS_MAX)
        )
        return HostDetail(
            row=_host_row(row, now_unix_ms),
            machine_id=row.machine_id,
            status=await _newest_status(connection, host_id),
            events=tuple(event_row(event) for event in events),
            skipped=await _skipped(connection, host_id),
            gaps=await _gaps(connection, host_id),
            losses=await _losses(connection, host_id),
            alerts=tuple(alert_row(alert) for alert in alerts),
        )


async def counter_series(
    database: Database, host_id: str, counter: str, *, since_unix_ms: int
) -> tuple[CounterPoint, ...]:
    """A counter of a host's status reports since a moment, oldest first; reports without it are left out."""
    status = HOST_STATUS.c
    async with database.reading() as connection:
        found = await connection.execute(
            select(status.document)
            .where(status.host_id == host_id, status.received_at_unix_ms >= since_unix_ms)
            .order_by(status.status_id.desc())
            .limit(STATUS_KEPT_PER_HOST_MAX)
        )
        reports = [status_of(row.document) for row in found]
    return tuple(
        CounterPoint(at_unix_ms=report.at_unix_ms, value=one.value)
        for report in reversed(reports)
        for one in report.counters
        if one.name == counter
    )


async def newest_statuses(database: Database, *, most: int) -> tuple[tuple[HostRow, HostStatus | None], ...]:
    """The newest report of each host that is not revoked, for the metrics: at most `most` hosts, by name."""
    newest = select(func.max(HOST_STATUS.c.status_id)).group_by(HOST_STATUS.c.host_id)
    async with database.reading() as connection:
        found = await connection.execute(
            select(*HOSTS.c, _OPEN_ALERTS, HOST_STATUS.c.document)
            .outerjoin(HOST_STATUS, (HOST_STATUS.c.host_id == HOSTS.c.host_id) & HOST_STATUS.c.status_id.in_(newest))
            .where(HOSTS.c.revoked_at_unix_ms.is_(None))
            .order_by(HOSTS.c.host_name, HOSTS.c.host_id)
            .limit(most)
        )
        return tuple((_host_row(row, 0), status_of(row.document) if row.document else None) for row in found)


def _host_row(row: AnyRow, now_unix_ms: int) -> HostRow:
    """A host from a row of all its columns and `open_alerts`."""
    return HostRow(
        host_id=row.host_id,
        host_name=row.host_name,
        distribution=row.distribution,
        kernel=row.kernel,
        architecture=row.architecture,
        sensor_version=row.sensor_version,
        mode=row.mode,
        release_name=row.release_name,
        release_version=row.release_version,
        enrolled_at_unix_ms=row.enrolled_at_unix_ms,
        last_seen_unix_ms=row.last_seen_unix_ms,
        is_silent=row.last_seen_unix_ms < now_unix_ms - HOST_SILENT_AFTER_MS,
        is_revoked=row.revoked_at_unix_ms is not None,
        open_alerts=row.open_alerts,
    )


async def _newest_status(connection: AsyncConnection, host_id: str) -> HostStatus | None:
    """The newest report of a host, None before the first."""
    document = await connection.scalar(
        select(HOST_STATUS.c.document)
        .where(HOST_STATUS.c.host_id == host_id)
        .order_by(HOST_STATUS.c.status_id.desc())
        .limit(1)
    )
    return None if document is None else status_of(document)


async def _skipped(connection: AsyncConnection, host_id: str) -> tuple[SkippedRow, ...]:
    """The newest files of a host that went on without a verdict."""
    skipped = SKIPPED_FILES.c
    found = await connection.execute(
        select(SKIPPED_FILES)
        .where(skipped.host_id == host_id)
        .order_by(skipped.skipped_id.desc())
        .limit(DETAIL_ROWS_MAX)
    )
    return tuple(view_of(SkippedRow, row) for row in found)


async def _gaps(connection: AsyncConnection, host_id: str) -> tuple[GapRow, ...]:
    """The newest gaps in what a host sent."""
    gaps = HOST_GAPS.c
    found = await connection.execute(
        select(HOST_GAPS).where(gaps.host_id == host_id).order_by(gaps.gap_id.desc()).limit(DETAIL_ROWS_MAX)
    )
    return tuple(view_of(GapRow, row) for row in found)


async def _losses(connection: AsyncConnection, host_id: str) -> tuple[LossRow, ...]:
    """The newest losses that a host reported itself."""
    losses = HOST_LOSSES.c
    found = await connection.execute(
        select(HOST_LOSSES).where(losses.host_id == host_id).order_by(losses.loss_id.desc()).limit(DETAIL_ROWS_MAX)
    )
    return tuple(view_of(LossRow, row) for row in found)
