"""`decide/inspection.py`: pieces and members together make one answer."""

import gzip
import io
import zipfile
from dataclasses import dataclass, field

import pytest

from ringfence.decide.inspection import inspect_whole, inspect_windows
from ringfence.detect.archives import GapReason
from ringfence.detect.byte_source import CalledBytes, HeldBytes
from ringfence.detect.file_type import FileClass
from ringfence.detect.findings import CLEAN, RuleMatch, ScanFindings, join, not_scanned
from ringfence.detect.yara import View
from ringfence.model.limits import SCAN_TOTAL_BYTES_MAX, SCAN_WHOLE_BYTES_MAX, SYNC_SCAN_BYTES_MAX
from ringfence.model.verdict import Outcome, UnknownReason


@dataclass
class FakeEngine:
    """Finds the word EVIL (blocks) and the word SLOW (times out), and remembers what it was given."""

    seen: list[tuple[int, str, View, FileClass | None]] = field(default_factory=list)

    def scan(
        self, data: bytes, member: str = "", view: View = View.WHOLE, kind: FileClass | None = None
    ) -> ScanFindings:
        """Scan for the two words."""
        self.seen.append((len(data), member, view, kind))
        if (place := data.find(b"EVIL")) >= 0:
            match = RuleMatch(0, "$evil", place, 4, b"EVIL", member)
            return ScanFindings((0,), (match,), Outcome.MALICIOUS, UnknownReason.NONE)
        return not_scanned(UnknownReason.ENGINE_TIMEOUT) if b"SLOW" in data else CLEAN

    def join(self, parts: list[ScanFindings]) -> ScanFindings:
        """As the real one."""
        return join(parts, lambda rule: rule)


def zip_of(**members: bytes) -> bytes:
    """A zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_a_small_file_is_scanned_once_and_whole() -> None:
    engine = FakeEngine()
    assert inspect_whole(engine, HeldBytes(b"#!/bin/sh\n")).findings is CLEAN
    assert engine.seen == [(10, "", View.WHOLE, FileClass.SCRIPT)]


def test_a_member_makes_its_archive_malicious_and_is_named() -> None:
    found = inspect_whole(FakeEngine(), HeldBytes(gzip.compress(zip_of(good=b"x", bad=b"xxEVIL"))))
    assert found.findings.outcome is Outcome.MALICIOUS
    assert [(match.member, match.offset_bytes) for match in found.findings.matches] == [("gzip!bad", 2)]


def test_nothing_is_opened_after_a_malicious_piece() -> None:
    engine = FakeEngine()
    assert inspect_whole(engine, HeldBytes(b"EVIL" + zip_of(a=b"1"))).findings.outcome is Outcome.MALICIOUS
    assert len(engine.seen) == 1


def test_gaps_and_timeouts_are_unknown() -> None:
    cut = gzip.compress(bytes(range(256)) * 5_000)[:-20]
    found = inspect_whole(FakeEngine(), HeldBytes(cut))
    assert (found.findings.outcome, found.findings.reason) == (Outcome.UNKNOWN, UnknownReason.ARCHIVE_BOUND)
    assert [gap.reason for gap in found.gaps] == [GapReason.DAMAGED]
    slow = inspect_whole(FakeEngine(), HeldBytes(zip_of(a=b"SLOW")))
    assert slow.findings.reason is UnknownReason.ENGINE_TIMEOUT


def test_a_large_file_is_scanned_in_pieces_with_true_offsets() -> None:
    """The word lies across the end of the first piece; its offset is that of the file."""
    size = SCAN_WHOLE_BYTES_MAX + 1_000
    place = (1 << 25) - 2

    def read(length: int, offset: int) -> bytes:
        data = bytearray(min(length, size - offset))
        if 0 <= place - offset <= len(data) - 4:
            data[place - offset : place - offset + 4] = b"EVIL"
        return bytes(data)

    engine = FakeEngine()
    found = inspect_whole(engine, CalledBytes(read, size)).findings
    assert found.outcome is Outcome.MALICIOUS
    assert found.matches[0].offset_bytes == place
    assert [view for _, _, view, _ in engine.seen] == [View.START, View.PART]


def test_a_file_that_shrinks_is_unknown() -> None:
    found = inspect_whole(FakeEngine(), CalledBytes(lambda length, offset: b"short"[offset : offset + length], 100))
    assert found.findings.reason is UnknownReason.FILE_UNREADABLE


def test_a_file_beyond_the_total_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its size is large here: the pieces are cut short by the test."""
    monkeypatch.setattr("ringfence.decide.inspection.pieces", lambda _: iter(()))
    source = CalledBytes(lambda length, _offset: bytes(min(length, 512)), SCAN_TOTAL_BYTES_MAX + 1)
    assert inspect_whole(FakeEngine(), source).findings.reason is UnknownReason.FILE_TOO_LARGE


def test_windows_stay_within_the_limit_and_open_nothing() -> None:
    engine = FakeEngine()
    size = 1 << 40
    assert inspect_windows(engine, CalledBytes(lambda length, _: bytes(length), size), SYNC_SCAN_BYTES_MAX) is CLEAN
    assert sum(length for length, *_ in engine.seen) <= SYNC_SCAN_BYTES_MAX
    assert engine.seen[0][2] is View.START
    engine = FakeEngine()
    assert inspect_windows(engine, HeldBytes(zip_of(a=b"EVIL")), SYNC_SCAN_BYTES_MAX) is CLEAN
    assert inspect_windows(engine, HeldBytes(b""), SYNC_SCAN_BYTES_MAX) is CLEAN


def test_the_tail_of_a_large_file_is_seen_while_somebody_waits() -> None:
    size = SYNC_SCAN_BYTES_MAX * 4

    def read(length: int, offset: int) -> bytes:
        return bytes(length - 4) + b"EVIL" if offset + length == size else bytes(length)

    found = inspect_windows(FakeEngine(), CalledBytes(read, size), SYNC_SCAN_BYTES_MAX)
    assert found.outcome is Outcome.MALICIOUS
    assert found.matches[0].offset_bytes == size - 4
