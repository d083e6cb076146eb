"""From rows of the database to the frozen values of `views.py`: the columns each needs, and the one mapping."""

from dataclasses import fields
from typing import Any, Final, TypeVar

from sqlalchemy import Row

from ringfence.control.refusals import RequestRefused
from ringfence.control.schema import ALERTS, HOST_EVENTS, HOSTS
from ringfence.control.views import (
    AlertNote,
    AlertRow,
    AlertState,
    AuditEntry,
    GapRow,
    HostEventRow,
    LossRow,
    SkippedRow,
)
from ringfence.model.limits import PAGE_ROWS_MAX
from ringfence.model.records import AlertResponse, AlertSource, HostEventKind, Severity

ALERT_COLUMNS: Final = (
    *(column for column in ALERTS.c if column.name not in ("document", "search_text")),
    HOSTS.c.host_name,
)
EVENT_COLUMNS: Final = (*HOST_EVENTS.c, HOSTS.c.host_name)

View = TypeVar("View", AlertNote, AuditEntry, GapRow, LossRow, SkippedRow)

AnyRow = Row[*tuple[Any, ...]]
"""A row whose columns the type checker does not follow; the functions below name them."""


def alert_row(row: AnyRow) -> AlertRow:
    """An alert of a list from a row of `ALERT_COLUMNS`."""
    return AlertRow(
        alert_id=row.alert_id,
        host_id=row.host_id,
        host_name=row.host_name,
        at_unix_ms=row.at_unix_ms,
        received_at_unix_ms=row.received_at_unix_ms,
        severity=Severity(row.severity),
        source=AlertSource(row.source),
        response=AlertResponse(row.response),
        rule=row.rule,
        path=row.path,
        sha256=row.sha256,
        process_name=row.process_name,
        release_name=row.release_name,
        release_version=row.release_version,
        state=AlertState(row.state),
        assignee=row.assignee,
        triage_version=row.triage_version,
    )


def event_row(row: AnyRow) -> HostEventRow:
    """A sensor event from a row of `EVENT_COLUMNS`."""
    return HostEventRow(
        event_id=row.event_id,
        host_id=row.host_id,
        host_name=row.host_name,
        at_unix_ms=row.at_unix_ms,
        kind=HostEventKind(row.kind),
        subject=row.subject,
        detail=row.detail,
    )


def view_of(view: type[View], row: AnyRow) -> View:
    """A view whose fields are named as the row's columns are and need no conversion."""
    columns = row._mapping  # noqa: SLF001  # SQLAlchemy's public name for it
    return view(**{one.name: columns[one.name] for one in fields(view)})


def check_page_limit(limit: int) -> None:
    """Refuse a page that is empty or too large.  Raises `RequestRefused`."""
    if not 1 <= limit <= PAGE_ROWS_MAX:
        raise RequestRefused(f"a page has 1 to {PAGE_ROWS_MAX} rows, not {limit}", "ask for less and turn pages")
