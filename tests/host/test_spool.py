"""The spool on a real disk: torn tails, flipped bits, full disks, and who may say that something is stored."""

import dataclasses
import errno
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.support.machine import kernel_requires

from ringfence.host.durable import Directory, write_durably
from ringfence.host.spool import Spool, SpoolBatch
from ringfence.model import limits
from ringfence.model.errors import DiskFull
from ringfence.model.records import HostEvent, HostEventKind, Lost, Record, RecordKey
from ringfence.wire.spool import RECORD_HEADER_BYTES, SpoolEntry
from ringfence.wire.uplink import decode_record

GATE = 7
MANY = 2_000


def event(number: int) -> SpoolEntry:
    """A record that stands for sighting `number` of the gate."""
    return SpoolEntry(HostEvent(1, HostEventKind.STARTED, str(number), ""), GATE, number)


def open_spool(path: Path) -> Spool:
    """The spool of `path`, with epochs that are new every time."""
    epochs = count(len(list(path.iterdir())) * 100 + 1)
    return Spool(Directory(path), lambda: f"{next(epochs):016x}", 9)


def drained(spool: Spool) -> tuple[list[Record], list[RecordKey]]:
    """Everything that waits, taken batch by batch, and the key of each."""
    records: list[Record] = []
    keys: list[RecordKey] = []
    while (batch := spool.next_batch()) is not None:
        for line in batch.lines:
            number, record = decode_record(line)
            records.append(record)
            keys.append(RecordKey(batch.epoch, number))
        spool.forget(RecordKey(batch.epoch, batch.last_number))
    return records, keys


def subjects(records: list[Record]) -> list[str]:
    return [record.subject for record in records if isinstance(record, HostEvent)]


def newest_segment(path: Path) -> Path:
    """The newest segment that holds records."""
    return max(path.glob("*.segment"), key=lambda one: (one.stat().st_size > 100, one.name))


