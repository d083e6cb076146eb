"""The list of hosts and one host."""

from starlette.responses import Response

from ringfence.control import commands, host_queries
from ringfence.control.console import reads
from ringfence.control.console.reads import protection_of
from ringfence.control.console.visit import Visit
from ringfence.control.views import Role
from ringfence.control.web_session import require_role
from ringfence.model.limits import HOST_CURSOR_CHARACTERS_MAX


async def hosts_page(visit: Visit) -> Response:
    """The hosts by name."""
    given = visit.request.query_params
    search = given.get("q", "").strip()
    page = await host_queries.list_hosts(
        visit.services.database,
        now_unix_ms=visit.now_unix_ms,
        search=search,
        after=given.get("after", "")[:HOST_CURSOR_CHARACTERS_MAX] or None,
    )
    return visit.page(
        "hosts.html",
        page=page,
        search=search,
        posture=await reads.posture(visit.services.database, now_unix_ms=visit.now_unix_ms),
        protection_of=protection_of,
    )


async def host_page(visit: Visit) -> Response:
    """One host: its sensor's processes, counters, and everything that went past it."""
    detail = await host_queries.host_detail(
        visit.services.database, visit.request.path_params["host_id"], now_unix_ms=visit.now_unix_ms
    )
    return visit.page(
        "host.html",
        detail=detail,
        row=detail.row,
        protection=protection_of(detail.row),
        memory_most_bytes=max((one.memory_pss_bytes for one in detail.status.processes), default=0)
        if detail.status
        else 0,
        bad_events=frozenset(reads.BAD_EVENTS),
        may_revoke=visit.session.user.role is Role.ADMINISTRATOR and not detail.row.is_revoked,
    )


async def revoke(visit: Visit) -> Response:
    """Refuse everything that a host sends from now on."""
    require_role(visit.session, Role.ADMINISTRATOR)
    host_id = visit.request.path_params["host_id"]
    await commands.revoke_host(visit.services, visit.actor, host_id=host_id)
    return visit.back(f"/hosts/{host_id}")
