"""The one ASGI application of the server: which part answers which path, and what holds for every answer.

    /uplink/…            hosts                 gateway.py, raw ASGI
    /repository/…        hosts                 static_repository.py, raw ASGI
    /api/…               programs              api.py, FastAPI, loaded at the first request
    /events/alerts       live stream           stream.py
    /metrics  /healthz   monitoring            here
    everything else      people                console/

Bodies of people and programs are bounded here, so that no part has to remember it; hosts' bodies have their own bounds.
"""

import asyncio
import logging
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringfence.control import gateway, queries, static_repository, stream
from ringfence.control.gateway import Gateway
from ringfence.control.metrics import METRICS_MEDIA_TYPE, ServerMetrics, render_metrics
from ringfence.control.problems import PROBLEM_MEDIA_TYPE, encoded, problem, problem_of
from ringfence.control.services import ConsoleServices
from ringfence.control.static_repository import StaticRepository
from ringfence.control.web_session import session_or_token_of
from ringfence.model.errors import RingfenceError
from ringfence.model.limits import REQUEST_BODY_BYTES_MAX, REQUEST_BODY_SECONDS_MAX

_LOG: Final = logging.getLogger(__name__)
_SECURITY_HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
"""For answers that do not set their own; the console does."""

_TRANSPORT_SECURITY: Final = "max-age=31536000"
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Application:
    """Routes a request to its part.  `api` is built when it is first needed: most of its cost is in loading."""

    def __init__(self, services: ConsoleServices, metrics: ServerMetrics, repository: Path) -> None:
        # Loaded late so that the program can look at its words and its state without paying for templates.
        from ringfence.control.console.routes import build_console  # noqa: PLC0415

        self._services = services
        self._metrics = metrics
        self._gateway = Gateway(services, metrics)
        self._repository = StaticRepository(repository)
        self._console: ASGIApp = build_console(services)
        self._api: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"the server speaks HTTP only, not {scope['type']}")
        path: str = scope["path"]
        if path.startswith(gateway.PREFIX):
            await self._gateway(scope, receive, _with_headers(scope, send))
            return
        part, app = self._part(path)
        answered = False

        async def send_counted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._metrics.http_answers.labels(part=part, status=str(message["status"])).inc()
            await send_with_headers(message)

        send_with_headers = _with_headers(scope, send)
        try:
            await _bounded(app)(scope, receive, send_counted)
        except RingfenceError as error:
            if answered:
                raise
            body, headers = problem_of(error)
            answer = Response(encoded(body), body.status, headers, PROBLEM_MEDIA_TYPE)
            await answer(scope, receive, send_counted)
        except Exception:  # noqa: BLE001  # the last line of defence: the caller gets an answer, the log the reason
            _LOG.exception("a request to the %s failed", part)
            if not answered:
                body = problem(500, "internal", "the server failed", "this is our bug: please report the server's log")
                await Response(encoded(body), body.status, None, PROBLEM_MEDIA_TYPE)(scope, receive, send_counted)

    def _part(self, path: str) -> tuple[str, ASGIApp]:
        """The part that answers `path`, with its name for the metrics."""
        if path.startswith("/api/"):
            return "api", self._loaded_api()
        if path.startswith(static_repository.PREFIX):
            return "repository", self._repository
        match path:
            case stream.PATH:
                return "events", self._events
            case "/metrics":
                return "metrics", self._render_metrics
            case "/healthz":
                return "health", self._check_health
            case _:
                return "console", self._console

    def _loaded_api(self) -> ASGIApp:
        """The API, built at its first request."""
        if self._api is None:
            from ringfence.control.api import build_api  # noqa: PLC0415  # a third of a second that `up` need not wait

            self._api = build_api(self._services)
        return self._api

    async def _events(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The live stream."""
        answer = await stream.stream_alerts(self._services, Request(scope, receive))
        await answer(scope, receive, send)

    async def _check_health(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`ok` when the database answers; anybody may ask."""
        await queries.newest_alert_id(self._services.database)
        await PlainTextResponse("ok\n")(scope, receive, send)

    async def _render_metrics(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The metrics, for somebody who may see the hosts' names."""
        await session_or_token_of(self._services, Request(scope, receive))
        text = await render_metrics(self._services, self._metrics)
        await Response(text, media_type=METRICS_MEDIA_TYPE)(scope, receive, send)


def _with_headers(scope: Scope, send: Send) -> Send:
    """`send` that adds the security headers which an answer has not set itself."""
    name = Headers(scope=scope).get("host", "").rpartition(":")[0]

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message.setdefault("headers", [])
            headers = MutableHeaders(scope=message)
            for header, value in _SECURITY_HEADERS.items():
                headers.setdefault(header, value)
            if name not in _LOCAL_NAMES:  # on "localhost" it would bind every other local service of this person
                headers.setdefault("strict-transport-security", _TRANSPORT_SECURITY)
        await send(message)

    return send_with_headers


def _bounded(app: ASGIApp) -> ASGIApp:
    """`app` that never sees more than `REQUEST_BODY_BYTES_MAX` of a body, nor waits past `REQUEST_BODY_SECONDS_MAX`.

    To the application both look as if the caller had hung up.
    """

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        declared = Headers(scope=scope).get("content-length", "0")
        if len(declared) > len(str(REQUEST_BODY_BYTES_MAX)) or int(declared) > REQUEST_BODY_BYTES_MAX:
            await _too_large()(scope, receive, send)
            return
        size_bytes, is_complete = 0, False

        async def receive_bounded() -> Message:
            nonlocal size_bytes, is_complete
            if is_complete:
                return await receive()  # whoever waits now waits for the end of the connection
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                return {"type": "http.disconnect"}
            size_bytes += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            # A chunked body that does not end: nobody listens any more.
            return {"type": "http.disconnect"} if size_bytes > REQUEST_BODY_BYTES_MAX else message

        deadline = asyncio.get_running_loop().time() + REQUEST_BODY_SECONDS_MAX
        await app(scope, receive_bounded, send)

    return bounded


def _too_large() -> Response:
    """The answer to a body past the bound."""
    body = problem(413, "body-too-large", f"a body has at most {REQUEST_BODY_BYTES_MAX} bytes", "send less")
    return Response(encoded(body), body.status, {"connection": "close"}, PROBLEM_MEDIA_TYPE)
