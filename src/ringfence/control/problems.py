"""Errors as HTTP answers: `application/problem+json` (RFC 9457) with the stable code of the error tree.

One table for the API, the uplink and the live stream, so that a refusal looks the same everywhere.
"""

from typing import Final

import msgspec

from ringfence.control.refusals import RequestRefused, TooManyAttempts
from ringfence.model.errors import ContentRefused, DiskFull, RingfenceError, UplinkRefused
from ringfence.model.limits import DISK_FULL_RETRY_AFTER_S

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"


class Problem(msgspec.Struct, frozen=True):
    """The body of a refusal.  `way_out` says what the caller can do."""

    type: str
    title: str
    status: int
    code: str
    way_out: str


def problem(status: int, code: str, title: str, way_out: str) -> Problem:
    """A problem by its parts."""
    return Problem(type=f"urn:ringfence:problem:{code}", title=title, status=status, code=code, way_out=way_out)


def problem_of(error: RingfenceError) -> tuple[Problem, dict[str, str]]:
    """The problem behind an error, and the headers that go with it."""
    headers: dict[str, str] = {}
    match error:
        case TooManyAttempts():
            status = error.status
            headers["retry-after"] = str(error.retry_after_s)
        case RequestRefused():
            status = error.status
        case UplinkRefused() | ContentRefused():
            status = 400
        case DiskFull():
            status = 507
            headers["retry-after"] = str(DISK_FULL_RETRY_AFTER_S)
        case _:
            status = 500
    if status == 401:  # noqa: PLR2004  # the status is the clearest name it has
        headers["www-authenticate"] = 'Bearer realm="ringfence"'
    return problem(status, error.code, error.what, error.way_out), headers


def encoded(body: Problem) -> bytes:
    """The problem as JSON."""
    return msgspec.json.encode(body)
