"""What the control plane refuses to a person, an automation or a host: the operator's branch of the error tree.

    RequestRefused          400  the request's values are off
    ├── NotFound            404  the thing does not exist
    ├── NotAllowed          403  the user's role does not permit it
    ├── NotLoggedIn         401  no session and no token, or expired
    ├── CrossSiteRefused    403  the form's token does not belong to the session
    ├── TriageStale         409  somebody else changed the alert first
    └── TooManyAttempts     429  a rate limit; `retry_after_s` says when to come back

`status` is the HTTP status; `code` is stable and is the last part of the problem's type.
"""

from typing import ClassVar

from ringfence.model.errors import OperatorError


class RequestRefused(OperatorError):
    """The request's values are off."""

    code = "request-refused"
    exit_status = 2
    status: ClassVar[int] = 400


class NotFound(RequestRefused):
    """The thing does not exist."""

    code = "not-found"
    status = 404


class NotAllowed(RequestRefused):
    """The user's role does not permit it."""

    code = "not-allowed"
    status = 403


class NotLoggedIn(RequestRefused):
    """No session and no token, or expired."""

    code = "not-logged-in"
    status = 401


class CrossSiteRefused(RequestRefused):
    """The form's token does not belong to the session."""

    code = "cross-site-refused"
    status = 403


class TriageStale(RequestRefused):
    """Somebody else changed the alert first."""

    code = "triage-stale"
    status = 409


class TooManyAttempts(RequestRefused):
    """A rate limit; `retry_after_s` says when to come back."""

    code = "too-many-attempts"
    status = 429

    def __init__(self, what: str, way_out: str, *, retry_after_s: int) -> None:
        super().__init__(what, way_out)
        self.retry_after_s = retry_after_s
