"""Frame bodies of what the warden tells the courier: status, events, further gates, rule tables.

The rules are those of `wire/detections.py`, where the message numbers stand as well.
"""

import struct
from dataclasses import dataclass
from typing import Final

from ringfence.model import limits
from ringfence.model.records import HostEventKind
from ringfence.model.verdict import Mode
from ringfence.wire.fields import (
    NOTHING,
    U32_MAX,
    U64_MAX,
    Reader,
    coded,
    joined,
    member,
    only,
    require,
    require_count,
    require_length,
    require_range,
    string,
)

SHA256_BYTES: Final = 32
_EVENT_KINDS: Final = {
    HostEventKind.STARTED: 1,
    HostEventKind.STOPPED: 2,
    HostEventKind.PROCESS_DIED: 3,
    HostEventKind.GATE_REPLACED: 4,
    HostEventKind.PAIR_QUARANTINED: 5,
    HostEventKind.BREAKER_RULE: 6,
    HostEventKind.BREAKER_RELEASE: 7,
    HostEventKind.RELEASE_ACTIVATED: 8,
    HostEventKind.RELEASE_REFUSED: 9,
    HostEventKind.MODE_CHANGED: 10,
    HostEventKind.CLOCK_WENT_BACK: 11,
    HostEventKind.RELEASE_TRIED: 12,
    HostEventKind.RULE_DISABLED: 30,
    HostEventKind.UPDATE_TROUBLE: 40,
    HostEventKind.FAULT_EXAMINED: 31,
}
_EVENT_KIND_OF: Final = {code: kind for kind, code in _EVENT_KINDS.items()}

_STATUS: Final = struct.Struct(">QBIHHH")
_RELEASE: Final = struct.Struct(">Q32s")
_PROCESS_STATUS: Final = struct.Struct(">IIQI")
_COUNTER: Final = struct.Struct(">Q")
_EVENT: Final = struct.Struct(">QB")
_GATE_SOCKET: Final = struct.Struct(">Q")
_RULE_TABLE: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class SeenProcessStatus:
    """One process of the sensor, as the warden sees it."""

    role: bytes
    pid: int
    uid: int
    state: bytes
    memory_pss_bytes: int
    restarts: int

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_length("role", self.role, limits.STATUS_NAME_BYTES_MAX)
        require_length("state", self.state, limits.STATUS_NAME_BYTES_MAX)
        require_range("pid", self.pid, U32_MAX)
        require_range("uid", self.uid, U32_MAX)
        require_range("memory_pss_bytes", self.memory_pss_bytes, U64_MAX)
        require_range("restarts", self.restarts, U32_MAX)


@dataclass(frozen=True, slots=True)
class SeenCounter:
    """One named counter, as the warden sums it."""

    name: bytes
    value: int

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_length("counter name", self.name, limits.STATUS_NAME_BYTES_MAX)
        require_range("counter value", self.value, U64_MAX)


@dataclass(frozen=True, slots=True)
class SeenRelease:
    """The active release: its number on this host, and what it says it is."""

    index: int
    name: bytes
    version: int
    sha256: bytes

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_range("release_index", self.index, NOTHING - 1)
        require_length("release name", self.name, limits.NAME_CHARACTERS_MAX)
        require_range("release version", self.version, U64_MAX)
        require(len(self.sha256) == SHA256_BYTES, f"a SHA-256 of {len(self.sha256)} bytes")


