"""Alerts, overview, audit log and charts: the reads of the console and the API.  Hosts are in `host_queries.py`.

Every function takes the database, reads one moment of it, and returns frozen values of `views.py`.  Lists are bounded
and paged by the key of the last row, never by offset: rows that arrive meanwhile neither repeat nor hide others.
"""

from typing import Final

from sqlalchemy import ColumnElement, and_, case, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from ringfence.control.database import Database
from ringfence.control.documents import alert_of
from ringfence.control.refusals import NotFound, RequestRefused
from ringfence.control.rows import ALERT_COLUMNS, EVENT_COLUMNS, alert_row, check_page_limit, event_row, view_of
from ringfence.control.schema import (
    ALERT_NOTES,
    ALERT_RULES,
    ALERTS,
    AUDIT_LOG,
    HOST_EVENTS,
    HOST_GAPS,
    HOST_LOSSES,
    HOSTS,
    SKIPPED_FILES,
    USERS,
)
from ringfence.control.views import (
    AlertBucket,
    AlertDetail,
    AlertFilter,
    AlertNote,
    AlertPage,
    AlertRow,
    AlertState,
    AuditEntry,
    AuditPage,
    FilterChoices,
    Overview,
    RuleCount,
    SeverityCounts,
)
from ringfence.model.limits import (
    COUNT_SHOWN_MAX,
    DETAIL_ROWS_MAX,
    FILTER_CHOICES_MAX,
    HOST_SILENT_AFTER_MS,
    OVERVIEW_ROWS_MAX,
    PAGE_ROWS_DEFAULT,
    SEARCH_TEXT_MAX,
    SEARCH_WORDS_MAX,
    SERIES_BUCKETS_MAX,
)
from ringfence.model.records import AlertResponse

DAY_MS: Final = 86_400_000


async def list_alerts(
    database: Database, wanted: AlertFilter, *, before: int | None = None, limit: int = PAGE_ROWS_DEFAULT
) -> AlertPage:
    """One page of alerts, newest first; `before` is the `next_before` of the page above.

    Raises `RequestRefused` when `limit` or the search is out of bounds.
    """
    check_page_limit(limit)
    conditions = _conditions(wanted)
    page = list(conditions) if before is None else [*conditions, ALERTS.c.alert_id < before]
    async with database.reading() as connection:
        found = (
            await connection.execute(
                select(*ALERT_COLUMNS)
                .join(HOSTS, HOSTS.c.host_id == ALERTS.c.host_id)
                .where(*page)
                .order_by(ALERTS.c.alert_id.desc())
                .limit(limit + 1)
            )
        ).all()
        bounded = (
            select(ALERTS.c.alert_id)
            .join(HOSTS, HOSTS.c.host_id == ALERTS.c.host_id)
            .where(*conditions)
            .limit(COUNT_SHOWN_MAX)
            .subquery()
        )
        total = await connection.scalar(select(func.count()).select_from(bounded))
    rows = tuple(alert_row(row) for row in found[:limit])
    return AlertPage(rows=rows, next_before=rows[-1].alert_id if len(found) > limit else None, total=total or 0)


async def alert_detail(database: Database, alert_id: int) -> AlertDetail:
    """Everything about one alert.  Raises `NotFound`."""
    async with database.reading() as connection:
        row = (
            await connection.execute(
                select(*ALERT_COLUMNS, ALERTS.c.document)
                .join(HOSTS, HOSTS.c.host_id == ALERTS.c.host_id)
                .where(ALERTS.c.alert_id == alert_id)
            )
        ).one_or_none()
        if row is None:
            raise NotFound(
                f"there is no alert {alert_id}", "look at the list of alerts; old ones may have been removed"
            )
        notes = await connection.execute(
            select(ALERT_NOTES).where(ALERT_NOTES.c.alert_id == alert_id).order_by(ALERT_NOTES.c.note_id)
        )
        history = await _audit_rows(connection, AUDIT_LOG.c.subject == f"alert:{alert_id}", DETAIL_ROWS_MAX)
        same_file_count = 0
        if row.sha256:
            same_file_count = (
                await connection.scalar(
                    select(func.count()).where(ALERTS.c.sha256 == row.sha256, ALERTS.c.alert_id != alert_id)
                )
                or 0
            )
    return AlertDetail(
        row=alert_row(row),
        record=alert_of(row.document),
        notes=tuple(view_of(AlertNote, note) for note in notes),
        history=history,
        same_file_count=same_file_count,
    )


