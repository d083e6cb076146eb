"""Which bytes of a large file are scanned while somebody waits, and in which pieces the whole is scanned afterwards.

While somebody waits (`windows`): a file up to the limit is one window.  Of a larger one:
1. a quarter of the limit from the head, an eighth from the tail: that is where programs, scripts and appended payloads
   are recognised;
2. the rest of the limit in windows spread over the middle, one in each of equal strips, at a place in its strip that
   depends on the size alone.

The places are no secret: they follow from the size, so that the same file gets the same answer on every host and every
time.  Whoever knows them can hide a payload between them.  They are an early warning, not the scan: the whole file is
scanned afterwards (`pieces`), and until then an answer about it is an answer about its windows.

Nobody waits (`pieces`): a file up to `SCAN_WHOLE_BYTES_MAX` is one piece, in which every condition of a rule means what
it says; a larger one is cut into pieces that overlap by `SCAN_OVERLAP_BYTES`, up to `SCAN_TOTAL_BYTES_MAX`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ringfence.detect.yara import View
from ringfence.model.limits import (
    SCAN_OVERLAP_BYTES,
    SCAN_PIECE_BYTES,
    SCAN_TOTAL_BYTES_MAX,
    SCAN_WHOLE_BYTES_MAX,
    WINDOW_BYTES,
    WINDOWS_MAX,
)

_HEAD_SHARE: Final = 4
_TAIL_SHARE: Final = 8
_SPREAD: Final = 0x9E3779B97F4A7C15
"""2^64 divided by the golden ratio: multiples of it modulo 2^64 are spread evenly."""

_MASK_64: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Window:
    """A range of a file."""

    offset_bytes: int
    length_bytes: int

    @property
    def end_bytes(self) -> int:
        """First offset behind it."""
        return self.offset_bytes + self.length_bytes

    def view(self, size_bytes: int) -> View:
        """What the engine may believe about these bytes of a file of `size_bytes`."""
        if self.offset_bytes:
            return View.PART
        return View.WHOLE if self.length_bytes >= size_bytes else View.START


def windows(size_bytes: int, limit_bytes: int) -> tuple[Window, ...]:
    """The windows of a file of `size_bytes`, in order, without overlap, at most `limit_bytes` together.

    The first begins at 0 and the last ends at the file's end.  Raises ValueError for a limit below 8 bytes, which could
    hold no head and tail.
    """
    if size_bytes < 0 or limit_bytes < _TAIL_SHARE:
        raise ValueError("a size cannot be negative, and a limit must have room for head and tail")
    if size_bytes <= limit_bytes:
        return (Window(0, size_bytes),) if size_bytes else ()
    head = Window(0, limit_bytes // _HEAD_SHARE)
    tail_bytes = limit_bytes // _TAIL_SHARE
    tail = Window(size_bytes - tail_bytes, tail_bytes)
    return (head, *_samples(head.end_bytes, tail.offset_bytes, limit_bytes - head.length_bytes - tail_bytes), tail)


def _samples(begin: int, end: int, room_bytes: int) -> Iterator[Window]:
    """Windows in the middle of the file, one in each of equal strips; `room_bytes` is less than `end - begin`."""
    count = min(WINDOWS_MAX - 2, -(-room_bytes // WINDOW_BYTES))
    if count == 0:
        return
    length = min(room_bytes // count, WINDOW_BYTES)
    if length == 0:
        return
    for number in range(count):
        strip_begin = begin + (end - begin) * number // count
        strip_end = begin + (end - begin) * (number + 1) // count
        slack = strip_end - strip_begin - length
        place = ((end + number + 1) * _SPREAD & _MASK_64) * (slack + 1) >> 64
        yield Window(strip_begin + place, length)


def pieces(size_bytes: int) -> Iterator[Window]:
    """The pieces in which a whole file of `size_bytes` is scanned, in order; see `scanned_bytes` for where they end."""
    if size_bytes <= SCAN_WHOLE_BYTES_MAX:
        if size_bytes:
            yield Window(0, size_bytes)
        return
    end = scanned_bytes(size_bytes)
    offset = 0
    while True:
        length = min(SCAN_PIECE_BYTES, end - offset)
        yield Window(offset, length)
        if offset + length >= end:
            return
        offset += length - SCAN_OVERLAP_BYTES


def scanned_bytes(size_bytes: int) -> int:
    """How many bytes `pieces` covers: less than the size means that the file is too large to be called clean."""
    return min(size_bytes, SCAN_TOTAL_BYTES_MAX)
