"""Hypothesis strategies for every frame body of `wire/detections.py` and `wire/sensor_reports.py`."""

from hypothesis import strategies as st

from ringfence.model import limits
from ringfence.model.records import AlertResponse, AlertSource, HostEventKind
from ringfence.model.verdict import Mode, Outcome, UnknownReason
from ringfence.wire.detections import Findings, FoundPattern, SeenFile, SeenProcess, Sighting, SightingAck
from ringfence.wire.fields import NOTHING, U32_MAX, U64_MAX
from ringfence.wire.sensor_reports import (
    SHA256_BYTES,
    GateSocket,
    RuleTableNotice,
    SeenCounter,
    SeenProcessStatus,
    SeenRelease,
    SensorEvent,
    StatusReport,
)

u64 = st.integers(0, U64_MAX)
u32 = st.integers(0, U32_MAX)
index = st.integers(0, NOTHING - 1)


def strings(bytes_max: int) -> st.SearchStrategy[bytes]:
    """Byte strings up to a bound; short ones mostly, the bound itself now and then."""
    return st.one_of(st.binary(max_size=min(bytes_max, 24)), st.just(b"\xff" * bytes_max))


files = st.builds(SeenFile, strings(limits.SIGHTING_PATH_BYTES_MAX), u64, u64, u64, u32)
processes = st.builds(
    SeenProcess,
    u32,
    u64,
    u32,
    strings(limits.PROCESS_NAME_BYTES_MAX),
    strings(limits.SIGHTING_PATH_BYTES_MAX),
    strings(limits.PROCESS_COMMAND_LINE_BYTES_MAX),
)


@st.composite
def sightings(draw: st.DrawFn) -> Sighting:
    """Sightings that can exist."""
    number = draw(st.integers(1, U64_MAX))
    outcome = draw(st.sampled_from([Outcome.SUSPICIOUS, Outcome.MALICIOUS, Outcome.UNKNOWN]))
    unknown = outcome is Outcome.UNKNOWN
    reasons = [reason for reason in UnknownReason if reason is not UnknownReason.NONE]
    responses: list[AlertResponse | None] = [*AlertResponse, *([None] if unknown else [])]
    return Sighting(
        gate_id=draw(u64),
        number=number,
        oldest_kept=draw(st.integers(1, number)),
        at_unix_ms=draw(u64),
        mode=draw(st.sampled_from(Mode)),
        source=draw(st.sampled_from(AlertSource)),
        outcome=outcome,
        reason=draw(st.sampled_from(reasons)) if unknown else UnknownReason.NONE,
        response=draw(st.sampled_from(responses)),
        will_rescan=draw(st.booleans()),
        release_index=draw(u32),
        job=draw(u64),
        top_rule=draw(st.none() | index) if unknown else draw(index),
        file=draw(files),
        processes=tuple(draw(st.lists(processes, max_size=limits.SIGHTING_PROCESSES_MAX))),
    )


acks = st.builds(SightingAck, u64, u64)
patterns = st.builds(
    FoundPattern,
    index,
    strings(limits.PATTERN_NAME_BYTES_MAX),
    u64,
    u32,
    strings(limits.MATCH_EXCERPT_BYTES_MAX),
    strings(limits.MEMBER_PATH_BYTES_MAX),
)
findings = st.builds(
    Findings,
    u64,
    u64,
    u32,
    st.none() | st.binary(min_size=32, max_size=32),
    st.lists(index, min_size=1, max_size=limits.FINDING_RULES_MAX).map(tuple),
    st.lists(patterns, max_size=limits.FINDING_MATCHES_MAX).map(tuple),
)
process_statuses = st.builds(
    SeenProcessStatus,
    strings(limits.STATUS_NAME_BYTES_MAX),
    u32,
    u32,
    strings(limits.STATUS_NAME_BYTES_MAX),
    u64,
    u32,
)
counters = st.builds(SeenCounter, strings(limits.STATUS_NAME_BYTES_MAX), u64)
digests = st.binary(min_size=SHA256_BYTES, max_size=SHA256_BYTES)
releases = st.builds(SeenRelease, index, strings(limits.NAME_CHARACTERS_MAX), u64, digests)
status_reports = st.builds(
    StatusReport,
    u64,
    st.sampled_from(Mode),
    st.none() | releases,
    st.lists(strings(limits.STATUS_MARK_BYTES_MAX), max_size=limits.STATUS_MARKS_MAX).map(tuple),
    st.lists(process_statuses, max_size=8).map(tuple),
    st.lists(counters, max_size=8).map(tuple),
)
events = st.builds(
    SensorEvent,
    u64,
    st.sampled_from(HostEventKind),
    strings(limits.EVENT_SUBJECT_BYTES_MAX),
    strings(limits.EVENT_DETAIL_BYTES_MAX),
)
gate_sockets = st.builds(GateSocket, u64)
table_notices = st.builds(RuleTableNotice, index)

SIGHTING = Sighting(
    gate_id=7,
    number=3,
    oldest_kept=2,
    at_unix_ms=1_700_000_000_000,
    mode=Mode.ENFORCE,
    source=AlertSource.EXEC,
    outcome=Outcome.MALICIOUS,
    reason=UnknownReason.NONE,
    response=AlertResponse.BLOCKED,
    will_rescan=False,
    release_index=5,
    job=9,
    top_rule=0,
    file=SeenFile(b"/srv/\xff\n", 68, 2049, 11, 1000),
    processes=(
        SeenProcess(42, 99, 1000, b"sh", b"/bin/sh", b"sh -c ./a"),
        SeenProcess(41, 90, 1000, b"bash", b"/bin/bash", b"-bash"),
    ),
)
FINDINGS = Findings(7, 9, 5, bytes(range(32)), (0, 1), (FoundPattern(1, b"$a", 3, 4, b"\x00\xff", b"in.zip"),))
"""What the scan of `SIGHTING` found."""
