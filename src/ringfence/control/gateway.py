"""The hosts' door: `POST /uplink/v1/enrol` and `POST /uplink/v1/records`, as raw ASGI.

The order of checks keeps strangers cheap and hosts apart:

1. Method, path and declared length, from the head of the request alone.
2. The credential, before a byte of the body is read.  A revoked host goes no further.
3. A place: one batch per host at a time, `INGESTS_AT_ONCE_MAX` over all; else 503 with `Retry-After`.
4. The body, within its bound and `REQUEST_BODY_SECONDS_MAX`; cut short means refused.
5. Strict decoding (`wire/uplink.py`).  A batch that names another host than its credential's is refused, and noted.
6. Storing in one transaction (`ingest.py`).  Only after its commit: 200, and then the live stream is told.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from ringfence.control.audit import AuditAction, write_audit
from ringfence.control.broker import News, NewsKind
from ringfence.control.enrolment import KnownHost, enrol, host_of
from ringfence.control.ingest import store_batch
from ringfence.control.metrics import ServerMetrics
from ringfence.control.problems import PROBLEM_MEDIA_TYPE, Problem, encoded, problem, problem_of
from ringfence.control.refusal_limit import RefusalLimit
from ringfence.control.refusals import NotAllowed, NotLoggedIn, TooManyAttempts
from ringfence.control.services import ConsoleServices
from ringfence.control.views import Actor
from ringfence.control.web_session import address_of
from ringfence.model.errors import RingfenceError
from ringfence.model.limits import (
    ENROLMENTS_REFUSED_PER_ADDRESS_MAX,
    INGEST_RETRY_AFTER_S,
    INGESTS_AT_ONCE_MAX,
    LIE_WRITTEN_EVERY_MS,
    LOGIN_WINDOW_MS,
    REQUEST_BODY_SECONDS_MAX,
    UPLINK_BODY_BYTES_MAX,
    UPLINK_ENROLMENT_BYTES_MAX,
)
from ringfence.wire import uplink

PREFIX: Final = "/uplink/"
_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What goes back."""

    status: int
    body: bytes
    media_type: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


class _Refused(Exception):
    """Stop here and give this answer."""

    def __init__(self, body: Problem, headers: dict[str, str] | None = None) -> None:
        super().__init__(body.title)
        self.answer = _Answer(
            body.status,
            encoded(body),
            PROBLEM_MEDIA_TYPE,
            tuple((name.encode(), value.encode()) for name, value in (headers or {}).items()),
        )


