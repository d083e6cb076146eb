"""Sessions on the web's side: the cookie, the form token, the caller's address.  The console and the API both use it.

The cookie's name starts with `__Host-`: browsers then insist on Secure, on the path `/` and on no domain.
"""

import hmac
import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from ringfence.control.authentication import Session
from ringfence.control.refusals import CrossSiteRefused, NotAllowed, NotLoggedIn
from ringfence.control.services import ConsoleServices
from ringfence.control.views import Actor, Role
from ringfence.model.limits import SESSION_ABSOLUTE_MS

COOKIE_NAME: Final = "__Host-ringfence-session"
_COOKIE_RULES: Final = "Path=/; HttpOnly; Secure; SameSite=Strict"
FORM_TOKEN_FIELD: Final = "form_token"  # noqa: S105  # the name of a form's field
FORM_TOKEN_HEADER: Final = "x-ringfence-form-token"  # noqa: S105  # the name of a header

_RANK: Final = {Role.READER: 1, Role.ANALYST: 2, Role.ADMINISTRATOR: 3}


def session_cookie(session: Session) -> str:
    """The value of `Set-Cookie` that opens a session in a browser."""
    return f"{COOKIE_NAME}={session.token}; Max-Age={SESSION_ABSOLUTE_MS // 1000}; {_COOKIE_RULES}"


def ended_cookie() -> str:
    """The value of `Set-Cookie` that makes a browser forget the session."""
    return f"{COOKIE_NAME}=; Max-Age=0; {_COOKIE_RULES}"


async def session_of(services: ConsoleServices, connection: HTTPConnection) -> Session | None:
    """Whose request this is, by the session cookie; None when nobody is logged in."""
    token = connection.cookies.get(COOKIE_NAME, "")
    return await services.authentication.session_of(token) if token else None


async def session_or_token_of(services: ConsoleServices, connection: HTTPConnection) -> Session:
    """Whose request this is, by API token or session cookie.  Raises `NotLoggedIn`."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        session = await services.authentication.bearer_of(token.strip())
    else:
        session = await session_of(services, connection)
    if session is None:
        raise NotLoggedIn("nobody is logged in", "log in at /login, or send `Authorization: Bearer <API token>`")
    return session


def require_form_token(session: Session, given: str) -> None:
    """Refuse a request that no form of this session made.  Raises `CrossSiteRefused`."""
    if not session.form_token or not hmac.compare_digest(session.form_token.encode(), given.encode()):
        raise CrossSiteRefused("the form's token does not belong to this session", "reload the page and try again")


def require_same_origin(connection: HTTPConnection) -> None:
    """Refuse a request that another site made a browser send, where there is no session yet (log-in).

    Browsers say where a request comes from (`Sec-Fetch-Site`, `Origin`); other programs send neither and are no danger.
    Raises `CrossSiteRefused`.
    """
    site = connection.headers.get("sec-fetch-site", "same-origin")
    origin = connection.headers.get("origin", "")
    is_same = not origin or urlsplit(origin).netloc == connection.headers.get("host", "")
    if site not in ("same-origin", "none") or not is_same:
        raise CrossSiteRefused("another site sent this request", "open the console's own page and try again")


def require_role(session: Session, role: Role) -> None:
    """Refuse somebody whose role is below `role`.  Raises `NotAllowed`."""
    if _RANK[session.user.role] < _RANK[role]:
        raise NotAllowed(f"{session.user.name} is a {session.user.role}, this takes {role}", "ask an administrator")


def address_of(connection: HTTPConnection) -> str:
    """Where the request comes from, for limits and the audit log; of IPv6 the /64, which is one customer."""
    host = connection.client.host if connection.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


def actor_of(session: Session, connection: HTTPConnection) -> Actor:
    """Who does what this request asks for."""
    return session.actor(address_of(connection))
