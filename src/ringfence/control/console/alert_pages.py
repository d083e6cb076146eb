"""The list of alerts, one alert, and triage of one or many.

Triage of many is triage of one, repeated: each alert is its own transaction with the version that the page showed, so
an alert that somebody else changed meanwhile is left alone and counted as such.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.responses import Response

from ringfence.control import commands, queries
from ringfence.control.console.alert_query import alert_query_of
from ringfence.control.console.timeline import response_reason, timeline_of
from ringfence.control.console.visit import Visit
from ringfence.control.refusals import NotFound, RequestRefused, TriageStale
from ringfence.control.services import ConsoleServices
from ringfence.control.views import Actor, AlertState, Role
from ringfence.control.web_session import require_role
from ringfence.model.limits import COUNT_SHOWN_MAX, PAGE_ROWS_MAX
from ringfence.model.records import AlertResponse, AlertSource

_NUMBER_DIGITS_MAX: Final = 18


async def alerts_page(visit: Visit) -> Response:
    """The list of alerts with its filters."""
    query = alert_query_of(visit.request.query_params)
    database = visit.services.database
    page = await queries.list_alerts(database, query.filter(visit.now_unix_ms), before=query.before)
    return visit.page(
        "alerts.html",
        query=query,
        page=page,
        choices=await queries.filter_choices(database),
        states=tuple(AlertState),
        responses=tuple(AlertResponse),
        sources=tuple(AlertSource),
        count_shown_max=COUNT_SHOWN_MAX,
        done=_done_text(visit),
    )


async def alert_page(visit: Visit) -> Response:
    """One alert with everything that is known about it."""
    database = visit.services.database
    detail = await queries.alert_detail(database, _alert_number(visit.request.path_params["alert_id"]))
    return visit.page(
        "alert.html",
        detail=detail,
        row=detail.row,
        record=detail.record,
        reason=response_reason(detail.record),
        timeline=timeline_of(detail),
        users=(await queries.filter_choices(database)).users,
        done=_done_text(visit),
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """An alert as a form names it: its number and the triage version that the page showed."""

    alert_id: int
    version: int


Change = Callable[[Visit, Seen], Awaitable[object]]


class Settling(Protocol):
    """A command that moves an alert to another state, with an optional note."""

    async def __call__(
        self, services: ConsoleServices, actor: Actor, *, alert_id: int, expected_version: int, text: str = ""
    ) -> int:
        """Returns the new triage version."""


def _settling(command: Settling) -> Change:
    """The change of one command that takes the form's note along."""

    async def settle(visit: Visit, seen: Seen) -> None:
        await command(
            visit.services,
            visit.actor,
            alert_id=seen.alert_id,
            expected_version=seen.version,
            text=visit.form.one("note"),
        )

    return settle


def _assigning(assignee_of: Callable[[Visit], str]) -> Change:
    """The change that gives an alert to whom the form, or being at the desk, names."""

    async def assign(visit: Visit, seen: Seen) -> None:
        await commands.assign_alert(
            visit.services,
            visit.actor,
            alert_id=seen.alert_id,
            expected_version=seen.version,
            assignee=assignee_of(visit),
        )

    return assign


async def _note(visit: Visit, seen: Seen) -> None:
    await commands.note_alert(visit.services, visit.actor, alert_id=seen.alert_id, text=visit.form.one("note"))


_CHANGES: Final[dict[str, Change]] = {
    "assign": _assigning(lambda visit: visit.form.one("assignee")),
    "take": _assigning(lambda visit: visit.session.user.name),
    "note": _note,
    "resolve": _settling(commands.resolve_alert),
    "false_positive": _settling(commands.mark_false_positive),
    "reopen": _settling(commands.reopen_alert),
}

_DONE: Final = {
    "assign": "assigned",
    "take": "assigned to you",
    "note": "noted",
    "resolve": "resolved",
    "false_positive": "marked as false positive",
    "reopen": "reopened",
}


async def triage(visit: Visit) -> Response:
    """Change every alert that the form names as `alert=NUMBER:VERSION`; `action` says how."""
    require_role(visit.session, Role.ANALYST)
    action = visit.form.one("action")
    change = _CHANGES.get(action)
    if change is None:
        raise RequestRefused("the form does not say what to do", "use one of the page's buttons")
    chosen = tuple(_seen(text) for text in visit.form.every("alert"))
    if not chosen:
        raise RequestRefused("no alert is selected", "select at least one alert in the list, then choose what to do")
    if len(chosen) > PAGE_ROWS_MAX:
        raise RequestRefused(f"at most {PAGE_ROWS_MAX} alerts at once", "select fewer")
    changed = 0
    for seen in chosen:
        try:
            await change(visit, seen)
        except (TriageStale, NotFound):
            if len(chosen) == 1:
                raise
        else:
            changed += 1
    return visit.back("/alerts", done=action, changed=changed, stale=len(chosen) - changed)


def _seen(text: str) -> Seen:
    number, _, version = text.partition(":")
    return Seen(_alert_number(number), _alert_number(version))


def _alert_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS_MAX):
        raise NotFound("an alert is named by its number", "open it from the list of alerts")
    return int(text)


def _done_text(visit: Visit) -> str:
    """What the redirect after a form says was done, in words of ours only; "" when nothing was."""
    given = visit.request.query_params
    done = _DONE.get(given.get("done", ""))
    changed, stale = given.get("changed", "1"), given.get("stale", "0")
    if done is None or not all(text.isascii() and text.isdigit() and len(text) <= 3 for text in (changed, stale)):  # noqa: PLR2004 - at most PAGE_ROWS_MAX
        return ""
    said = f"Alert {done}." if changed == "1" else f"{int(changed)} alerts {done}."
    if int(stale):
        said += f" {int(stale)} left alone: somebody else changed them meanwhile."
    return said
