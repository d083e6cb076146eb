"""`detect/byte_source.py`: any portions give the same bytes."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect.byte_source import ByteStream, CalledBytes, HeldBytes, chunks_of
from ringfence.model.limits import ARCHIVE_CHUNK_BYTES


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=10), st.lists(st.integers(0, 40), max_size=10))
def test_a_stream_gives_the_same_bytes_in_other_portions(chunks: list[bytes], portions: list[int]) -> None:
    """Reading, peeking and taking in any order."""
    whole = b"".join(chunks)
    stream = ByteStream(iter(chunks))
    place = 0
    for number, length in enumerate(portions):
        expected = whole[place : place + length]
        if number % 3 == 0:
            assert stream.peek(length) == expected
            continue
        data = stream.read(length) if number % 3 == 1 else b"".join(stream.take(length))
        assert data == expected
        place += len(data)


def test_taking_less_leaves_the_rest() -> None:
    """An iterator that is not read to its end leaves the stream where it was."""
    stream = ByteStream(iter([b"abc", b"def"]))
    assert next(stream.take(5)) == b"abc"
    assert stream.read(9) == b"def"


def test_short_reads_are_no_end() -> None:
    """`pread` may give fewer bytes than asked; only none means the end, and nothing behind the size is read."""
    data = bytes(range(200))
    calls: list[tuple[int, int]] = []

    def read(length: int, offset: int) -> bytes:
        calls.append((length, offset))
        return data[offset : offset + min(length, 7)]

    source = CalledBytes(read, 100)
    assert source.read_at(10, 50) == data[10:60]
    assert source.read_at(90, 50) == data[90:100]
    assert source.read_at(100, 5) == source.read_at(500, 5) == b""
    assert max(offset + length for length, offset in calls) <= 100


def test_chunks_are_bounded_and_end_with_the_source() -> None:
    """However long the range claims to be."""
    data = bytes(ARCHIVE_CHUNK_BYTES * 2 + 5)
    chunks: Iterator[bytes] = chunks_of(HeldBytes(data), 3, 1 << 60)
    lengths = [len(chunk) for chunk in chunks]
    assert lengths == [ARCHIVE_CHUNK_BYTES, ARCHIVE_CHUNK_BYTES, 2]
