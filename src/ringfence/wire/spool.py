r"""The courier's spool on disk: segments of numbered records, each with checksums.

    segment   "RFSPOOL1" | epoch u64 | sequence u64 | first_number u64 | count u16 | that many gates | crc u32
    gate      gate_id u64 | taken_through u64
    record    "RFr1" | length u32 | number u64 | gate_id u64 | source_number u64 | payload crc u32 | header crc u32
    payload   one line of the uplink (`wire/uplink.py`)
    position  "RFPOS001" | epoch u64 | number u64 | crc u32

The head of a segment says how far each gate had been taken when it was begun, so that the newest segment alone tells
which sightings are known.  A record may carry the number of a gate's sighting; then every sighting of that gate up to
it is stored or counted as lost.

Reading a segment (`scan`), in the order of the code:

1. A record counts only with both checksums right and a number above the one before.
2. After damage the next sound record is searched; what lies between is lost, and the jump of the numbers tells how
   much.
3. Damage that nothing sound follows is the tail.  A tail that ends inside a record with a sound header, or inside a
   header, is *torn*: its write was never confirmed, so nothing is lost.  Any other tail is *damaged*: something that
   was confirmed may have been in it.

JSON escapes zero bytes, so that no payload can hold what looks like a header (a number below 2**56 begins with one).
"""

import struct
import zlib
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

from ringfence.model.limits import SPOOL_GATES_MAX, UPLINK_RECORD_BYTES_MAX
from ringfence.model.records import Record, RecordKey

_SEGMENT_MAGIC: Final = b"RFSPOOL1"
_RECORD_MAGIC: Final = b"RFr1"
_POSITION_MAGIC: Final = b"RFPOS001"
_SEGMENT: Final = struct.Struct(">8sQQQH")
_GATE: Final = struct.Struct(">QQ")
_CRC: Final = struct.Struct(">I")
_RECORD: Final = struct.Struct(">4sIQQQI")
_POSITION: Final = struct.Struct(">8sQQ")
RECORD_HEADER_BYTES: Final = _RECORD.size + _CRC.size


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """A record on its way into the spool.

    `source_number` is the sighting of `gate_id` that it stands for; 0 for a record that is of no gate.
    """

    record: Record
    gate_id: int = 0
    source_number: int = 0


@dataclass(frozen=True, slots=True)
class SegmentHead:
    """What a segment begins with.  `gates` are pairs of gate and number taken, the one used last at the end."""

    epoch: str
    sequence: int
    first_number: int
    gates: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """One sound record of a segment.  `end` is the offset behind it."""

    number: int
    gate_id: int
    source_number: int
    payload: bytes
    end: int


@unique
class Tail(Enum):
    """How a segment ends."""

    SOUND = "sound"
    TORN = "torn"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Scan:
    """What was read of a segment, and how it ends."""

    records: tuple[StoredRecord, ...]
    tail: Tail


def encode_segment_head(head: SegmentHead) -> bytes:
    """The first bytes of a segment."""
    gates = head.gates[-SPOOL_GATES_MAX:]
    fixed = _SEGMENT.pack(_SEGMENT_MAGIC, int(head.epoch, 16), head.sequence, head.first_number, len(gates))
    return _sealed(fixed + b"".join(_GATE.pack(gate, through) for gate, through in gates))


def decode_segment_head(data: bytes) -> tuple[SegmentHead, int] | None:
    """The head of a segment and the offset behind it; None when it is damaged."""
    if len(data) < _SEGMENT.size:
        return None
    magic, epoch, sequence, first_number, count = _SEGMENT.unpack_from(data)
    end = _SEGMENT.size + count * _GATE.size
    if magic != _SEGMENT_MAGIC or count > SPOOL_GATES_MAX or not _is_sealed(data[: end + _CRC.size], end):
        return None
    gates = tuple(_GATE.unpack_from(data, _SEGMENT.size + index * _GATE.size) for index in range(count))
    return SegmentHead(f"{epoch:016x}", sequence, first_number, gates), end + _CRC.size


def encode_stored(number: int, gate_id: int, source_number: int, payload: bytes) -> bytes:
    """One record of a segment."""
    header = _RECORD.pack(_RECORD_MAGIC, len(payload), number, gate_id, source_number, zlib.crc32(payload))
    return _sealed(header) + payload


def scan(data: bytes, offset: int, above: int) -> Scan:
    """The sound records of a segment from `offset` on, with numbers above `above`."""
    records: list[StoredRecord] = []
    while offset < len(data):
        found = _stored_at(data, offset)
        if found is None or found.number <= above:  # (2)
            found = _next_stored(data, offset + 1, above)
        if found is None:
            return Scan(tuple(records), _tail_of(data, offset))  # (3)
        records.append(found)
        above, offset = found.number, found.end
    return Scan(tuple(records), Tail.SOUND)


def encode_position(key: RecordKey) -> bytes:
    """How far the server has taken the records."""
    return _sealed(_POSITION.pack(_POSITION_MAGIC, int(key.epoch, 16), key.number))


def decode_position(data: bytes) -> RecordKey | None:
    """How far the server has taken the records; None when it is damaged."""
    if len(data) != _POSITION.size + _CRC.size or not _is_sealed(data, _POSITION.size):
        return None
    magic, epoch, number = _POSITION.unpack_from(data)
    return RecordKey(f"{epoch:016x}", number) if magic == _POSITION_MAGIC else None


def _stored_at(data: bytes, offset: int) -> StoredRecord | None:
    """The record at `offset` if it is sound.  (1)"""
    start = offset + RECORD_HEADER_BYTES
    if not _has_sound_header(data, offset):
        return None
    _, length, number, gate_id, source_number, checksum = _RECORD.unpack_from(data, offset)
    payload = data[start : start + length]
    if len(payload) != length or zlib.crc32(payload) != checksum:
        return None
    return StoredRecord(number, gate_id, source_number, payload, start + length)


def _next_stored(data: bytes, offset: int, above: int) -> StoredRecord | None:
    """The first sound record at or after `offset` with a number above `above`."""
    while (offset := data.find(_RECORD_MAGIC, offset)) >= 0:
        found = _stored_at(data, offset)
        if found is not None and found.number > above:
            return found
        offset += 1
    return None


def _tail_of(data: bytes, offset: int) -> Tail:
    """Whether the bytes from `offset` to the end are an unfinished write or damage."""
    left = len(data) - offset
    if left < RECORD_HEADER_BYTES:
        return Tail.TORN if data[offset : offset + 4] == _RECORD_MAGIC[:left] else Tail.DAMAGED
    if not _has_sound_header(data, offset):
        return Tail.DAMAGED
    length = _RECORD.unpack_from(data, offset)[1]
    return Tail.TORN if left < RECORD_HEADER_BYTES + length else Tail.DAMAGED


def _has_sound_header(data: bytes, offset: int) -> bool:
    header = data[offset : offset + RECORD_HEADER_BYTES]
    if header[:4] != _RECORD_MAGIC or not _is_sealed(header, _RECORD.size):
        return False
    return bool(_RECORD.unpack_from(header)[1] <= UPLINK_RECORD_BYTES_MAX)


def _sealed(data: bytes) -> bytes:
    return data + _CRC.pack(zlib.crc32(data))


def _is_sealed(data: bytes, end: int) -> bool:
    return len(data) >= end + _CRC.size and _CRC.unpack_from(data, end)[0] == zlib.crc32(data[:end])
