r"""Events as the matcher takes them: made flat text once, at the edge, so that nothing behind the edge can fail.

1. Nothing is added: a value that is None is left out, and a missing field stays missing.
2. Numbers become decimal text, truth "true" or "false".  (0 and False are values; 1 and True are different ones.)
3. Bytes are UTF-8, and what is not becomes `\xNN`.  Text loses its lone surrogates in the same way: RE2 cannot read
   them.
4. Fields stand in the order of their names, so the same event is always the same.

>>> normalise("process_creation", {"Image": b"/bin/\xff", "Pid": 0, "Ok": False, "User": None}).fields
{'Image': '/bin/\\xff', 'Ok': 'false', 'Pid': '0'}
"""

from collections.abc import Mapping
from dataclasses import dataclass

EventValue = str | bytes | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Event:
    """One event.  `event_type` is as in `model.detection.event_type_of`; rules of another type never see it."""

    event_type: str
    fields: Mapping[str, str]


def normalise(event_type: str, raw: Mapping[str, EventValue]) -> Event:
    """The event that a sensor's values make."""
    return Event(event_type, {name: text_of(value) for name, value in sorted(raw.items()) if value is not None})


def text_of(value: str | bytes | float) -> str:
    """A value as text.  Never raises."""
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case bool():
            return "true" if value else "false"
        case int():
            return _decimal(value)
        case _:
            return str(value)


def _decimal(number: int) -> str:
    """Python refuses to write integers of thousands of digits in decimal: those are written in hexadecimal."""
    try:
        return str(number)
    except ValueError:
        return hex(number)
