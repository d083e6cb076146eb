r"""Expressions and globs of detections, compiled.  RE2 and nothing else: no text can make it slow (Cloudflare, 2019).

Two bounds: the length of an expression, and the memory of its program and of what it keeps while it searches.
"""

from typing import Final, Protocol

import re2

from ringfence.model.detection import Wildcard
from ringfence.model.limits import DETECTION_REGEX_BYTES_MAX


class Expression(Protocol):
    """A compiled expression."""

    def search(self, text: str) -> object | None:
        """Something, if the expression is found in `text`."""


def compile_expression(pattern: str) -> Expression:
    """`pattern`, compiled.  Raises ValueError for what RE2 does not take, or not within its memory."""
    try:
        compiled: Expression = re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        text = error.args[0] if error.args else ""
        raise ValueError(text.decode(errors="replace") if isinstance(text, bytes) else str(text)) from error
    return compiled


def glob_expression(parts: tuple[str | Wildcard, ...]) -> str:
    """The expression that covers what the glob covers."""
    texts = [".*" if part is Wildcard.RUN else "." if part is Wildcard.ONE else re2.escape(part) for part in parts]
    return r"(?s)\A" + "".join(texts) + r"\z"


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = DETECTION_REGEX_BYTES_MAX
    options.never_capture = True  # only whether it is found is asked: no groups, so never the slow engines
    return options


_OPTIONS: Final = _options()
