"""A worker of `ringfence scan`: descriptors in, results out.  It holds nothing and may be killed at any instant.

1. It loads the release that the first frame carries, in the zygote's sandbox: compiling reads content too.
2. It enters the scanner's sandbox, says that it is ready, and scans in full what each frame carries until its socket
   closes.
It reads with pread only, never a mapping: a file that is truncated meanwhile is short, not a SIGBUS.
"""

import hashlib
import os
import sys
from contextlib import suppress
from functools import partial
from typing import Final

from ringfence.decide.inspection import Inspection, inspect_whole
from ringfence.detect.byte_source import CalledBytes, chunks_of
from ringfence.detect.findings import not_scanned
from ringfence.detect.yara import CompiledContent, compile_release
from ringfence.host import processes, sandbox
from ringfence.host.channel import Channel, ChannelClosed, Received
from ringfence.model.errors import FrameRefused, InternalError, RingfenceError
from ringfence.model.limits import ENGINE_TIMEOUT_S, RELEASE_BYTES_MAX
from ringfence.model.records import PatternMatch, RuleReference
from ringfence.model.release import Release, RuleEntry
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire import demand
from ringfence.wire.frames import WAY_OUT
from ringfence.wire.release import decode_release

REPORT: Final = "report this with the version of ringfence and of the kernel"


def main(channel_descriptor: int) -> None:
    """Serve the command at the other end of the channel until it is gone."""
    channel = Channel.adopt(channel_descriptor)
    try:
        _serve(channel)
    except ChannelClosed:
        return
    except RingfenceError as error:
        _tell_failure(channel, error)
    except BaseException as error:  # noqa: BLE001 - whatever it is, a panic too, the command must hear of it
        _tell_failure(channel, InternalError(f"a scan worker failed: {type(error).__name__}: {error}", REPORT))


def _serve(channel: Channel) -> None:
    start = _next(channel, demand.DEMAND_START)
    data = _read_release(start.descriptors[0])
    sandbox.enter(processes.ZYGOTE)
    release = decode_release(data)
    del data
    content = compile_release(release)
    engine = content.scanner(ENGINE_TIMEOUT_S)
    engine.warm()
    sandbox.enter(processes.SCANNER)
    channel.send(demand.DEMAND_READY, demand.encode_ready(_ready(release, content)))
    while True:
        received = _next(channel, demand.DEMAND_SCAN)
        job, size_bytes = demand.SCAN_BODY.unpack(received.frame.body)
        file = received.descriptors[0]
        source = CalledBytes(partial(os.pread, file), size_bytes)
        before = _state(file)
        try:
            inspection = inspect_whole(engine, source)
        except OSError:  # the disk, or a file system that gave up
            inspection = Inspection(not_scanned(UnknownReason.FILE_UNREADABLE), ())
        changed = _state(file) != before
        sha256 = "" if changed or not inspection.findings.rules else _digest(source)
        os.close(file)
        result = _result(job, size_bytes, content.rules, inspection, sha256, changed=changed)
        channel.send(demand.DEMAND_RESULT, demand.encode_result(result))


def _next(channel: Channel, frame_type: int) -> Received:
    """The next frame, which must be of `frame_type` with one descriptor.  Raises FrameRefused or ChannelClosed."""
    received = channel.receive()
    if received is None or received.frame.type != frame_type or len(received.descriptors) != 1:
        raise FrameRefused(f"frame {frame_type} with one descriptor was expected", WAY_OUT)
    if frame_type == demand.DEMAND_SCAN and len(received.frame.body) != demand.SCAN_BODY.size:
        raise FrameRefused(f"frame {frame_type} has another size", WAY_OUT)
    return received


def _read_release(descriptor: int) -> bytes:
    """The release's bytes; one byte more than allowed is enough for its decoder to refuse it."""
    source = CalledBytes(partial(os.pread, descriptor), RELEASE_BYTES_MAX + 1)
    data = source.read_at(0, source.size_bytes)
    os.close(descriptor)
    return data


def _ready(release: Release, content: CompiledContent) -> demand.DemandReady:
    return demand.DemandReady(release.manifest.name, release.manifest.version, len(content.rules))


def _state(file: int) -> tuple[int, int, int]:
    """What changes when the file does."""
    status = os.fstat(file)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _digest(source: CalledBytes) -> str:
    digest = hashlib.sha256()
    for chunk in chunks_of(source, 0, source.size_bytes):
        digest.update(chunk)
    return digest.hexdigest()


def _result(
    job: int, size_bytes: int, entries: tuple[RuleEntry, ...], inspection: Inspection, sha256: str, *, changed: bool
) -> demand.DemandResult:
    """The answer for one file.  A clean file that changed meanwhile is unknown: its other bytes were not seen."""
    findings = inspection.findings
    outcome, missing = findings.outcome, findings.missing
    if changed and outcome is Outcome.CLEAN:
        outcome, missing = Outcome.UNKNOWN, UnknownReason.FILE_HOT
    return demand.DemandResult(
        job=job,
        scanned_bytes=size_bytes,
        outcome=outcome,
        missing=missing,
        changed=changed,
        sha256=sha256,
        rules=tuple(_reference(entries[rule]) for rule in findings.rules),
        matches=tuple(
            PatternMatch(
                entries[match.rule].identifier,
                match.pattern,
                match.offset_bytes,
                match.length_bytes,
                match.excerpt.hex(),
                match.member,
            )
            for match in findings.matches
        ),
        gaps=tuple(f"{gap.path}: {gap.reason}" if gap.path else str(gap.reason) for gap in inspection.gaps),
    )


def _reference(entry: RuleEntry) -> RuleReference:
    return RuleReference(
        entry.identifier,
        entry.pack,
        entry.author,
        entry.description,
        entry.severity,
        entry.action,
        entry.technique,
        entry.reference,
        entry.licence,
    )


def _tell_failure(channel: Channel, error: RingfenceError) -> None:
    """Say why this worker ends, and end with the error's status."""
    with suppress(OSError, ChannelClosed):
        channel.send(demand.DEMAND_FAILED, demand.encode_failed(error.code, error.what, error.way_out))
    os._exit(error.exit_status)


if __name__ == "__main__":
    main(int(sys.argv[1]))
