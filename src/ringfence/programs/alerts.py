"""`ringfence alerts`: the alerts of a state directory, as a table, JSON lines or OCSF findings."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ringfence import __version__
from ringfence.control.database import Database
from ringfence.control.export import ExportedAlert, newest_alerts, next_alerts
from ringfence.control.schema import SCHEMA_REVISION
from ringfence.detect.alerts import visible
from ringfence.model.errors import PathRefused, PrivilegeMissing, StateVersionForeign, UsageRefused
from ringfence.model.limits import ALERTS_FOLLOW_MS, ALERTS_KEPT_MAX, PAGE_ROWS_MAX
from ringfence.model.records import Severity
from ringfence.wire.ocsf import FindingContext, encode_finding

_STYLES: Final = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFORMATIONAL: "dim",
}


def command(
    state: Annotated[Path, typer.Option(help="The state directory of `ringfence up` or `server`.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    ocsf: Annotated[bool, typer.Option("--ocsf", help="One OCSF Detection Finding a line.")] = False,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=ALERTS_KEPT_MAX)] = 100,
    follow: Annotated[bool, typer.Option("--follow", help="Then go on with new ones as they come.")] = False,
) -> None:
    """List the alerts of a state directory, newest first.

    Without --json or --ocsf a table on a terminal, and plain lines elsewhere; control characters are shown as escapes.

    Example: ringfence alerts --state /var/lib/ringfence --ocsf | your-collector
    """
    if as_json and ocsf:
        raise UsageRefused("--json and --ocsf are two different outputs", "say one of them")
    database = _database_file(state)
    show = _as_json if as_json else _as_ocsf if ocsf else None
    asyncio.run(_show(Database(database), limit, show, follow=follow))


async def _show(database: Database, limit: int, line: Callable[[ExportedAlert], bytes] | None, *, follow: bool) -> None:
    try:
        shown: list[ExportedAlert] = []
        newest = 0
        async for alert in _newest(database, limit):
            newest = max(newest, alert.row.alert_id)
            if line is None:
                shown.append(alert)
            else:
                _write(line(alert))
        if line is None and sys.stdout.isatty():
            _print_table(shown)
        elif line is None:
            for alert in shown:
                _write(_as_line(alert))
        while follow:
            sys.stdout.flush()
            fresh = await next_alerts(database, after=newest, limit=PAGE_ROWS_MAX)
            for alert in fresh:
                newest = alert.row.alert_id
                _write(_as_line(alert) if line is None else line(alert))
            if not fresh:
                await asyncio.sleep(ALERTS_FOLLOW_MS / 1_000)
    finally:
        await database.close()


async def _newest(database: Database, limit: int) -> AsyncIterator[ExportedAlert]:
    """The newest `limit` alerts, a page at a time."""
    before: int | None = None
    while limit > 0:
        page = await newest_alerts(database, before=before, limit=min(limit, PAGE_ROWS_MAX))
        for alert in page:
            yield alert
        if len(page) < min(limit, PAGE_ROWS_MAX):
            return
        limit -= len(page)
        before = page[-1].row.alert_id


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")


def _as_json(alert: ExportedAlert) -> bytes:
    """The host's record with what the server knows.  ASCII, so that no name in it can steer a terminal."""
    row = alert.row
    return json.dumps(
        {
            "alert_id": row.alert_id,
            "host_id": row.host_id,
            "host_name": row.host_name,
            "received_at_unix_ms": row.received_at_unix_ms,
            "severity": row.severity.value,
            "state": row.state.value,
            "assignee": row.assignee,
            "alert": asdict(alert.record),
        },
        separators=(",", ":"),
    ).encode("ascii")


def _as_ocsf(alert: ExportedAlert) -> bytes:
    row = alert.row
    context = FindingContext(
        uid=f"{row.host_id}-{row.alert_id}",
        host_id=row.host_id,
        host_name=row.host_name,
        received_at_unix_ms=row.received_at_unix_ms,
        state=row.state.value,
        product_version=__version__,
    )
    return encode_finding(alert.record, context)


def _as_line(alert: ExportedAlert) -> bytes:
    """A line of the table that goes on."""
    row = alert.row
    words = (_time(row.at_unix_ms), row.severity, row.response, row.rule, row.path, row.process_name, row.host_name)
    return "  ".join(visible(word) for word in words).encode()


def _print_table(alerts: list[ExportedAlert]) -> None:
    console = Console(file=sys.stdout, highlight=False)
    if not alerts:
        console.print("no alerts")
        return
    table = Table("time (UTC)", "severity", "response", "rule", "file", "process", "host", box=None, pad_edge=False)
    for alert in alerts:
        row = alert.row
        table.add_row(
            _time(row.at_unix_ms),
            Text(row.severity, style=_STYLES[row.severity]),
            row.response,
            Text(visible(row.rule)),
            Text(visible(row.path), overflow="fold"),
            Text(visible(row.process_name)),
            Text(visible(row.host_name)),
        )
    console.print(table)


def _time(unix_ms: int) -> str:
    """The moment in UTC; far futures of broken clocks as they are."""
    try:
        return datetime.fromtimestamp(unix_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return f"{unix_ms} ms"


def _database_file(state: Path) -> Path:
    """The embedded server's database.  Nothing is made here, and nothing migrated.

    Raises PathRefused, PrivilegeMissing or StateVersionForeign.
    """
    file = state / "server" / "ringfence.db"
    try:
        if not file.is_file():
            raise PathRefused(
                f"{state} holds no alerts: there is no {file}",
                "name the --state directory of `ringfence up` or `server`",
            )
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except PermissionError as error:
        raise PrivilegeMissing(f"{file} is not yours to read", "run it as the user that runs the server") from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            raise PrivilegeMissing(f"{file} is not yours to read", "run it as the user that runs the server") from error
        raise StateVersionForeign(f"{file} is not of this version: {error}", "start its server once") from error
    except sqlite3.DatabaseError as error:
        raise StateVersionForeign(f"{file} is damaged: {error}", "restore it from a copy") from error
    if found is None or found[0] != SCHEMA_REVISION:
        raise StateVersionForeign(
            f"{file} has another schema than this version", "start this version's server once, or use the other version"
        )
    return file
