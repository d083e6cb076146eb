"""`detect/decoders.py`: bounded steps, all streams, and an honest end."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect import decoders
from ringfence.detect.decoders import DecodingEnded, decode, decode_zip_method
from ringfence.detect.file_type import FileClass
from ringfence.model.limits import ARCHIVE_CHUNK_BYTES

PACKERS: dict[FileClass, Callable[[bytes], bytes]] = {
    FileClass.GZIP: gzip.compress,
    FileClass.BZIP2: bz2.compress,
    FileClass.XZ: lzma.compress,
    FileClass.ZSTD: zstandard.ZstdCompressor().compress,
}


def in_pieces(data: bytes, length: int) -> Iterator[bytes]:
    """`data` in pieces."""
    return (data[place : place + length] for place in range(0, len(data), length))


@given(st.sampled_from(list(PACKERS)), st.lists(st.binary(max_size=2_000), min_size=1, max_size=4), st.integers(1, 99))
def test_streams_are_joined_whatever_the_pieces(kind: FileClass, streams: list[bytes], length: int) -> None:
    """Several streams one after the other, fed in pieces of any length."""
    packed = b"".join(PACKERS[kind](stream) for stream in streams)
    assert b"".join(decode(kind, in_pieces(packed, length))) == b"".join(streams)


@pytest.mark.parametrize("kind", list(PACKERS))
def test_no_step_gives_more_than_a_chunk(kind: FileClass) -> None:
    """However well it is packed."""
    packed = PACKERS[kind](bytes(20_000_000))
    lengths = [len(chunk) for chunk in decode(kind, iter([packed]))]
    assert sum(lengths) == 20_000_000
    assert max(lengths) <= ARCHIVE_CHUNK_BYTES


@pytest.mark.parametrize("kind", [FileClass.GZIP, FileClass.BZIP2, FileClass.XZ])
def test_padding_and_other_bytes_behind_the_end_are_ignored(kind: FileClass) -> None:
    """As the tools of these formats do."""
    packed = PACKERS[kind](b"data")
    assert b"".join(decode(kind, iter([packed + bytes(100)]))) == b"data"
    assert b"".join(decode(kind, iter([packed, b"not a stream"]))) == b"data"


@pytest.mark.parametrize("kind", [FileClass.GZIP, FileClass.BZIP2, FileClass.XZ])
def test_a_cut_is_told_after_what_came_out(kind: FileClass) -> None:
    """First the bytes, then why there are no more."""
    chunks = decode(kind, iter([PACKERS[kind](b"data" * 9)[:-4]]))
    with pytest.raises(DecodingEnded) as ended:
        for _ in chunks:
            pass
    assert not ended.value.bounded


def test_too_many_streams_are_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "ARCHIVE_STREAMS_MAX", 3)
    packed = gzip.compress(b"x")
    assert b"".join(decode(FileClass.GZIP, iter([packed * 3]))) == b"xxx"
    with pytest.raises(DecodingEnded) as ended:
        list(decode(FileClass.GZIP, iter([packed * 4])))
    assert ended.value.bounded


def test_zip_methods() -> None:
    """Deflate without a header, xz and zstd in a zip; an unknown number is no method."""
    raw = zlib.compressobj(wbits=-15)
    deflated = raw.compress(b"data") + raw.flush()
    packed = {0: b"data", 8: deflated, 93: PACKERS[FileClass.ZSTD](b"data"), 95: lzma.compress(b"data")}
    for method, data in packed.items():
        assert b"".join(decode_zip_method(method, iter([data])) or ()) == b"data"
    assert decode_zip_method(99, iter([b""])) is None
