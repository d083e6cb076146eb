"""The live stream `/events/alerts`: server-sent events for whoever is logged in.

* `event: alert`, `id: <alert_id>`, `data:` the alert as in a list.  Numbers grow, so a browser that reconnects with
  `Last-Event-ID` gets what it has missed; `event: reload` when that is more than `STREAM_RESUME_EVENTS_MAX`.
* `event: triaged`, `data:` the alert as it is now.  `event: host`, `data: {"host_id": ...}`.
* A comment after `STREAM_HEARTBEAT_S` without news.  As often the session is checked again; its end ends the stream.

News are wake-up calls: alerts are read from the database by number, so none is lost between two news.
"""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ringfence.control import queries
from ringfence.control.authentication import Session
from ringfence.control.broker import News, NewsKind
from ringfence.control.services import ConsoleServices
from ringfence.control.web_session import session_or_token_of
from ringfence.model.limits import STREAM_HEARTBEAT_S, STREAM_RESUME_EVENTS_MAX

PATH: Final = "/events/alerts"
_NUMBER_DIGITS: Final = 18
_HEARTBEAT: Final = b": heartbeat\n\n"


async def stream_alerts(services: ConsoleServices, request: Request) -> Response:
    """Open a stream.  Raises `NotLoggedIn`, and `TooManyAttempts` when all places are taken."""
    session = await session_or_token_of(services, request)
    last = request.headers.get("last-event-id", "")
    if last.isascii() and last.isdigit() and len(last) <= _NUMBER_DIGITS:
        seen = int(last)
    else:
        seen = await queries.newest_alert_id(services.database)
    # Asked here, so that a refusal is an answer and not a stream that ends at once.
    services.broker.require_room()
    return StreamingResponse(
        _events(services, session, seen),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def _events(services: ConsoleServices, session: Session, seen: int) -> AsyncIterator[bytes]:
    """The stream's text: everything after `seen`, until the session, the watcher or the server ends."""
    with services.broker.subscribe() as subscription:
        yield b"retry: 2000\n\n"
        news: News | None = News(NewsKind.ALERT_RAISED)  # look once for what was missed
        checked_unix_ms = services.clock()
        while not (subscription.overflowed or subscription.closed):
            if news is None:
                yield _HEARTBEAT
            elif news.kind is NewsKind.ALERT_RAISED:
                async for number, event in _new_alerts(services, seen):
                    seen = number
                    yield event
            elif news.kind is NewsKind.ALERT_TRIAGED:
                for row in await queries.alert_rows(services.database, (news.alert_id,)):
                    yield _event("triaged", msgspec.json.encode(row))
            else:
                yield _event("host", msgspec.json.encode({"host_id": news.host_id}))
            news = await subscription.next(timeout_s=STREAM_HEARTBEAT_S)
            if services.clock() - checked_unix_ms >= STREAM_HEARTBEAT_S * 1000:
                if not await _still_in(services, session):
                    return
                checked_unix_ms = services.clock()


async def _new_alerts(services: ConsoleServices, seen: int) -> AsyncIterator[tuple[int, bytes]]:
    """The events of all alerts after `seen`, each with its number; one `reload` when they are too many."""
    rows = await queries.alerts_after(services.database, seen, limit=STREAM_RESUME_EVENTS_MAX + 1)
    if len(rows) > STREAM_RESUME_EVENTS_MAX:
        newest = await queries.newest_alert_id(services.database)
        yield newest, _event("reload", b"{}", newest)
        return
    for row in rows:
        yield row.alert_id, _event("alert", msgspec.json.encode(row), row.alert_id)


async def _still_in(services: ConsoleServices, session: Session) -> bool:
    """Whether the session is still good; looking does not keep it alive."""
    if session.source == "token":
        return await services.authentication.bearer_of(session.token) is not None
    return await services.authentication.session_of(session.token, counts_as_use=False) is not None


def _event(name: str, data: bytes, number: int | None = None) -> bytes:
    """One event; JSON has no line breaks, so one `data:` line is enough."""
    head = f"event: {name}\n" if number is None else f"id: {number}\nevent: {name}\n"
    return head.encode() + b"data: " + data + b"\n\n"