async def alerts_after(database: Database, alert_id: int, *, limit: int) -> tuple[AlertRow, ...]:
    """The alerts that arrived after `alert_id`, oldest first: what a live stream that was cut off has missed."""
    async with database.reading() as connection:
        found = await connection.execute(
            select(*ALERT_COLUMNS)
            .join(HOSTS, HOSTS.c.host_id == ALERTS.c.host_id)
            .where(ALERTS.c.alert_id > alert_id)
            .order_by(ALERTS.c.alert_id)
            .limit(limit)
        )
        return tuple(alert_row(row) for row in found)


async def alert_rows(database: Database, alert_ids: tuple[int, ...]) -> tuple[AlertRow, ...]:
    """The named alerts as list rows, oldest first; those that do not exist are left out."""
    async with database.reading() as connection:
        found = await connection.execute(
            select(*ALERT_COLUMNS)
            .join(HOSTS, HOSTS.c.host_id == ALERTS.c.host_id)
            .where(ALERTS.c.alert_id.in_(alert_ids))
            .order_by(ALERTS.c.alert_id)
        )
        return tuple(alert_row(row) for row in found)


async def newest_alert_id(database: Database) -> int:
    """The number of the newest alert, 0 when there is none."""
    async with database.reading() as connection:
        return await connection.scalar(select(func.coalesce(func.max(ALERTS.c.alert_id), 0))) or 0


async def overview(database: Database, *, now_unix_ms: int) -> Overview:
    """What the first page shows."""
    day_ago = now_unix_ms - DAY_MS
    alerts, hosts = ALERTS.c, HOSTS.c
    is_blocked = case((alerts.response == AlertResponse.BLOCKED.value, 1), else_=0)
    is_silent = case((hosts.last_seen_unix_ms < now_unix_ms - HOST_SILENT_AFTER_MS, 1), else_=0)
    is_observing = case((hosts.mode.not_in(("enforce", "")), 1), else_=0)
    async with database.reading() as connection:
        open_counts = await connection.execute(
            select(alerts.severity, func.count()).where(alerts.state == AlertState.OPEN.value).group_by(alerts.severity)
        )
        day = (
            await connection.execute(
                select(func.count(), func.coalesce(func.sum(is_blocked), 0)).where(
                    alerts.received_at_unix_ms >= day_ago
                )
            )
        ).one()
        host = (
            await connection.execute(
                select(
                    func.count(), func.coalesce(func.sum(is_silent), 0), func.coalesce(func.sum(is_observing), 0)
                ).where(hosts.revoked_at_unix_ms.is_(None))
            )
        ).one()
        skipped = await connection.scalar(select(func.count()).where(SKIPPED_FILES.c.received_at_unix_ms >= day_ago))
        losses = await connection.scalar(
            select(func.coalesce(func.sum(HOST_LOSSES.c.count), 0)).where(HOST_LOSSES.c.received_at_unix_ms >= day_ago)
        )
        missing = await connection.scalar(
            select(func.coalesce(func.sum(HOST_GAPS.c.last_number - HOST_GAPS.c.first_number + 1), 0))
        )
        top = await connection.execute(
            select(ALERT_RULES.c.rule, func.count().label("hits"))
            .join(ALERTS, alerts.alert_id == ALERT_RULES.c.alert_id)
            .where(alerts.received_at_unix_ms >= day_ago)
            .group_by(ALERT_RULES.c.rule)
            .order_by(func.count().desc(), ALERT_RULES.c.rule)
            .limit(OVERVIEW_ROWS_MAX)
        )
        latest = await connection.execute(
            select(*ALERT_COLUMNS)
            .join(HOSTS, hosts.host_id == alerts.host_id)
            .order_by(alerts.alert_id.desc())
            .limit(OVERVIEW_ROWS_MAX)
        )
        events = await connection.execute(
            select(*EVENT_COLUMNS)
            .join(HOSTS, hosts.host_id == HOST_EVENTS.c.host_id)
            .order_by(HOST_EVENTS.c.event_id.desc())
            .limit(OVERVIEW_ROWS_MAX)
        )
        return Overview(
            open_alerts=SeverityCounts(**{name: count for name, count in open_counts}),  # noqa: C416  # rows are not pairs
            alerts_last_day=day[0],
            blocked_last_day=day[1],
            hosts_total=host[0],
            hosts_silent=host[1],
            hosts_observing=host[2],
            skipped_last_day=skipped or 0,
            losses_last_day=losses or 0,
            records_missing=missing or 0,
            top_rules=tuple(RuleCount(rule=row.rule, count=row.hits) for row in top),
            latest_alerts=tuple(alert_row(row) for row in latest),
            latest_events=tuple(event_row(row) for row in events),
        )