class Gateway:
    """The ASGI application of the hosts' door."""

    def __init__(self, services: ConsoleServices, metrics: ServerMetrics) -> None:
        self._services = services
        self._metrics = metrics
        self._hosts_in_hand: set[str] = set()
        self._enrolments_in_hand = 0
        self._refused_enrolments = RefusalLimit(most=ENROLMENTS_REFUSED_PER_ADDRESS_MAX, window_ms=LOGIN_WINDOW_MS)
        self._written_lies = RefusalLimit(most=1, window_ms=LIE_WRITTEN_EVERY_MS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        routes: dict[str, Callable[[Scope, Receive], Awaitable[_Answer]]] = {
            uplink.ENROL_PATH: self._enrol,
            uplink.RECORDS_PATH: self._records,
        }
        try:
            _check_head(scope, tuple(routes))
            answer = await routes[scope["path"]](scope, receive)
        except _Refused as refused:
            answer = refused.answer
        except RingfenceError as error:
            answer = _Refused(*problem_of(error)).answer
        except _Gone:
            return
        except Exception:  # noqa: BLE001  # the last line of defence: the host is told to send again
            _LOG.exception("the uplink failed; nothing was acknowledged, the host will send again")
            answer = _Refused(
                problem(503, "internal", "the server failed", "send again later"), {"retry-after": "30"}
            ).answer
        self._metrics.uplink_answers.labels(status=str(answer.status)).inc()
        await _send(send, answer)

    async def _enrol(self, scope: Scope, receive: Receive) -> _Answer:
        """Exchange a token for a credential."""
        address = address_of(HTTPConnection(scope))
        now_unix_ms = self._services.clock()
        if self._refused_enrolments.is_exceeded(address, now_unix_ms):
            raise TooManyAttempts(
                "too many refused enrolments", "check the token", retry_after_s=LOGIN_WINDOW_MS // 1000
            )
        if self._enrolments_in_hand >= INGESTS_AT_ONCE_MAX:
            raise _busy()
        self._enrolments_in_hand += 1
        try:
            wanted = uplink.decode_enrol_request(await _body(scope, receive, UPLINK_ENROLMENT_BYTES_MAX))
            enrolled = await enrol(
                self._services.database,
                token=wanted.token,
                facts=wanted.facts,
                address=address,
                now_unix_ms=now_unix_ms,
            )
        except NotAllowed as refusal:
            self._refused_enrolments.count(address, now_unix_ms)
            await self._write_refused_enrolment(address, refusal, now_unix_ms)
            raise
        finally:
            self._enrolments_in_hand -= 1
        self._services.broker.publish((News(NewsKind.HOST_CHANGED, host_id=enrolled.host_id),))
        return _Answer(201, uplink.encode_enrol_answer(uplink.EnrolAnswer(enrolled.host_id, enrolled.credential)))

    async def _write_refused_enrolment(self, address: str, refusal: NotAllowed, now_unix_ms: int) -> None:
        """A line of the audit log; `ENROLMENTS_REFUSED_PER_ADDRESS_MAX` bounds how many one address can cause."""
        async with self._services.database.writing() as connection:
            await write_audit(
                connection,
                AuditAction.ENROLMENT_REFUSED,
                Actor(source="host", name="", address=address),
                subject="enrolment",
                detail=refusal.what,
                at_unix_ms=now_unix_ms,
            )

    async def _records(self, scope: Scope, receive: Receive) -> _Answer:
        """Take a batch of records."""
        if Headers(scope=scope).get("content-type") != uplink.RECORDS_CONTENT_TYPE:
            raise _Refused(
                problem(415, "media-type", "records come in lines of JSON", f"send {uplink.RECORDS_CONTENT_TYPE}")
            )
        host = await self._known_host(scope)
        if host.host_id in self._hosts_in_hand or len(self._hosts_in_hand) >= INGESTS_AT_ONCE_MAX:
            raise _busy()
        self._hosts_in_hand.add(host.host_id)
        try:
            return await self._take(host, await _body(scope, receive, UPLINK_BODY_BYTES_MAX))
        finally:
            self._hosts_in_hand.discard(host.host_id)

    async def _known_host(self, scope: Scope) -> KnownHost:
        """The host that the credential belongs to."""
        scheme, _, credential = Headers(scope=scope).get("authorization", "").partition(" ")
        host = await host_of(self._services.database, credential.strip()) if scheme.lower() == "bearer" else None
        if host is None:
            raise NotLoggedIn("the credential is not known", "enrol this host again")
        if host.is_revoked:
            raise NotAllowed("this host has been revoked", "enrol it again if it is to come back")
        return host

    async def _take(self, host: KnownHost, body: bytes) -> _Answer:
        """Decode and store one batch; answer after the commit."""
        # Decoding up to 4 MiB takes tens of milliseconds, in which the console would stand still.
        batch = await asyncio.to_thread(uplink.decode_batch, body)
        now_unix_ms = self._services.clock()
        if batch.host_id != host.host_id:
            await self._write_lie(host, batch.host_id, now_unix_ms)
            raise NotAllowed("the batch names another host than its credential", "send only this host's own records")
        stored = await store_batch(
            self._services.database, host.host_id, batch.epoch, batch.records, now_unix_ms=now_unix_ms
        )
        self._metrics.records_stored.inc(stored.new_records)
        self._metrics.records_repeated.inc(len(batch.records) - stored.new_records)
        self._metrics.alerts_stored.inc(stored.new_alerts)
        news = []
        if stored.new_alerts:
            news.append(News(NewsKind.ALERT_RAISED, alert_id=stored.newest_alert_id, host_id=host.host_id))
        if stored.has_host_news:
            news.append(News(NewsKind.HOST_CHANGED, host_id=host.host_id))
        self._services.broker.publish(news)
        return _Answer(200, uplink.encode_accepted(uplink.Accepted(stored.accepted_through)))

    async def _write_lie(self, host: KnownHost, claimed: str, now_unix_ms: int) -> None:
        """Write down, now and then, that a host claims to be another."""
        if self._written_lies.is_exceeded(host.host_id, now_unix_ms):
            return
        self._written_lies.count(host.host_id, now_unix_ms)
        async with self._services.database.writing() as connection:
            await write_audit(
                connection,
                AuditAction.HOST_LIED,
                Actor(source="host", name=host.host_name),
                subject=f"host:{host.host_id}",
                detail=f"claimed to be {claimed}",
                at_unix_ms=now_unix_ms,
            )


class _Gone(Exception):
    """The host hung up in the middle of its request; there is nobody to answer."""


def _check_head(scope: Scope, paths: tuple[str, ...]) -> None:
    """Refuse another path or method."""
    if scope["path"] not in paths:
        raise _Refused(problem(404, "not-found", "no such path", f"hosts use {' and '.join(paths)}"))
    if scope["method"] != "POST":
        raise _Refused(problem(405, "method", "only POST works here", "use POST"), {"allow": "POST"})


async def _body(scope: Scope, receive: Receive, most_bytes: int) -> bytes:
    """The whole body within its bounds of size and time."""
    too_large = _Refused(problem(413, "body-too-large", f"a body has at most {most_bytes} bytes", "send less at once"))
    declared = Headers(scope=scope).get("content-length", "0")
    if len(declared) > len(str(most_bytes)) or int(declared) > most_bytes:
        raise too_large
    parts: list[bytes] = []
    size_bytes = 0
    try:
        async with asyncio.timeout(REQUEST_BODY_SECONDS_MAX):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                part = message.get("body", b"")
                size_bytes += len(part)
                if size_bytes > most_bytes:
                    raise too_large
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise _Refused(
            problem(408, "body-too-slow", f"the body took more than {REQUEST_BODY_SECONDS_MAX} s", "send again"),
            {"connection": "close"},
        ) from None


def _busy() -> _Refused:
    """All places are taken, or this host's own is."""
    return _Refused(
        problem(503, "busy", "the server is taking as many batches as it can", "send again a little later"),
        {"retry-after": str(INGEST_RETRY_AFTER_S)},
    )


async def _send(send: Send, answer: _Answer) -> None:
    """Send the answer."""
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [
                (b"content-type", answer.media_type.encode()),
                (b"content-length", str(len(answer.body)).encode()),
                *answer.headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})
