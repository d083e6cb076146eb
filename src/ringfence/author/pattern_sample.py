"""Bytes that a YARA pattern matches, made from its text: for probes that make a rule work.

Exact for text and for bytes with wildcards, jumps and alternatives.  For a regular expression a short match that is
easy to see: first alternative, first character of a class, least repetitions but at least one of each starred part.
What cannot be read gives what was read before it: a weaker probe, never an error.
"""

import base64
import re
from dataclasses import dataclass
from typing import Final

from ringfence.author.yara_source import unescaped
from ringfence.detect.rule_text import PatternText
from ringfence.model.limits import PROOF_SAMPLE_BYTES_MAX

_HEX_TOKEN: Final = re.compile(r"[0-9A-Fa-f?]{2}|~|\[[0-9 ]*-?[0-9 ]*\]|[()|]")
_COMMENTS: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_REPEAT: Final = re.compile(r"\{(\d*)(?:,(\d*))?\}")
_CLASSES: Final = {"d": b"0", "w": b"a", "s": b" ", "D": b"a", "W": b" ", "S": b"a", "b": b"", "B": b""}
_ESCAPES: Final = {"n": b"\n", "t": b"\t", "r": b"\r", "f": b"\f", "a": b"\a", "v": b"\v"}
_GROUP_HEADS: Final = re.compile(r"\?(?:[a-zA-Z-]*:|P?<[A-Za-z_]\w*>|[a-zA-Z]+(?=\)))")


def sample_of(pattern: PatternText) -> bytes:
    """A match of `pattern`, of at most `PROOF_SAMPLE_BYTES_MAX` bytes."""
    value = pattern.value
    if value.startswith('"'):
        made = unescaped(value[1:-1]).encode("latin-1", "replace")
        if "base64" in pattern.modifiers:
            made = base64.b64encode(made)
    elif value.startswith("{"):
        made = _hexadecimal(_COMMENTS.sub(" ", value[1:-1]))
    else:
        made = _Expression(value[1 : value.rindex("/")]).sample()
    made = made[:PROOF_SAMPLE_BYTES_MAX]
    if "wide" in pattern.modifiers and "ascii" not in pattern.modifiers:
        made = b"".join(bytes((byte, 0)) for byte in made)
    return made


def _hexadecimal(text: str) -> bytes:
    """The first alternative of each group, the least of each jump, zeros for wildcards."""
    made = bytearray()
    stack: list[bool] = []
    taking = True
    negated = False
    for found in _HEX_TOKEN.finditer(text):
        token = found[0]
        if token == "(":  # noqa: S105 - a bracket
            stack.append(taking)
        elif token == ")":  # noqa: S105 - as above
            taking = stack.pop() if stack else True
        elif token == "|":  # noqa: S105 - as above
            taking = False
        elif token == "~":  # noqa: S105 - as above
            negated = True
        elif taking and token.startswith("["):
            least = token[1:-1].partition("-")[0].strip()
            made += bytes(min(int(least or 0), PROOF_SAMPLE_BYTES_MAX))
        elif taking:
            byte = int(token.replace("?", "0"), 16)
            made.append(byte ^ 0x01 if negated else byte)
            negated = False
    return bytes(made[:PROOF_SAMPLE_BYTES_MAX])


@dataclass(slots=True)
class _Expression:
    """A reader of one regular expression."""

    text: str
    at: int = 0

    def sample(self) -> bytes:
        """A short match."""
        try:
            return self._alternatives()
        except (IndexError, ValueError, RecursionError):
            return b""

    def _alternatives(self) -> bytes:
        """Everything up to the end of the group: the first alternative counts."""
        first = self._sequence()
        while self.at < len(self.text) and self.text[self.at] == "|":
            self.at += 1
            other = self._sequence()
            first = first or other
        return first

    def _sequence(self) -> bytes:
        made = b""
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            made = (made + self._repeated(self._atom()))[:PROOF_SAMPLE_BYTES_MAX]
        return made

    def _repeated(self, atom: bytes) -> bytes:
        """The atom as often as its quantifier wants at least, but not never."""
        times = 1
        while self.at < len(self.text):
            if self.text[self.at] in "*+?":
                self.at += 1
            elif found := _REPEAT.match(self.text, self.at):
                times = max(1, min(int(found[1] or 0), PROOF_SAMPLE_BYTES_MAX))
                self.at = found.end()
            else:
                break
        return (atom * times)[:PROOF_SAMPLE_BYTES_MAX]

    def _atom(self) -> bytes:
        letter = self.text[self.at]
        self.at += 1
        if letter == "(":
            if found := _GROUP_HEADS.match(self.text, self.at):
                self.at = found.end()
            made = self._alternatives()
            self.at += 1
            return made
        if letter == "[":
            return self._class()
        if letter == "\\":
            return self._escape()
        if letter in "^$":
            return b""
        return b"a" if letter == "." else letter.encode("latin-1", "replace")

    def _escape(self) -> bytes:
        letter = self.text[self.at]
        self.at += 1
        if letter == "x":
            digits = self.text[self.at : self.at + 2]
            self.at += 2
            return bytes((int(digits, 16),))
        if letter in _CLASSES:
            return _CLASSES[letter]
        return _ESCAPES.get(letter, letter.encode("latin-1", "replace"))

    def _class(self) -> bytes:
        """The first member of a class, or a byte that a negated one does not name."""
        negated = self.text[self.at] == "^"
        self.at += negated
        members: list[bytes] = []
        start = self.at
        while self.text[self.at] != "]" or self.at == start:
            letter = self.text[self.at]
            self.at += 1
            members.append(self._escape() if letter == "\\" else letter.encode("latin-1", "replace"))
        self.at += 1
        if not negated:
            return members[0]
        named = b"".join(members)
        return next((bytes((byte,)) for byte in b"azAZ09 .-/_\x00\xff" if byte not in named), b"q")
