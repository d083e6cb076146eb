r"""A text in which an RE2 expression is found, made from the expression: for examples, where a guess is enough.

Unlike `regex_literals.py` nothing depends on it being right: whoever uses the text asks the expression whether it is
found.  Each group takes its first alternative, each repeat its least number, and each class the first character that
RE2 says is a member.

>>> regex_example(r"^/mail/tmp/[a-z0-9]{3}[0-9]{3}\.tar(\.gz|\.xz)?$")
'/mail/tmp/000000.tar'
"""

import re
from functools import lru_cache
from typing import Final

from ringfence.model.limits import DETECTION_RULE_DEPTH_MAX, EVENT_VALUE_CHARACTERS_MAX
from ringfence.wire.detection_pattern import compile_expression

MEMBERS: Final = "0aA-/ _.:1bB\\,;=+@#%&*()<>{}|'\"\n\t\u00e9"
"""Characters that a class is tried with."""

_TOKEN: Final = re.compile(
    r"(?P<open>\((?:\?P?<\w+>|\?[imsU-]*[:)])?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<class>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\])"
    r"|(?P<escape>\\(?:[pP](?:\{\^?\w+\}|\w)|x(?:[0-9a-fA-F]{2}|\{[0-9a-fA-F]+\})|.))"
    r"|(?P<repeat>(?:[*+?]|\{(?P<least>\d+)(?:,\d*)?\})\??)|(?P<plain>.)",
    re.DOTALL,
)
_ZERO_WIDTH: Final = frozenset({"\\b", "\\B", "\\A", "\\z"})


def regex_example(pattern: str) -> str | None:
    """A text in which `pattern` is found, or None where none could be made.  `pattern` is one that RE2 takes."""
    reader = _Reader(pattern)
    try:
        text = reader.alternatives(0)
    except ValueError:
        return None
    return text if reader.at == len(reader.tokens) and compile_expression(pattern).search(text) is not None else None


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.tokens = list(_TOKEN.finditer(pattern))
        self.at = 0

    def alternatives(self, depth: int) -> str:
        """The first alternative up to the end or the closing bracket; the others are read and left."""
        if depth > DETECTION_RULE_DEPTH_MAX:
            raise ValueError(depth)
        first = self._sequence(depth)
        while self._kind() == "bar":
            self.at += 1
            self._sequence(depth)
        return first

    def _kind(self) -> str:
        return str(self.tokens[self.at].lastgroup) if self.at < len(self.tokens) else ""

    def _sequence(self, depth: int) -> str:
        made = ""
        while (kind := self._kind()) not in ("", "bar", "close"):
            text = self._item(kind, depth)
            while self._kind() == "repeat":
                text *= self._least()
            made += text
            if len(made) > EVENT_VALUE_CHARACTERS_MAX:
                raise ValueError(len(made))
        return made

    def _item(self, kind: str, depth: int) -> str:
        token = self.tokens[self.at]
        self.at += 1
        match kind:
            case "open":
                return "" if token[0].endswith(")") else self._group(depth)
            case "class":
                return _member(token[0])
            case "escape":
                return "" if token[0] in _ZERO_WIDTH else _member(token[0])
            case "plain" if token[0] in ("^", "$"):
                return ""
            case "plain" if token[0] != ".":
                return token[0]
            case _:
                return _member(token[0])

    def _group(self, depth: int) -> str:
        inside = self.alternatives(depth + 1)
        if self._kind() != "close":
            raise ValueError("a bracket is missing")
        self.at += 1
        return inside

    def _least(self) -> int:
        token = self.tokens[self.at]
        self.at += 1
        return int(token["least"]) if token["least"] else int(token[0][0] == "+")


@lru_cache(maxsize=DETECTION_RULE_DEPTH_MAX)
def _member(expression: str) -> str:
    """The first of `MEMBERS` (or of what the expression itself names) that fits.  Raises ValueError without one."""
    search = compile_expression(rf"(?s)\A(?:{expression})\z").search
    found = next((character for character in MEMBERS + expression if search(character) is not None), None)
    if found is None:
        raise ValueError(expression)
    return found
