"""Scanning real files behind descriptors: growing, truncated, large, swapped while they are scanned."""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.unit.detect.detect_releases import pack_of, release_of

from ringfence.decide.inspection import Engine, Inspection, inspect_whole
from ringfence.detect.byte_source import ByteSource
from ringfence.detect.file_type import FileClass
from ringfence.detect.findings import ScanFindings
from ringfence.detect.yara import ContentScanner, View, compile_release
from ringfence.host import known_table
from ringfence.host.file_scan import DescriptorSource, FileScanner
from ringfence.host.known_table import KnownTable
from ringfence.host.scan_process import _md5
from ringfence.model import limits
from ringfence.model.verdict import Outcome

BAD = b"RINGFENCE-FILE-SCAN-BAD"
RULE = 'rule bad { strings: $a = "RINGFENCE-FILE-SCAN-BAD" condition: $a }'


@pytest.fixture(scope="module")
def engine() -> ContentScanner:
    return compile_release(release_of(pack_of("tests", RULE))).scanner(5)


@pytest.fixture
def known() -> Iterator[KnownTable]:
    writable, readable = known_table.create()
    table = KnownTable(writable, writable=True)
    yield table
    table.close()
    os.close(writable)
    os.close(readable)


@dataclass(slots=True)
class Meddling:
    """An engine that lets somebody meddle with the file just before and just after it looks."""

    engine: ContentScanner
    before: list[tuple[Path, bytes]] = field(default_factory=list)
    after: list[tuple[Path, bytes]] = field(default_factory=list)

    def scan(
        self, data: bytes, member: str = "", view: View = View.WHOLE, kind: FileClass | None = None
    ) -> ScanFindings:
        for path, content in self.before:
            path.write_bytes(content)
        found = self.engine.scan(data, member, view, kind)
        for path, content in self.after:
            path.write_bytes(content)
        return found

    def join(self, parts: list[ScanFindings]) -> ScanFindings:
        return self.engine.join(parts)


def opened(path: Path, content: bytes) -> int:
    path.write_bytes(content)
    return os.open(path, os.O_RDONLY)


@pytest.mark.parametrize("deep", [False, True])
def test_clean_and_malicious(engine: ContentScanner, known: KnownTable, tmp_path: Path, *, deep: bool) -> None:
    scanner = FileScanner(engine, known)
    scan = scanner.in_depth if deep else scanner.while_somebody_waits
    for content, outcome in ((b"nothing", Outcome.CLEAN), (b"x" * 5_000 + BAD, Outcome.MALICIOUS)):
        file = opened(tmp_path / "file", content)
        seen = scan(file, len(content))
        os.close(file)
        assert seen.findings.outcome is outcome
        assert seen.sha256 == hashlib.sha256(content).digest()
        assert seen.deep or outcome is Outcome.MALICIOUS
        assert not seen.partial


@pytest.mark.parametrize("deep", [False, True])
def test_a_known_content_is_not_scanned(
    engine: ContentScanner, known: KnownTable, tmp_path: Path, *, deep: bool
) -> None:
    known.add(hashlib.sha256(BAD).digest())
    file = opened(tmp_path / "file", BAD)
    scanner = FileScanner(engine, known)
    seen = (scanner.in_depth if deep else scanner.while_somebody_waits)(file, len(BAD))
    os.close(file)
    assert seen.known
    assert seen.findings.outcome is Outcome.CLEAN


def test_a_file_that_grew_is_seen_to_its_new_end(engine: ContentScanner, known: KnownTable, tmp_path: Path) -> None:
    file = opened(tmp_path / "file", b"x" * 1_000 + BAD)
    seen = FileScanner(engine, known).while_somebody_waits(file, 1_000)
    os.close(file)
    assert seen.findings.outcome is Outcome.MALICIOUS
    assert seen.sha256 is None
    assert seen.partial


def test_a_file_that_shrank_gives_the_digest_of_what_is_there(
    engine: ContentScanner, known: KnownTable, tmp_path: Path
) -> None:
    file = opened(tmp_path / "file", b"short")
    seen = FileScanner(engine, known).while_somebody_waits(file, 1_000_000)
    os.close(file)
    assert seen.sha256 == hashlib.sha256(b"short").digest()


