r"""Canonical JSON: one value has exactly one spelling, and any other spelling is refused.

1. UTF-8 without a byte order mark, no white space between tokens, no newline at the end.
2. Keys are text, sorted by code point, without repetition.
3. Numbers are integers within +-(2**53 - 1).  No floats, no NaN, no infinities.
4. Text is escaped only where JSON demands it: `"`, `\` and control characters.  No lone surrogates.
5. Nesting and size are bounded before anything is built.

The reader proves all that in the simplest way: it encodes what it read and compares the bytes.

>>> encode({"b": [1, True, None], "a": "\u00e9"}).decode()
'{"a":"\u00e9","b":[1,true,null]}'
"""

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NoReturn, TypeVar

from ringfence.model.errors import ContentRefused
from ringfence.model.limits import (
    JSON_CONTAINERS_MAX,
    JSON_DEPTH_MAX,
    JSON_INTEGER_DIGITS_MAX,
    JSON_INTEGER_MAX,
    JSON_KEYS_MAX,
)

JsonValue = None | bool | int | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]

WAY_OUT: Final = "the document is damaged or was not written by ringfence: get it again, or build it again"

Choice = TypeVar("Choice", bound=StrEnum)

_TOKENS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
"""Strings and brackets.  Possessive, and content with a string that does not end: linear on every text."""

_UNWELCOME: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Control characters, line separators and marks that turn the direction of text: they lie to a reader's eyes."""


def refuse(what: str, file: str, position: str = "") -> NoReturn:
    """Raise `ContentRefused` for `file` at `position`."""
    raise ContentRefused(what, WAY_OUT, file=file, position=position)


def encode(value: JsonValue) -> bytes:
    """The canonical bytes of `value`.  Raises ContentRefused where it has none (a lone surrogate, say)."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ContentRefused(f"has no canonical form: {error}", WAY_OUT) from error


def decode(
    data: bytes,
    *,
    file: str,
    bytes_max: int,
    depth_max: int = JSON_DEPTH_MAX,
    containers_max: int = JSON_CONTAINERS_MAX,
) -> JsonValue:
    """The value of the canonical document `data`, which is called `file` in errors.

    Raises ContentRefused for anything that `encode` would not have written, with the offset of the trouble.
    """
    if len(data) > bytes_max:
        refuse(f"has {len(data)} bytes, more than the {bytes_max} allowed", file)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        refuse("is not UTF-8", file, f"byte {error.start}")
    _check_shape(text, file, depth_max, containers_max)
    try:
        value: JsonValue = _decoder(file).decode(text)
    except json.JSONDecodeError as error:
        refuse(f"is not JSON: {error.msg}", file, f"character {error.pos}")
    except RecursionError:  # not reached: the depth was checked; kept because the parser's promise is not ours
        refuse("is nested too deeply", file)
    _check_canonical(value, data, file)
    return value


def _decoder(file: str) -> json.JSONDecoder:
    """A decoder that refuses what Python's accepts: floats, NaN, long integers, repeated keys."""

    def integer(digits: str) -> int:
        if len(digits) > JSON_INTEGER_DIGITS_MAX + 1 or abs(number := int(digits)) > JSON_INTEGER_MAX:
            refuse("holds an integer beyond 2**53 - 1", file)
        return number

    def other_number(digits: str) -> NoReturn:
        refuse(f"holds {digits[:JSON_INTEGER_DIGITS_MAX]}, which is not an integer", file)

    def table(pairs: list[tuple[str, JsonValue]]) -> Mapping[str, JsonValue]:
        if len(pairs) > JSON_KEYS_MAX:
            refuse(f"has an object with more than {JSON_KEYS_MAX} keys", file)
        made = dict(pairs)
        if len(made) != len(pairs):
            keys = [key for key, _ in pairs]
            refuse(f"repeats the key {next(key for key in keys if keys.count(key) > 1)[:64]!a}", file)
        return made

    return json.JSONDecoder(
        parse_int=integer, parse_float=other_number, parse_constant=other_number, object_pairs_hook=table
    )


def _check_shape(text: str, file: str, depth_max: int, containers_max: int) -> None:
    """Refuse deep nesting and too many parts before the parser, which recurses, sees it."""
    depth = containers = 0
    for token in _TOKENS.finditer(text):
        mark = token[0]
        if mark in "[{":
            depth += 1
            containers += 1
            if containers > containers_max:
                refuse(f"has more than {containers_max} lists and objects", file, f"character {token.start()}")
            if depth > depth_max:
                refuse(f"is nested deeper than {depth_max}", file, f"character {token.start()}")
        elif mark in "]}":
            depth -= 1


