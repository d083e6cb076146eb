"""Which class of files a rule can match, proven from its condition.

A rule goes into the pack of a class only if its condition cannot be true for a file that begins otherwise:

1. `uint16(0) == 0x5A4D` and its kin require their bytes at the beginning.
2. `$a at 0` requires the beginning of `$a`, if that is fixed (no wildcard, no case folding, no other encoding).
3. The name of another rule requires what that rule requires.
4. `x and y` requires what x or y requires; `x or y` only what both do; brackets change nothing, as far as
   `RULE_CONDITION_DEPTH_MAX`: what is nested deeper is not looked at.
5. Everything else requires nothing: the rule is of class "any", which is slower but never wrong.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from ringfence.author.yara_source import PatternText, SourceRule, unescaped
from ringfence.detect.file_type import MAGICS, FileClass
from ringfence.model.limits import RULE_CONDITION_DEPTH_MAX

_READERS: Final[Mapping[str, tuple[int, str]]] = {
    f"{sign}int{bits}{order}": (bits // 8, "big" if order else "little")
    for sign in ("u", "")
    for bits in (8, 16, 32)
    for order in ("", "be")
}
_FIXED_BYTES: Final = re.compile(r"[0-9A-Fa-f]{2}")
_COMMENTS: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_HARMLESS_MODIFIERS: Final = frozenset({"ascii", "fullword", "private"})
_NUMBER: Final = re.compile(r"0x[0-9A-Fa-f]+|[0-9]+")


def required_class(rule: SourceRule, others: Mapping[str, FileClass]) -> FileClass:
    """The class that `rule` provably requires, or ANY.  `others`: the classes of rules that it may refer to."""
    beginnings = {pattern.name: _beginning(pattern) for pattern in rule.patterns}
    return _of_terms(rule.terms, beginnings, others, 0)


def class_of_prefix(prefix: bytes) -> FileClass:
    """The class of every file that begins with `prefix`, or ANY where that is not sure."""
    return next((kind for magic, kind in MAGICS if prefix.startswith(magic)), FileClass.ANY)


def _of_terms(
    terms: Sequence[str], beginnings: Mapping[str, bytes], others: Mapping[str, FileClass], depth: int
) -> FileClass:
    """Rule 4: alternatives must agree; of conditions that all hold, one is enough."""
    if depth > RULE_CONDITION_DEPTH_MAX:
        return FileClass.ANY
    kinds = {
        next(
            (
                kind
                for part in _split(branch, "and")
                if (kind := _of_part(part, beginnings, others, depth)) is not FileClass.ANY
            ),
            FileClass.ANY,
        )
        for branch in _split(terms, "or")
    }
    return kinds.pop() if len(kinds) == 1 else FileClass.ANY


def _of_part(
    part: Sequence[str], beginnings: Mapping[str, bytes], others: Mapping[str, FileClass], depth: int
) -> FileClass:
    """What one operand of `and` requires."""
    if len(part) > 2 and part[0] == "(" and _closing(part) == len(part) - 1:  # noqa: PLR2004
        return _of_terms(part[1:-1], beginnings, others, depth + 1)
    match list(part):
        case [name]:
            return others.get(name, FileClass.ANY)
        case [name, "at", "0"]:
            return class_of_prefix(beginnings.get(name, b""))
        case [reader, "(", "0", ")", "==", number] | [number, "==", reader, "(", "0", ")"]:
            return class_of_prefix(_number_bytes(reader, number))
    return FileClass.ANY


def _split(terms: Sequence[str], word: str) -> list[Sequence[str]]:
    """`terms` cut at each `word` outside of brackets."""
    parts = []
    depth = start = 0
    for at, term in enumerate(terms):
        if term in ("(", "[", "{"):
            depth += 1
        elif term in (")", "]", "}"):
            depth -= 1
        elif term == word and not depth:
            parts.append(terms[start:at])
            start = at + 1
    return [*parts, terms[start:]]


def _closing(terms: Sequence[str]) -> int:
    """Where the bracket that opens `terms` closes."""
    depth = 0
    for at, term in enumerate(terms):
        depth += (term == "(") - (term == ")")
        if not depth:
            return at
    return -1


def _number_bytes(reader: str, number: str) -> bytes:
    """The bytes at the beginning of a file for which `reader(0) == number`; empty where that is not sure."""
    width, order = _READERS.get(reader, (0, "little"))
    if not width or not _NUMBER.fullmatch(number):
        return b""
    value = int(number, 0) if number.startswith("0x") else int(number)
    if value >> (8 * width - (not reader.startswith("u"))):
        return b""
    return value.to_bytes(width, "big" if order == "big" else "little")


def _beginning(pattern: PatternText) -> bytes:
    """The fixed bytes with which every match of `pattern` begins."""
    if pattern.modifiers - _HARMLESS_MODIFIERS:
        return b""
    if pattern.kind == "text":
        text = unescaped(pattern.value)
        return text.encode("latin-1") if all(ord(character) < 256 for character in text) else b""  # noqa: PLR2004
    if pattern.kind != "byte":
        return b""
    fixed = bytearray()
    digits = "".join(_COMMENTS.sub(" ", pattern.value).strip("{} \t\r\n").split())
    for at in range(0, len(digits), 2):
        if not _FIXED_BYTES.fullmatch(digits[at : at + 2]):
            break
        fixed.append(int(digits[at : at + 2], 16))
    return bytes(fixed)
