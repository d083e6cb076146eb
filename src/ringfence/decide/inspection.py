"""Scanning one file, wherever its bytes come from: quickly while somebody waits, or in full.

Quickly (`inspect_windows`): the windows of `decide/windows.py`; containers stay closed.
In full (`inspect_whole`):
1. Every piece of the file itself is scanned.
2. Then the file is opened as far as it is a container, and every member is scanned.
3. A malicious piece or member ends the inspection: nothing that follows can change the outcome.
4. A gap in an archive, a file that is larger than what is scanned at all, or one that gave fewer bytes than its size
   leaves the result incomplete: unknown if nothing was found.

Memory: one piece of the file (`SCAN_WHOLE_BYTES_MAX`), and what `detect/archives.py` holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ringfence.decide.windows import Window, pieces, scanned_bytes, windows
from ringfence.detect.archives import Gap, Member, container_kind, walk
from ringfence.detect.byte_source import ByteSource, HeldBytes
from ringfence.detect.file_type import CLASSIFY_HEAD_BYTES, FileClass, classify
from ringfence.detect.findings import CLEAN, ScanFindings, not_scanned, shifted
from ringfence.detect.yara import View
from ringfence.model.limits import ARCHIVE_GAPS_MAX, SCAN_WHOLE_BYTES_MAX
from ringfence.model.verdict import Outcome, UnknownReason


class Engine(Protocol):
    """What is needed of `detect.yara.ContentScanner`."""

    def scan(
        self, data: bytes, member: str = "", view: View = View.WHOLE, kind: FileClass | None = None
    ) -> ScanFindings:
        """Scan some bytes."""

    def join(self, parts: list[ScanFindings]) -> ScanFindings:
        """Findings of several parts as one."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in one file, and what in it could not be looked into (the first `ARCHIVE_GAPS_MAX`)."""

    findings: ScanFindings
    gaps: tuple[Gap, ...]


def inspect_windows(engine: Engine, source: ByteSource, limit_bytes: int) -> ScanFindings:
    """Scan at most `limit_bytes` of `source`.  A file up to the limit is scanned whole, in one piece."""
    found: list[ScanFindings] = []
    for part in _parts(engine, source, iter(windows(source.size_bytes, limit_bytes))):
        if part is not CLEAN:
            found.append(part)
        if part.outcome is Outcome.MALICIOUS:
            break
    return engine.join(found)


def inspect_whole(engine: Engine, source: ByteSource) -> Inspection:
    """Scan all of `source` and all that is packed in it, within bounds.  What `source` raises goes through."""
    source = _held_if_small(source)
    if isinstance(source, HeldBytes) and source.size_bytes and container_kind(source) is None:
        data = source.read_at(0, source.size_bytes)  # nearly every file: one piece, and nothing packed in it
        return Inspection(engine.scan(data, "", View.WHOLE, classify(data[:CLASSIFY_HEAD_BYTES])), ())
    found: list[ScanFindings] = []
    gaps: list[Gap] = []
    for part in _everything(engine, source, gaps):
        if part is not CLEAN:
            found.append(part)
            if len(found) > ARCHIVE_GAPS_MAX:
                found = [engine.join(found)]
        if part.outcome is Outcome.MALICIOUS:
            break
    return Inspection(engine.join(found), tuple(gaps))


def _everything(engine: Engine, source: ByteSource, gaps: list[Gap]) -> Iterator[ScanFindings]:
    """Findings of the file's pieces, then of its members; gaps are noted, and are findings too."""
    yield from _parts(engine, source, pieces(source.size_bytes))
    if scanned_bytes(source.size_bytes) < source.size_bytes:
        yield not_scanned(UnknownReason.FILE_TOO_LARGE)
    for item in walk(source):
        if isinstance(item, Member):
            yield _scan_member(engine, item)
        else:
            if len(gaps) < ARCHIVE_GAPS_MAX:
                gaps.append(item)
            yield not_scanned(UnknownReason.ARCHIVE_BOUND)


def _parts(engine: Engine, source: ByteSource, plan: Iterator[Window]) -> Iterator[ScanFindings]:
    """Scan the windows of `plan`.  A read that comes back short is a file that has shrunk meanwhile."""
    kind: FileClass | None = None
    for window in plan:
        data = source.read_at(window.offset_bytes, window.length_bytes)
        if kind is None:
            kind = classify(data[:CLASSIFY_HEAD_BYTES])
        yield shifted(engine.scan(data, "", window.view(source.size_bytes), kind), window.offset_bytes)
        if len(data) < window.length_bytes:
            yield not_scanned(UnknownReason.FILE_UNREADABLE)
            return


def _scan_member(engine: Engine, member: Member) -> ScanFindings:
    view = View.WHOLE if member.whole else View.PART if member.offset_bytes else View.START
    return shifted(engine.scan(member.data, member.path, view, member.kind), member.offset_bytes)


def _held_if_small(source: ByteSource) -> ByteSource:
    """The whole file in memory where it fits, so that it is read once and cannot change between scan and opening."""
    if source.size_bytes > SCAN_WHOLE_BYTES_MAX:
        return source
    data = source.read_at(0, source.size_bytes)
    return HeldBytes(data) if len(data) == source.size_bytes else source
