"""The console's table of addresses, and `build_console` that makes it an ASGI application.

Reading is GET, changing is POST with the session's form token, and after a change comes a redirect.  Every address
behind the log-in goes through `visited`; those that do not are `/login` and the static files.
"""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ringfence.control.console.alert_pages import alert_page, alerts_page, triage
from ringfence.control.console.assets import Assets
from ringfence.control.console.audit_page import audit_page
from ringfence.control.console.host_pages import host_page, hosts_page, revoke
from ringfence.control.console.overview_page import overview_page
from ringfence.control.console.rendering import Renderer
from ringfence.control.console.security import SecurityHeaders
from ringfence.control.console.session_pages import (
    account_page,
    change_password,
    choose_theme,
    help_page,
    log_out,
    login_endpoint,
)
from ringfence.control.console.visit import Endpoint, Handler, Parts, Visit, visited
from ringfence.control.refusals import NotFound
from ringfence.control.services import ConsoleServices

_PAGES: dict[str, Handler] = {
    "/": overview_page,
    "/alerts": alerts_page,
    "/alerts/{alert_id}": alert_page,
    "/hosts": hosts_page,
    "/hosts/{host_id}": host_page,
    "/audit": audit_page,
    "/account": account_page,
    "/help": help_page,
}

_FORMS: dict[str, Handler] = {
    "/alerts/triage": triage,
    "/hosts/{host_id}/revoke": revoke,
    "/account/password": change_password,
    "/theme": choose_theme,
    "/logout": log_out,
}


def build_console(services: ConsoleServices) -> ASGIApp:
    """The console on top of the control plane's services."""
    assets = Assets()
    parts = Parts(services, Renderer(assets))
    routes = [
        Route("/login", login_endpoint(parts), methods=["GET", "POST"]),
        Route("/favicon.ico", _favicon(assets)),
        Route("/static/{name:path}", assets.respond),
        *(Route(path, visited(parts, handler), methods=["POST"]) for path, handler in _FORMS.items()),
        *(Route(path, visited(parts, handler), methods=["GET"]) for path, handler in _PAGES.items()),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={404: _missing(parts), 405: _missing(parts)},
    )


def _favicon(assets: Assets) -> Endpoint:
    async def favicon(_request: Request) -> Response:
        return Response(status_code=308, headers={"location": assets.address("ringfence.svg")})

    return favicon


def _missing(parts: Parts) -> Callable[[Request, Exception], Awaitable[Response]]:
    """The page for an address that does not exist: only somebody who is logged in learns even that."""

    async def refuse(_visit: Visit) -> Response:
        raise NotFound("there is no such page", "go back to the overview")

    endpoint = visited(parts, refuse)

    async def missing(request: Request, _error: Exception) -> Response:
        return await endpoint(request)

    return missing
