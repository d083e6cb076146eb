"""What people do to alerts and hosts: every write of the console and the API.

Each command is one transaction that changes the rows, adds a line to the audit log, and only after the commit tells
the live stream.  Triage is optimistic: the caller says which version it saw, and `TriageStale` answers when somebody
else was faster.
"""

from collections.abc import Awaitable
from typing import Protocol

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from ringfence.control.audit import AuditAction, write_audit
from ringfence.control.broker import News, NewsKind
from ringfence.control.database import new_row_number
from ringfence.control.refusals import NotFound, RequestRefused, TriageStale
from ringfence.control.schema import ALERT_NOTES, ALERTS, HOSTS, USERS
from ringfence.control.services import ConsoleServices
from ringfence.control.views import Actor, AlertState
from ringfence.model.limits import ALERT_NOTES_MAX, NOTE_CHARACTERS_MAX


class Settle(Protocol):
    """`resolve_alert`, `mark_false_positive` and `reopen_alert` have this shape."""

    def __call__(
        self, services: ConsoleServices, actor: Actor, *, alert_id: int, expected_version: int, text: str = ""
    ) -> Awaitable[int]:
        """Settle or reopen; returns the new triage version."""
        ...


async def assign_alert(
    services: ConsoleServices, actor: Actor, *, alert_id: int, expected_version: int, assignee: str
) -> int:
    """Give an alert to a user; "" takes it away.  Returns the new triage version.

    Raises `NotFound` (alert or user) and `TriageStale`.
    """
    now_unix_ms = services.clock()
    async with services.database.writing() as connection:
        if assignee and not await _user_exists(connection, assignee):
            raise NotFound(f"there is no user {assignee!r}", "choose a user of this server")
        version = await _change(
            connection, alert_id, expected_version, {"assignee": assignee, "triaged_at_unix_ms": now_unix_ms}
        )
        await write_audit(
            connection,
            AuditAction.ALERT_ASSIGNED,
            actor,
            subject=f"alert:{alert_id}",
            detail=f"to {assignee}" if assignee else "to nobody",
            at_unix_ms=now_unix_ms,
        )
    _tell(services, alert_id)
    return version


async def note_alert(services: ConsoleServices, actor: Actor, *, alert_id: int, text: str) -> int:
    """Write a note under an alert.  Returns the note's id.  Raises `NotFound` and `RequestRefused`."""
    now_unix_ms = services.clock()
    async with services.database.writing() as connection:
        if (await connection.execute(select(ALERTS.c.alert_id).where(ALERTS.c.alert_id == alert_id))).first() is None:
            raise _no_alert(alert_id)
        note_id = await _add_note(connection, actor, alert_id, text, now_unix_ms)
        await write_audit(
            connection,
            AuditAction.ALERT_NOTED,
            actor,
            subject=f"alert:{alert_id}",
            detail=f"note {note_id}",
            at_unix_ms=now_unix_ms,
        )
    _tell(services, alert_id)
    return note_id


async def resolve_alert(
    services: ConsoleServices, actor: Actor, *, alert_id: int, expected_version: int, text: str = ""
) -> int:
    """The alert was right and has been dealt with.  Returns the new triage version.  Raises as `_settle`."""
    return await _settle(
        services, actor, AuditAction.ALERT_RESOLVED, AlertState.RESOLVED, alert_id, expected_version, text
    )


async def mark_false_positive(
    services: ConsoleServices, actor: Actor, *, alert_id: int, expected_version: int, text: str = ""
) -> int:
    """The alert was wrong: the rule must change.  Returns the new triage version.  Raises as `_settle`."""
    return await _settle(
        services, actor, AuditAction.ALERT_FALSE_POSITIVE, AlertState.FALSE_POSITIVE, alert_id, expected_version, text
    )


async def reopen_alert(
    services: ConsoleServices, actor: Actor, *, alert_id: int, expected_version: int, text: str = ""
) -> int:
    """The alert is not settled after all.  Returns the new triage version.  Raises as `_settle`."""
    return await _settle(services, actor, AuditAction.ALERT_REOPENED, AlertState.OPEN, alert_id, expected_version, text)


