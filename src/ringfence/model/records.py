"""The records that a host sends up: alerts, skipped files, losses, host events and status.

Every record is frozen.  Text that comes from the kernel (paths, names, command lines) is decoded as UTF-8 with
`surrogateescape` replaced by backslash escapes at the edge, so that no lone surrogate gets in.  Times are Unix
milliseconds of the host's clock; order is given by `RecordKey`, never by time.
"""

from dataclasses import dataclass
from enum import StrEnum, unique


@unique
class Severity(StrEnum):
    """Severity of a rule, in Sigma's words."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@unique
class RuleAction(StrEnum):
    """What a match may do.  Only `block` can refuse an open."""

    ALERT = "alert"
    BLOCK = "block"


@unique
class AlertSource(StrEnum):
    """Which question or walk met the file."""

    OPEN = "open"
    ACCESS = "access"
    EXEC = "exec"
    CLOSE_WRITE = "close_write"
    RESCAN = "rescan"
    ON_DEMAND = "on_demand"


@unique
class AlertResponse(StrEnum):
    """What was done about it."""

    BLOCKED = "blocked"
    OBSERVED = "observed"
    """The host is in observe mode, or the rule's action is `alert`."""

    SPARED_VITAL = "spared_vital"
    """The file is vital or vouched for by the package manager (promise 8)."""

    SPARED_BREAKER = "spared_breaker"
    """The breaker has set this rule or release to observe."""

    FOUND_AT_REST = "found_at_rest"
    """Nobody was waiting; the next open will be answered by the cached verdict."""


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Identity and order of a record on one host.

    `epoch` is a random 16-hex-digit name of one life of the host's spool; `number` counts from 1 without gaps
    within it.  A gap that the server sees is a loss, and is shown.
    """

    epoch: str
    number: int


@dataclass(frozen=True, slots=True)
class RuleReference:
    """A rule as an alert names it.  DRL 1.1 demands that the author stays on every alert."""

    identifier: str
    pack: str
    author: str
    description: str
    severity: Severity
    action: RuleAction
    technique: str
    """ATT&CK technique such as `T1505.003`, or ""."""

    reference: str
    licence: str


@dataclass(frozen=True, slots=True)
class PatternMatch:
    """One matched pattern.  `excerpt_hex` holds at most `MATCH_EXCERPT_BYTES_MAX` bytes of the match."""

    rule: str
    pattern: str
    offset_bytes: int
    length_bytes: int
    excerpt_hex: str
    member: str
    """Path inside an archive, or "" for the file itself."""


@dataclass(frozen=True, slots=True)
class ProcessReference:
    """A process at the time of the question.  Identity is (pid, start_ticks), never the pid alone."""

    pid: int
    start_ticks: int
    uid: int
    name: str
    executable: str
    command_line: str


@dataclass(frozen=True, slots=True)
class ReleaseReference:
    """The content that spoke."""

    name: str
    version: int
    sha256: str


@dataclass(frozen=True, slots=True)
class FileReference:
    """The file in question.  `sha256` is "" when the file was not read to its end."""

    path: str
    size_bytes: int
    sha256: str
    owner_uid: int
    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Alert:
    """A detection with everything a person needs to triage it.  `rules` is never empty; worst first."""

    at_unix_ms: int
    source: AlertSource
    response: AlertResponse
    file: FileReference
    rules: tuple[RuleReference, ...]
    matches: tuple[PatternMatch, ...]
    process: ProcessReference | None
    ancestors: tuple[ProcessReference, ...]
    release: ReleaseReference

    def __post_init__(self) -> None:
        if not self.rules:
            raise ValueError("an alert names at least one rule")


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that went on without a verdict.  `reason` is an `UnknownReason` name in lower case."""

    at_unix_ms: int
    path: str
    size_bytes: int
    reason: str
    will_rescan: bool


@dataclass(frozen=True, slots=True)
class Lost:
    """Records or questions that were dropped at a bound: which source, how many.  Never silent."""

    at_unix_ms: int
    source: str
    count: int


@unique
class HostEventKind(StrEnum):
    """Things that happened to the sensor itself."""

    STARTED = "started"
    STOPPED = "stopped"
    PROCESS_DIED = "process_died"
    GATE_REPLACED = "gate_replaced"
    PAIR_QUARANTINED = "pair_quarantined"
    BREAKER_RULE = "breaker_rule"
    BREAKER_RELEASE = "breaker_release"
    RELEASE_ACTIVATED = "release_activated"
    RELEASE_TRIED = "release_tried"
    RELEASE_REFUSED = "release_refused"
    MODE_CHANGED = "mode_changed"
    CLOCK_WENT_BACK = "clock_went_back"
    UPDATE_TROUBLE = "update_trouble"
    """Signed content is stale, refused or cannot be kept, or all is well with it again."""

    RULE_DISABLED = "rule_disabled"
    """A rule that hurt a scanner, or took too long, is left out on this host."""

    FAULT_EXAMINED = "fault_examined"
    """A fault of a scanner was examined, and no single rule was found guilty."""


@dataclass(frozen=True, slots=True)
class HostEvent:
    """Something happened to the sensor: `subject` is the process, rule or release; `detail` is for a person."""

    at_unix_ms: int
    kind: HostEventKind
    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process of the sensor.  `state` is a word such as `running`, `standby`, `restarting`, `dead`."""

    role: str
    pid: int
    uid: int
    state: str
    memory_pss_bytes: int
    restarts: int


@dataclass(frozen=True, slots=True)
class Counter:
    """One named counter, as in `docs/metrics.md`."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class HostStatus:
    """Health of the host, sent every `STATUS_INTERVAL_MS` and at each change of mode or release."""

    at_unix_ms: int
    mode: str
    release: ReleaseReference | None
    marks: tuple[str, ...]
    processes: tuple[ProcessStatus, ...]
    counters: tuple[Counter, ...]



Record = Alert | SkippedFile | Lost | HostEvent | HostStatus


@dataclass(frozen=True, slots=True)
class NumberedRecord:
    """A record with its place in the order."""

    key: RecordKey
    record: Record


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What a host says about itself at enrolment."""

    host_name: str
    machine_id: str
    kernel: str
    distribution: str
    architecture: str
    sensor_version: str
