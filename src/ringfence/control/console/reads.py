"""What only the console asks of the database: how well the fleet is protected, and what needs a person's attention.

"Needs attention" is everything about the sensors themselves that is not as it should be, of the last day: a breaker
that tripped, content that was refused, files that went on without a verdict, records that were lost, silent hosts.
No data is never shown as good news: a host that has not reported is silent, whatever it said last.
"""

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from ringfence.control.database import Database
from ringfence.control.queries import DAY_MS
from ringfence.control.schema import HOST_EVENTS, HOST_GAPS, HOST_LOSSES, HOSTS, SKIPPED_FILES
from ringfence.control.views import HostRow
from ringfence.model.limits import CONSOLE_ATTENTION_ROWS_MAX, HOST_SILENT_AFTER_MS
from ringfence.model.records import HostEventKind

BAD_EVENTS: Final = {
    HostEventKind.BREAKER_RELEASE: "The breaker set a release to observe",
    HostEventKind.BREAKER_RULE: "The breaker set a rule to observe",
    HostEventKind.RULE_DISABLED: "A rule was disabled on a host",
    HostEventKind.RELEASE_REFUSED: "A content release was refused",
    HostEventKind.UPDATE_TROUBLE: "Signed content is stale, refused or cannot be kept",
    HostEventKind.GATE_REPLACED: "The gate was replaced",
    HostEventKind.PAIR_QUARANTINED: "A file was taken out of synchronous scanning",
    HostEventKind.PROCESS_DIED: "A sensor process died",
    HostEventKind.CLOCK_WENT_BACK: "The host's clock went back",
}
"""Events that ask for a person, worst first, with their headline."""


@unique
class Protection(StrEnum):
    """How a host stands right now."""

    PROTECTED = "protected"
    OBSERVING = "observing"
    WAITING = "waiting"
    """Enrolled, but no status has arrived yet: unknown is not protected."""

    SILENT = "silent"
    REVOKED = "revoked"


def protection_of(host: HostRow) -> Protection:
    """How a host of a list stands.  Silence comes before whatever the host said last."""
    if host.is_revoked:
        return Protection.REVOKED
    if host.is_silent:
        return Protection.SILENT
    if host.mode == "":
        return Protection.WAITING
    return Protection.PROTECTED if host.mode == "enforce" else Protection.OBSERVING


@dataclass(frozen=True, slots=True)
class Posture:
    """How many hosts stand how; revoked hosts are not counted."""

    protected: int
    observing: int
    waiting: int
    silent: int

    @property
    def total(self) -> int:
        """All hosts that are enrolled."""
        return self.protected + self.observing + self.waiting + self.silent


@dataclass(frozen=True, slots=True)
class AttentionItem:
    """One thing to look at.  `subject` is host-supplied text; `count` is how often or how much."""

    kind: str
    headline: str
    subject: str
    count: int
    host_id: str
    host_name: str
    at_unix_ms: int


async def posture(database: Database, *, now_unix_ms: int) -> Posture:
    """How many hosts are protected right now."""
    hosts = HOSTS.c
    state = case(
        (hosts.last_seen_unix_ms < now_unix_ms - HOST_SILENT_AFTER_MS, Protection.SILENT.value),
        (hosts.mode == "", Protection.WAITING.value),
        (hosts.mode == "enforce", Protection.PROTECTED.value),
        else_=Protection.OBSERVING.value,
    ).label("state")
    async with database.reading() as connection:
        found = await connection.execute(
            select(state, func.count().label("hosts")).where(hosts.revoked_at_unix_ms.is_(None)).group_by(state)
        )
        counts = {row.state: row.hosts for row in found}
    return Posture(
        protected=counts.get(Protection.PROTECTED.value, 0),
        observing=counts.get(Protection.OBSERVING.value, 0),
        waiting=counts.get(Protection.WAITING.value, 0),
        silent=counts.get(Protection.SILENT.value, 0),
    )


async def attention(database: Database, *, now_unix_ms: int) -> tuple[AttentionItem, ...]:
    """What needs a person, worst kind first, at most `CONSOLE_ATTENTION_ROWS_MAX` lines of each kind."""
    day_ago = now_unix_ms - DAY_MS
    async with database.reading() as connection:
        return (
            *await _silent_hosts(connection, now_unix_ms),
            *await _bad_events(connection, day_ago),
            *await _lost_records(connection, day_ago),
            *await _dropped(connection, day_ago),
            *await _skipped_files(connection, day_ago),
        )


