"""What the activation machine is told and what it says: events and commands.  Frozen values, no behaviour.

"Engine" stands for the processes that read content: the zygote of a release and its scanners.

What the shell owes the machine:

1. `Booted` is the first event of each life of the warden.  Wall time is an argument of `step` and only written down.
2. Commands are performed in order.  A step persists at most once, as its first command.  When that fails, the shell
   performs nothing else of that step and says `PersistFailed`; every other event means that it was made durable.
3. A release's file is in the store, durably and verified, before `Offered`.  Files are removed by `Forget` only.
4. `Run` is the level that holds until the next `Run` or `Idle`.  The engine of that release is started, after a death
   with the shell's own pauses; one that lives goes on.  Every `Run` is answered by `EngineReady` once the engine
   answers, at once if it does.  An engine that has died is started again only by the next `Run`.
5. One death is one event.  What a process said that was stopped or replaced meanwhile is dropped, and its end is no
   death.  A release whose file is not there when it is needed is `Damaged`.
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from ringfence.model.activation import ActivationState, Reason, ReleaseKey

# --- events -----------------------------------------------------------------------------------------------------


@unique
class Guard(StrEnum):
    """What the boot guard allows in this boot."""

    NORMAL = "normal"
    PREVIOUS = "previous"
    """Boots did not become healthy: not what ran in them."""

    BASELINE = "baseline"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Booted:
    """The warden starts.

    `clean`: it ended in order, or the host lived on (same boot id) and nothing of ours was killed for memory, or this
    is the first start ever.  Everything else is an end that nobody ordered.  The mark of an orderly end is removed,
    durably, before `Booted` is said.
    `begun`: this is the first life of the warden in this boot of the host; only then does `guard` count.
    """

    clean: bool
    guard: Guard = Guard.NORMAL
    begun: bool = True


@dataclass(frozen=True, slots=True)
class Offered:
    """A release whose signatures, digest and contract are verified.

    `at_once`: the operator wants it without a shadow.  `forced`: although it is refused.  Both count with `by_operator`
    only.
    """

    release: ReleaseKey
    signed_version: int
    by_operator: bool = False
    at_once: bool = False
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Compiled:
    """The candidate's own zygote has compiled it and its self-tests hold."""

    release: ReleaseKey


@dataclass(frozen=True, slots=True)
class CompileFailed:
    """The candidate's child refused it, in its own words.  A child that died is `EngineDied`."""

    release: ReleaseKey
    text: str


@dataclass(frozen=True, slots=True)
class ShadowCounts:
    """What the shadow has seen of one candidate, since `StartShadow`.  Files count once, however often they are asked
    for.  Faults that the good release shows with the same file do not count.
    """

    questions: int = 0
    """Live questions whose two verdicts were compared."""

    replayed: int = 0
    """The same for recent, vital and package-owned files that were asked for on purpose."""

    new_blocks: int = 0
    """Files that the candidate would refuse and the good release allows, whatever they are."""

    vital_blocks: int = 0
    """Of these: files without which the host does not work."""

    known_blocks: int = 0
    """Of these: files that the host has had for long, or that its package manager vouches for."""

    missed_blocks: int = 0
    """Files that the good release refuses and the candidate would allow.  Reported; a repaired rule looks like this."""

    crashes: int = 0
    timeouts: int = 0
    active_ms: int = 0
    """Time of the good release for what was compared; 0 when nothing runs."""

    candidate_ms: int = 0
    resident_bytes: int = 0
    """The most that the candidate's zygote and its scanners ever held."""

    exhausted: bool = False
    """Every file below the protected places has been looked at: there is nothing more to compare."""


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """The counts so far; each replaces the one before."""

    release: ReleaseKey
    counts: ShadowCounts


@dataclass(frozen=True, slots=True)
class EngineReady:
    """The engine that `Run` asked for answers questions."""

    release: ReleaseKey


