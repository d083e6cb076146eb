"""Opening archives and compressed files in memory, within bounds: zip, tar, gzip, bzip2, xz and zstd, nested.

`walk` gives `Member`s, which the caller scans, and `Gap`s: something could not be looked into, and why.  A file with a
gap and without a finding is unknown, never clean.  Bounds (`model/limits.py`), checked before or while bytes are made:

1. Depth of nesting; a container at the last level is a gap, so a quine ends there.
2. Headers read, over all levels.
3. Bytes unpacked, over all levels; absolutely and by ratio to the file.  No declared size is believed.
4. Bytes of a member held at once; a larger member comes in overlapping pieces and is not opened further, except that a
   compressed tar archive is read as a stream of any length.
5. Memory of a decoder, number of streams, lengths of names and attributes.
6. Members of a zip that overlap.

Bounds 2, 3 and 6 end the walk with one gap.  The others, encryption, an unknown method or damage end one member.
Damage before anything came out means that the file only looks like an archive: no gap.

Not opened: 7z, rar, cpio, ar, cab, disk images, tar without `ustar`, the data inside documents, and what follows the
end of a compressed tar.  They are scanned as bytes like any other file, the last as compressed bytes only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final, Self

from ringfence.detect.byte_source import ByteSource, ByteStream, HeldBytes, chunks_of
from ringfence.detect.decoders import DecodingEnded, decode, decode_zip_method
from ringfence.detect.file_type import CLASSIFY_HEAD_BYTES, CONTAINERS, FileClass, classify
from ringfence.detect.tar_format import TarBound, TarDamaged, TarMember, tar_members
from ringfence.detect.zip_format import ZipDamaged, ZipMember, ZipOverlap, has_end_record, zip_members
from ringfence.model.limits import (
    ARCHIVE_DEPTH_MAX,
    ARCHIVE_MEMBER_BYTES_MAX,
    ARCHIVE_MEMBERS_MAX,
    ARCHIVE_RATIO_FREE_BYTES,
    ARCHIVE_RATIO_MAX,
    ARCHIVE_UNPACKED_BYTES_MAX,
    SCAN_OVERLAP_BYTES,
)

PATH_SEPARATOR: Final = "!"
"""Between the path of a container and the path inside it."""


@unique
class GapReason(StrEnum):
    """Why something in an archive was not looked into."""

    DEPTH = "nested too deep"
    MEMBERS = "too many members"
    UNPACKED_BYTES = "unpacks to too much"
    MEMBER_BYTES = "member too large to open"
    DECODER = "wants too much memory or too many streams"
    NAME = "name or attributes too long"
    OVERLAP = "members overlap"
    ENCRYPTED = "encrypted"
    UNSUPPORTED = "compression method not supported"
    DAMAGED = "damaged or cut off"


@dataclass(frozen=True, slots=True)
class Member:
    """Bytes of one member, or a piece of them.  Pieces overlap by `SCAN_OVERLAP_BYTES`."""

    path: str
    data: bytes
    offset_bytes: int
    whole: bool
    """The data is the whole member."""

    kind: FileClass
    """Class of the member by its first bytes, also for later pieces."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Something at `path` ("" for the file itself) was not looked into."""

    path: str
    reason: GapReason


class _WalkEnded(Exception):
    """A bound over the whole file is reached."""

    def __init__(self, path: str, reason: GapReason) -> None:
        super().__init__(path, reason)
        self.gap = Gap(path, reason)


def walk(source: ByteSource) -> Iterator[Member | Gap]:
    """Open `source` as far as it is a container; gives nothing when it is none.

    Raises nothing for anything in the bytes; what `source` raises goes through.
    """
    try:
        yield from _Walk(source.size_bytes).container(source, "", 0)
    except _WalkEnded as ended:
        yield ended.gap


def container_kind(source: ByteSource) -> FileClass | None:
    """Which container this is, None for none.  A zip may hide behind anything: its directory is at the end."""
    kind = classify(source.read_at(0, CLASSIFY_HEAD_BYTES))
    if kind in CONTAINERS:
        return kind
    return FileClass.ZIP if has_end_record(source) else None


