"""Errors as HTTP answers: status, stable code, way out, headers."""

import json

import pytest

from ringfence.control.problems import encoded, problem_of
from ringfence.control.refusals import NotFound, NotLoggedIn, TooManyAttempts
from ringfence.model.errors import DiskFull, InternalError, RingfenceError, UplinkRefused


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (NotFound("a", "b"), 404, None), (NotLoggedIn("a", "b"), 401, "www-authenticate"),
        (TooManyAttempts("a", "b", retry_after_s=7), 429, "retry-after"), (UplinkRefused("a", "b"), 400, None),
        (DiskFull("a", "b"), 507, "retry-after"), (InternalError("a", "b"), 500, None),
    ],
)  # fmt: skip
def test_an_error_becomes_a_problem(error: RingfenceError, status: int, header: str | None) -> None:
    body, headers = problem_of(error)
    assert json.loads(encoded(body)) == {
        "type": f"urn:ringfence:problem:{error.code}",
        "title": "a",
        "status": status,
        "code": error.code,
        "way_out": "b",
    }
    assert list(headers) == ([header] if header else [])
