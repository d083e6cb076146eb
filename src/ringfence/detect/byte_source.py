"""Bytes to look into, wherever they are: random access (`ByteSource`) and reading in order (`ByteStream`).

A file that shrinks while it is read gives fewer bytes than asked for; every reader here must live with that.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

from ringfence.model.limits import ARCHIVE_CHUNK_BYTES


class ByteSource(Protocol):
    """A file or a member: a size, and bytes at offsets."""

    @property
    def size_bytes(self) -> int:
        """Size when it was opened; the file may have changed since."""

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Up to `length_bytes` bytes; fewer, or none, past the end."""


class HeldBytes:
    """Bytes in memory."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size_bytes(self) -> int:
        """Size of the bytes."""
        return len(self._data)

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Slice; the whole comes back without a copy."""
        if offset_bytes == 0 and length_bytes >= len(self._data):
            return self._data
        return self._data[offset_bytes : offset_bytes + length_bytes]


class CalledBytes:
    """Bytes behind a function `read(length, offset)`, such as `os.pread` bound to a descriptor."""

    __slots__ = ("_read", "_size_bytes")

    def __init__(self, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        self._read = read
        self._size_bytes = size_bytes

    @property
    def size_bytes(self) -> int:
        """The size that the caller has measured: nothing behind it is read."""
        return self._size_bytes

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Read until `length_bytes` are there or the file ends; a short read is no end.  Raises OSError."""
        wanted = min(length_bytes, self._size_bytes - offset_bytes)
        parts: list[bytes] = []
        while wanted > 0:
            part = self._read(wanted, offset_bytes)
            if not part:
                break
            parts.append(part)
            offset_bytes += len(part)
            wanted -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def chunks_of(source: ByteSource, offset_bytes: int, length_bytes: int) -> Iterator[bytes]:
    """The bytes of a range in order, in pieces of at most `ARCHIVE_CHUNK_BYTES`; ends early where the source ends."""
    end = offset_bytes + length_bytes
    while offset_bytes < end:
        chunk = source.read_at(offset_bytes, min(ARCHIVE_CHUNK_BYTES, end - offset_bytes))
        if not chunk:
            return
        offset_bytes += len(chunk)
        yield chunk


class ByteStream:
    """Reading an iterator of chunks in other portions than it gives."""

    __slots__ = ("_chunks", "_held", "_place")

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._place = 0
        """Where in `_held` the next byte is: cutting it off at each read would copy the chunk each time."""

    def peek(self, length_bytes: int) -> bytes:
        """The next bytes, left where they are; fewer only at the end."""
        missing = length_bytes - (len(self._held) - self._place)
        if missing > 0:
            self._held = b"".join([self._held[self._place :], *self._more(missing)])
            self._place = 0
        return self._held[self._place : self._place + length_bytes]

    def read(self, length_bytes: int) -> bytes:
        """The next bytes; fewer only at the end."""
        data = self.peek(length_bytes)
        self._place += len(data)
        return data

    def take(self, length_bytes: int) -> Iterator[bytes]:
        """The next bytes in whatever pieces they come; what is not taken from the iterator stays unread."""
        while length_bytes > 0:
            if self._place == len(self._held):
                self._held, self._place = next(self._chunks, b""), 0
                if not self._held:
                    return
            piece = self._held[self._place : self._place + length_bytes]
            self._place += len(piece)
            length_bytes -= len(piece)
            yield piece

    def _more(self, wanted_bytes: int) -> Iterator[bytes]:
        for chunk in self._chunks:
            yield chunk
            wanted_bytes -= len(chunk)
            if wanted_bytes <= 0:
                return
