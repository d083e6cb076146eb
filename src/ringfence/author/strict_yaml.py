"""YAML as people mean it, with the place of every value.

Read from the parser's events, without recursion and before anything is built: so depth, size, aliases, tags and
repeated keys are refused where they stand, and no text can make the reader work long.

1. One document, UTF-8 text.  Depth and number of values are bounded.
2. No aliases and no tags: an alias is a bomb or a riddle, a tag asks for a Python object.
3. No key twice, and keys are text.  (YAML lets the last one win, silently.)
4. Unquoted values are text, whole numbers in plain decimal, true, false, null or a date; everything else that YAML 1.1
   reads into unquoted text (`yes`, `010`, `1:30`, `1e3`, `0x1f`) is refused: readers disagree on it.
"""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import yaml

from ringfence.model.errors import ContentRefused
from ringfence.model.limits import YAML_DEPTH_MAX, YAML_NODES_MAX

Key = str | int
Path = tuple[Key, ...]
"""Keys and numbers from the top of the document to a value."""

WAY_OUT: Final = "correct the file; quote what is meant as text"

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Final = yaml.resolver.Resolver()
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FRACTION: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,15}")
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}
_TAG: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document, read.  `keys` has the place of the key (or of the dash's value) that leads to each path."""

    value: Any
    keys: dict[Path, Place]

    def place(self, *path: Key) -> Place:
        """The place of `path`, or of what is nearest above it and is there."""
        for length in range(len(path), -1, -1):
            if (found := self.keys.get(path[:length])) is not None:
                return found
        return Place(1, 1)


class _Container:
    """A mapping or sequence that is being read."""

    __slots__ = ("key", "path", "value")

    def __init__(self, path: Path, value: dict[str, Any] | list[Any]) -> None:
        self.path = path
        self.value = value
        self.key: str | None = None


def read_document(text: str, file: str) -> Document:
    """The one document in `text`, which is called `file` in errors.  Raises ContentRefused with line and column."""
    reader = _Reader(file)
    try:
        for event in _events(text):
            reader.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        what = getattr(error, "problem", None) or "cannot be read"
        _refuse(f"is not YAML: {what}", file, _place_of(mark))
    except (ValueError, UnicodeError) as error:
        _refuse(f"is not YAML: {error}", file, Place(1, 1))
    return reader.document()


def _events(text: str) -> Iterator[yaml.Event]:
    found: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)
    return found


def _place_of(mark: Any) -> Place:  # noqa: ANN401 - the library has two classes of marks
    return Place(mark.line + 1, mark.column + 1) if mark is not None else Place(1, 1)


def _refuse(what: str, file: str, place: Place) -> NoReturn:
    raise ContentRefused(what, WAY_OUT, file=file, position=f"{place.line}:{place.column}")


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[_Container] = []
        self._keys: dict[Path, Place] = {}
        self._found: list[Any] = []
        self._nodes = 0

    def document(self) -> Document:
        if not self._found:
            _refuse("is empty", self._file, Place(1, 1))
        return Document(self._found[0], self._keys)

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.AliasEvent():
                self._refuse("aliases are not allowed", event)
            case yaml.DocumentStartEvent() if self._found:
                self._refuse("holds more than one document", event)
            case yaml.MappingStartEvent():
                self._begin(event, {})
            case yaml.SequenceStartEvent():
                self._begin(event, [])
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()
            case yaml.ScalarEvent():
                self._scalar(event)

    def _refuse(self, what: str, event: yaml.Event) -> NoReturn:
        _refuse(what, self._file, _place_of(event.start_mark))

    def _begin(
        self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, value: dict[str, Any] | list[Any]
    ) -> None:
        self._count(event)
        if event.tag is not None:
            self._refuse("tags are not allowed", event)
        if len(self._open) >= YAML_DEPTH_MAX:
            self._refuse(f"is nested deeper than {YAML_DEPTH_MAX}", event)
        self._open.append(_Container(self._add(value, event), value))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._count(event)
        if event.tag is not None:
            self._refuse("tags are not allowed", event)
        top = self._open[-1] if self._open else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(top, event)
        else:
            self._add(self._value(event), event)

    def _count(self, event: yaml.Event) -> None:
        self._nodes += 1
        if self._nodes > YAML_NODES_MAX:
            self._refuse(f"has more than {YAML_NODES_MAX} values", event)

    def _key(self, top: _Container, event: yaml.ScalarEvent) -> None:
        """The key of the next value."""
        key = str(event.value)
        if event.implicit[0] and key == "<<":
            self._refuse("merge keys are not allowed", event)
        if key in top.value:
            self._refuse(f"the key {key[:64]!a} is repeated", event)
        top.key = key
        self._keys[*top.path, key] = _place_of(event.start_mark)

    def _add(self, value: Any, event: yaml.Event) -> Path:  # noqa: ANN401 - whatever YAML holds
        """Put `value` into what is open.  Returns its path."""
        if not self._open:
            self._found.append(value)
            self._keys[()] = _place_of(event.start_mark)
            return ()
        top = self._open[-1]
        if isinstance(top.value, list):
            path: Path = (*top.path, len(top.value))
            top.value.append(value)
            self._keys[path] = _place_of(event.start_mark)
            return path
        if top.key is None:
            self._refuse("a key must be text", event)
        path = (*top.path, top.key)
        top.value[top.key] = value
        top.key = None
        return path

    def _value(self, event: yaml.ScalarEvent) -> Any:  # noqa: ANN401 - as above
        """Rule 4."""
        text = str(event.value)
        if not event.implicit[0]:
            return text
        kind = str(_RESOLVER.resolve(yaml.ScalarNode, text, (True, False))).removeprefix(_TAG)  # type: ignore[no-untyped-call]
        if kind == "str":
            return text
        if text in _WORDS:
            return _WORDS[text]
        if kind == "int" and _DECIMAL.fullmatch(text):
            return int(text)
        if kind == "float" and _FRACTION.fullmatch(text):
            return float(text)
        if kind == "timestamp" and (found := _DATE.fullmatch(text)):
            try:
                return dt.date(*map(int, found.groups()))
            except ValueError:
                self._refuse(f"{text} is no date", event)
        return self._refuse(f"{text[:64]!a} is a {kind} for some readers and text for others: quote it", event)
