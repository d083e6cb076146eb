"""Events that were recorded on good machines: one JSON object a line, `{"type": "process_creation", "fields": {...}}`.

1. `type` is as in a sensor's contract; each of `fields` has a value that is text, a number, true, false or null.
   Nothing else stands in an event, and no name twice.
2. A file is read line by line and cut into parts, each of which a worker replays at once.  Lines, events and values
   are bounded; what is off is refused with file and line.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, NoReturn

from ringfence.detect.events import Event, EventValue, normalise
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.limits import (
    EVENT_FIELDS_MAX,
    EVENT_VALUE_CHARACTERS_MAX,
    NAME_CHARACTERS_MAX,
    RECORDED_EVENTS_MAX,
    RECORDED_LINE_BYTES_MAX,
    RECORDED_PART_BYTES_MAX,
    RECORDED_PART_EVENTS_MAX,
)

WAY_OUT: Final = 'write one {"type": ..., "fields": {...}} on each line'

_EVENT: Final = frozenset({"type", "fields"})


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """Some lines of one file, known to be events."""

    file: str
    first_line: int
    events: int
    data: bytes

    def place(self, event: int) -> str:
        """Where the event with this number stands."""
        return f"{self.file}:{self.first_line + min(max(event, 0), self.events - 1)}"


def read_recordings(paths: Sequence[Path]) -> tuple[RecordedPart, ...]:
    """The parts of all files.  Raises PathRefused, or ContentRefused with file and line."""
    parts: list[RecordedPart] = []
    events = 0
    for path in paths:
        for part in _parts(path):
            events += part.events
            if events > RECORDED_EVENTS_MAX:
                what = f"the recordings have more than the {RECORDED_EVENTS_MAX} events allowed"
                raise ContentRefused(what, "leave out what says the same", file=str(path))
            parts.append(part)
    if paths and not events:
        raise ContentRefused("holds no event: nothing empty means yes", "record some", file=str(paths[0]))
    return tuple(parts)


def decode_events(data: bytes, file: str, first_line: int = 1) -> list[Event]:
    """The events of some lines.  Raises ContentRefused."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [_event(line, file, first_line + number) for number, line in enumerate(lines)]


def _parts(path: Path) -> Iterator[RecordedPart]:
    lines: list[bytes] = []
    size, number = 0, 0
    try:
        with path.open("rb") as file:
            while line := file.readline(RECORDED_LINE_BYTES_MAX + 1):
                number += 1
                if len(line) > RECORDED_LINE_BYTES_MAX:
                    _refuse(f"has more than the {RECORDED_LINE_BYTES_MAX} bytes allowed", str(path), number)
                _event(line, str(path), number)
                lines.append(line)
                size += len(line)
                if len(lines) == RECORDED_PART_EVENTS_MAX or size > RECORDED_PART_BYTES_MAX:
                    yield RecordedPart(str(path), number - len(lines) + 1, len(lines), b"".join(lines))
                    lines, size = [], 0
    except OSError as error:
        raise PathRefused(f"{path} cannot be read: {error.strerror}", "name a file of recorded events") from error
    if lines:
        yield RecordedPart(str(path), number - len(lines) + 1, len(lines), b"".join(lines))


def _event(line: bytes, file: str, number: int) -> Event:
    """Rule 1."""
    try:
        value = json.loads(
            line.decode(),
            object_pairs_hook=partial(_object, file, number),
            parse_constant=lambda name: _refuse(f"{name} is no number", file, number),
        )
    except (ValueError, RecursionError) as error:  # what is not UTF-8 is a ValueError too
        _refuse(f"is not JSON: {str(error)[:100]}", file, number)
    if not isinstance(value, dict) or value.keys() != _EVENT:
        _refuse("is no object of type and fields", file, number)
    name, fields = value["type"], value["fields"]
    if not isinstance(name, str) or not 0 < len(name) <= NAME_CHARACTERS_MAX:
        _refuse("has no type", file, number)
    if not isinstance(fields, dict) or len(fields) > EVENT_FIELDS_MAX:
        _refuse(f"has no fields, or more than the {EVENT_FIELDS_MAX} allowed", file, number)
    for field, one in fields.items():
        _check_field(field, one, file, number)
    return normalise(name, fields)


def _check_field(name: str, value: EventValue | list[Any] | dict[str, Any], file: str, number: int) -> None:
    if not 0 < len(name) <= NAME_CHARACTERS_MAX:
        _refuse("has a field without a name, or with too long a one", file, number)
    if isinstance(value, (list, dict)):
        _refuse(f"the field {name!a} is neither text nor a number", file, number)
    if isinstance(value, str) and len(value) > EVENT_VALUE_CHARACTERS_MAX:
        _refuse(f"the field {name!a} has more than the {EVENT_VALUE_CHARACTERS_MAX} characters allowed", file, number)


def _object(file: str, number: int, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        _refuse("has a name twice", file, number)
    return made


def _refuse(what: str, file: str, number: int) -> NoReturn:
    raise ContentRefused(what, WAY_OUT, file=file, position=str(number))
