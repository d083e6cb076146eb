r"""YARA source -> tokens with their offsets, so that a check can point at the very character.

1. Comments and white space are left out.  A `/` begins a comment or a regular expression: YARA divides with `\`.
2. `{` after `=` begins a hexadecimal pattern, which is one token; anywhere else it is a mark.
3. What fits nothing is a token of kind `odd`, one character long: the reader stops there, and the engine says why.
"""

import re
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"""
    (?: [ \t\r\n\f\v\ufeff\u00a0] | //[^\n]*+ | /\*.*?\*/ )*+
    (?:
      (?P<text>   "(?:[^"\\\n]|\\[^\n])*+" )
    | (?P<regex>  /(?![*/])(?:[^/\\\n]|\\[^\n])++/[is]*+ )
    | (?P<number> 0x[0-9A-Fa-f_]++ | 0o[0-7_]++ | [0-9][0-9_]*+(?:\.[0-9]++)?(?:KB|MB)? )
    | (?P<mark>   \.\. | [<>=!]= | << | >> | [-+*\\%&|^~<>=(){}\[\],:.] )
    | (?P<word>   [$\#@!]?[A-Za-z_][A-Za-z0-9_]*+\*? | [$\#@!][A-Za-z0-9_]*+\*? )
    | (?P<end>    \Z )
    | (?P<odd>    . )
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_HEX: Final = re.compile(
    r"""
    (?: [ \t\r\n] | //[^\n]*+ | /\*.*?\*/ )*+
    (?P<hex> \{ (?: [0-9A-Fa-f?~()|\[\]\- \t\r\n] | //[^\n]*+ | /\*.*?\*/ )*+ \} )
    """,
    re.VERBOSE | re.DOTALL,
)
_ITEM_END: Final = re.compile(r"\s*[,)]")


class Token(NamedTuple):
    """One token; `start` and `end` are offsets of its text."""

    kind: str
    text: str
    start: int
    end: int


def tokens_of(source: str) -> list[Token]:
    """The tokens of `source`; the last is of kind `end` or `odd`."""
    tokens: list[Token] = []
    at = 0
    after_equals = False
    while True:
        found = (_HEX if after_equals else _TOKEN).match(source, at)
        if found is None:
            found = _TOKEN.match(source, at)
        if found is None:  # not reached: `odd` takes any character, `end` the end
            return [*tokens, Token("odd", "", at, at)]
        kind = str(found.lastgroup)
        text = found[kind]
        at = found.end()
        if kind == "word" and text.endswith("*") and not text.startswith("$") and not _ends_set_item(source, at):
            text = text[:-1]  # a product such as `filesize*2`, not a set of rules such as `APT_*`
            at -= 1
        tokens.append(Token(kind, text, found.start(kind), at))
        after_equals = text == "=" and kind == "mark"
        if kind in ("end", "odd"):
            return tokens


def _ends_set_item(source: str, at: int) -> bool:
    """Whether a set's item may end at `at`."""
    return _ITEM_END.match(source, at) is not None
