"""Log-in, log-out, theme, account and the page of keys."""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ringfence.control import users
from ringfence.control.console.forms import local_address, read_form
from ringfence.control.console.rendering import THEMES, theme_cookie
from ringfence.control.console.visit import Endpoint, Parts, Visit
from ringfence.control.refusals import RequestRefused, TooManyAttempts
from ringfence.control.users import check_password
from ringfence.control.web_session import address_of, ended_cookie, require_same_origin, session_cookie, session_of
from ringfence.model.limits import PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN


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
    """Who is logged in and until when, and the form for another password."""
    return _account(visit, None, changed=visit.request.query_params.get("done") == "password")


async def change_password(visit: Visit) -> Response:
    """Prove the old password by logging in with it, under the same limits, then keep the new one and that session."""
    new_password = visit.form.one("new_password")
    try:
        check_password(new_password)
        if new_password != visit.form.one("new_password_again"):
            raise RequestRefused("the two new passwords differ", "write the new one twice")
        session = await visit.services.authentication.log_in(
            visit.session.user.name,
            visit.form.one("password"),
            address=address_of(visit.request),
            user_agent=visit.request.headers.get("user-agent", ""),
        )
    except RequestRefused as refusal:
        return _account(visit, refusal, changed=False)
    await users.change_password(
        visit.services.database,
        session=session,
        new_password=new_password,
        actor=visit.actor,
        now_unix_ms=visit.services.clock(),
    )
    answer = RedirectResponse("/account?done=password", status_code=303)
    answer.headers.append("set-cookie", session_cookie(session))
    return answer


def _account(visit: Visit, refusal: RequestRefused | None, *, changed: bool) -> Response:
    """The account page, with what was refused or done."""
    return visit.page(
        "account.html",
        status=refusal.status if refusal else 200,
        session=visit.session,
        refusal=refusal,
        changed=changed,
        characters_min=PASSWORD_CHARACTERS_MIN,
        characters_max=PASSWORD_CHARACTERS_MAX,
    )


async def help_page(visit: Visit) -> Response:
    """The keys of the console, for those who open it without JavaScript."""
    return visit.page("help.html")
