"""Cookies, form tokens, addresses and roles on the web's side."""

import pytest
from starlette.requests import HTTPConnection

from ringfence.control.authentication import Session, form_token_of
from ringfence.control.refusals import CrossSiteRefused, NotAllowed
from ringfence.control.views import Role, User
from ringfence.control.web_session import (
    address_of,
    ended_cookie,
    require_form_token,
    require_role,
    require_same_origin,
    session_cookie,
)


def _session(role: Role = Role.ANALYST) -> Session:
    return Session(
        user=User(user_id=1, name="ann", role=role),
        source="user",
        expires_at_unix_ms=1,
        token="t",
        form_token=form_token_of("t"),
    )


def _connection(client: str = "192.0.2.1", **headers: str) -> HTTPConnection:
    encoded = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "client": (client, 1), "headers": encoded})


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("not an address", "not an address"),
    ],
)  # fmt: skip
def test_an_address_is_one_customer(client: str, address: str) -> None:
    assert address_of(_connection(client)) == address


@pytest.mark.parametrize("given", ["", "x", form_token_of("other"), "é"])
def test_a_foreign_form_token_is_refused(given: str) -> None:
    with pytest.raises(CrossSiteRefused):
        require_form_token(_session(), given)


def test_the_own_form_token_is_taken() -> None:
    require_form_token(_session(), form_token_of("t"))
    assert form_token_of("t") not in repr(_session())


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example", "host": "a:1"},
        {"sec_fetch_site": "same-site"},
        {"origin": "null", "host": "a:1"},
    ],
)
def test_another_site_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(CrossSiteRefused):
        require_same_origin(_connection(**headers))


@pytest.mark.parametrize("headers", [{}, {"origin": "https://a:1", "host": "a:1"}, {"sec_fetch_site": "none"}])
def test_the_own_site_and_programs_are_taken(headers: dict[str, str]) -> None:
    checked = _connection(**headers)
    require_same_origin(checked)  # refuses by raising
    assert checked.headers.get("origin") in (None, "https://a:1")


def test_roles_are_ranked() -> None:
    require_role(_session(Role.ADMINISTRATOR), Role.ANALYST)
    with pytest.raises(NotAllowed):
        require_role(_session(Role.READER), Role.ANALYST)


def test_cookies_open_and_end_under_the_same_rules() -> None:
    opened, ended = session_cookie(_session()).split("; "), ended_cookie().split("; ")
    assert opened[2:] == ended[2:]
    assert ended[1] == "Max-Age=0"
