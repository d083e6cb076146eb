"""The directory of a zip file: which members there are and where their bytes lie.

1. The end record is looked for in the last 64 KiB; the directory is what precedes it, wherever it claims to be, so that
   bytes before the archive (a self-extractor, a picture) do not matter.  Zip64 is read.
2. Sizes are claims: they choose where to read, never how much to allocate.  Bytes of members may not add up to more
   than the file has: overlapping members are how the densest bombs are made.
3. Where there is no directory, or none of its members lies at the file's start although one begins there, the headers
   of the members are followed from the start as well: tools that read in order would see those.

Nothing is decoded here.
"""

import codecs
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ringfence.detect.byte_source import ByteSource, ByteStream, chunks_of
from ringfence.model.limits import ARCHIVE_NAME_BYTES_MAX

_END: Final = struct.Struct("<4s4H2LH")
_END_MAGIC: Final = b"PK\x05\x06"
_END_SEARCH_BYTES: Final = _END.size + 65_535
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_END64_MAGIC: Final = b"PK\x06\x06"
_LOCATOR64: Final = struct.Struct("<4sLQL")
_LOCATOR64_MAGIC: Final = b"PK\x06\x07"
_ENTRY: Final = struct.Struct("<4s6H3L5H2L")
_ENTRY_MAGIC: Final = b"PK\x01\x02"
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_LOCAL_MAGIC: Final = b"PK\x03\x04"

_FLAG_ENCRYPTED: Final = 0x1
_FLAG_SIZES_FOLLOW: Final = 0x8
_FLAG_UTF8: Final = 0x800
_ALL_ONES_32: Final = 0xFFFFFFFF
_ZIP64_EXTRA: Final = 1


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One member: `length_bytes` compressed bytes at `offset_bytes`, as far as the file has them."""

    name: str
    method: int
    encrypted: bool
    header_offset_bytes: int
    offset_bytes: int
    length_bytes: int


class ZipDamaged(Exception):
    """The directory or a header is not what it must be."""


class ZipOverlap(Exception):
    """The members claim more bytes than the file has."""


def has_end_record(source: ByteSource) -> bool:
    """Whether a zip directory may end this file."""
    return _find_end(source) is not None


def zip_members(source: ByteSource) -> Iterator[ZipMember]:
    """The members of a zip file.  Raises ZipDamaged or ZipOverlap where the rest cannot be told."""
    room = source.size_bytes
    at_start = False
    end = _find_end(source)
    if end is not None:
        for member in _from_directory(source, *end):
            at_start = at_start or member.header_offset_bytes == 0
            if (room := room - member.length_bytes) < 0:
                raise ZipOverlap
            yield member
    if not at_start and source.read_at(0, 4) == _LOCAL_MAGIC:
        yield from _from_headers(source)


def _find_end(source: ByteSource) -> tuple[int, int] | None:
    """Where the directory begins and how far offsets in it are off; None without an end record."""
    size = source.size_bytes
    tail_at = max(0, size - _END_SEARCH_BYTES)
    tail = source.read_at(tail_at, _END_SEARCH_BYTES)
    found = tail.rfind(_END_MAGIC)
    if found < 0 or len(tail) - found < _END.size:
        return None
    *_, length, offset, _comment = _END.unpack_from(tail, found)
    directory_end = tail_at + found
    locator = (
        source.read_at(directory_end - _LOCATOR64.size, _LOCATOR64.size) if directory_end > _LOCATOR64.size else b""
    )
    if len(locator) == _LOCATOR64.size and locator.startswith(_LOCATOR64_MAGIC):
        record_at = directory_end - _LOCATOR64.size - _END64.size
        record = source.read_at(record_at, _END64.size) if record_at >= 0 else b""
        if len(record) == _END64.size and record.startswith(_END64_MAGIC):
            *_, length, offset = _END64.unpack(record)
            directory_end = record_at
    begin = directory_end - length
    return (begin, begin - offset) if begin >= 0 else None


def _from_directory(source: ByteSource, begin: int, shift: int) -> Iterator[ZipMember]:
    """Members as the directory at `begin` lists them, until something else follows."""
    stream = ByteStream(chunks_of(source, begin, source.size_bytes - begin))
    while stream.peek(4) == _ENTRY_MAGIC:
        head = stream.read(_ENTRY.size)
        if len(head) < _ENTRY.size:
            raise ZipDamaged
        fields = _ENTRY.unpack(head)
        flags, method, packed, unpacked, offset = fields[3], fields[4], fields[8], fields[9], fields[16]
        name_length, extra_length, comment_length = fields[10:13]
        raw_name = stream.read(name_length)
        extra = stream.read(extra_length)
        stream.read(comment_length)
        packed, offset = _zip64_sizes(extra, packed, unpacked, offset)
        header_at = offset + shift
        data_at = _data_offset(source, header_at)
        yield ZipMember(_name(raw_name, flags), method, bool(flags & _FLAG_ENCRYPTED), header_at, data_at, packed)


def _zip64_sizes(extra: bytes, packed: int, unpacked: int, offset: int) -> tuple[int, int]:
    """Packed size and offset, from the zip64 field where the 32-bit ones are all ones."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        if kind == _ZIP64_EXTRA:
            values = [value for (value,) in struct.iter_unpack("<Q", extra[place + 4 : place + 4 + length // 8 * 8])]
            if unpacked == _ALL_ONES_32 and values:
                values.pop(0)
            if packed == _ALL_ONES_32 and values:
                packed = values.pop(0)
            if offset == _ALL_ONES_32 and values:
                offset = values.pop(0)
            break
        place += 4 + length
    return packed, offset


def _data_offset(source: ByteSource, header_at: int) -> int:
    """Where the bytes of the member begin whose header is at `header_at`.  Raises ZipDamaged."""
    head = source.read_at(header_at, _LOCAL.size) if 0 <= header_at < source.size_bytes else b""
    if len(head) < _LOCAL.size or not head.startswith(_LOCAL_MAGIC):
        raise ZipDamaged
    *_, name_length, extra_length = _LOCAL.unpack(head)
    return header_at + _LOCAL.size + int(name_length) + int(extra_length)


def _from_headers(source: ByteSource) -> Iterator[ZipMember]:
    """Members as their own headers follow each other from the start.

    A member whose size only follows it ends the walk: its bytes are given to the end of the file, and a decoder knows
    where it ends.
    """
    place = 0
    while source.read_at(place, 4) == _LOCAL_MAGIC:
        data_at = _data_offset(source, place)
        fields = _LOCAL.unpack(source.read_at(place, _LOCAL.size))
        flags, method, packed = fields[2], fields[3], fields[7]
        raw_name = source.read_at(place + _LOCAL.size, fields[9])
        open_ended = bool(flags & _FLAG_SIZES_FOLLOW) or packed == _ALL_ONES_32
        length = source.size_bytes - data_at if open_ended else packed
        yield ZipMember(_name(raw_name, flags), method, bool(flags & _FLAG_ENCRYPTED), place, data_at, max(0, length))
        if open_ended:
            raise ZipDamaged
        place = data_at + packed


def _name(raw: bytes, flags: int) -> str:
    """The name for a report: undecodable bytes as escapes, never an error."""
    return raw[:ARCHIVE_NAME_BYTES_MAX].decode("utf-8" if flags & _FLAG_UTF8 else "cp437", "backslashreplace")


codecs.lookup("cp437")  # a module of its own; a sandboxed process could not import it any more
