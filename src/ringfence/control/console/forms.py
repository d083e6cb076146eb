"""Reads the forms of the console: one encoding, bounded before it is kept, decoded exactly.

Only `application/x-www-form-urlencoded` is accepted: no page of the console uploads a file.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from ringfence.control.refusals import RequestRefused
from ringfence.model.limits import CONSOLE_FORM_BYTES_MAX, CONSOLE_FORM_FIELDS_MAX

_ENCODING: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of one form in their order; a field may come more than once."""

    fields: tuple[tuple[str, str], ...] = ()

    def one(self, name: str) -> str:
        """The first value of a field, "" when the form does not have it."""
        return next((value for key, value in self.fields if key == name), "")

    def every(self, name: str) -> tuple[str, ...]:
        """All values of a field."""
        return tuple(value for key, value in self.fields if key == name)


async def read_form(request: Request) -> Form:
    """The request's form.  Raises `RequestRefused` when it is of another kind, too large, or not UTF-8."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _ENCODING:
        raise RequestRefused(f"a form must be {_ENCODING}", "send it from the console's own page")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > CONSOLE_FORM_BYTES_MAX:
            raise RequestRefused(f"a form has at most {CONSOLE_FORM_BYTES_MAX} bytes", "shorten it or select less")
    try:
        return Form(
            tuple(
                parse_qsl(
                    body.decode("ascii"),
                    keep_blank_values=True,
                    max_num_fields=CONSOLE_FORM_FIELDS_MAX,
                    errors="strict",
                )
            )
        )
    except ValueError as error:
        raise RequestRefused("the form cannot be read", "send it from the console's own page") from error


def local_address(given: str, otherwise: str) -> str:
    """`given` when it is a path of this console, else `otherwise`: a form never sends anybody to another site."""
    is_local = given.startswith("/") and not given.startswith("//") and "\\" not in given
    return given if is_local and given.isascii() and given.isprintable() else otherwise
