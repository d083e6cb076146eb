"""Frame bodies of what the host's processes tell the courier: bytes <-> values, exactly.

Rules, in the order of the code:

1. Everything is big-endian and fixed, except byte strings, which carry a 16-bit length and have a bound each.
2. A body is consumed to its last byte; one byte more or less refuses it.
3. Values that cannot exist (a clean sighting, an unknown outcome without its reason, an unassigned code) are refused
   by the constructors, so that neither side can send or accept one.
4. Strings that come from the kernel stay bytes here.  They become text once, in `detect/alerts.py`.

A violation raises `FrameRefused`; the caller kills the peer.  The frame header and the channel are elsewhere
(`wire/frames.py`).  Requests are even, answers odd.

How a sighting travels.  A gate numbers its sightings from 1 and keeps each until it is acknowledged.  It sends them
in order; when an acknowledgement does not come, or it meets a new courier, it sends again from the oldest that it
keeps.  `oldest_kept` says which that is: what is older and was never acknowledged was dropped at the gate's bound,
and the courier counts it as lost.  A scanner sends its `Findings` *before* its verdict, so that they are waiting for
the courier when the sighting of the same job arrives.
"""

import struct
from dataclasses import dataclass
from typing import Final

from ringfence.model import limits
from ringfence.model.records import AlertResponse, AlertSource
from ringfence.model.verdict import Mode, Outcome, UnknownReason
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

SIGHTING: Final = 40
"""gate -> courier: a file was met that is not clean."""
SIGHTING_ACK: Final = 41
"""courier -> gate: everything up to this number is on the disk."""
FINDINGS: Final = 42
"""scanner -> courier: what a scan found, for the alert that may follow."""
STATUS_REPORT: Final = 44
"""warden -> courier: how the sensor is."""
SENSOR_EVENT: Final = 46
"""warden -> courier: something happened to the sensor."""
GATE_SOCKET: Final = 48
"""warden -> courier, with one descriptor: the socket of a further gate."""
RULE_TABLE: Final = 50
"""warden -> courier, with one descriptor: a memory file that holds a rule table (`wire/rule_table.py`)."""

_SHA256_BYTES: Final = 32

_SOURCES: Final = {
    AlertSource.OPEN: 1,
    AlertSource.ACCESS: 2,
    AlertSource.EXEC: 3,
    AlertSource.CLOSE_WRITE: 4,
    AlertSource.RESCAN: 5,
    AlertSource.ON_DEMAND: 6,
}
_RESPONSES: Final = {
    None: 0,
    AlertResponse.BLOCKED: 1,
    AlertResponse.OBSERVED: 2,
    AlertResponse.SPARED_VITAL: 3,
    AlertResponse.SPARED_BREAKER: 4,
    AlertResponse.FOUND_AT_REST: 5,
}
_SOURCE_OF: Final = {code: source for source, code in _SOURCES.items()}
_RESPONSE_OF: Final = {code: response for response, code in _RESPONSES.items()}

_PROCESS: Final = struct.Struct(">IQI")
_SIGHTING: Final = struct.Struct(">QQQQBBBBBBIQIQQQIB")
_ACK: Final = struct.Struct(">QQ")
_FINDINGS: Final = struct.Struct(">QQI32sBBB")
_RULE: Final = struct.Struct(">I")
_MATCH: Final = struct.Struct(">IQI")