def test_what_is_stored_survives_a_restart_in_order(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([event(number) for number in range(1, 4)])
    spool.append([event(4)])
    again = open_spool(tmp_path)
    assert again.gates == {GATE: 4}
    records, keys = drained(again)
    assert subjects(records) == ["1", "2", "3", "4"]
    assert [key.number for key in keys] == [1, 2, 3, 4]
    assert len({key.epoch for key in keys}) == 1


def test_asking_again_gives_the_same_batch_until_it_is_forgotten(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([event(1), event(2)])
    first = spool.next_batch()
    assert first == spool.next_batch()
    assert isinstance(first, SpoolBatch)
    spool.forget(RecordKey(first.epoch, 1))
    second = spool.next_batch()
    assert second is not None
    assert (second.first_number, second.last_number) == (2, 2)
    assert open_spool(tmp_path).next_batch() == second, "the position survives"


def test_gates_are_known_after_everything_was_delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SPOOL_SEGMENT_BYTES", 200)
    spool = open_spool(tmp_path)
    for number in range(1, 10):
        spool.append([event(number)])
    drained(spool)
    assert len(list(tmp_path.glob("*.segment"))) == 1
    assert open_spool(tmp_path).gates == {GATE: 9}


def test_a_tail_torn_at_any_byte_loses_nothing_that_was_confirmed(tmp_path: Path) -> None:
    whole = _segment_of(tmp_path / "whole", [1, 2])
    first_end = len(_segment_of(tmp_path / "first", [1]))
    for cut in range(first_end + 1, len(whole)):
        path = tmp_path / f"cut{cut}"
        path.mkdir()
        (path / "0000000000000001.segment").write_bytes(whole[:cut])
        records, keys = drained(open_spool(path))
        assert subjects(records) == ["1"]
        assert [key.number for key in keys] == [1]
        assert not [record for record in records if isinstance(record, Lost)], f"cut at {cut}"


def test_a_bit_flipped_anywhere_is_a_jump_or_a_counted_loss(tmp_path: Path) -> None:
    whole = _segment_of(tmp_path / "whole", [1, 2, 3])
    for position in range(0, len(whole), 3):
        path = tmp_path / f"flip{position}"
        path.mkdir()
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        (path / "0000000000000001.segment").write_bytes(damaged)
        spool = open_spool(path)
        spool.append([event(4)])
        records, keys = drained(spool)
        kept = subjects(records)
        assert kept[-1] == "4"
        lost = sum(record.count for record in records if isinstance(record, Lost))
        jumps = _jumps(keys)
        assert lost + jumps >= 4 - len(kept) > -1, f"flip at {position}: {kept}, {lost} counted, {jumps} jumped"
        assert len(set(keys)) == len(keys)


def _jumps(keys: list[RecordKey]) -> int:
    """How many numbers are missing, as a server sees it."""
    highest: dict[str, int] = {}
    for key in keys:
        highest[key.epoch] = max(highest.get(key.epoch, 0), key.number)
    return sum(highest.values()) - len(keys)


def _segment_of(path: Path, numbers: list[int]) -> bytes:
    path.mkdir()
    spool = open_spool(path)
    for number in numbers:
        spool.append([event(number)])
    return newest_segment(path).read_bytes()


def test_damage_while_running_is_a_jump(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([event(1)])
    start = newest_segment(tmp_path).stat().st_size
    spool.append([event(2)])
    spool.append([event(3)])
    with newest_segment(tmp_path).open("r+b") as file:
        file.seek(start + RECORD_HEADER_BYTES + 3)
        file.write(b"!")
    records, keys = drained(spool)
    assert subjects(records) == ["1", "3"]
    assert [key.number for key in keys] == [1, 3]


def test_a_spool_that_is_gone_begins_another_epoch(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first = open_spool(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "stray").write_bytes(b"")
    assert first.last.epoch != open_spool(tmp_path / "b").last.epoch


def test_a_server_that_knows_more_begins_another_epoch_and_counts(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append([event(1), event(2), event(3)])
    epoch = spool.last.epoch
    spool.forget(RecordKey(epoch, 1))
    spool.begin_epoch(9)
    assert spool.last.epoch != epoch
    records, _ = drained(spool)
    assert records == [Lost(9, "spool_rolled_back", 2)]
    assert open_spool(tmp_path).gates == {GATE: 3}


def test_the_bound_refuses_and_gives_way_when_records_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SPOOL_SEGMENT_BYTES", 500)
    monkeypatch.setattr(limits, "SPOOL_BYTES_MAX", 2_000)
    spool = open_spool(tmp_path)
    stored = _store_until_full(spool, 1)
    assert stored < MANY
    assert spool.size_bytes <= limits.SPOOL_BYTES_MAX
    records, _ = drained(spool)
    assert subjects(records) == [str(number) for number in range(1, stored + 1)]
    spool.append([event(stored + 1)])


def test_a_record_that_the_uplink_refuses_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    bad = dataclasses.replace(event(1), record=Lost(5, "No Word", 1))
    spool.append([bad, event(2)])
    records, _ = drained(spool)
    assert records[0] == Lost(5, "record_refused", 1)
    assert subjects(records) == ["2"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB of its own."""
    kernel_requires("mount")
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "ringfence-test", str(path)], check=True)
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def test_a_full_disk_refuses_loses_nothing_and_recovers(small_disk: Path) -> None:
    (small_disk / "spool").mkdir()
    spool = open_spool(small_disk / "spool")
    spool.append([event(1)])
    filler = small_disk / "filler"
    _fill(filler)
    stored = _store_until_full(spool, 2)
    assert stored < MANY, "the disk was never full"
    for _ in range(5):
        with pytest.raises(DiskFull):
            spool.append([event(stored + 1)] * 50)
    assert len(list((small_disk / "spool").glob("*.segment"))) <= 3, "a full disk does not fill with heads"
    filler.unlink()
    spool.append([event(stored + 1)])
    records, keys = drained(open_spool(small_disk / "spool"))
    assert subjects(records) == [str(number) for number in range(1, stored + 2)]
    assert [key.number for key in keys] == list(range(1, stored + 2))


def _store_until_full(spool: Spool, number: int) -> int:
    """Store records one by one; the last that was taken."""
    try:
        while number < MANY:
            spool.append([event(number)])
            number += 1
    except DiskFull:
        return number - 1
    return MANY


def _fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as writer:
        try:
            while True:
                writer.write(b"x" * 512)
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017 - the only way to end the loop


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.host.test_spool import event, open_spool
spool = open_spool(Path(sys.argv[1]))
number = spool.gates.get(7, 0)
while True:
    number += 1
    spool.append([event(number)])
    print(number, flush=True)
"""


def test_what_was_confirmed_survives_kill_after_kill(tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    confirmed = 0
    for life in range(4):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), root], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(3 + 7 * life):
                confirmed = int(process.stdout.readline())
            process.kill()
            rest = process.stdout.read().split()
            confirmed = int(rest[-1]) if rest else confirmed
    records, keys = drained(open_spool(tmp_path))
    assert subjects(records) == [str(number) for number in range(1, len(records) + 1)]
    assert len(records) >= confirmed
    assert _jumps(keys) == 0


def test_a_durable_write_replaces_all_or_nothing(tmp_path: Path) -> None:
    file = tmp_path / "f"
    write_durably(file, b"one")
    write_durably(file, b"two", mode=0o640)
    assert file.read_bytes() == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert file.stat().st_mode & 0o777 == 0o640
    with pytest.raises(DiskFull):
        write_durably(tmp_path / "missing" / "f", b"x")


def test_an_unfinished_replacement_is_removed_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "x.segment.unfinished").write_bytes(b"half")
    assert Directory(tmp_path).names() == ()
