"""One scanner: descriptors in, verdicts out.  It holds nothing and may be killed at any instant.

Born by fork from the zygote with the compiled content already in memory; it pins itself, warms the engine up, enters
the scanner's sandbox, and scans until its socket closes.  A malicious or suspicious file's findings go to the courier
before the verdict goes to the gate, so that they are there when the gate's sighting arrives.
"""

import hashlib
import os
import socket
from dataclasses import dataclass
from typing import Final

from ringfence.detect.findings import ScanFindings
from ringfence.detect.yara import CompiledContent
from ringfence.host import processes, sandbox
from ringfence.host.executing import ExecutingMark
from ringfence.host.file_scan import FileScan, FileScanner
from ringfence.host.known_table import KnownTable
from ringfence.host.rule_ledger import RuleLedger
from ringfence.host.vouched import VouchedDigests
from ringfence.model import limits
from ringfence.model.verdict import Outcome
from ringfence.wire import catalogue
from ringfence.wire.detections import FINDINGS, Findings, FoundPattern, cut, encode_findings
from ringfence.wire.frames import FRAME_VERSION, HEADER, encode_frame

_SCAN_BYTES: Final = HEADER.size + catalogue.SCAN_BODY.size
_SCAN_HEADER: Final = HEADER.pack(FRAME_VERSION, catalogue.SCAN, catalogue.SCAN_BODY.size)
_VERDICT_HEADER: Final = HEADER.pack(FRAME_VERSION, catalogue.VERDICT, catalogue.VERDICT_BODY.size)
_NO_DIGEST: Final = bytes(32)


@dataclass(slots=True)
class ScanContext:
    """What every scanner inherits."""

    content: CompiledContent
    vouched: VouchedDigests
    known_descriptor: int
    release_index: int
    ledger: RuleLedger
    findings_descriptor: int
    """SEQPACKET socket towards the courier, shared by all scanners; -1 before there is one."""


def run_scanner(
    context: ScanContext, descriptor: int, processor: int, mark: ExecutingMark, *, idle: bool, gate_id: int
) -> None:
    """Scan until the gate closes the socket.  Never returns otherwise; an error ends the process."""
    if processor >= 0:
        os.sched_setaffinity(0, {processor})
    if idle:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    engine = context.content.scanner(limits.ENGINE_TIMEOUT_S, mark)
    engine.warm()
    known = KnownTable(context.known_descriptor, writable=False)
    files = FileScanner(engine, known)
    afresh = FileScanner(engine, None)
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=descriptor)
    courier = None
    if context.findings_descriptor >= 0:
        courier = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=context.findings_descriptor)
    sandbox.enter(processes.SCANNER)
    space = socket.CMSG_SPACE(4)
    while True:
        message, ancillary, _, _ = end.recvmsg(_SCAN_BYTES, space, socket.MSG_CMSG_CLOEXEC)
        if not message:
            os._exit(0)
        if len(message) != _SCAN_BYTES or not message.startswith(_SCAN_HEADER) or len(ancillary) != 1:
            os._exit(76)
        job, size_bytes, purpose = catalogue.SCAN_BODY.unpack_from(message, HEADER.size)
        file = int.from_bytes(ancillary[0][2][:4], "little")
        mark.take(job)
        try:
            if purpose == catalogue.PURPOSE_SYNCHRONOUS:
                scan = files.while_somebody_waits(file, size_bytes)
            elif purpose == catalogue.PURPOSE_SHADOW:
                scan = afresh.while_somebody_waits(file, size_bytes)
            else:
                scan = files.in_depth(file, size_bytes)
            shadow = purpose == catalogue.PURPOSE_SHADOW
            if scan.findings.rules and not shadow:
                context.ledger.matched(scan.findings.rules)
            if scan.findings.rules and courier is not None and not shadow:
                _tell_courier(courier, context.release_index, gate_id, job, scan)
            end.send(_VERDICT_HEADER + _verdict(context, file, job, scan))
        finally:
            os.close(file)


def _verdict(context: ScanContext, file: int, job: int, scan: FileScan) -> bytes:
    findings = scan.findings
    flags = catalogue.FLAG_DIGEST if scan.sha256 else 0
    flags |= (scan.deep and catalogue.FLAG_DEEP) | (scan.partial and catalogue.FLAG_PARTIAL)
    flags |= scan.known and catalogue.FLAG_KNOWN
    if findings.outcome is Outcome.MALICIOUS and context.vouched.holds(_md5(file, scan.condemned)):
        flags |= catalogue.FLAG_VOUCHED
    rule = findings.rules[0] if findings.rules else catalogue.NO_RULE
    return catalogue.VERDICT_BODY.pack(
        job, findings.outcome, findings.reason, flags, rule, scan.sha256 or _NO_DIGEST
    )


def _md5(file: int, condemned: bytes | None) -> bytes:
    """MD5 of the whole file, as the package manager records it (see `host/vouched.py` on why MD5 is enough here).

    Of the very bytes that were condemned, where they were held: a file that is one thing while it is scanned and
    another while it is hashed must not pass as a package's.  Empty, which nobody vouches for, past `VOUCHED_BYTES_MAX`.
    """
    digest = hashlib.md5(condemned or b"", usedforsecurity=False)
    offset = 0
    while condemned is None and (piece := os.pread(file, limits.READ_PIECE_BYTES, offset)):
        digest.update(piece)
        offset += len(piece)
        if offset > limits.VOUCHED_BYTES_MAX:
            return b""
    return digest.digest()


def _tell_courier(courier: socket.socket, release_index: int, gate_id: int, job: int, scan: FileScan) -> None:
    """Send the findings without waiting: a courier that does not listen costs detail, never a verdict."""
    body = encode_findings(_findings(release_index, gate_id, job, scan.findings, scan.sha256))
    try:
        courier.send(encode_frame(FINDINGS, body), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except OSError:
        pass


def _findings(release_index: int, gate_id: int, job: int, found: ScanFindings, sha256: bytes | None) -> Findings:
    return Findings(
        gate_id=gate_id,
        job=job,
        release_index=release_index,
        sha256=sha256,
        rules=found.rules[: limits.FINDING_RULES_MAX],
        matches=tuple(
            FoundPattern(
                rule=match.rule,
                pattern=cut(match.pattern.encode("utf-8", "replace"), limits.PATTERN_NAME_BYTES_MAX),
                offset_bytes=match.offset_bytes,
                length_bytes=min(match.length_bytes, 0xFFFF_FFFF),
                excerpt=match.excerpt[: limits.MATCH_EXCERPT_BYTES_MAX],
                member=cut(match.member.encode("utf-8", "replace"), limits.MEMBER_PATH_BYTES_MAX),
            )
            for match in found.matches[: limits.FINDING_MATCHES_MAX]
        ),
    )