@dataclass(frozen=True, slots=True)
class SeenProcess:
    """A process as the gate saw it.  `name`, `executable` and `command_line` are the kernel's bytes."""

    pid: int
    start_ticks: int
    uid: int
    name: bytes
    executable: bytes
    command_line: bytes

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_range("pid", self.pid, U32_MAX)
        require_range("start_ticks", self.start_ticks, U64_MAX)
        require_range("uid", self.uid, U32_MAX)
        require_length("name", self.name, limits.PROCESS_NAME_BYTES_MAX)
        require_length("executable", self.executable, limits.SIGHTING_PATH_BYTES_MAX)
        require_length("command_line", self.command_line, limits.PROCESS_COMMAND_LINE_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as the gate saw it.  `path` is the kernel's bytes."""

    path: bytes
    size_bytes: int
    device: int
    inode: int
    owner_uid: int

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_length("path", self.path, limits.SIGHTING_PATH_BYTES_MAX)
        for name, value in (("size_bytes", self.size_bytes), ("device", self.device), ("inode", self.inode)):
            require_range(name, value, U64_MAX)
        require_range("owner_uid", self.owner_uid, U32_MAX)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One file that was met and is not clean, or got no verdict.

    `gate_id` is a random name of one life of the gate (its epoch); `number` counts from 1 within it; `oldest_kept`
    is the oldest number that the gate still keeps when it sends this.  `job` is the scan that gave the verdict (0:
    none), also where the verdict came from a cache.  `top_rule` is the worst rule's index in the rule table of
    `release_index`, or None.  `processes` starts with the asker; then its parent, and so on.
    `response` is None only where there is no verdict and the file went on.
    """

    gate_id: int
    number: int
    oldest_kept: int
    at_unix_ms: int
    mode: Mode
    source: AlertSource
    outcome: Outcome
    reason: UnknownReason
    response: AlertResponse | None
    will_rescan: bool
    release_index: int
    job: int
    top_rule: int | None
    file: SeenFile
    processes: tuple[SeenProcess, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot exist."""
        for name in ("gate_id", "number", "oldest_kept", "at_unix_ms", "job"):
            require_range(name, getattr(self, name), U64_MAX)
        require_range("release_index", self.release_index, U32_MAX)
        if self.top_rule is not None:
            require_range("top_rule", self.top_rule, NOTHING - 1)
        require_count("processes", len(self.processes), limits.SIGHTING_PROCESSES_MAX)
        require(1 <= self.oldest_kept <= self.number, "the number of a sighting is below the oldest that is kept")
        require(self.outcome is not Outcome.CLEAN, "a clean file is no sighting")
        unknown = self.outcome is Outcome.UNKNOWN
        require(unknown == (self.reason is not UnknownReason.NONE), "the reason does not go with the outcome")
        require(unknown or self.response is not None, "a detection says what was done about it")
        require(unknown or self.top_rule is not None, "a detection names its worst rule")


@dataclass(frozen=True, slots=True)
class SightingAck:
    """Every sighting of `gate_id` up to `accepted_through` is durable in the spool, or counted there as lost."""

    gate_id: int
    accepted_through: int

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_range("gate_id", self.gate_id, U64_MAX)
        require_range("accepted_through", self.accepted_through, U64_MAX)


@dataclass(frozen=True, slots=True)
class FoundPattern:
    """One matched pattern.  `member` is a path inside an archive, or empty for the file itself."""

    rule: int
    pattern: bytes
    offset_bytes: int
    length_bytes: int
    excerpt: bytes
    member: bytes

    def __post_init__(self) -> None:
        """Refuse what does not fit the frame."""
        require_range("rule", self.rule, NOTHING - 1)
        require_range("offset_bytes", self.offset_bytes, U64_MAX)
        require_range("length_bytes", self.length_bytes, U32_MAX)
        require_length("pattern", self.pattern, limits.PATTERN_NAME_BYTES_MAX)
        require_length("excerpt", self.excerpt, limits.MATCH_EXCERPT_BYTES_MAX)
        require_length("member", self.member, limits.MEMBER_PATH_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class Findings:
    """What a scan found.  `rules` are indexes in the rule table of `release_index`, worst first, never none.

    `sha256` is None when the file was not read to its end.
    """

    gate_id: int
    job: int
    release_index: int
    sha256: bytes | None
    rules: tuple[int, ...]
    matches: tuple[FoundPattern, ...]

    def __post_init__(self) -> None:
        """Refuse what cannot exist."""
        require_range("gate_id", self.gate_id, U64_MAX)
        require_range("job", self.job, U64_MAX)
        require_range("release_index", self.release_index, U32_MAX)
        require(self.sha256 is None or len(self.sha256) == _SHA256_BYTES, "a SHA-256 has 32 bytes")
        require(bool(self.rules), "findings name at least one rule")
        require_count("rules", len(self.rules), limits.FINDING_RULES_MAX)
        require_count("matches", len(self.matches), limits.FINDING_MATCHES_MAX)
        for rule in self.rules:
            require_range("rule", rule, NOTHING - 1)


def cut(data: bytes, bytes_max: int) -> bytes:
    """`data`, or its first `bytes_max` bytes: for the sender, whose strings come from the kernel unbounded."""
    return data if len(data) <= bytes_max else data[:bytes_max]


def encode_sighting(sighting: Sighting) -> bytes:
    """The body of a `SIGHTING` frame."""
    file = sighting.file
    parts = [
        _SIGHTING.pack(
            sighting.gate_id,
            sighting.number,
            sighting.oldest_kept,
            sighting.at_unix_ms,
            sighting.mode,
            _SOURCES[sighting.source],
            sighting.outcome,
            sighting.reason,
            _RESPONSES[sighting.response],
            sighting.will_rescan,
            sighting.release_index,
            sighting.job,
            NOTHING if sighting.top_rule is None else sighting.top_rule,
            file.size_bytes,
            file.device,
            file.inode,
            file.owner_uid,
            len(sighting.processes),
        ),
        *string(file.path),
    ]
    for process in sighting.processes:
        parts.append(_PROCESS.pack(process.pid, process.start_ticks, process.uid))
        parts += [*string(process.name), *string(process.executable), *string(process.command_line)]
    return joined(parts)


def decode_sighting(body: bytes) -> Sighting:
    """The sighting in `body`.  Raises FrameRefused."""
    reader = Reader(body)
    (
        gate_id, number, oldest_kept, at_unix_ms, mode, source, outcome, reason, response, will_rescan,
        release_index, job, top_rule, size_bytes, device, inode, owner_uid, process_count,
    ) = reader.take(_SIGHTING)  # fmt: skip
    path = reader.string(limits.SIGHTING_PATH_BYTES_MAX)
    require_count("processes", process_count, limits.SIGHTING_PROCESSES_MAX)
    processes = tuple(_read_process(reader) for _ in range(process_count))
    reader.end()
    require(will_rescan in (0, 1), "a flag is neither 0 nor 1")
    return Sighting(
        gate_id=gate_id,
        number=number,
        oldest_kept=oldest_kept,
        at_unix_ms=at_unix_ms,
        mode=member(Mode, mode),
        source=coded(_SOURCE_OF, source),
        outcome=member(Outcome, outcome),
        reason=member(UnknownReason, reason),
        response=coded(_RESPONSE_OF, response),
        will_rescan=bool(will_rescan),
        release_index=release_index,
        job=job,
        top_rule=None if top_rule == NOTHING else top_rule,
        file=SeenFile(path, size_bytes, device, inode, owner_uid),
        processes=processes,
    )


def encode_sighting_ack(ack: SightingAck) -> bytes:
    """The body of a `SIGHTING_ACK` frame."""
    return _ACK.pack(ack.gate_id, ack.accepted_through)


def decode_sighting_ack(body: bytes) -> SightingAck:
    """The acknowledgement in `body`.  Raises FrameRefused."""
    return SightingAck(*only(_ACK, body))


def encode_findings(findings: Findings) -> bytes:
    """The body of a `FINDINGS` frame."""
    parts = [
        _FINDINGS.pack(
            findings.gate_id,
            findings.job,
            findings.release_index,
            findings.sha256 or bytes(_SHA256_BYTES),
            findings.sha256 is not None,
            len(findings.rules),
            len(findings.matches),
        )
    ]
    parts += [_RULE.pack(rule) for rule in findings.rules]
    for match in findings.matches:
        parts.append(_MATCH.pack(match.rule, match.offset_bytes, match.length_bytes))
        parts += [*string(match.pattern), *string(match.excerpt), *string(match.member)]
    return joined(parts)


def decode_findings(body: bytes) -> Findings:
    """The findings in `body`.  Raises FrameRefused."""
    reader = Reader(body)
    gate_id, job, release_index, sha256, complete, rule_count, match_count = reader.take(_FINDINGS)
    require_count("rules", rule_count, limits.FINDING_RULES_MAX)
    require_count("matches", match_count, limits.FINDING_MATCHES_MAX)
    rules = tuple(reader.take(_RULE)[0] for _ in range(rule_count))
    matches = tuple(_read_match(reader) for _ in range(match_count))
    reader.end()
    require(complete in (0, 1), "a flag is neither 0 nor 1")
    require(bool(complete) or not any(sha256), "a SHA-256 is given for a file that was not read to its end")
    return Findings(gate_id, job, release_index, sha256 if complete else None, rules, matches)


def _read_process(reader: Reader) -> SeenProcess:
    pid, start_ticks, uid = reader.take(_PROCESS)
    name = reader.string(limits.PROCESS_NAME_BYTES_MAX)
    executable = reader.string(limits.SIGHTING_PATH_BYTES_MAX)
    return SeenProcess(pid, start_ticks, uid, name, executable, reader.string(limits.PROCESS_COMMAND_LINE_BYTES_MAX))


def _read_match(reader: Reader) -> FoundPattern:
    rule, offset_bytes, length_bytes = reader.take(_MATCH)
    pattern = reader.string(limits.PATTERN_NAME_BYTES_MAX)
    excerpt = reader.string(limits.MATCH_EXCERPT_BYTES_MAX)
    member = reader.string(limits.MEMBER_PATH_BYTES_MAX)
    return FoundPattern(rule, pattern, offset_bytes, length_bytes, excerpt, member)