def test_a_file_that_shrank_is_not_clean_in_depth(engine: ContentScanner, known: KnownTable, tmp_path: Path) -> None:
    file = opened(tmp_path / "file", b"short")
    seen = FileScanner(engine, known).in_depth(file, 1_000_000)
    os.close(file)
    assert seen.findings.outcome is Outcome.UNKNOWN
    assert not seen.deep
    assert seen.sha256 is None


def test_large_files_are_seen_by_windows_then_whole(
    engine: ContentScanner, known: KnownTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SYNC_SCAN_BYTES_MAX", 4_000_000)
    size = 40_000_000
    for offset in (0, size - len(BAD)):
        path = tmp_path / f"bad-at-{offset}"
        with path.open("wb") as sparse:
            sparse.truncate(size)
            sparse.seek(offset)
            sparse.write(BAD)
        file = os.open(path, os.O_RDONLY)
        seen = FileScanner(engine, known).while_somebody_waits(file, size)
        whole = FileScanner(engine, known).in_depth(file, size)
        os.close(file)
        assert (seen.findings.outcome, seen.partial, seen.deep) == (Outcome.MALICIOUS, True, False)
        assert whole.findings.outcome is Outcome.MALICIOUS


def test_a_container_is_opened_only_in_depth(engine: ContentScanner, known: KnownTable, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", BAD * 50)
    file = opened(tmp_path / "file.zip", packed.getvalue())
    scanner = FileScanner(engine, known)
    quick = scanner.while_somebody_waits(file, len(packed.getvalue()))
    whole = scanner.in_depth(file, len(packed.getvalue()))
    os.close(file)
    assert (quick.findings.outcome, quick.deep) == (Outcome.CLEAN, False)
    assert whole.findings.outcome is Outcome.MALICIOUS


def test_a_file_that_is_swapped_while_it_is_scanned_cannot_vouch_for_another(
    engine: ContentScanner, known: KnownTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Malware shown to the hash and something clean to the rules must not make the malware known as clean."""
    path = tmp_path / "file"
    clean = b"c" * len(BAD)

    def swapped(engine: Engine, source: ByteSource) -> Inspection:
        path.write_bytes(clean)
        return inspect_whole(engine, source)

    monkeypatch.setattr("ringfence.host.file_scan.inspect_whole", swapped)
    file = opened(path, BAD)
    seen = FileScanner(engine, known).in_depth(file, len(BAD))
    os.close(file)
    claims = seen.findings.outcome is Outcome.CLEAN and seen.deep
    assert not (claims and seen.sha256 == hashlib.sha256(BAD).digest())


def test_a_large_clean_file_claims_no_digest(
    engine: ContentScanner, known: KnownTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is too large to be held, so what was hashed may not be what was scanned."""
    monkeypatch.setattr(limits, "SCAN_WHOLE_BYTES_MAX", 1_000)
    file = opened(tmp_path / "file", b"x" * 5_000)
    seen = FileScanner(engine, known).in_depth(file, 5_000)
    os.close(file)
    assert (seen.findings.outcome, seen.sha256) == (Outcome.CLEAN, None)


@pytest.mark.parametrize("deep", [False, True])
def test_a_condemned_file_cannot_borrow_the_digest_of_a_package(
    engine: ContentScanner, known: KnownTable, tmp_path: Path, *, deep: bool
) -> None:
    path = tmp_path / "file"
    file = opened(path, BAD)
    scanner = FileScanner(Meddling(engine, after=[(path, b"a package's file")]), known)
    seen = (scanner.in_depth if deep else scanner.while_somebody_waits)(file, len(BAD))
    assert seen.findings.outcome is Outcome.MALICIOUS
    assert _md5(file, seen.condemned) == hashlib.md5(BAD, usedforsecurity=False).digest()
    os.close(file)


def test_a_huge_condemned_file_is_not_hashed_while_somebody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as sparse:
        sparse.truncate(1 << 40)
    file = os.open(path, os.O_RDONLY)
    monkeypatch.setattr(limits, "VOUCHED_BYTES_MAX", 10_000_000)
    assert _md5(file, None) == b""
    os.close(file)


def test_a_short_file_reads_short(tmp_path: Path) -> None:
    file = opened(tmp_path / "file", b"0123456789")
    source = DescriptorSource(file, 100)
    assert source.read_at(0, 4) == b"0123"
    assert source.read_at(6, 100) == b"6789"
    assert source.read_at(50, 10) == b""
    os.close(file)
