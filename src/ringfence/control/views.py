"""What the control plane's reads return: frozen values, without a trace of the database.

`queries.py` makes them; the API and the console show them.  Records of a host (`Alert`, `HostStatus` ...) are those of
`model/records.py`.
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from ringfence.model.records import Alert, AlertResponse, AlertSource, HostEventKind, HostStatus, Severity


@unique
class AlertState(StrEnum):
    """Where an alert stands.  Being assigned is not a state: an open alert may have an assignee."""

    OPEN = "open"
    RESOLVED = "resolved"
    FALSE_POSITIVE = "false_positive"


@unique
class Role(StrEnum):
    """What a user may do.  An administrator may do everything; an analyst triages; a reader looks."""

    ADMINISTRATOR = "administrator"
    ANALYST = "analyst"
    READER = "reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts are asked for; an empty field asks for all.

    `search` finds its words (all of them, without case) in path, hash, rule, process, command line and host name.
    `release` is a release name or the text `name@version`.
    """

    severities: frozenset[Severity] = frozenset()
    responses: frozenset[AlertResponse] = frozenset()
    sources: frozenset[AlertSource] = frozenset()
    states: frozenset[AlertState] = frozenset()
    rule: str = ""
    host_id: str = ""
    release: str = ""
    assignee: str = ""
    sha256: str = ""
    search: str = ""
    since_unix_ms: int | None = None
    until_unix_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """An alert in a list."""

    alert_id: int
    host_id: str
    host_name: str
    at_unix_ms: int
    received_at_unix_ms: int
    severity: Severity
    source: AlertSource
    response: AlertResponse
    rule: str
    path: str
    sha256: str
    process_name: str
    release_name: str
    release_version: int
    state: AlertState
    assignee: str
    triage_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPage:
    """One page of alerts, newest first.  `next_before` goes into the next query's `before`; None at the end."""

    rows: tuple[AlertRow, ...]
    next_before: int | None
    total: int
    """All alerts that the filter finds, counted up to `COUNT_SHOWN_MAX`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertNote:
    """What a person wrote under an alert."""

    note_id: int
    at_unix_ms: int
    author: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One line of the audit log.  `action` follows the grammar `source:subject:action`."""

    audit_id: int
    at_unix_ms: int
    action: str
    actor: str
    subject: str
    detail: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """One page of the audit log, newest first."""

    rows: tuple[AuditEntry, ...]
    next_before: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDetail:
    """Everything about one alert: the row, the host's record as it was sent, notes, and who did what with it."""

    row: AlertRow
    record: Alert
    notes: tuple[AlertNote, ...]
    history: tuple[AuditEntry, ...]
    same_file_count: int
    """Other alerts with the same SHA-256, on any host; 0 when the hash is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """A host in a list.  `is_silent` says that it has not reported for `HOST_SILENT_AFTER_MS`."""

    host_id: str
    host_name: str
    distribution: str
    kernel: str
    architecture: str
    sensor_version: str
    mode: str
    release_name: str
    release_version: int
    enrolled_at_unix_ms: int
    last_seen_unix_ms: int
    is_silent: bool
    is_revoked: bool
    open_alerts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPage:
    """One page of hosts by name.  `next_after` goes into the next query's `after`; None at the end."""

    rows: tuple[HostRow, ...]
    next_after: str | None
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """Numbers that never arrived: records of the host that the server has not seen."""

    epoch: str
    first_number: int
    last_number: int
    found_at_unix_ms: int

    @property
    def count(self) -> int:
        """How many records are missing."""
        return self.last_number - self.first_number + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEventRow:
    """Something that happened to a sensor."""

    event_id: int
    host_id: str
    host_name: str
    at_unix_ms: int
    kind: HostEventKind
    subject: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedRow:
    """A file that went on without a verdict."""

    skipped_id: int
    host_id: str
    at_unix_ms: int
    path: str
    size_bytes: int
    reason: str
    will_rescan: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LossRow:
    """Records or questions that the host itself dropped at a bound."""

    at_unix_ms: int
    source: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDetail:
    """Everything about one host.  `status` is its newest report, None before the first."""

    row: HostRow
    machine_id: str
    status: HostStatus | None
    events: tuple[HostEventRow, ...]
    skipped: tuple[SkippedRow, ...]
    gaps: tuple[GapRow, ...]
    losses: tuple[LossRow, ...]
    alerts: tuple[AlertRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCount:
    """How often a rule fired."""

    rule: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityCounts:
    """Counts by severity."""

    informational: int = 0
    low: int = 0
    medium: int = 0
    high: int = 0
    critical: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.informational + self.low + self.medium + self.high + self.critical


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The first page: what is open, what happened in the last day, and who is silent."""

    open_alerts: SeverityCounts
    alerts_last_day: int
    blocked_last_day: int
    hosts_total: int
    hosts_silent: int
    hosts_observing: int
    """Hosts whose mode is not `enforce`."""

    skipped_last_day: int
    losses_last_day: int
    """Records or questions that hosts dropped at a bound in the last day."""

    records_missing: int
    """Numbers in gaps, over all hosts."""

    top_rules: tuple[RuleCount, ...]
    latest_alerts: tuple[AlertRow, ...]
    latest_events: tuple[HostEventRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertBucket:
    """Alerts received in `[start_unix_ms, start_unix_ms + width)`."""

    start_unix_ms: int
    by_severity: SeverityCounts
    blocked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterPoint:
    """A counter of a host's status at one time."""

    at_unix_ms: int
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterChoices:
    """What a person can choose from in the alert filters: only what occurs."""

    rules: tuple[str, ...]
    releases: tuple[str, ...]
    hosts: tuple[tuple[str, str], ...]
    """(host_id, host_name)"""

    users: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or an automation that may log in."""

    user_id: int
    name: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something, as the audit log names it.

    `source` is `user`, `token`, `host` or `server`; `name` the user's or host's name; `address` where it came from
    ("" for the server itself).
    """

    source: str
    name: str
    address: str = ""
    role: Role | None = None

    @property
    def text(self) -> str:
        """For example `user:admin`."""
        return f"{self.source}:{self.name}" if self.name else self.source
