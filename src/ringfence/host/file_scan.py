"""Scanning the file behind a descriptor: while somebody waits, or in depth.

While somebody waits: up to `SYNC_SCAN_BYTES_MAX` bytes; a larger file by windows, and its verdict is partial.
Containers are not opened, so a clean verdict on one is not deep.  In depth: every byte, containers opened.

A file whose SHA-256 is in the table of known clean ones is not scanned at all.

What is said about a content is said about the very bytes that were scanned: a file up to `SCAN_WHOLE_BYTES_MAX` is read
once.  A larger one that is clean gets no digest, because it could have been another file while it was hashed.
"""

import hashlib
import os
from typing import NamedTuple

from ringfence.decide.inspection import Engine, inspect_whole, inspect_windows
from ringfence.detect.byte_source import ByteSource, HeldBytes
from ringfence.detect.file_type import CONTAINERS, classify
from ringfence.detect.findings import CLEAN, ScanFindings
from ringfence.host.known_table import KnownTable
from ringfence.model import limits
from ringfence.model.verdict import Outcome


class FileScan(NamedTuple):
    """What is known about one file after its scan."""

    findings: ScanFindings
    sha256: bytes | None
    """Of the whole file; None when it was not read to its end."""

    deep: bool
    partial: bool
    known: bool
    condemned: bytes | None = None
    """The bytes that were found malicious, when they were held whole."""


class DescriptorSource:
    """A file behind a descriptor, read with pread only: a file that is truncated meanwhile is short, not a SIGBUS."""

    def __init__(self, descriptor: int, size_bytes: int) -> None:
        self._descriptor = descriptor
        self.size_bytes = size_bytes

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Up to `length_bytes`; fewer only at the end of the file."""
        data = os.pread(self._descriptor, length_bytes, offset_bytes)
        while 0 < len(data) < length_bytes:
            more = os.pread(self._descriptor, length_bytes - len(data), offset_bytes + len(data))
            if not more:
                break
            data += more
        return data


class FileScanner:
    """Scans descriptors with one engine.  Belongs to one process.  Without a table every file is scanned afresh."""

    def __init__(self, engine: Engine, known: KnownTable | None) -> None:
        self._engine = engine
        self._known = known

    def while_somebody_waits(self, file: int, size_bytes: int) -> FileScan:
        """The verdict that the kernel's asker gets."""
        if size_bytes <= limits.SYNC_SCAN_BYTES_MAX:
            data = os.pread(file, size_bytes + 1, 0)
            if len(data) <= size_bytes:
                return self._whole(data)
        size = os.fstat(file).st_size
        findings = inspect_windows(self._engine, DescriptorSource(file, size), limits.SYNC_SCAN_BYTES_MAX)
        return FileScan(findings, None, deep=False, partial=True, known=False)

    def in_depth(self, file: int, size_bytes: int) -> FileScan:
        """Every byte, containers opened."""
        source: ByteSource = DescriptorSource(file, size_bytes)
        data = source.read_at(0, size_bytes + 1) if size_bytes <= limits.SCAN_WHOLE_BYTES_MAX else b""
        held = len(data) == size_bytes
        digest = hashlib.sha256(data).digest() if held else None
        if digest is not None and self._known is not None and self._known.holds(digest):
            return FileScan(CLEAN, digest, deep=True, partial=False, known=True)
        findings = inspect_whole(self._engine, HeldBytes(data) if held else source).findings
        complete = findings.outcome is Outcome.CLEAN
        if not held and findings.rules:
            digest = _digest(file, size_bytes)
        condemned = data if held and findings.outcome is Outcome.MALICIOUS else None
        return FileScan(findings, digest, deep=complete, partial=False, known=False, condemned=condemned)

    def _whole(self, data: bytes) -> FileScan:
        digest = hashlib.sha256(data).digest()
        if self._known is not None and self._known.holds(digest):
            return FileScan(CLEAN, digest, deep=True, partial=False, known=True)
        kind = classify(data)
        findings = self._engine.scan(data, kind=kind)
        deep = kind not in CONTAINERS
        condemned = data if findings.outcome is Outcome.MALICIOUS else None
        return FileScan(findings, digest, deep=deep, partial=False, known=False, condemned=condemned)


def _digest(file: int, size_bytes: int) -> bytes | None:
    """SHA-256 of the whole file; None when it is over the bound or no longer as long as it was."""
    if size_bytes > limits.SCAN_TOTAL_BYTES_MAX:
        return None
    digest = hashlib.sha256()
    offset = 0
    while piece := os.pread(file, limits.READ_PIECE_BYTES, offset):
        digest.update(piece)
        offset += len(piece)
        if offset > size_bytes:
            return None
    return digest.digest() if offset == size_bytes else None
