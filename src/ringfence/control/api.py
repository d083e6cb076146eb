"""The API under `/api/v1`: what the console shows and does, for programs.  `docs/api.md` is its guide.

Who may call: a session's cookie (then every change also needs the form token in `X-Ringfence-Form-Token`) or an API
token as `Authorization: Bearer`.  Every refusal is `application/problem+json`.
The schema is at `/api/v1/openapi.json`.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, FastAPI, Path, Query, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import APIKeyCookie, HTTPBearer
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from ringfence import __version__
from ringfence.control import commands, host_queries, queries
from ringfence.control.authentication import Session
from ringfence.control.problems import PROBLEM_MEDIA_TYPE, Problem, encoded, problem, problem_of
from ringfence.control.services import ConsoleServices
from ringfence.control.views import (
    AlertBucket,
    AlertDetail,
    AlertFilter,
    AlertPage,
    AlertState,
    AuditPage,
    CounterPoint,
    HostDetail,
    HostPage,
    Overview,
    Role,
)
from ringfence.control.web_session import (
    COOKIE_NAME,
    FORM_TOKEN_HEADER,
    actor_of,
    require_form_token,
    require_role,
    session_or_token_of,
)
from ringfence.model.errors import RingfenceError
from ringfence.model.limits import (
    HOST_CURSOR_CHARACTERS_MAX,
    NOTE_CHARACTERS_MAX,
    PAGE_ROWS_DEFAULT,
    PAGE_ROWS_MAX,
    SEARCH_TEXT_MAX,
    SERIES_BUCKETS_MAX,
    USER_NAME_CHARACTERS_MAX,
)
from ringfence.model.records import AlertResponse, AlertSource, Severity

PREFIX: Final = "/api/v1"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HIGHEST_NUMBER: Final = 2**63 - 1

_Limit = Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX, description="Rows of one page.")]
_Before = Annotated[int | None, Query(ge=1, le=_HIGHEST_NUMBER, description="The `next_before` of the page above.")]
_Text = Annotated[str, Query(max_length=SEARCH_TEXT_MAX)]
_Time = Annotated[int | None, Query(ge=0, le=_HIGHEST_NUMBER, description="Unix milliseconds.")]
_AlertId = Annotated[int, Path(ge=1, le=_HIGHEST_NUMBER)]
_HostId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]


class _Change(BaseModel):
    """What every change of an alert's triage says."""

    model_config = ConfigDict(extra="forbid", strict=True)
    expected_version: int
    """The `triage_version` that the caller saw."""


class Assignment(_Change):
    """Give an alert to a user; an empty name takes it away."""

    assignee: Annotated[str, Body(max_length=USER_NAME_CHARACTERS_MAX)]


class Settlement(_Change):
    """Resolve, mark as false positive, or reopen, with an optional note."""

    text: Annotated[str, Body(max_length=NOTE_CHARACTERS_MAX)] = ""


class Note(BaseModel):
    """A note under an alert."""

    model_config = ConfigDict(extra="forbid", strict=True)
    text: Annotated[str, Body(min_length=1, max_length=NOTE_CHARACTERS_MAX)]


class Changed(BaseModel):
    """The version of the triage after the change."""

    triage_version: int


class Noted(BaseModel):
    """The new note."""

    note_id: int


def _services(request: Request) -> ConsoleServices:
    """The services that `build_api` put into the application."""
    services = request.app.state.services
    if not isinstance(services, ConsoleServices):
        raise TypeError("the API was built without services")
    return services


Services = Annotated[ConsoleServices, Depends(_services)]


async def _caller(request: Request, services: Services) -> Session:
    """Who calls.  A change with a cookie must carry the session's form token."""
    session = await session_or_token_of(services, request)
    if request.method not in _SAFE_METHODS and session.source == "user":
        require_form_token(session, request.headers.get(FORM_TOKEN_HEADER, ""))
    return session


Caller = Annotated[Session, Depends(_caller)]


async def _analyst(session: Caller) -> Session:
    """Somebody who may triage."""
    require_role(session, Role.ANALYST)
    return session


async def _administrator(session: Caller) -> Session:
    """Somebody who may do everything."""
    require_role(session, Role.ADMINISTRATOR)
    return session


Analyst = Annotated[Session, Depends(_analyst)]
Administrator = Annotated[Session, Depends(_administrator)]

_ROUTER = APIRouter(
    dependencies=[
        Depends(_caller),
        Security(HTTPBearer(auto_error=False, scheme_name="api_token")),
        Security(APIKeyCookie(name=COOKIE_NAME, auto_error=False, scheme_name="session")),
    ]
)


