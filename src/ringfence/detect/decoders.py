"""Decompression in bounded steps: chunks of compressed bytes in, chunks of at most `ARCHIVE_CHUNK_BYTES` out.

1. No size that the data declares is believed, and no more than one chunk of output is made at a time.
2. Memory that the data may claim is bounded (`ARCHIVE_DECODER_BYTES_MAX`, `ARCHIVE_WINDOW_BYTES_MAX`).
3. Streams that follow each other are read on, as the tools of these formats do; other bytes behind them are ignored
   (in zstd they count as damage).
4. What came out before an error has been given; then `DecodingEnded` says why there is no more.

Everything is imported here at the top: a sandboxed process can import nothing later.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final, Protocol, cast

import zstandard

from ringfence.detect.file_type import FileClass
from ringfence.model.limits import (
    ARCHIVE_CHUNK_BYTES,
    ARCHIVE_DECODER_BYTES_MAX,
    ARCHIVE_STREAMS_MAX,
    ARCHIVE_WINDOW_BYTES_MAX,
)


class DecodingEnded(Exception):
    """Decoding ended before the data did.  `bounded` tells a bound of ours from damage."""

    def __init__(self, what: str, *, bounded: bool) -> None:
        super().__init__(what)
        self.bounded = bounded


class _Decoder(Protocol):
    """The interface that `bz2` and `lzma` share."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Inflater:
    """zlib behind that interface."""

    __slots__ = ("_inner", "needs_input")

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """The stream has ended."""
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        """What followed the stream."""
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Decode; a full answer may mean that more is waiting although all input was taken."""
        out = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = not self._inner.unconsumed_tail and len(out) < max_length
        return out


def _gzip() -> _Decoder:
    return _Inflater(31)


def _deflate() -> _Decoder:
    return _Inflater(-15)


def _bzip2() -> _Decoder:
    return bz2.BZ2Decompressor()


def _xz() -> _Decoder:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=ARCHIVE_DECODER_BYTES_MAX)


def _lzma_alone() -> _Decoder:
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=ARCHIVE_DECODER_BYTES_MAX)


_MAKERS: Final[dict[FileClass, tuple[Callable[[], _Decoder], bytes]]] = {
    FileClass.GZIP: (_gzip, b"\x1f\x8b"),
    FileClass.BZIP2: (_bzip2, b"BZh"),
    FileClass.XZ: (_xz, b"\xfd7zXZ\x00"),
}
"""Class of file -> decoder of one stream, and what the next stream begins with."""


def decode(kind: FileClass, compressed: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack a file of class `kind`: gzip, bzip2, xz or zstd.  Raises DecodingEnded."""
    if kind is FileClass.ZSTD:
        return _zstd(compressed)
    make, magic = _MAKERS[kind]
    return _streams(make, magic, compressed)


def decode_zip_method(method: int, compressed: Iterator[bytes]) -> Iterator[bytes] | None:
    """Unpack a zip member by its method number; None for a method that is not supported.  Raises DecodingEnded."""
    match method:
        case 0:
            return compressed
        case 8:
            return _streams(_deflate, b"", compressed)
        case 12:
            return _streams(_bzip2, b"", compressed)
        case 14:
            return _zip_lzma(compressed)
        case 20 | 93:
            return _zstd(compressed)
        case 95:
            return _streams(_xz, b"", compressed)
        case _:
            return None


def _streams(
    make: Callable[[], _Decoder], magic: bytes, compressed: Iterator[bytes], *, marks_its_end: bool = True
) -> Iterator[bytes]:
    """Decode streams made by `make` one after the other; `magic` b"" means that there is only one."""
    decoder: _Decoder | None = make()
    count = 1
    for chunk in compressed:
        data = chunk
        while data or (decoder is not None and not decoder.needs_input):
            if decoder is None:
                data = data.lstrip(b"\0")
                if not data:
                    break
                if not magic or not magic.startswith(data[: len(magic)]):
                    return
                if count == ARCHIVE_STREAMS_MAX:
                    raise DecodingEnded("too many streams", bounded=True)
                decoder, count = make(), count + 1
            out = _step(decoder, data)
            data = b""
            if out:
                yield out
            if decoder.eof:
                data, decoder = decoder.unused_data, None
    if decoder is not None and marks_its_end:
        raise DecodingEnded("the stream is cut off", bounded=False)


def _step(decoder: _Decoder, data: bytes) -> bytes:
    """One bounded step.  Raises DecodingEnded."""
    try:
        return decoder.decompress(data, ARCHIVE_CHUNK_BYTES)
    except lzma.LZMAError as error:
        raise DecodingEnded(str(error), bounded="memory" in str(error).lower()) from None
    except (zlib.error, OSError, EOFError, ValueError) as error:
        raise DecodingEnded(str(error), bounded=False) from None


def _zip_lzma(compressed: Iterator[bytes]) -> Iterator[bytes]:
    """Zip's LZMA has a header of its own: version (2), size of the properties (2), properties (5).

    The stand-alone format has the properties, then the size, where all ones mean "until the end".
    """
    head = b""
    for chunk in compressed:
        head += chunk
        if len(head) >= _ZIP_LZMA_HEAD_BYTES:
            break
    if len(head) < _ZIP_LZMA_HEAD_BYTES or head[2:4] != b"\x05\x00":
        raise DecodingEnded("no LZMA properties", bounded=False)

    def alone() -> Iterator[bytes]:
        yield head[4:_ZIP_LZMA_HEAD_BYTES] + b"\xff" * 8 + head[_ZIP_LZMA_HEAD_BYTES:]
        yield from compressed

    yield from _streams(_lzma_alone, b"", alone(), marks_its_end=False)


_ZIP_LZMA_HEAD_BYTES: Final = 9


class _ChunkReader:
    """What zstandard reads from: an object with `read`."""

    __slots__ = ("_chunks",)

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, _size_bytes: int) -> bytes:
        """The next chunk, whatever was asked for: zstandard takes any length."""
        return next(self._chunks, b"")


def _zstd(compressed: Iterator[bytes]) -> Iterator[bytes]:
    """Zstandard through its reader: the only interface of the library that bounds one step's output."""
    decoder = zstandard.ZstdDecompressor(max_window_size=ARCHIVE_WINDOW_BYTES_MAX)
    reader = decoder.stream_reader(cast("IO[bytes]", _ChunkReader(compressed)), read_across_frames=True)
    while True:
        try:
            out = reader.read(ARCHIVE_CHUNK_BYTES)
        except zstandard.ZstdError as error:
            raise DecodingEnded(str(error), bounded="memory" in str(error)) from None
        if not out:
            return
        yield out