async def _silent_hosts(connection: AsyncConnection, now_unix_ms: int) -> tuple[AttentionItem, ...]:
    hosts = HOSTS.c
    found = await connection.execute(
        select(hosts.host_id, hosts.host_name, hosts.last_seen_unix_ms)
        .where(hosts.revoked_at_unix_ms.is_(None), hosts.last_seen_unix_ms < now_unix_ms - HOST_SILENT_AFTER_MS)
        .order_by(hosts.last_seen_unix_ms.desc())
        .limit(CONSOLE_ATTENTION_ROWS_MAX)
    )
    return tuple(
        AttentionItem("silent", "Silent host", "", 1, row.host_id, row.host_name, row.last_seen_unix_ms)
        for row in found
    )


async def _bad_events(connection: AsyncConnection, since_unix_ms: int) -> tuple[AttentionItem, ...]:
    events = HOST_EVENTS.c
    found = await connection.execute(
        select(
            events.kind,
            events.subject,
            HOSTS.c.host_id,
            HOSTS.c.host_name,
            func.count().label("times"),
            func.max(events.received_at_unix_ms).label("newest"),
        )
        .join(HOSTS, HOSTS.c.host_id == events.host_id)
        .where(events.received_at_unix_ms >= since_unix_ms, events.kind.in_([kind.value for kind in BAD_EVENTS]))
        .group_by(events.kind, events.subject, HOSTS.c.host_id, HOSTS.c.host_name)
        .order_by(func.max(events.received_at_unix_ms).desc())
        .limit(CONSOLE_ATTENTION_ROWS_MAX)
    )
    items = [
        AttentionItem(
            row.kind,
            BAD_EVENTS[HostEventKind(row.kind)],
            row.subject,
            row.times,
            row.host_id,
            row.host_name,
            row.newest,
        )
        for row in found
    ]
    worst_first = [kind.value for kind in BAD_EVENTS]
    return tuple(sorted(items, key=lambda item: worst_first.index(item.kind)))


async def _lost_records(connection: AsyncConnection, since_unix_ms: int) -> tuple[AttentionItem, ...]:
    gaps = HOST_GAPS.c
    found = await connection.execute(
        select(
            HOSTS.c.host_id,
            HOSTS.c.host_name,
            func.sum(gaps.last_number - gaps.first_number + 1).label("missing"),
            func.max(gaps.found_at_unix_ms).label("newest"),
        )
        .join(HOSTS, HOSTS.c.host_id == gaps.host_id)
        .where(gaps.found_at_unix_ms >= since_unix_ms)
        .group_by(HOSTS.c.host_id, HOSTS.c.host_name)
        .order_by(func.max(gaps.found_at_unix_ms).desc())
        .limit(CONSOLE_ATTENTION_ROWS_MAX)
    )
    return tuple(
        AttentionItem("gap", "Records never arrived", "", row.missing, row.host_id, row.host_name, row.newest)
        for row in found
    )


async def _dropped(connection: AsyncConnection, since_unix_ms: int) -> tuple[AttentionItem, ...]:
    losses = HOST_LOSSES.c
    found = await connection.execute(
        select(
            losses.source,
            HOSTS.c.host_id,
            HOSTS.c.host_name,
            func.sum(losses.count).label("dropped"),
            func.max(losses.received_at_unix_ms).label("newest"),
        )
        .join(HOSTS, HOSTS.c.host_id == losses.host_id)
        .where(losses.received_at_unix_ms >= since_unix_ms)
        .group_by(losses.source, HOSTS.c.host_id, HOSTS.c.host_name)
        .order_by(func.max(losses.received_at_unix_ms).desc())
        .limit(CONSOLE_ATTENTION_ROWS_MAX)
    )
    return tuple(
        AttentionItem("loss", "Dropped on the host", row.source, row.dropped, row.host_id, row.host_name, row.newest)
        for row in found
    )


async def _skipped_files(connection: AsyncConnection, since_unix_ms: int) -> tuple[AttentionItem, ...]:
    skipped = SKIPPED_FILES.c
    found = await connection.execute(
        select(
            skipped.reason,
            HOSTS.c.host_id,
            HOSTS.c.host_name,
            func.count().label("files"),
            func.max(skipped.received_at_unix_ms).label("newest"),
        )
        .join(HOSTS, HOSTS.c.host_id == skipped.host_id)
        .where(skipped.received_at_unix_ms >= since_unix_ms)
        .group_by(skipped.reason, HOSTS.c.host_id, HOSTS.c.host_name)
        .order_by(func.max(skipped.received_at_unix_ms).desc())
        .limit(CONSOLE_ATTENTION_ROWS_MAX)
    )
    return tuple(
        AttentionItem(
            "skipped",
            "Files without a verdict",
            row.reason.replace("_", " "),
            row.files,
            row.host_id,
            row.host_name,
            row.newest,
        )
        for row in found
    )
