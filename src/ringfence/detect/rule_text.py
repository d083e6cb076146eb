"""One YARA rule, read word for word: its patterns as they stand, and the words of its condition.

`detect/rule_outline.py` reads over what it does not know.  This reader is the opposite: what it returns was understood
to the last character, so that a conclusion can be drawn from it and a rule can be cut out of its pack.

1. A rule is its marks, `rule`, its name, its tags, and in braces `meta`, `strings` and `condition` in this order.
2. After it nothing may follow but imports.
3. Every character belongs to a token of `_TOKEN`, white space or a comment.  Anything else, and anything at another
   place than the grammar's, makes the rule *odd*: there is no `RuleText` of it, and whoever asked assumes nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r"""
    (?: [ \t\n] | \r\n | //[^\r\n]*+ | /\*.*?\*/ )*+
    (?:
      (?P<text>   "(?:[^"\\\r\n]|\\[^\r\n])*+" )
    | (?P<bytes>  =[ \t\r\n]*+\{ (?: [0-9A-Fa-f?~()|\[\]\- \t\n] | \r\n | //[^\r\n]*+ | /\*.*?\*/ )*+ \} )
    | (?P<regex>  /(?![*/])(?:[^/\\\r\n]|\\[^\r\n])++/[is]*+ )
    | (?P<number> 0x[0-9A-Fa-f]++ | 0o[0-7]++ | [0-9][0-9_]*+(?:\.[0-9]++)?(?:KB|MB)? )
    | (?P<mark>   \.\. | [<>=!]= | << | >> | [-+*\\%&|^~<>=(){}\[\],:.] )
    | (?P<word>   [$\#@!]?[A-Za-z_][A-Za-z0-9_]*+ | [$\#@!][A-Za-z0-9_]*+ )
    | (?P<end>    \Z )
    | (?P<odd>    . )
    )
    """,
    re.VERBOSE | re.DOTALL,
)
"""Always matches, so that reading can stop at the first odd character."""

_WORD: Final = frozenset({"word"})
_CONDITION: Final = frozenset({"word", "number", "mark", "text", "regex"})
_MARKS: Final = frozenset({"private", "global"})
_VALUES: Final = frozenset({"text", "number"})
_PATTERN_VALUES: Final = frozenset({"text", "regex"})
_MODIFIERS: Final = frozenset({"ascii", "wide", "nocase", "fullword", "private", "xor", "base64", "base64wide"})
_REGEX_AFTER: Final = frozenset({"matches", "(", ","})


class PatternText(NamedTuple):
    """One pattern of a rule."""

    name: str
    """With its `$`, which stands alone for a pattern without a name."""

    declaration: str
    """All that follows the name, as it stands: `= "text" wide nocase`."""

    value: str
    """The text in quotes, the bytes in braces or the expression in slashes, with these."""

    modifiers: frozenset[str]


@dataclass(frozen=True, slots=True)
class RuleText:
    """One rule that was understood to the last character."""

    name: str
    marks: frozenset[str]
    patterns: tuple[PatternText, ...]
    condition: tuple[str, ...]
    """The words, numbers and signs of the condition."""

    end: int
    """Offset behind its last brace."""


class _Token(NamedTuple):
    kind: str
    text: str
    end: int


class _OddError(Exception):
    """The text is not what the grammar says; never leaves this module."""


class _Reader:
    """The tokens of one text, taken one by one."""

    __slots__ = ("at", "tokens")

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self.tokens = tokens
        self.at = 0

    def next(self) -> _Token:
        """Look at the next token."""
        return self.tokens[self.at]

    def take(self, text: str = "", kinds: frozenset[str] = frozenset()) -> _Token:
        """Take the next token, which must be `text` or of one of `kinds`."""
        token = self.tokens[self.at]
        if token.kind == "end" or (token.kind not in kinds and token.text != text):
            raise _OddError
        self.at += 1
        return token

    def takes(self, *texts: str) -> bool:
        """Take the next tokens if they are `texts`."""
        found = [token.text for token in self.tokens[self.at : self.at + len(texts)] if token.kind != "text"]
        if found != list(texts):
            return False
        self.at += len(texts)
        return True


def read_rule(source: str, start: int, end: int) -> RuleText | None:
    """The one rule between the offsets `start` and `end` of `source`, or None where anything is odd."""
    try:
        return _rule(source, _Reader(_tokens(source, start, end)))
    except _OddError:
        return None


def only_imports(source: str, end: int) -> bool:
    """Whether nothing but imports and comments stands in `source` before the offset `end`."""
    try:
        _imports(_Reader(_tokens(source, 0, end)))
    except _OddError:
        return False
    return True


def _tokens(source: str, start: int, end: int) -> list[_Token]:
    """Every token, and at last one of kind `end`."""
    tokens: list[_Token] = []
    for found in _TOKEN.finditer(source, start, end):
        kind = str(found.lastgroup)
        if kind == "odd":
            raise _OddError
        tokens.append(_Token(kind, found[kind], found.end()))
        if kind == "end":
            break
    return tokens


def _rule(source: str, reader: _Reader) -> RuleText:
    """Rules 1 and 2 of the module."""
    marks = set()
    while reader.next().text in _MARKS:
        marks.add(reader.take(kinds=_WORD).text)
    reader.take("rule")
    name = reader.take(kinds=_WORD).text
    if reader.takes(":"):
        while reader.next().kind == "word":
            reader.take(kinds=_WORD)
    reader.take("{")
    if reader.takes("meta", ":"):
        _meta(reader)
    patterns = _patterns(source, reader) if reader.takes("strings", ":") else ()
    if not reader.takes("condition", ":"):
        raise _OddError
    condition = _condition(reader)
    end = reader.take("}").end
    _imports(reader)
    return RuleText(name, frozenset(marks), patterns, condition, end)


def _meta(reader: _Reader) -> None:
    """Read over `name = value` as often as it stands there."""
    while reader.next().kind == "word" and reader.tokens[reader.at + 1].text == "=":
        reader.take(kinds=_WORD)
        reader.take("=")
        if not (reader.takes("true") or reader.takes("false")):
            reader.takes("-")
            reader.take(kinds=_VALUES)


def _patterns(source: str, reader: _Reader) -> tuple[PatternText, ...]:
    """Every pattern of the section `strings`."""
    patterns = []
    while reader.next().text.startswith("$"):
        name = reader.take(kinds=_WORD)
        if reader.next().kind == "bytes":
            last = reader.take(kinds=frozenset({"bytes"}))
            value = last.text[1:].lstrip()
        else:
            reader.take("=")
            last = reader.take(kinds=_PATTERN_VALUES)
            value = last.text
        modifiers = set()
        while reader.next().text in _MODIFIERS:
            last = reader.take(kinds=_WORD)
            modifiers.add(last.text)
            if reader.takes("("):
                while reader.next().text != ")":
                    reader.take("-", _VALUES)
                last = reader.take(")")
        patterns.append(PatternText(name.text, source[name.end : last.end], value, frozenset(modifiers)))
    return tuple(patterns)


def _condition(reader: _Reader) -> tuple[str, ...]:
    """Everything up to the brace that ends the rule: a condition has none itself."""
    words: list[str] = []
    while reader.next().text != "}":
        token = reader.take(kinds=_CONDITION)
        if token.text == "{" or (token.kind == "regex" and (not words or words[-1] not in _REGEX_AFTER)):
            raise _OddError
        words.append(token.text)
    return tuple(words)


def _imports(reader: _Reader) -> None:
    """Rule 2."""
    while reader.takes("import"):
        reader.take(kinds=frozenset({"text"}))
    if reader.next().kind != "end":
        raise _OddError
