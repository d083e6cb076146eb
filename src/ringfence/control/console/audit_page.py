"""The audit log: who did what, newest first."""

from typing import Final

from starlette.responses import Response

from ringfence.control import queries
from ringfence.control.console.visit import Visit
from ringfence.control.refusals import RequestRefused
from ringfence.model.limits import AUDIT_PREFIX_CHARACTERS_MAX

_NUMBER_DIGITS_MAX: Final = 18


async def audit_page(visit: Visit) -> Response:
    """One page of the audit log; `action` and `subject` match from their beginning."""
    given = visit.request.query_params
    before = given.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) <= _NUMBER_DIGITS_MAX):
        raise RequestRefused("the page number is not a number", "go back to the audit log")
    action, subject = given.get("action", "").strip(), given.get("subject", "").strip()
    page = await queries.audit_log(
        visit.services.database,
        before=int(before) if before else None,
        action=action[:AUDIT_PREFIX_CHARACTERS_MAX],
        subject=subject[:AUDIT_PREFIX_CHARACTERS_MAX],
    )
    return visit.page("audit.html", page=page, action=action, subject=subject, paged=bool(before))