async def revoke_host(services: ConsoleServices, actor: Actor, *, host_id: str) -> None:
    """Refuse everything that this host sends from now on.  What it sent stays.  Raises `NotFound`."""
    now_unix_ms = services.clock()
    async with services.database.writing() as connection:
        changed = await connection.execute(
            update(HOSTS)
            .where(HOSTS.c.host_id == host_id, HOSTS.c.revoked_at_unix_ms.is_(None))
            .values(revoked_at_unix_ms=now_unix_ms)
        )
        if not changed.rowcount:
            raise NotFound(f"there is no host {host_id!r} that could be revoked", "look at the list of hosts")
        await write_audit(
            connection, AuditAction.HOST_REVOKED, actor, subject=f"host:{host_id}", at_unix_ms=now_unix_ms
        )
    services.broker.publish((News(NewsKind.HOST_CHANGED, host_id=host_id),))


async def _settle(
    services: ConsoleServices,
    actor: Actor,
    action: AuditAction,
    state: AlertState,
    alert_id: int,
    expected_version: int,
    text: str,
) -> int:
    """Move an alert to `state`, with an optional note.

    Raises `NotFound`, `TriageStale`, and `RequestRefused` when the note is too long.
    """
    now_unix_ms = services.clock()
    async with services.database.writing() as connection:
        version = await _change(
            connection, alert_id, expected_version, {"state": state.value, "triaged_at_unix_ms": now_unix_ms}
        )
        note = f"note {await _add_note(connection, actor, alert_id, text, now_unix_ms)}" if text.strip() else ""
        await write_audit(connection, action, actor, subject=f"alert:{alert_id}", detail=note, at_unix_ms=now_unix_ms)
    _tell(services, alert_id)
    return version


async def _change(
    connection: AsyncConnection, alert_id: int, expected_version: int, values: dict[str, str | int]
) -> int:
    """Change an alert's triage if it still has the version that the caller saw."""
    alerts = ALERTS.c
    changed = await connection.execute(
        update(ALERTS)
        .where(alerts.alert_id == alert_id, alerts.triage_version == expected_version)
        .values(triage_version=expected_version + 1, **values)
    )
    if changed.rowcount:
        return expected_version + 1
    if (await connection.execute(select(alerts.alert_id).where(alerts.alert_id == alert_id))).first() is None:
        raise _no_alert(alert_id)
    raise TriageStale(f"alert {alert_id} was changed by somebody else", "look at it again and repeat what still fits")


async def _add_note(connection: AsyncConnection, actor: Actor, alert_id: int, text: str, now_unix_ms: int) -> int:
    """Add one note within the bounds; returns its id."""
    text = text.strip()
    if not text or len(text) > NOTE_CHARACTERS_MAX:
        raise RequestRefused(
            f"a note has 1 to {NOTE_CHARACTERS_MAX} characters, this one has {len(text)}", "shorten it or split it"
        )
    count = await connection.scalar(select(func.count()).where(ALERT_NOTES.c.alert_id == alert_id))
    if (count or 0) >= ALERT_NOTES_MAX:
        raise RequestRefused(f"alert {alert_id} has {ALERT_NOTES_MAX} notes already", "resolve it and go on elsewhere")
    written = await connection.execute(
        insert(ALERT_NOTES).values(alert_id=alert_id, at_unix_ms=now_unix_ms, author=actor.name, text=text)
    )
    return new_row_number(written)


async def _user_exists(connection: AsyncConnection, name: str) -> bool:
    """Whether somebody of that name may log in."""
    found = await connection.execute(
        select(USERS.c.user_id).where(USERS.c.name == name, USERS.c.disabled_at_unix_ms.is_(None))
    )
    return found.first() is not None


def _no_alert(alert_id: int) -> NotFound:
    """What to raise when an alert does not exist."""
    return NotFound(f"there is no alert {alert_id}", "look at the list of alerts; old ones may have been removed")


def _tell(services: ConsoleServices, alert_id: int) -> None:
    """Tell the live stream that an alert was triaged."""
    services.broker.publish((News(NewsKind.ALERT_TRIAGED, alert_id=alert_id),))
