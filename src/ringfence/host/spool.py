"""The courier's spool: numbered records in segments, durable before anybody is told so.

Rules, with what they are good for:

1. `append` returns only after the sync.  Whoever acknowledges a sighting, or sends a record, does it after that.
2. A segment is begun durably, with the state of every gate in its head, before a record goes into it.  The newest
   segment is never removed: it tells which sightings are known.
3. Every start and every failed write begins a segment; a torn tail is never written behind.  Where something was lost
   that no number tells, the count is in the new segment from its first moment.
4. Numbers are never used twice within an epoch: not for another record, whatever the disk forgot.  Where that cannot be
   known (a damaged tail, a spool that is gone, a server that knows more than we do) a new epoch begins.
5. A record that cannot be read any more is a jump in the numbers, which the server sees, or a `Lost` record (rule 3).
6. Old segments go when the server has taken all of them.  The position is a hint: losing it sends records again, which
   the server knows by their numbers.

Order is given by numbers; no time is looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ringfence.host.durable import Storage
from ringfence.model import limits
from ringfence.model.errors import DiskFull, UplinkRefused
from ringfence.model.records import Lost, RecordKey
from ringfence.wire.spool import (
    SegmentHead,
    SpoolEntry,
    Tail,
    decode_position,
    decode_segment_head,
    encode_position,
    encode_segment_head,
    encode_stored,
    scan,
)
from ringfence.wire.uplink import encode_record

POSITION_NAME: Final = "position"
_SUFFIX: Final = ".segment"
_HEAD_ROOM_BYTES: Final = limits.UPLINK_HEAD_BYTES_MAX


@dataclass(frozen=True, slots=True)
class SpoolBatch:
    """Lines to send: of one epoch, in the order of their numbers, never none."""

    epoch: str
    first_number: int
    last_number: int
    lines: tuple[bytes, ...]


@dataclass(slots=True)
class _Segment:
    """A segment that we know.  Everything up to `size_bytes` is durable."""

    name: str
    head: SegmentHead
    size_bytes: int
    head_bytes: int
    last_number: int

    @property
    def empty(self) -> bool:
        """Whether it has never had a record."""
        return self.last_number < self.head.first_number

    def taken(self, key: RecordKey) -> bool:
        """Whether the server has taken all of it."""
        return self.head.epoch == key.epoch and self.last_number <= key.number


class Spool:
    """The open spool.  Not thread-safe: one process, one thread."""

    def __init__(self, storage: Storage, new_epoch: Callable[[], str], now_unix_ms: int) -> None:
        """Read what is there and begin a segment.  `new_epoch` gives 16 random hex digits.  Raises DiskFull."""
        self._storage = storage
        self._new_epoch = new_epoch
        self._segments: list[_Segment] = []
        self._gates: dict[int, int] = {}
        self._position: RecordKey | None = None
        self._failed = False
        unreadable, lost = self._read()
        continued = bool(self._segments) and not lost
        epoch = self._segments[-1].head.epoch if continued else new_epoch()
        number = self._segments[-1].last_number + 1 if continued else 1
        self._begin(epoch, number, _counted(lost, "spool_damaged", now_unix_ms))
        for name in unreadable:  # only now: what they have cost is on the disk
            storage.remove(name)
        self._position = decode_position(storage.read(POSITION_NAME))
        self._drop_taken()

    @property
    def gates(self) -> dict[int, int]:
        """How far each gate's sightings are stored or counted."""
        return dict(self._gates)

    @property
    def size_bytes(self) -> int:
        """What the segments hold together."""
        return sum(segment.size_bytes for segment in self._segments)

    @property
    def waiting_records(self) -> int:
        """Records that the server has not taken."""
        taken = ((one, max(one.head.first_number - 1, self._taken_in(one.head.epoch))) for one in self._segments)
        return sum(max(0, one.last_number - through) for one, through in taken)

    @property
    def last(self) -> RecordKey:
        """The last record's key; number 0 when the epoch has none yet."""
        newest = self._segments[-1]
        return RecordKey(newest.head.epoch, newest.last_number)

    def append(self, entries: Sequence[SpoolEntry]) -> None:
        """Store records durably and number them.  Raises DiskFull; then none of them is stored."""
        if self._failed or self._segments[-1].size_bytes >= limits.SPOOL_SEGMENT_BYTES:
            self._begin(self._segments[-1].head.epoch, self._segments[-1].last_number + 1)
        segment = self._segments[-1]
        data = b"".join(_stored(number, entry) for number, entry in enumerate(entries, start=segment.last_number + 1))
        if self.size_bytes + len(data) > limits.SPOOL_BYTES_MAX:
            raise DiskFull("the spool has reached its bound", "let the server take records: it has been away for long")
        self._failed = True  # until proven: after a failed sync nothing is known about this segment's end
        self._storage.append(segment.name, data)
        self._storage.sync(segment.name)
        self._failed = False
        segment.size_bytes += len(data)
        segment.last_number += len(entries)
        for entry in entries:
            self._take(entry.gate_id, entry.source_number)

    def next_batch(self, records_max: int = limits.UPLINK_RECORDS_MAX) -> SpoolBatch | None:
        """The next records that the server has not taken; None when there are none.  Asking again gives them again."""
        for segment in self._segments:
            data = self._storage.read(segment.name, segment.head_bytes)[: segment.size_bytes - segment.head_bytes]
            above = max(segment.head.first_number - 1, self._taken_in(segment.head.epoch))
            records = [found for found in scan(data, 0, above).records if found.number <= segment.last_number]
            lines: list[bytes] = []
            room = limits.UPLINK_BODY_BYTES_MAX - _HEAD_ROOM_BYTES
            for record in records[:records_max]:
                room -= len(record.payload) + 1
                if room < 0:
                    break
                lines.append(record.payload)
            if lines:
                first, last = records[0].number, records[len(lines) - 1].number
                return SpoolBatch(segment.head.epoch, first, last, tuple(lines))
        return None

    def forget(self, key: RecordKey) -> None:
        """The server has taken everything of `key.epoch` up to `key.number`, and all epochs before it."""
        epochs = [segment.head.epoch for segment in self._segments]
        if key.epoch not in epochs or key.number <= self._taken_in(key.epoch):
            return
        self._position = key
        self._drop_taken()
        try:
            self._storage.replace(POSITION_NAME, encode_position(key))
        except DiskFull:
            return  # rule 6: a hint; the next one may fit

    def begin_epoch(self, now_unix_ms: int) -> None:
        """The server knows more of our epoch than we do: begin another (rule 4).  Raises DiskFull.

        What the server has not confirmed until now may have met a foreign record of the same number: it is counted.
        """
        epoch, last = self.last.epoch, self.last.number
        taken = self._taken_in(epoch)
        first = next(segment.head.first_number for segment in self._segments if segment.head.epoch == epoch)
        waiting = max(0, last - max(taken, first - 1))
        self._begin(self._new_epoch(), 1, _counted(waiting, "spool_rolled_back", now_unix_ms))
        self.forget(RecordKey(epoch, limits.JSON_INTEGER_MAX))

    def _read(self) -> tuple[list[str], int]:
        """Read every segment.  Returns those that cannot be read, and what is lost with them and at the end, at least.

        What is lost within a segment, the next number tells.
        """
        unreadable: list[str] = []
        inside = behind = 0
        for name in [name for name in self._storage.names() if name.endswith(_SUFFIX)]:
            self._storage.sync(name)  # what a killed courier had written and not confirmed becomes certain, or is gone
            data = self._storage.read(name)
            decoded = decode_segment_head(data)
            if decoded is None:
                unreadable.append(name)
                inside += max(1, len(scan(data, 0, 0).records))
            else:
                behind = int(not self._read_segment(name, data, *decoded))
        return unreadable, inside + behind

    def _read_segment(self, name: str, data: bytes, head: SegmentHead, offset: int) -> bool:
        """Read one segment.  Returns whether numbering can go on behind it."""
        found = scan(data, offset, head.first_number - 1)
        if self._segments and self._segments[-1].head.epoch == head.epoch:
            before = self._segments[-1]
            before.last_number = min(before.last_number, head.first_number - 1)
        self._gates = {}
        for gate_id, through in head.gates:
            self._take(gate_id, through)
        for record in found.records:
            self._take(record.gate_id, record.source_number)
        last_number = found.records[-1].number if found.records else head.first_number - 1
        self._segments.append(_Segment(name, head, len(data), offset, last_number))
        return found.tail is not Tail.DAMAGED

    def _begin(self, epoch: str, first_number: int, entries: Sequence[SpoolEntry] = ()) -> None:
        """Begin a segment that holds `entries` from its first moment.  Raises DiskFull.

        A newest segment without records gives its place, so that a disk that stays full does not fill with heads.
        """
        newest = self._segments[-1] if self._segments else None
        sequence = 1 + max((_sequence(name) for name in self._storage.names() if name.endswith(_SUFFIX)), default=0)
        if newest is not None and newest.empty:
            sequence = newest.head.sequence
        head = SegmentHead(epoch, sequence, first_number, tuple(self._gates.items()))
        start = encode_segment_head(head)
        data = start + b"".join(_stored(number, entry) for number, entry in enumerate(entries, start=first_number))
        name = f"{sequence:016d}{_SUFFIX}"
        self._storage.replace(name, data)
        if newest is not None and newest.empty:
            self._segments.pop()
        self._segments.append(_Segment(name, head, len(data), len(start), first_number - 1 + len(entries)))
        self._failed = False

    def _take(self, gate_id: int, through: int) -> None:
        if through:
            self._gates[gate_id] = max(through, self._gates.pop(gate_id, 0))
            while len(self._gates) > limits.SPOOL_GATES_MAX:
                self._gates.pop(next(iter(self._gates)))

    def _taken_in(self, epoch: str) -> int:
        """How far the server has taken an epoch."""
        return self._position.number if self._position is not None and self._position.epoch == epoch else 0

    def _drop_taken(self) -> None:
        """Remove what the server has taken, but never the newest segment (rule 2)."""
        if self._position is None:
            return
        epochs = [segment.head.epoch for segment in self._segments]
        if self._position.epoch not in epochs:
            return
        first = epochs.index(self._position.epoch)
        kept = []
        for index, segment in enumerate(self._segments):
            newest = index == len(self._segments) - 1
            if not newest and (index < first or segment.taken(self._position)):
                self._storage.remove(segment.name)
            else:
                kept.append(segment)
        self._segments = kept


def _counted(count: int, source: str, now_unix_ms: int) -> tuple[SpoolEntry, ...]:
    return (SpoolEntry(Lost(now_unix_ms, source, count)),) if count else ()


def _sequence(name: str) -> int:
    digits = name.removesuffix(_SUFFIX)
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _stored(number: int, entry: SpoolEntry) -> bytes:
    """One record as it is stored.  What the uplink would refuse is counted instead: it must not stop the rest."""
    try:
        payload = encode_record(number, entry.record)
    except UplinkRefused:
        payload = encode_record(number, Lost(entry.record.at_unix_ms, "record_refused", 1))
    return encode_stored(number, entry.gate_id, entry.source_number, payload)