def _filter(
    severity: Annotated[frozenset[Severity], Query()] = frozenset(),
    response: Annotated[frozenset[AlertResponse], Query()] = frozenset(),
    source: Annotated[frozenset[AlertSource], Query()] = frozenset(),
    state: Annotated[frozenset[AlertState], Query()] = frozenset(),
    *,
    rule: _Text = "",
    host_id: _Text = "",
    release: _Text = "",
    assignee: _Text = "",
    sha256: _Text = "",
    search: _Text = "",
    since_unix_ms: _Time = None,
    until_unix_ms: _Time = None,
) -> AlertFilter:
    """The filter that a query string spells."""
    return AlertFilter(
        severities=severity,
        responses=response,
        sources=source,
        states=state,
        rule=rule,
        host_id=host_id,
        release=release,
        assignee=assignee,
        sha256=sha256,
        search=search,
        since_unix_ms=since_unix_ms,
        until_unix_ms=until_unix_ms,
    )


@_ROUTER.get("/overview", tags=["overview"])
async def get_overview(services: Services) -> Overview:
    """What is open, what happened in the last day, who is silent."""
    return await queries.overview(services.database, now_unix_ms=services.clock())


@_ROUTER.get("/alerts", tags=["alerts"])
async def get_alerts(
    services: Services,
    wanted: Annotated[AlertFilter, Depends(_filter)],
    before: _Before = None,
    limit: _Limit = PAGE_ROWS_DEFAULT,
) -> AlertPage:
    """One page of alerts, newest first."""
    return await queries.list_alerts(services.database, wanted, before=before, limit=limit)


@_ROUTER.get("/alerts/series", tags=["alerts"])
async def get_alert_series(
    services: Services,
    since_unix_ms: Annotated[int, Query(ge=0, le=_HIGHEST_NUMBER)],
    until_unix_ms: Annotated[int, Query(ge=0, le=_HIGHEST_NUMBER)],
    buckets: Annotated[int, Query(ge=1, le=SERIES_BUCKETS_MAX)] = 48,
) -> tuple[AlertBucket, ...]:
    """Alerts over time, in equal steps."""
    return await queries.alert_series(
        services.database, since_unix_ms=since_unix_ms, until_unix_ms=until_unix_ms, buckets=buckets
    )


@_ROUTER.get("/alerts/{alert_id}", tags=["alerts"])
async def get_alert(services: Services, alert_id: _AlertId) -> AlertDetail:
    """Everything about one alert."""
    return await queries.alert_detail(services.database, alert_id)


@_ROUTER.post("/alerts/{alert_id}/assign", tags=["triage"])
async def post_assign(
    request: Request, services: Services, session: Analyst, alert_id: _AlertId, change: Assignment
) -> Changed:
    """Give an alert to a user."""
    version = await commands.assign_alert(
        services,
        actor_of(session, request),
        alert_id=alert_id,
        expected_version=change.expected_version,
        assignee=change.assignee,
    )
    return Changed(triage_version=version)


@_ROUTER.post("/alerts/{alert_id}/notes", tags=["triage"], status_code=201)
async def post_note(request: Request, services: Services, session: Analyst, alert_id: _AlertId, note: Note) -> Noted:
    """Write a note under an alert."""
    note_id = await commands.note_alert(services, actor_of(session, request), alert_id=alert_id, text=note.text)
    return Noted(note_id=note_id)


@_ROUTER.post("/alerts/{alert_id}/resolve", tags=["triage"])
async def post_resolve(
    request: Request, services: Services, session: Analyst, alert_id: _AlertId, change: Settlement
) -> Changed:
    """The alert was right and has been dealt with."""
    return await _settled(commands.resolve_alert, request, services, session, alert_id, change)


@_ROUTER.post("/alerts/{alert_id}/false-positive", tags=["triage"])
async def post_false_positive(
    request: Request, services: Services, session: Analyst, alert_id: _AlertId, change: Settlement
) -> Changed:
    """The alert was wrong."""
    return await _settled(commands.mark_false_positive, request, services, session, alert_id, change)


@_ROUTER.post("/alerts/{alert_id}/reopen", tags=["triage"])
async def post_reopen(
    request: Request, services: Services, session: Analyst, alert_id: _AlertId, change: Settlement
) -> Changed:
    """The alert is not settled after all."""
    return await _settled(commands.reopen_alert, request, services, session, alert_id, change)