@unique
class Cause(StrEnum):
    """Why an engine is gone, as far as the evidence goes."""

    CRASHED = "crashed"
    """A signal of its own, or an exit that nobody asked for."""

    HUNG = "hung"
    """It was not stopped (state T) and made no progress, so it was killed."""

    GREW = "grew"
    """It went over its memory: killed for that by the warden or by the kernel (`oom_kill` of its own group)."""

    MUTE = "mute"
    """Its engine lives and computes, and has answered nothing that it was asked since it runs: see `decide/mute.py`."""

    KILLED = "killed"
    """SIGKILL or SIGSTOP from somebody else: nothing against the release."""


@dataclass(frozen=True, slots=True)
class EngineDied:
    """An engine of this release is gone, or as good as gone, and nobody asked for that."""

    release: ReleaseKey
    cause: Cause


@dataclass(frozen=True, slots=True)
class BreakerTripped:
    """The release condemned so much that the breaker ended its blocking."""

    release: ReleaseKey
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed.  At least once in `ACTIVATION_TICK_MS_MAX`: what lies beyond does not count as time."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """The operator wants this release, and none that is newer.  `forced`: although it is refused."""

    release: ReleaseKey
    text: str
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Unpinned:
    """The operator takes the pin back."""


@dataclass(frozen=True, slots=True)
class Held:
    """The operator wants no new releases."""

    text: str


@dataclass(frozen=True, slots=True)
class HoldLifted:
    """The operator wants new releases again."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """The file of a release is missing, or has another digest."""

    release: ReleaseKey


@dataclass(frozen=True, slots=True)
class PersistFailed:
    """The record could not be written (full, read-only); what the step wanted to do after it was not done."""

    text: str


Event = (
    Booted
    | Offered
    | Compiled
    | CompileFailed
    | ShadowReport
    | EngineReady
    | EngineDied
    | BreakerTripped
    | Tick
    | Pinned
    | Unpinned
    | Held
    | HoldLifted
    | Damaged
    | PersistFailed
)

# --- commands ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Persist:
    """Make this durable before anything else of the step is done."""

    state: ActivationState


@dataclass(frozen=True, slots=True)
class Compile:
    """Start a second zygote that compiles this release under limits and runs its self-tests.  Any earlier one that is
    not running goes first.
    """

    release: ReleaseKey


@dataclass(frozen=True, slots=True)
class StartShadow:
    """Mirror live questions to the compiled candidate, and replay recent ones; report the counts."""

    release: ReleaseKey


@dataclass(frozen=True, slots=True)
class StopCandidate:
    """End the candidate's zygote and its shadow, if it is beside what runs.  Nothing happens to what runs."""

    release: ReleaseKey


@dataclass(frozen=True, slots=True)
class Run:
    """From now on this release runs.  The zygote of the candidate serves where it is the one."""

    release: ReleaseKey


@dataclass(frozen=True, slots=True)
class Idle:
    """Run no engine: the host works, the sensor is reduced, questions are allowed and counted."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove this release's file from the store, if it is there."""

    release: ReleaseKey


@unique
class ReportKind(StrEnum):
    """What the operator and the control plane hear of."""

    TRYING = "trying"
    SHADOWING = "shadowing"
    SOAKING = "soaking"
    GOOD = "good"
    REFUSED = "refused"
    DECLINED = "declined"
    """An offer or a pin that was not taken up; nothing was learned about the release."""

    WITHDRAWN = "withdrawn"
    """A trial that ended without a result."""

    DIED = "died"
    FORGIVEN = "forgiven"
    RUNS = "runs"
    """Something else runs from now on; the text is the word for how the host came to it."""

    IDLE = "idle"
    LOST = "lost"
    """The file of a release is gone or damaged."""

    NOT_KEPT = "not-kept"
    """The record could not be written."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell people: what happened to which release, and in the words of a record why."""

    kind: ReportKind
    release: ReleaseKey | None
    text: str = ""
    reason: Reason | None = None


Command = Persist | Compile | StartShadow | StopCandidate | Run | Idle | Forget | Report
