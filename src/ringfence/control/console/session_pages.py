"""Log-in, log-out, theme, account and the page of keys."""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ringfence.control.console.forms import local_address, read_form
from ringfence.control.console.rendering import THEMES, theme_cookie
from ringfence.control.console.visit import Endpoint, Parts, Visit
from ringfence.control.refusals import RequestRefused, TooManyAttempts
from ringfence.control.web_session import address_of, ended_cookie, require_same_origin, session_cookie, session_of


def login_endpoint(parts: Parts) -> Endpoint:
    """The log-in page and its form, which is the one form without a session's token: its origin is checked instead."""

    async def endpoint(request: Request) -> Response:
        wanted = local_address(dict(parse_qsl(request.url.query)).get("next", ""), "/")
        if request.method != "POST":
            if await session_of(parts.services, request) is not None:
                return RedirectResponse(wanted, status_code=303)
            return parts.renderer.page(request, "login.html", wanted=wanted, name="", refusal=None)
        name = ""
        try:
            require_same_origin(request)
            form = await read_form(request)
            name, wanted = form.one("name"), local_address(form.one("next"), "/")
            session = await parts.services.authentication.log_in(
                name,
                form.one("password"),
                address=address_of(request),
                user_agent=request.headers.get("user-agent", ""),
            )
        except RequestRefused as refusal:
            page = parts.renderer.page(
                request, "login.html", status=refusal.status, wanted=wanted, name=name, refusal=refusal
            )
            if isinstance(refusal, TooManyAttempts):
                page.headers["retry-after"] = str(refusal.retry_after_s)
            return page
        answer = RedirectResponse(wanted, status_code=303)
        answer.headers.append("set-cookie", session_cookie(session))
        return answer

    return endpoint


async def log_out(visit: Visit) -> Response:
    """End the session and forget its cookie."""
    await visit.services.authentication.log_out(visit.session, address=address_of(visit.request))
    answer = RedirectResponse("/login", status_code=303)
    answer.headers.append("set-cookie", ended_cookie())
    return answer


async def choose_theme(visit: Visit) -> Response:
    """Keep the chosen theme in a cookie and go back."""
    theme = visit.form.one("theme")
    if theme not in THEMES:
        raise RequestRefused("the theme does not exist", f"choose one of {', '.join(THEMES)}")
    answer = visit.back("/")
    answer.headers.append("set-cookie", theme_cookie(theme))
    return answer


async def account_page(visit: Visit) -> Response:
    """Who is logged in, until when, and how to change what this page cannot."""
    return visit.page("account.html", session=visit.session)


async def help_page(visit: Visit) -> Response:
    """The keys of the console, for those who open it without JavaScript."""
    return visit.page("help.html")
