"""The boot guard's record and its order, as bytes.

The record is a file of two pages with one slot at the start of each.  A new record is written into both, the older one
first, in place: nothing is allocated, so a full disk cannot stop it, and a write that the power cuts off damages one
slot and leaves the other.  A slot is smaller than a sector and ends in the SHA-256 of what stands before it.

The order is a few lines of `word value` below `/run`: it lives as long as the boot that it is for.
"""

import hashlib
import struct
from dataclasses import dataclass, replace
from typing import Final

from ringfence.model.boot import BootOrder, BootRecord, Level, Phase, Reason
from ringfence.model.errors import FrameRefused, InternalError
from ringfence.model.limits import BOOT_HISTORY_ENTRIES_MAX

SLOT_STEP_BYTES: Final = 4096
"""Distance of the slots: no write of one can touch the page, or the flash page, of the other."""

SLOTS: Final = 2
FILE_BYTES: Final = SLOTS * SLOT_STEP_BYTES

_MAGIC: Final = b"rfboot01"
_BODY: Final = struct.Struct(f">8sQ16sBBBBBBB32sQQIB{BOOT_HISTORY_ENTRIES_MAX}s")
_CHECKED_BYTES: Final = 480
_EMPTY: Final = bytes(_CHECKED_BYTES + 32)
SLOT_BYTES: Final = len(_EMPTY)
"""One sector: devices write it whole or not at all, most of them."""

_FLAGS_ORDERLY: Final = 1
_FLAGS_SETTLED: Final = 2
_WAY_OUT: Final = "the boot guard begins anew, and the sensor starts only when the machine is up"


@dataclass(frozen=True, slots=True)
class Slots:
    """What both slots hold: the newer record that is sound, and how many slots are damaged."""

    record: BootRecord | None
    damaged: tuple[int, ...] = ()


def encode_slot(record: BootRecord) -> bytes:
    """The `SLOT_BYTES` of one record."""
    flags = _FLAGS_ORDERLY * record.orderly | _FLAGS_SETTLED * record.settled
    body = _BODY.pack(
        _MAGIC,
        record.sequence,
        record.boot,
        record.phase,
        flags,
        record.level,
        record.reason,
        record.failed,
        record.short,
        0,
        record.before,
        record.written_at_s,
        record.lowered_at_s,
        record.boots,
        len(record.history),
        record.history,
    ).ljust(_CHECKED_BYTES, b"\0")
    return body + hashlib.sha256(body).digest()


def decode_slot(data: bytes) -> BootRecord | None:
    """The record in one slot; None: it was never written.  Raises FrameRefused for what `encode_slot` did not make."""
    if len(data) != SLOT_BYTES:
        raise FrameRefused(f"a slot of the boot record has {len(data)} bytes, not {SLOT_BYTES}", _WAY_OUT)
    if data == _EMPTY:
        return None
    body = data[:_CHECKED_BYTES]
    if hashlib.sha256(body).digest() != data[_CHECKED_BYTES:]:
        raise FrameRefused("the checksum of a slot of the boot record does not hold", _WAY_OUT)
    if not body.startswith(_MAGIC):
        raise FrameRefused("a slot of the boot record was written by another version", _WAY_OUT)
    _, sequence, boot, phase, flags, level, reason, *counts, kept, history = _BODY.unpack_from(body)
    failed, short, _, before, written, lowered, boots = counts
    try:
        record = BootRecord(
            sequence,
            boot,
            Phase(phase),
            bool(flags & _FLAGS_ORDERLY),
            Level(level),
            Reason(reason),
            failed,
            short,
            before,
            bool(flags & _FLAGS_SETTLED),
            written,
            lowered,
            boots,
            history[:kept],
        )
    except (ValueError, InternalError) as error:
        raise FrameRefused(f"a slot of the boot record says what cannot be: {error}", _WAY_OUT) from error
    if encode_slot(record) != data:
        raise FrameRefused("a slot of the boot record has bytes that mean nothing", _WAY_OUT)
    return record


def decode_file(data: bytes) -> Slots:
    """The newer record of a whole file, and the slots that are damaged.  Takes every text of bytes."""
    found, damaged = [], []
    for number in range(SLOTS):
        at = number * SLOT_STEP_BYTES
        try:
            record = decode_slot(data[at : at + SLOT_BYTES])
        except FrameRefused:
            damaged.append(number)
            continue
        if record is not None and slot_offset(record) != at:
            damaged.append(number)  # a copy of the other slot: it was never written here
        elif record is not None:
            found.append(record)
    return Slots(max(found, key=lambda one: one.sequence, default=None), tuple(damaged))


def slot_offset(record: BootRecord) -> int:
    """Where in the file this record goes: over the one before the last."""
    return record.sequence % SLOTS * SLOT_STEP_BYTES


def writes(record: BootRecord) -> list[tuple[int, bytes]]:
    """Offsets and slots to write, in order, each durable before the next: both slots, the older one first.

    A write that is cut off leaves the other slot; a sector that swallows what it is given leaves the other slot too,
    where a guard that takes turns would write into the same sector at every boot and never count.
    """
    twin = replace(record, sequence=record.sequence + 1)
    return [(slot_offset(one), encode_slot(one)) for one in (record, twin)]


def encode_order(order: BootOrder) -> bytes:
    """The lines that the sensor reads."""
    text = (
        f"level {order.level.word}\nclean {order.clean:d}\ncareful {order.careful:d}\n"
        f"reason {order.reason.name.lower()}\n"
    )
    return text.encode()


def decode_order(data: bytes) -> BootOrder:
    """The order in these lines.  Raises FrameRefused for everything that `encode_order` did not write."""
    try:
        lines = [line.split(" ") for line in data.decode("ascii").splitlines()]
        values = dict(lines)
        order = BootOrder(
            Level[values["level"].upper()],
            values["clean"] == "1",
            values["careful"] == "1",
            Reason[values["reason"].upper()],
        )
    except (ValueError, KeyError) as error:
        raise FrameRefused(f"the boot guard's order is none: {error}", _WAY_OUT) from error
    if encode_order(order) != data:
        raise FrameRefused("the boot guard's order has words that mean nothing", _WAY_OUT)
    return order