def _check_canonical(value: JsonValue, data: bytes, file: str) -> None:
    """Refuse `data` unless encoding `value` gives the same bytes."""
    try:
        again = encode(value)
    except ContentRefused as error:
        refuse(error.what, file)
    if again != data:
        pairs = enumerate(zip(again, data, strict=False))
        at = next((offset for offset, (left, right) in pairs if left != right), min(len(again), len(data)))
        refuse("is not canonical: sorted keys, no spaces, one spelling for each value", file, f"byte {at}")


class Fields:
    """A JSON object being read strictly: exactly the named keys, each of its type and within its bounds.

    `place` is the path inside the document, such as `/rules/7`.
    """

    __slots__ = ("_file", "_place", "_table")

    def __init__(self, value: JsonValue, names: frozenset[str], *, file: str, place: str = "") -> None:
        if not isinstance(value, Mapping):
            refuse("must be an object", file, place or "/")
        if missing := sorted(names - value.keys()):
            refuse(f"lacks the field {missing[0]!r}", file, place or "/")
        if unknown := sorted(value.keys() - names):
            refuse(f"has the unknown field {unknown[0][:64]!a}", file, place or "/")
        self._table = value
        self._file = file
        self._place = place

    def refuse(self, name: str, what: str) -> NoReturn:
        """Raise ContentRefused for the field `name`."""
        refuse(what, self._file, f"{self._place}/{name}")

    def text(self, name: str, characters_max: int, *, empty: bool = True) -> str:
        """A line of text for people, without control characters."""
        value = self._table[name]
        if not isinstance(value, str):
            self.refuse(name, "must be text")
        if len(value) > characters_max:
            self.refuse(name, f"has {len(value)} characters, more than the {characters_max} allowed")
        if not value and not empty:
            self.refuse(name, "must not be empty")
        if is_unwelcome(value):
            self.refuse(name, "holds a control character")
        return value

    def word(self, name: str, pattern: re.Pattern[str]) -> str:
        """Text that fits `pattern` as a whole."""
        value = self._table[name]
        if not isinstance(value, str) or not pattern.fullmatch(value):
            self.refuse(name, f"must fit {pattern.pattern}")
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """An integer within `low` and `high`."""
        value = self._table[name]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(name, f"must be an integer from {low} to {high}")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._table[name]
        if not isinstance(value, bool):
            self.refuse(name, "must be true or false")
        return value

    def choice(self, name: str, kind: type[Choice]) -> Choice:
        """One of the values of `kind`."""
        value = self._table[name]
        found = next((member for member in kind if member.value == value), None)
        if found is None:
            self.refuse(name, f"must be one of {', '.join(member.value for member in kind)}")
        return found

    def one_of(self, name: str, allowed: frozenset[str]) -> str:
        """One of the words in `allowed`."""
        value = self._table[name]
        if not isinstance(value, str) or value not in allowed:
            self.refuse(name, f"must be one of {', '.join(sorted(allowed))}")
        return value

    def raw(self, name: str) -> JsonValue:
        """The value as it stands; the caller checks it."""
        return self._table[name]

    def table(self, name: str, count_max: int) -> Mapping[str, JsonValue]:
        """An object of at most `count_max` entries; the caller checks them."""
        value = self._table[name]
        if not isinstance(value, Mapping):
            self.refuse(name, "must be an object")
        if len(value) > count_max:
            self.refuse(name, f"has {len(value)} entries, more than the {count_max} allowed")
        return value

    def items(self, name: str, count_max: int) -> Sequence[JsonValue]:
        """A list of at most `count_max` values."""
        value = self._table[name]
        if isinstance(value, str) or not isinstance(value, Sequence):
            self.refuse(name, "must be a list")
        if len(value) > count_max:
            self.refuse(name, f"has {len(value)} entries, more than the {count_max} allowed")
        return value

    def inner(self, name: str, names: frozenset[str]) -> "Fields":
        """The object in the field `name`."""
        return Fields(self._table[name], names, file=self._file, place=f"{self._place}/{name}")

    def rows(self, name: str, count_max: int, names: frozenset[str]) -> list["Fields"]:
        """A list of objects that all have exactly the fields `names`."""
        return [
            Fields(value, names, file=self._file, place=f"{self._place}/{name}/{index}")
            for index, value in enumerate(self.items(name, count_max))
        ]

    def words(self, name: str, allowed: frozenset[str]) -> tuple[str, ...]:
        """A sorted list of different words, each in `allowed`."""
        found: list[str] = []
        for value in self.items(name, len(allowed)):
            if not isinstance(value, str) or value not in allowed:
                self.refuse(name, f"may hold only {', '.join(sorted(allowed))}")
            if found and found[-1] >= value:
                self.refuse(name, "must be sorted and without repetition")
            found.append(value)
        return tuple(found)


def is_unwelcome(text: str) -> bool:
    """Whether `text` holds control characters, turned direction or lone surrogates."""
    return _UNWELCOME.search(text) is not None