@_ROUTER.get("/hosts", tags=["hosts"])
async def get_hosts(
    services: Services,
    search: _Text = "",
    after: Annotated[
        str | None, Query(max_length=HOST_CURSOR_CHARACTERS_MAX, description="The `next_after` of the page before.")
    ] = None,
    limit: _Limit = PAGE_ROWS_DEFAULT,
) -> HostPage:
    """One page of hosts, by name."""
    return await host_queries.list_hosts(
        services.database, now_unix_ms=services.clock(), search=search, after=after, limit=limit
    )


@_ROUTER.get("/hosts/{host_id}", tags=["hosts"])
async def get_host(services: Services, host_id: _HostId) -> HostDetail:
    """Everything about one host."""
    return await host_queries.host_detail(services.database, host_id, now_unix_ms=services.clock())


@_ROUTER.get("/hosts/{host_id}/counters/{counter}", tags=["hosts"])
async def get_counter(
    services: Services,
    host_id: _HostId,
    counter: str,
    since_unix_ms: Annotated[int, Query(ge=0, le=_HIGHEST_NUMBER)] = 0,
) -> tuple[CounterPoint, ...]:
    """One counter of a host over time."""
    return await host_queries.counter_series(services.database, host_id, counter, since_unix_ms=since_unix_ms)


@_ROUTER.post("/hosts/{host_id}/revoke", tags=["hosts"], status_code=204)
async def post_revoke(request: Request, services: Services, session: Administrator, host_id: _HostId) -> None:
    """Refuse everything that this host sends from now on."""
    await commands.revoke_host(services, actor_of(session, request), host_id=host_id)


@_ROUTER.get("/audit", tags=["audit"])
async def get_audit(
    services: Services,
    before: _Before = None,
    limit: _Limit = PAGE_ROWS_DEFAULT,
    action: _Text = "",
    subject: _Text = "",
) -> AuditPage:
    """One page of the audit log, newest first."""
    return await queries.audit_log(services.database, before=before, limit=limit, action=action, subject=subject)


def build_api(services: ConsoleServices) -> FastAPI:
    """The API as an ASGI application that expects its full paths."""
    problems: dict[int | str, dict[str, object]] = {
        "default": {
            "description": "The request was refused; `code` is stable, `way_out` says what to do.",
            "content": {PROBLEM_MEDIA_TYPE: {"schema": _PROBLEM_SCHEMA}},
        }
    }
    api = FastAPI(
        title="Ringfence",
        version=__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # the usual pages load scripts from other sites
        redoc_url=None,
        redirect_slashes=False,
    )
    api.state.services = services
    api.include_router(_ROUTER, prefix=PREFIX, responses=problems)
    api.add_exception_handler(RingfenceError, _on_refusal)
    api.add_exception_handler(RequestValidationError, _on_invalid)
    api.add_exception_handler(HTTPException, _on_http)
    return api


_PROBLEM_SCHEMA: Final = {
    "type": "object",
    "required": ["type", "title", "status", "code", "way_out"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "way_out": {"type": "string"},
    },
}


async def _settled(
    command: commands.Settle,
    request: Request,
    services: ConsoleServices,
    session: Session,
    alert_id: int,
    change: Settlement,
) -> Changed:
    """Run one of the three commands that settle or reopen an alert."""
    version = await command(
        services,
        actor_of(session, request),
        alert_id=alert_id,
        expected_version=change.expected_version,
        text=change.text,
    )
    return Changed(triage_version=version)


async def _on_refusal(_request: Request, error: Exception) -> Response:
    """An error of the tree as a problem."""
    if not isinstance(error, RingfenceError):
        raise error
    body, headers = problem_of(error)
    return _answer(body, headers)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    """Values that do not fit the schema: says which field, repeats no value."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0] if error.errors() else {"loc": (), "msg": "invalid"}
    where = ".".join(str(part) for part in first["loc"])
    return _answer(problem(422, "request-invalid", f"{where}: {first['msg']}", "see /api/v1/openapi.json"), {})


async def _on_http(_request: Request, error: Exception) -> Response:
    """What the framework itself refuses: no such path, wrong method."""
    if not isinstance(error, HTTPException):
        raise error
    body = problem(error.status_code, "http", str(error.detail), "see /api/v1/openapi.json")
    return _answer(body, dict(error.headers or {}))


def _answer(body: Problem, headers: dict[str, str]) -> Response:
    """A problem as a response."""
    return Response(encoded(body), status_code=body.status, headers=headers, media_type=PROBLEM_MEDIA_TYPE)
