"""One way to write a line of the audit log: inside the transaction that does what the line says.

`action` follows the grammar `source:subject:action`.  The closed set is `AuditAction`, so that nobody has to guess
what to search for.
"""

from enum import StrEnum, unique

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from ringfence.control.schema import AUDIT_LOG
from ringfence.control.views import Actor


@unique
class AuditAction(StrEnum):
    """Everything that the control plane writes down: source, subject, what was done."""

    LOGIN_ACCEPTED = "user:session:opened"
    LOGIN_REFUSED = "user:session:refused"
    LOGIN_LIMITED = "user:session:limited"
    LOGOUT = "user:session:closed"
    USER_CREATED = "server:user:created"
    PASSWORD_CHANGED = "user:user:password_changed"  # noqa: S105  # the name of an action
    PASSWORD_RESET = "server:user:password_reset"  # noqa: S105  # the name of an action
    API_TOKEN_CREATED = "server:api_token:created"  # noqa: S105  # the name of an action
    ALERT_ASSIGNED = "user:alert:assigned"
    ALERT_NOTED = "user:alert:noted"
    ALERT_RESOLVED = "user:alert:resolved"
    ALERT_FALSE_POSITIVE = "user:alert:false_positive"
    ALERT_REOPENED = "user:alert:reopened"
    HOST_ENROLLED = "host:host:enrolled"
    HOST_REVOKED = "user:host:revoked"
    HOST_LIED = "host:records:refused_identity"
    ENROLMENT_REFUSED = "host:enrolment:refused"
    ENROLMENT_TOKEN_CREATED = "server:enrolment_token:created"  # noqa: S105  # the name of an action
    SERVER_STARTED = "server:server:started"
    SERVER_STOPPED = "server:server:stopped"
    CLOCK_WENT_BACK = "server:clock:went_back"
    CLOCK_ACCEPTED = "server:clock:accepted"
    CERTIFICATE_ISSUED = "server:certificate:issued"
    ALERTS_REMOVED = "server:alerts:removed"
    AUDIT_REMOVED = "server:audit:removed"


SERVER_ACTOR = Actor(source="server", name="")


async def write_audit(
    connection: AsyncConnection, action: AuditAction, actor: Actor, *, subject: str, at_unix_ms: int, detail: str = ""
) -> None:
    """Add one line.  `subject` is what it was done to, as `kind:name`, for example `alert:17`."""
    await connection.execute(
        insert(AUDIT_LOG).values(
            at_unix_ms=at_unix_ms,
            action=action.value,
            actor=actor.text,
            subject=subject,
            detail=detail,
            address=actor.address,
        )
    )
