"""The small change of fixed layouts: reading fields off a frame's body, and refusing what does not belong there.

Every body is consumed to its last byte, every byte string has a 16-bit length and a bound of its own, every code is
assigned.  A violation raises `FrameRefused`.
"""

import struct
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final, TypeVar

from ringfence.model import limits
from ringfence.model.errors import FrameRefused

U64_MAX: Final = 0xFFFF_FFFF_FFFF_FFFF
U32_MAX: Final = 0xFFFF_FFFF
NOTHING: Final = U32_MAX
"""On the wire, where an index may be missing: no rule, or no release."""

_WAY_OUT: Final = "one of our processes sent this: it is killed and started again"
_Number = TypeVar("_Number", bound=IntEnum)
_Value = TypeVar("_Value")

_LENGTH: Final = struct.Struct(">H")


class Reader:
    """Takes fields off a body, one after the other; refuses to read past its end or to stop before it."""

    def __init__(self, body: bytes) -> None:
        require(len(body) <= limits.FRAME_BODY_BYTES_MAX, f"a body of {len(body)} bytes is too long")
        self._body = body
        self._offset = 0

    def take(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The next fixed fields."""
        return layout.unpack(self._slice(layout.size))

    def string(self, bytes_max: int) -> bytes:
        """The next byte string, of at most `bytes_max` bytes."""
        (length,) = _LENGTH.unpack(self._slice(_LENGTH.size))
        require(length <= bytes_max, f"a string of {length} bytes where {bytes_max} are allowed")
        return self._slice(length)

    def end(self) -> None:
        """Refuse bytes that are left over."""
        left = len(self._body) - self._offset
        require(left == 0, f"{left} bytes are left over at the end")

    def _slice(self, length: int) -> bytes:
        end = self._offset + length
        require(end <= len(self._body), f"the body ends at byte {len(self._body)}, within a field")
        start, self._offset = self._offset, end
        return self._body[start:end]


def only(layout: struct.Struct, body: bytes) -> tuple[int, ...]:
    """The fields of a body that is nothing but `layout`."""
    reader = Reader(body)
    fields = reader.take(layout)
    reader.end()
    return fields


def string(data: bytes) -> list[bytes]:
    """The parts of a byte string on the wire: its length, then itself."""
    return [_LENGTH.pack(len(data)), data]


def joined(parts: list[bytes]) -> bytes:
    """A body of these parts.  Raises FrameRefused when it is too long for a frame."""
    body = b"".join(parts)
    require(len(body) <= limits.FRAME_BODY_BYTES_MAX, f"a body of {len(body)} bytes is too long")
    return body


def member(enum: type[_Number], code: int) -> _Number:
    """The member of `enum` with this number."""
    try:
        return enum(code)
    except ValueError:
        raise FrameRefused(f"{code} is no {enum.__name__}", _WAY_OUT) from None


def coded(table: Mapping[int, _Value], code: int) -> _Value:
    """The value that `table` has under this code."""
    if code not in table:
        raise FrameRefused(f"code {code} is not assigned", _WAY_OUT)
    return table[code]


def require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads like an assertion
    """Raise FrameRefused, saying `what`, unless it `holds`."""
    if not holds:
        raise FrameRefused(what, _WAY_OUT)


def require_range(name: str, value: int, value_max: int) -> None:
    """Refuse a number outside 0 to `value_max`."""
    require(0 <= value <= value_max, f"{name} is {value}, which is not between 0 and {value_max}")


def require_length(name: str, data: bytes, bytes_max: int) -> None:
    """Refuse a byte string that is too long."""
    require(len(data) <= bytes_max, f"{name} has {len(data)} bytes where {bytes_max} are allowed")


def require_count(name: str, count: int, count_max: int) -> None:
    """Refuse too many of something."""
    require(count <= count_max, f"{count} {name} where {count_max} are allowed")