async def alert_series(
    database: Database, *, since_unix_ms: int, until_unix_ms: int, buckets: int, host_id: str = ""
) -> tuple[AlertBucket, ...]:
    """Alerts received over time in `buckets` equal steps, empty ones included.  Raises `RequestRefused`."""
    if not 1 <= buckets <= SERIES_BUCKETS_MAX or until_unix_ms <= since_unix_ms:
        raise RequestRefused(f"a chart has 1 to {SERIES_BUCKETS_MAX} steps of a span of time", "ask for fewer steps")
    width_ms = max(1, -(-(until_unix_ms - since_unix_ms) // buckets))
    alerts = ALERTS.c
    bucket = ((alerts.received_at_unix_ms - since_unix_ms) // width_ms).label("bucket")
    conditions = [alerts.received_at_unix_ms >= since_unix_ms, alerts.received_at_unix_ms < until_unix_ms]
    if host_id:
        conditions.append(alerts.host_id == host_id)
    async with database.reading() as connection:
        found = await connection.execute(
            select(
                bucket,
                alerts.severity,
                func.count().label("hits"),
                func.sum(case((alerts.response == AlertResponse.BLOCKED.value, 1), else_=0)).label("blocked"),
            )
            .where(*conditions)
            .group_by(bucket, alerts.severity)
        )
        counts: dict[int, dict[str, int]] = {}
        blocked: dict[int, int] = {}
        for row in found:
            counts.setdefault(row.bucket, {})[row.severity] = row.hits
            blocked[row.bucket] = blocked.get(row.bucket, 0) + row.blocked
    return tuple(
        AlertBucket(
            start_unix_ms=since_unix_ms + step * width_ms,
            by_severity=SeverityCounts(**counts.get(step, {})),
            blocked=blocked.get(step, 0),
        )
        for step in range(buckets)
    )


async def filter_choices(database: Database) -> FilterChoices:
    """What the alert filters offer: only what occurs, bounded."""
    async with database.reading() as connection:
        rules = await connection.execute(
            select(ALERT_RULES.c.rule).distinct().order_by(ALERT_RULES.c.rule).limit(FILTER_CHOICES_MAX)
        )
        releases = await connection.execute(
            select(ALERTS.c.release_name, ALERTS.c.release_version)
            .distinct()
            .order_by(ALERTS.c.release_name, ALERTS.c.release_version.desc())
            .limit(FILTER_CHOICES_MAX)
        )
        hosts = await connection.execute(
            select(HOSTS.c.host_id, HOSTS.c.host_name)
            .order_by(HOSTS.c.host_name, HOSTS.c.host_id)
            .limit(FILTER_CHOICES_MAX)
        )
        users = await connection.execute(
            select(USERS.c.name)
            .where(USERS.c.disabled_at_unix_ms.is_(None))
            .order_by(USERS.c.name)
            .limit(FILTER_CHOICES_MAX)
        )
        return FilterChoices(
            rules=tuple(row.rule for row in rules),
            releases=tuple(f"{row.release_name}@{row.release_version}" for row in releases),
            hosts=tuple((row.host_id, row.host_name) for row in hosts),
            users=tuple(row.name for row in users),
        )


async def audit_log(
    database: Database,
    *,
    before: int | None = None,
    limit: int = PAGE_ROWS_DEFAULT,
    action: str = "",
    subject: str = "",
) -> AuditPage:
    """One page of the audit log, newest first.  `action` and `subject` match from their beginning."""
    check_page_limit(limit)
    conditions: list[ColumnElement[bool]] = []
    if before is not None:
        conditions.append(AUDIT_LOG.c.audit_id < before)
    if action:
        conditions.append(AUDIT_LOG.c.action.startswith(action, autoescape=True))
    if subject:
        conditions.append(AUDIT_LOG.c.subject.startswith(subject, autoescape=True))
    async with database.reading() as connection:
        found = await _audit_rows(connection, and_(true(), *conditions), limit + 1)
    rows = found[:limit]
    return AuditPage(rows=rows, next_before=rows[-1].audit_id if len(found) > limit else None)


async def _audit_rows(
    connection: AsyncConnection, condition: ColumnElement[bool], limit: int
) -> tuple[AuditEntry, ...]:
    """Lines of the audit log, newest first."""
    found = await connection.execute(
        select(AUDIT_LOG).where(condition).order_by(AUDIT_LOG.c.audit_id.desc()).limit(limit)
    )
    return tuple(view_of(AuditEntry, row) for row in found)


def _conditions(wanted: AlertFilter) -> list[ColumnElement[bool]]:
    """The filter as SQL conditions."""
    alerts = ALERTS.c
    conditions: list[ColumnElement[bool]] = []
    for column, values in (
        (alerts.severity, wanted.severities),
        (alerts.response, wanted.responses),
        (alerts.source, wanted.sources),
        (alerts.state, wanted.states),
    ):
        if values:
            conditions.append(column.in_(sorted(value.value for value in values)))
    for column, value in (
        (alerts.host_id, wanted.host_id),
        (alerts.assignee, wanted.assignee),
        (alerts.sha256, wanted.sha256.lower()),
    ):
        if value:
            conditions.append(column == value)
    if wanted.rule:
        conditions.append(alerts.alert_id.in_(select(ALERT_RULES.c.alert_id).where(ALERT_RULES.c.rule == wanted.rule)))
    if wanted.release:
        name, _, version = wanted.release.rpartition("@")
        if name and version.isascii() and version.isdigit():
            conditions.append(and_(alerts.release_name == name, alerts.release_version == int(version[:18])))
        else:
            conditions.append(alerts.release_name == wanted.release)
    if wanted.since_unix_ms is not None:
        conditions.append(alerts.received_at_unix_ms >= wanted.since_unix_ms)
    if wanted.until_unix_ms is not None:
        conditions.append(alerts.received_at_unix_ms < wanted.until_unix_ms)
    return conditions + _search_conditions(wanted.search)


def _search_conditions(search: str) -> list[ColumnElement[bool]]:
    """Every word must occur in the alert's text or its host's name."""
    words = search.lower().split()
    if len(search) > SEARCH_TEXT_MAX or len(words) > SEARCH_WORDS_MAX:
        raise RequestRefused(
            f"a search has at most {SEARCH_WORDS_MAX} words and {SEARCH_TEXT_MAX} characters", "shorten it"
        )
    return [
        or_(
            ALERTS.c.search_text.contains(word, autoescape=True),
            func.lower(HOSTS.c.host_name).contains(word, autoescape=True),
        )
        for word in words
    ]
