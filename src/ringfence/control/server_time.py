"""A server that starts after its clock went back: noticed by the newest moment on record, refused when it is far off.

With a clock that is wrong by hours, sessions and tokens would live again and certificates would not be valid yet.  A
person who knows that the *recorded* time was the wrong one says so once (`--accept-clock`).
"""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from ringfence.control.audit import SERVER_ACTOR, AuditAction, write_audit
from ringfence.control.clock import Clock, SteadyClock
from ringfence.control.database import Database
from ringfence.control.schema import LOGIN_ATTEMPTS, SERVER_FACTS, SESSIONS
from ringfence.model.errors import ClockWentBack
from ringfence.model.limits import CLOCK_BACK_TOLERANCE_MS

_NEWEST: Final = "newest_unix_ms"


async def steady_clock(database: Database, wall: Clock, *, accept_clock: bool) -> SteadyClock:
    """The clock to serve with.  Raises `ClockWentBack` when the wall clock is far behind what is on record."""
    newest_unix_ms = await _recorded(database)
    now_unix_ms = wall()
    if newest_unix_ms - now_unix_ms <= CLOCK_BACK_TOLERANCE_MS:
        return SteadyClock(wall, newest_unix_ms=newest_unix_ms)
    if not accept_clock:
        raise ClockWentBack(
            f"the clock says {_shown(now_unix_ms)}, but this server was running at {_shown(newest_unix_ms)}",
            "set the clock and start again; if it is right now, let `ringfence server --state DIR --accept-clock` run "
            "once before",
        )
    async with database.writing() as connection:
        # Whoever was logged in then must do so again: those times mean nothing any more.
        await connection.execute(delete(SESSIONS))
        await connection.execute(delete(LOGIN_ATTEMPTS))
        await write_audit(
            connection,
            AuditAction.CLOCK_ACCEPTED,
            SERVER_ACTOR,
            subject="server",
            detail=f"recorded {_shown(newest_unix_ms)}",
            at_unix_ms=now_unix_ms,
        )
    await record_time(database, now_unix_ms)
    return SteadyClock(wall)


async def record_time(database: Database, now_unix_ms: int) -> None:
    """Write down that it was this late."""
    async with database.writing() as connection:
        await connection.execute(
            insert_sqlite(SERVER_FACTS)
            .values(name=_NEWEST, value=str(now_unix_ms))
            .on_conflict_do_update(index_elements=["name"], set_={"value": str(now_unix_ms)})
        )


async def _recorded(database: Database) -> int:
    """The newest moment that was written down; 0 when there is none."""
    async with database.reading() as connection:
        value = await connection.scalar(
            select(func.coalesce(func.max(SERVER_FACTS.c.value), "0")).where(SERVER_FACTS.c.name == _NEWEST)
        )
    return int(value or 0)


def _shown(unix_ms: int) -> str:
    """A time for a person."""
    return f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"
