"""What the warden's machine is told and what it says: processes, events and commands.  Frozen values, no behaviour."""

from dataclasses import dataclass
from enum import StrEnum, unique

from ringfence.model.conviction import NOT_CONVICTED, Conviction
from ringfence.model.verdict import Mode


@unique
class Kind(StrEnum):
    """What the warden starts.  Scanners are the zygote's."""

    ZYGOTE = "zygote"
    WATCHDOG = "watchdog"
    COURIER = "courier"
    GATE = "gate"


@unique
class Stage(StrEnum):
    """How far a process is."""

    STARTING = "starting"
    READY = "ready"
    ARMING = "arming"
    ARMED = "armed"
    DRAINING = "draining"
    """A zygote whose release is no longer active; its scanners finish what they have."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process that runs.  `serial` names it for ever; pids are reused."""

    serial: int
    kind: Kind
    stage: Stage
    started_ms: int
    release: int
    """Which release a zygote holds, counted from 1; 0 for the others."""


# --- events -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Begin:
    """The warden starts, with the release that is wanted."""


@dataclass(frozen=True, slots=True)
class BecameReady:
    """A process has proven its sandbox and is ready (a gate: as a standby)."""

    serial: int


@dataclass(frozen=True, slots=True)
class BecameArmed:
    """A gate answers the kernel."""

    serial: int


@dataclass(frozen=True, slots=True)
class Died:
    """A process is gone."""

    serial: int


@dataclass(frozen=True, slots=True)
class BeatStale:
    """A supervised process makes no progress."""

    serial: int


@dataclass(frozen=True, slots=True)
class TryRelease:
    """Start a zygote with this release beside the one that serves; the gates do not hear of it."""

    release: int


@dataclass(frozen=True, slots=True)
class EndTrial:
    """End the zygote of this release, unless it is the one that is wanted."""

    release: int


@dataclass(frozen=True, slots=True)
class RunRelease:
    """The gates are to take their scanners from this release from now on; 0: from none.

    `conviction` is what the breaker has tripped for it before.
    """

    release: int
    conviction: Conviction = NOT_CONVICTED


@dataclass(frozen=True, slots=True)
class ModeWanted:
    """The operator wants another mode."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class ReleaseConvicted:
    """A gate's breaker has tripped for the whole release."""

    release: int


@dataclass(frozen=True, slots=True)
class RuleConvicted:
    """A gate's breaker has tripped for one rule of a release."""

    release: int
    rule: int


@dataclass(frozen=True, slots=True)
class RenewZygote:
    """This host leaves out other rules of this release than its zygote does: another zygote takes its place."""

    release: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class StopWanted:
    """The operator wants the sensor to end."""


Event = (
    Begin | BecameReady | BecameArmed | Died | BeatStale | TryRelease | EndTrial | RunRelease
    | ModeWanted | ReleaseConvicted | RuleConvicted | RenewZygote | Tick | StopWanted
)

# --- commands ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """Start a process."""

    serial: int
    kind: Kind
    release: int


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL it; `Died` follows."""

    serial: int


@dataclass(frozen=True, slots=True)
class Arm:
    """Tell a gate to answer the kernel."""

    serial: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Tell a gate to remove its marks and end."""

    serial: int


@dataclass(frozen=True, slots=True)
class Connect:
    """Let a gate take its scanners from a zygote; what the breaker has tripped for its release holds from the start."""

    gate: int
    zygote: int
    conviction: Conviction = NOT_CONVICTED


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Let a gate have no scanners: it answers without any, and records what went on."""

    gate: int


@dataclass(frozen=True, slots=True)
class WatchGate:
    """Let the watcher (watchdog or standby gate) watch a gate's pidfd and beat."""

    watcher: int
    gate: int


@dataclass(frozen=True, slots=True)
class SetMode:
    """Tell a gate its mode."""

    gate: int
    mode: Mode


@dataclass(frozen=True, slots=True)
class Convict:
    """Tell a gate what the breaker has tripped for a release."""

    gate: int
    release: int
    conviction: Conviction


@dataclass(frozen=True, slots=True)
class KeepMode:
    """Write down what the operator wants, so that the next start begins with it."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class KeepConviction:
    """Write down what the breaker has tripped for a release, so that the next start begins with it."""

    release: int
    conviction: Conviction


@unique
class NoteKind(StrEnum):
    """What the operator and the control plane hear of."""

    PROTECTED = "protected"
    GATE_REPLACED = "gate_replaced"
    PROCESS_DIED = "process_died"
    DEGRADED = "degraded"
    RELEASE_ACTIVATED = "release_activated"
    TRIAL_READY = "trial_ready"
    """The zygote of a release that is being tried has compiled it."""

    RELEASE_CONVICTED = "release_convicted"
    RULE_CONVICTED = "rule_convicted"
    MODE_CHANGED = "mode_changed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Note:
    """Something to report: `kind`, the process concerned (0: none) and a number that goes with it."""

    kind: NoteKind
    serial: int = 0
    number: int = 0


Command = (
    Start | Kill | Arm | Retire | Connect | Disconnect | WatchGate | SetMode | KeepMode | Convict | KeepConviction
    | Note
)