@dataclass(frozen=True, slots=True)
class StatusReport:
    """How the sensor is.  `release` is None before any is active."""

    at_unix_ms: int
    mode: Mode
    release: SeenRelease | None
    marks: tuple[bytes, ...]
    processes: tuple[SeenProcessStatus, ...]
    counters: tuple[SeenCounter, ...]

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_range("at_unix_ms", self.at_unix_ms, U64_MAX)
        require_count("marks", len(self.marks), limits.STATUS_MARKS_MAX)
        require_count("processes", len(self.processes), limits.STATUS_PROCESSES_MAX)
        require_count("counters", len(self.counters), limits.STATUS_COUNTERS_MAX)
        for mark in self.marks:
            require_length("mark", mark, limits.STATUS_MARK_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class SensorEvent:
    """Something happened to the sensor."""

    at_unix_ms: int
    kind: HostEventKind
    subject: bytes
    detail: bytes

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_range("at_unix_ms", self.at_unix_ms, U64_MAX)
        require_length("subject", self.subject, limits.EVENT_SUBJECT_BYTES_MAX)
        require_length("detail", self.detail, limits.EVENT_DETAIL_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class GateSocket:
    """A further gate's socket travels with this frame as its one descriptor."""

    gate_id: int

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_range("gate_id", self.gate_id, U64_MAX)


@dataclass(frozen=True, slots=True)
class RuleTableNotice:
    """A rule table travels with this frame as its one descriptor, a sealed memory file."""

    release_index: int

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_range("release_index", self.release_index, NOTHING - 1)


def encode_status_report(report: StatusReport) -> bytes:
    """The body of a `STATUS_REPORT` frame."""
    release = report.release
    counts = len(report.marks), len(report.processes), len(report.counters)
    parts = [_STATUS.pack(report.at_unix_ms, report.mode, NOTHING if release is None else release.index, *counts)]
    if release is not None:
        parts += [_RELEASE.pack(release.version, release.sha256), *string(release.name)]
    for mark in report.marks:
        parts += string(mark)
    for process in report.processes:
        parts.append(_PROCESS_STATUS.pack(process.pid, process.uid, process.memory_pss_bytes, process.restarts))
        parts += [*string(process.role), *string(process.state)]
    for counter in report.counters:
        parts += [_COUNTER.pack(counter.value), *string(counter.name)]
    return joined(parts)


def decode_status_report(body: bytes) -> StatusReport:
    """The status in `body`.  Raises FrameRefused."""
    reader = Reader(body)
    at_unix_ms, mode, release_index, mark_count, process_count, counter_count = reader.take(_STATUS)
    require_count("marks", mark_count, limits.STATUS_MARKS_MAX)
    require_count("processes", process_count, limits.STATUS_PROCESSES_MAX)
    require_count("counters", counter_count, limits.STATUS_COUNTERS_MAX)
    release = None if release_index == NOTHING else _read_release(reader, release_index)
    marks = tuple(reader.string(limits.STATUS_MARK_BYTES_MAX) for _ in range(mark_count))
    processes = tuple(_read_process_status(reader) for _ in range(process_count))
    counters = tuple(_read_counter(reader) for _ in range(counter_count))
    reader.end()
    return StatusReport(at_unix_ms, member(Mode, mode), release, marks, processes, counters)


def encode_sensor_event(event: SensorEvent) -> bytes:
    """The body of a `SENSOR_EVENT` frame."""
    head = _EVENT.pack(event.at_unix_ms, _EVENT_KINDS[event.kind])
    return joined([head, *string(event.subject), *string(event.detail)])


def decode_sensor_event(body: bytes) -> SensorEvent:
    """The event in `body`.  Raises FrameRefused."""
    reader = Reader(body)
    at_unix_ms, kind = reader.take(_EVENT)
    subject = reader.string(limits.EVENT_SUBJECT_BYTES_MAX)
    detail = reader.string(limits.EVENT_DETAIL_BYTES_MAX)
    reader.end()
    return SensorEvent(at_unix_ms, coded(_EVENT_KIND_OF, kind), subject, detail)


def encode_gate_socket(notice: GateSocket) -> bytes:
    """The body of a `GATE_SOCKET` frame."""
    return _GATE_SOCKET.pack(notice.gate_id)


def decode_gate_socket(body: bytes) -> GateSocket:
    """The notice in `body`.  Raises FrameRefused."""
    return GateSocket(*only(_GATE_SOCKET, body))


def encode_rule_table_notice(notice: RuleTableNotice) -> bytes:
    """The body of a `RULE_TABLE` frame."""
    return _RULE_TABLE.pack(notice.release_index)


def decode_rule_table_notice(body: bytes) -> RuleTableNotice:
    """The notice in `body`.  Raises FrameRefused."""
    return RuleTableNotice(*only(_RULE_TABLE, body))


def _read_release(reader: Reader, index: int) -> SeenRelease:
    version, sha256 = reader.take(_RELEASE)
    return SeenRelease(index, reader.string(limits.NAME_CHARACTERS_MAX), version, sha256)


def _read_process_status(reader: Reader) -> SeenProcessStatus:
    pid, uid, memory_pss_bytes, restarts = reader.take(_PROCESS_STATUS)
    role = reader.string(limits.STATUS_NAME_BYTES_MAX)
    return SeenProcessStatus(role, pid, uid, reader.string(limits.STATUS_NAME_BYTES_MAX), memory_pss_bytes, restarts)


def _read_counter(reader: Reader) -> SeenCounter:
    (value,) = reader.take(_COUNTER)
    return SeenCounter(reader.string(limits.STATUS_NAME_BYTES_MAX), value)
