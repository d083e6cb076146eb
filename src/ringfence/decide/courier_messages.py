"""What the courier's machine is told, and what it wants done.  The machine is `decide/courier.py`."""

from dataclasses import dataclass
from enum import Enum, unique

from ringfence.model.records import RecordKey
from ringfence.wire.detections import Findings, Sighting
from ringfence.wire.rule_table import RuleTable
from ringfence.wire.sensor_reports import SensorEvent, StatusReport
from ringfence.wire.spool import SpoolEntry


@dataclass(frozen=True, slots=True)
class Now:
    """The moment of a step.  Waits use the monotonic clock; records carry the host's clock."""

    monotonic_ms: int
    unix_ms: int


@unique
class Failure(Enum):
    """Why a batch was not delivered."""

    UNREACHABLE = "unreachable"
    """No connection, no answer in time, no answer that we understand, or the server is busy."""

    NOT_ENROLLED = "not_enrolled"
    """We have no identity yet."""

    CREDENTIAL = "credential"
    """The server does not know us."""

    MALFORMED = "malformed"
    """The server refuses these records."""


@dataclass(frozen=True, slots=True)
class SightingArrived:
    """A gate sent a sighting."""

    sighting: Sighting


@dataclass(frozen=True, slots=True)
class FindingsArrived:
    """A scanner sent findings."""

    findings: Findings


@dataclass(frozen=True, slots=True)
class TableArrived:
    """The warden passed a rule table."""

    release_index: int
    table: RuleTable


@dataclass(frozen=True, slots=True)
class StatusArrived:
    """The warden sent the sensor's status."""

    report: StatusReport


@dataclass(frozen=True, slots=True)
class EventArrived:
    """The warden sent an event."""

    event: SensorEvent


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """Nothing more is to be read now: store what came, send what is due.  Also after a wait."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The entries of the last `Store` are durable."""

    spool_bytes: int


@dataclass(frozen=True, slots=True)
class StoringFailed:
    """None of the entries of the last `Store` is stored."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The server answered a batch.  `stored_last` is the last record of the spool when it did."""

    epoch: str
    first_number: int
    last_number: int
    accepted_through: int
    stored_last: RecordKey
    jitter_permille: int


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """The batch with these numbers was not delivered."""

    why: Failure
    epoch: str
    last_number: int
    jitter_permille: int


@dataclass(frozen=True, slots=True)
class NothingToSend:
    """The server has everything."""


Event = (
    SightingArrived
    | FindingsArrived
    | TableArrived
    | StatusArrived
    | EventArrived
    | TurnEnded
    | Stored
    | StoringFailed
    | Delivered
    | DeliveryFailed
    | NothingToSend
)


@dataclass(frozen=True, slots=True)
class Store:
    """Store these durably, all or none."""

    entries: tuple[SpoolEntry, ...]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Tell the gate that everything up to this number is durable."""

    gate_id: int
    accepted_through: int


@dataclass(frozen=True, slots=True)
class SendNext:
    """Send the next records of the spool, at most this many."""

    records_max: int


@dataclass(frozen=True, slots=True)
class Forget:
    """The server has taken everything up to this key."""

    key: RecordKey


@dataclass(frozen=True, slots=True)
class BeginEpoch:
    """Go on in a new epoch."""


Command = Store | Acknowledge | SendNext | Forget | BeginEpoch
