"""One request of somebody who is logged in, and the wrapper that makes it.

The wrapper is the only way to a page behind the log-in, in this order:

1. no session: a page redirects to `/login` and comes back afterwards; a form or a part of a page is refused;
2. a form (POST) is read within its bounds and must carry the session's form token;
3. the handler runs; what it refuses becomes a page with what happened and the way out.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ringfence.control.authentication import Session
from ringfence.control.console.forms import Form, local_address, read_form
from ringfence.control.console.rendering import Renderer
from ringfence.control.refusals import RequestRefused
from ringfence.control.services import ConsoleServices
from ringfence.control.views import Actor, Role
from ringfence.control.web_session import FORM_TOKEN_FIELD, actor_of, require_form_token, session_of


@dataclass(frozen=True, slots=True)
class Parts:
    """What every handler of the console shares."""

    services: ConsoleServices
    renderer: Renderer


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is logged in.  `form` is empty unless the request is a POST."""

    request: Request
    session: Session
    parts: Parts
    form: Form
    now_unix_ms: int

    @property
    def services(self) -> ConsoleServices:
        """The control plane's services."""
        return self.parts.services

    @property
    def actor(self) -> Actor:
        """Who asks, for commands and the audit log."""
        return actor_of(self.session, self.request)

    @property
    def may_triage(self) -> bool:
        """Whether the user's role permits changes to alerts."""
        return self.session.user.role is not Role.READER

    def page(self, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """A page of a template, with what every page behind the log-in shows."""
        return self.parts.renderer.page(
            self.request,
            template,
            status=status,
            user=self.session.user,
            form_token=self.session.form_token,
            may_triage=self.may_triage,
            now_unix_ms=self.now_unix_ms,
            **values,
        )

    def back(self, otherwise: str, **done: object) -> RedirectResponse:
        """After a form: to the page that it names in `return_to`, or to `otherwise`; `done` says what was done."""
        address = local_address(self.form.one("return_to"), otherwise)
        path, _, query = address.partition("?")
        kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in _DONE_WORDS]
        query = "&".join([*kept, *([urlencode(done)] if done else [])])
        return RedirectResponse(f"{path}?{query}" if query else path, status_code=303)


_DONE_WORDS = frozenset({"done", "changed", "stale"})

Handler = Callable[[Visit], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def visited(parts: Parts, handler: Handler) -> Endpoint:
    """The endpoint that lets only people with a session reach `handler`."""

    async def endpoint(request: Request) -> Response:
        session = await session_of(parts.services, request)
        if session is None:
            return _to_login(request)
        visit = Visit(request, session, parts, Form(), parts.services.clock())
        try:
            if request.method == "POST":
                form = await read_form(request)
                require_form_token(session, form.one(FORM_TOKEN_FIELD))
                visit = Visit(request, session, parts, form, visit.now_unix_ms)
            return await handler(visit)
        except RequestRefused as refusal:
            return visit.page("refusal.html", status=refusal.status, refusal=refusal)

    return endpoint


def _to_login(request: Request) -> Response:
    """Where somebody without a session goes: pages come back after the log-in, parts of pages are told to reload."""
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"hx-redirect": "/login"})
    if request.method not in ("GET", "HEAD"):
        return RedirectResponse("/login", status_code=303)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/login" if wanted == "/" else f"/login?{urlencode({'next': wanted})}", status_code=303)
