"""The boot record: what is written is read again, what was damaged is known, and the newer copy wins."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.boot import BootOrder, BootRecord, Level, Phase, Reason, outcome, outcome_byte
from ringfence.model.errors import FrameRefused, InternalError
from ringfence.model.limits import BOOT_HISTORY_ENTRIES_MAX, BOOTS_FAILED_MAX, BOOTS_SHORT_MAX
from ringfence.wire import boot_record as wire

HEALTHY_ONCE = bytes([outcome_byte(Level.NORMAL, Phase.HEALTHY, orderly=True)])
RECORD = BootRecord(7, bytes(range(16)), Phase.UP, boots=3, history=HEALTHY_ONCE)

outcomes = st.builds(
    lambda level, phase, orderly: outcome_byte(level, phase, orderly=orderly),
    st.sampled_from(Level),
    st.sampled_from([phase for phase in Phase if phase is not Phase.NONE]),
    st.booleans(),
)
records = st.builds(
    BootRecord,
    sequence=st.integers(1, 2**64 - 3),
    boot=st.binary(min_size=16, max_size=16),
    phase=st.sampled_from([phase for phase in Phase if phase is not Phase.NONE]),
    orderly=st.booleans(),
    level=st.sampled_from(Level),
    reason=st.sampled_from([Reason.FAILED, Reason.SHORT, Reason.OVERDUE, Reason.DAMAGED, Reason.OPERATOR]),
    failed=st.integers(0, BOOTS_FAILED_MAX - 1),
    short=st.integers(BOOTS_FAILED_MAX - 1, BOOTS_SHORT_MAX - 1),
    before=st.binary(min_size=32, max_size=32),
    settled=st.booleans(),
    written_at_s=st.integers(0, 2**64 - 3),
    lowered_at_s=st.integers(0, 2**64 - 3),
    boots=st.integers(0, 2**32 - 1),
    history=st.lists(outcomes, max_size=BOOT_HISTORY_ENTRIES_MAX).map(bytes),
)


def file_with(*written: BootRecord) -> bytes:
    """A whole file after these writes."""
    data = bytearray(wire.FILE_BYTES)
    for record in written:
        for offset, slot in wire.writes(record)[:1]:
            data[offset : offset + len(slot)] = slot
    return bytes(data)


@given(records)
def test_every_record_is_read_again(record: BootRecord) -> None:
    assert wire.decode_slot(wire.encode_slot(record)) == record
    assert wire.decode_file(file_with(record)) == wire.Slots(record)


def test_a_slot_that_was_never_written_is_no_damage() -> None:
    assert wire.decode_file(bytes(wire.FILE_BYTES)) == wire.Slots(None)


@given(records, st.integers(0, wire.SLOT_BYTES - 1), st.integers(1, 255))
def test_no_changed_byte_is_believed(record: BootRecord, at: int, change: int) -> None:
    slot = bytearray(wire.encode_slot(record))
    slot[at] ^= change
    with pytest.raises(FrameRefused):
        wire.decode_slot(bytes(slot))


@given(records, st.integers(1, wire.SLOT_BYTES - 1))
def test_a_torn_write_leaves_the_record_before(record: BootRecord, kept: int) -> None:
    older, newer = replace(record, sequence=8), replace(record, sequence=9, written_at_s=record.written_at_s ^ 1)
    data = bytearray(file_with(replace(record, sequence=7), older))
    at = wire.slot_offset(newer)
    data[at : at + kept] = wire.encode_slot(newer)[:kept]
    found = wire.decode_file(bytes(data))
    assert found in (wire.Slots(older, (1,)), wire.Slots(newer), wire.Slots(older))


@given(st.binary(max_size=2 * wire.FILE_BYTES))
def test_any_bytes_are_taken(data: bytes) -> None:
    assert wire.decode_file(data).record is None


def test_the_newer_record_wins_and_a_copy_in_the_wrong_slot_does_not() -> None:
    newer = replace(RECORD, sequence=8)
    assert wire.decode_file(file_with(newer, RECORD)).record == newer
    copied = bytearray(file_with(RECORD))
    copied[: wire.SLOT_BYTES] = wire.encode_slot(RECORD)
    assert wire.decode_file(bytes(copied)) == wire.Slots(RECORD, (0,))


def test_both_slots_are_written_the_older_one_first() -> None:
    for sequence in (7, 8):
        record = replace(RECORD, sequence=sequence)
        written = wire.writes(record)
        assert [offset // wire.SLOT_STEP_BYTES for offset, _ in written] == [sequence % 2, 1 - sequence % 2]
        assert [wire.decode_slot(slot) for _, slot in written] == [record, replace(record, sequence=sequence + 1)]


@pytest.mark.parametrize("at", [0, 32, 34, 35, 36, 37, 92, 470])
def test_what_cannot_be_is_refused_even_with_its_checksum(at: int) -> None:
    body = bytearray(wire.encode_slot(RECORD)[:480])
    body[at] = 255
    with pytest.raises(FrameRefused):
        wire.decode_slot(bytes(body) + hashlib.sha256(body).digest())


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 0},
        {"boot": b"short"},
        {"before": b"short"},
        {"failed": BOOTS_FAILED_MAX, "short": BOOTS_FAILED_MAX},
        {"failed": 1},
        {"level": Level.OFF},
        {"reason": Reason.UNWRITABLE},
        {"history": b"\x00"},
        {"history": b"\x44"},
        {"phase": Phase.NONE, "orderly": True},
    ],
)
def test_a_record_that_cannot_be_is_not_made(change: dict[str, object]) -> None:
    with pytest.raises(InternalError):
        replace(RECORD, **change)  # type: ignore[arg-type]


def test_an_outcome_is_one_byte() -> None:
    for level in Level:
        for phase in Phase:
            for orderly in (False, True):
                assert outcome(outcome_byte(level, phase, orderly=orderly)) == (level, phase, orderly)


@given(st.sampled_from(Level), st.booleans(), st.booleans(), st.sampled_from(Reason))
def test_every_order_is_read_again(level: Level, clean: bool, careful: bool, reason: Reason) -> None:  # noqa: FBT001
    order = BootOrder(level, clean, careful, reason)
    assert wire.decode_order(wire.encode_order(order)) == order


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"level normal",
        b"level normal\nclean 1\ncareful 0\nreason none",
        b"level up\nclean 1\ncareful 0\nreason none\n",
        b"level normal\nclean 2\ncareful 0\nreason none\n",
        b"level normal\nclean 1\ncareful 0\nreason none\nreason none\n",
        b"clean 1\nlevel normal\ncareful 0\nreason none\n",
        b"level normal\nclean 1\ncareful 0\nreason none\nmore 1\n",
        b"\xff\n",
    ],
)
def test_what_is_no_order_is_refused(text: bytes) -> None:
    with pytest.raises(FrameRefused):
        wire.decode_order(text)