class _Walk:
    """One walk with what it has used up."""

    __slots__ = ("_members", "_unpacked_bytes", "_unpacked_bytes_max")

    def __init__(self, file_bytes: int) -> None:
        self._members = 0
        self._unpacked_bytes = 0
        by_ratio = max(ARCHIVE_RATIO_FREE_BYTES, file_bytes * ARCHIVE_RATIO_MAX)
        self._unpacked_bytes_max = min(ARCHIVE_UNPACKED_BYTES_MAX, by_ratio)

    def container(self, source: ByteSource, path: str, depth: int) -> Iterator[Member | Gap]:
        """Open `source`, which stands at `path`."""
        kind = container_kind(source)
        if kind is None:
            return
        if depth >= ARCHIVE_DEPTH_MAX:
            yield Gap(path, GapReason.DEPTH)
        elif kind is FileClass.ZIP:
            yield from self._zip(source, path, depth)
        elif kind is FileClass.TAR:
            yield from self._tar(ByteStream(chunks_of(source, 0, source.size_bytes)), path, depth)
        else:
            yield from self._compressed(source, kind, path, depth)

    def _compressed(self, source: ByteSource, kind: FileClass, path: str, depth: int) -> Iterator[Member | Gap]:
        self._count_member(path)
        chunks = _Unpacked(decode(kind, chunks_of(source, 0, source.size_bytes)), self, path)
        yield from self._member(_inside(path, str(kind)), chunks, depth)
        if chunks.ended is not None and (chunks.some or chunks.ended.bounded):
            yield Gap(path, _reason(chunks.ended))

    def _zip(self, source: ByteSource, path: str, depth: int) -> Iterator[Member | Gap]:
        some = False
        try:
            for member in zip_members(source):
                some = True
                self._count_member(path)
                yield from self._zip_member(source, member, _inside(path, member.name), depth)
        except ZipDamaged:
            if some:
                yield Gap(path, GapReason.DAMAGED)
        except ZipOverlap:
            raise _WalkEnded(path, GapReason.OVERLAP) from None

    def _zip_member(self, source: ByteSource, member: ZipMember, path: str, depth: int) -> Iterator[Member | Gap]:
        if member.encrypted:
            yield Gap(path, GapReason.ENCRYPTED)
            return
        decoded = decode_zip_method(member.method, chunks_of(source, member.offset_bytes, member.length_bytes))
        if decoded is None:
            yield Gap(path, GapReason.UNSUPPORTED)
            return
        chunks = _Unpacked(decoded, self, path)
        yield from self._member(path, chunks, depth)
        if chunks.ended is not None:
            yield Gap(path, _reason(chunks.ended))

    def _tar(self, stream: ByteStream, path: str, depth: int) -> Iterator[Member | Gap]:
        some = False
        try:
            for member in tar_members(stream):
                some = True
                self._count_member(path)
                yield from self._tar_member(stream, member, _inside(path, member.name), depth)
        except TarDamaged:
            if some:
                yield Gap(path, GapReason.DAMAGED)
        except TarBound:
            yield Gap(path, GapReason.NAME)

    def _tar_member(self, stream: ByteStream, member: TarMember, path: str, depth: int) -> Iterator[Member | Gap]:
        payload = _Payload(stream.take(member.length_bytes))
        if member.length_bytes:
            yield from self._member(path, payload, depth)
        for _ in payload:  # what a bound left unread
            pass
        if payload.given_bytes < member.length_bytes:
            raise TarDamaged
        stream.read(member.padding_bytes)

    def _member(self, path: str, chunks: Iterator[bytes], depth: int) -> Iterator[Member | Gap]:
        """The bytes of one member: held, given, and opened if it is a container itself."""
        stream = ByteStream(chunks)
        kind = classify(stream.peek(CLASSIFY_HEAD_BYTES))
        if kind is FileClass.TAR and depth + 1 < ARCHIVE_DEPTH_MAX:
            yield from self._tar(stream, path, depth + 1)
            return
        data = stream.read(ARCHIVE_MEMBER_BYTES_MAX)
        if stream.peek(1):
            yield from self._pieces(path, data, kind, stream)
        elif data:
            yield Member(path, data, 0, whole=True, kind=kind)
            yield from self.container(HeldBytes(data), path, depth + 1)

    def _pieces(self, path: str, first: bytes, kind: FileClass, stream: ByteStream) -> Iterator[Member | Gap]:
        """A member that is too large to be held at once."""
        offset, piece = 0, first
        while True:
            yield Member(path, piece, offset, whole=False, kind=kind)
            overlap = piece[-SCAN_OVERLAP_BYTES:]
            more = stream.read(ARCHIVE_MEMBER_BYTES_MAX - len(overlap))
            if not more:
                break
            offset += len(piece) - len(overlap)
            piece = overlap + more
        if kind in CONTAINERS:
            yield Gap(path, GapReason.MEMBER_BYTES)

    def _count_member(self, path: str) -> None:
        self._members += 1
        if self._members > ARCHIVE_MEMBERS_MAX:
            raise _WalkEnded(path, GapReason.MEMBERS)

    def count_unpacked(self, path: str, unpacked_bytes: int) -> None:
        """Count what a decoder has made; ends the walk at the bound."""
        self._unpacked_bytes += unpacked_bytes
        if self._unpacked_bytes > self._unpacked_bytes_max:
            raise _WalkEnded(path, GapReason.UNPACKED_BYTES)


class _Unpacked:
    """A decoder's chunks, counted.  Why they ended early is kept in `ended`: what came before is worth scanning."""

    __slots__ = ("_chunks", "_path", "_walk", "ended", "some")

    def __init__(self, chunks: Iterator[bytes], counting: _Walk, path: str) -> None:
        self._chunks = chunks
        self._walk = counting
        self._path = path
        self.ended: DecodingEnded | None = None
        self.some = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except DecodingEnded as ended:
            self.ended = ended
            raise StopIteration from None
        self.some = True
        self._walk.count_unpacked(self._path, len(chunk))
        return chunk


class _Payload:
    """A tar member's chunks, counted: fewer than the header says means that the archive is cut off."""

    __slots__ = ("_chunks", "given_bytes")

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.given_bytes = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        chunk = next(self._chunks)
        self.given_bytes += len(chunk)
        return chunk


def _inside(path: str, name: str) -> str:
    return f"{path}{PATH_SEPARATOR}{name}" if path else name


def _reason(ended: DecodingEnded) -> GapReason:
    return GapReason.DECODER if ended.bounded else GapReason.DAMAGED
