"""Turns a template and values into a page.  Autoescape is on for every template, and an unknown name is an error.

Text that came from a host goes through the filter `visible` (see `display.py`); everything else through plain escaping.
"""

from collections.abc import Iterable
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from ringfence import __version__
from ringfence.control.console import display
from ringfence.control.console.assets import Assets
from ringfence.control.web_session import FORM_TOKEN_FIELD
from ringfence.model.records import Severity

THEME_COOKIE: Final = "__Host-ringfence-theme"
THEMES: Final = ("auto", "light", "dark")

SEVERITIES_WORST_FIRST: Final = tuple(reversed(Severity))


def theme_of(request: Request) -> str:
    """The theme that this browser asked for; `auto` follows the system."""
    theme = request.cookies.get(THEME_COOKIE, "auto")
    return theme if theme in THEMES else "auto"


def theme_cookie(theme: str) -> str:
    """The value of `Set-Cookie` that keeps the theme for a year.  Scripts may set it too: it is no secret."""
    return f"{THEME_COOKIE}={theme}; Path=/; Max-Age=31536000; Secure; SameSite=Strict"


class Renderer:
    """The templates of the console."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=PackageLoader("ringfence.control.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(
            asset=assets.address,
            has_libraries=assets.has_libraries,
            form_token_field=FORM_TOKEN_FIELD,
            product_version=__version__,
            severities=SEVERITIES_WORST_FIRST,
            themes=THEMES,
            path_parts=display.path_parts,
            relative_time=display.relative_time,
            hex_dump=display.hex_dump,
            technique_address=display.technique_address,
            safe_link=display.safe_link,
        )
        self._environment.filters.update(
            visible=display.visible,
            middle_cut=display.middle_cut,
            absolute_time=display.absolute_time,
            machine_time=display.machine_time,
            duration=display.duration,
            size_text=display.size_text,
            count_text=display.count_text,
            words=display.words,
            visible_lines=display.visible_lines,
            visible_text=display.visible_text,
            pairs=_pairs,
        )

    def page(self, request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """The page of a template.  `values` are what the template names, beside the path and the theme."""
        markup = self._environment.get_template(template).render(
            page_path=request.url.path,
            page_address=_address(request),
            theme=theme_of(request),
            **values,
        )
        return HTMLResponse(markup, status_code=status)


def _pairs(values: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Options of a choice whose text is its value."""
    return tuple((value, value) for value in values)


def _address(request: Request) -> str:
    """The path and query of this page."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
