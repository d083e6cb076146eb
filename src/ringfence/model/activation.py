"""What a host remembers of its releases: which are good, which is being tried, which are refused and why.

The constructors refuse states that cannot exist, so whoever holds an `ActivationState` may rely on this:

1. `chain` is never empty.  Its last entry is the packaged baseline; the one before was proven first, the first last.
2. No release is twice in the chain, none in it is refused, and the candidate is not in it.  A candidate that was
   refused has newer metadata than its refusal, or the operator's word; the refusal stays until the trial ends well.
3. Every list is within its bound, every text is one printable line.

Wall time appears only in what people read: no decision looks at it.
"""

from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Final

from ringfence.model import limits
from ringfence.model.errors import InternalError

_HEX: Final = frozenset("0123456789abcdef")
_SHA256_CHARACTERS: Final = 64


@dataclass(frozen=True, slots=True)
class ReleaseKey:
    """Which release: the digest of its bytes says it; the version orders it and is what people say."""

    version: int
    sha256: str

    def __post_init__(self) -> None:
        _require(1 <= self.version <= limits.RELEASE_VERSION_MAX, f"a release has the version {self.version}")
        _require(len(self.sha256) == _SHA256_CHARACTERS and _HEX.issuperset(self.sha256), "a digest is no SHA-256")

    @property
    def label(self) -> str:
        """Version and the start of the digest, for people."""
        return f"{self.version} ({self.sha256[:12]})"


@unique
class Stage(StrEnum):
    """How far a candidate is."""

    COMPILING = "compiling"
    """A child compiles it and runs its self-tests; the good release runs."""

    SHADOW = "shadow"
    """It is asked what the good release is asked, and nobody listens to it."""

    SOAKING = "soaking"
    """It runs, and the good release is ready to come back."""


@unique
class Reason(StrEnum):
    """Why a release is refused."""

    NOT_COMPILED = "not-compiled"
    """Its child said so itself: malformed, over a bound, a self-test that does not hold."""

    CRASHED = "crashed"
    HUNG = "hung"
    GREW = "grew"
    HOST_CRASHED = "host-crashed"
    """The host went down without order while it was meant to run, once too often."""

    BOOT_FAILED = "boot-failed"
    """The boot guard counted boots that did not become healthy."""

    BLOCKED_VITAL = "blocked-vital"
    BLOCKED_KNOWN = "blocked-known"
    BLOCKED_NEW = "blocked-new"
    SHADOW_CRASHED = "shadow-crashed"
    SHADOW_TIMEOUTS = "shadow-timeouts"
    SHADOW_SLOW = "shadow-slow"
    SHADOW_GREW = "shadow-grew"
    BREAKER = "breaker"
    """It condemned so much at once that the breaker tripped."""


@unique
class How(StrEnum):
    """How the host came to what it runs."""

    PACKAGED = "packaged"
    """It came with the sensor, and nothing else was ever good."""

    TRIED = "tried"
    """It was compiled, compared in the shadow, and is soaking now or has soaked."""

    FELL_BACK = "fell-back"
    """What ran before it was refused, or its file was lost."""

    PINNED = "pinned"
    UNPINNED = "unpinned"
    WITHDRAWN = "withdrawn"
    """What was soaking made room for the operator's word or for a new start; it was not refused."""

    CHOSEN = "chosen"
    """The operator loaded a release that was good already."""

    GUARDED = "guarded"
    """The boot guard ordered it: boots with what ran before did not become healthy."""

    CAUTIOUS = "cautious"
    """The host went down without order and its record cannot be written: the baseline runs until it can."""

    RETURNED = "returned"
    """What kept it from running is over: caution, the boot guard's word, or a death that was forgiven."""

    GAVE_UP = "gave-up"
    """Even the baseline died too often, or its file is lost: nothing runs for a while."""

    SWITCHED_OFF = "switched-off"
    """The boot guard ordered that nothing runs until the operator says otherwise."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A release that survived its soak once, and the deaths that are held against it."""

    release: ReleaseKey
    signed_version: int
    """Version of the signing metadata that vouched for it; 0: the operator or the package brought it."""

    deaths: int
    proven_at_s: int

    def __post_init__(self) -> None:
        _require_version(self.signed_version)
        _require(0 <= self.deaths <= limits.RELEASE_DEATHS_MAX, "more deaths than a release may have")
        _require_time(self.proven_at_s)


@dataclass(frozen=True, slots=True)
class Candidate:
    """The release that is being tried."""

    release: ReleaseKey
    signed_version: int
    stage: Stage
    attempts: int
    """Starts of this trial that ended in harm, and the present one: counted, durably, before each begins."""

    owes_shadow: bool
    """It has to pass the shadow before it may run.  False once it has, or when the operator wants it at once."""

    by_operator: bool
    since_s: int

    def __post_init__(self) -> None:
        _require_version(self.signed_version)
        _require(1 <= self.attempts <= limits.TRIAL_STARTS_MAX, "a trial began more often than it may")
        _require(self.stage is not Stage.SOAKING or not self.owes_shadow, "a release soaks that owes its shadow")
        _require(self.stage is not Stage.SHADOW or self.owes_shadow, "a release is in the shadow that owes none")
        _require_time(self.since_s)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A release that is not tried again unless newer metadata vouches for it, or the operator forces it."""

    release: ReleaseKey
    signed_version: int
    reason: Reason
    text: str
    at_s: int

    def __post_init__(self) -> None:
        _require_version(self.signed_version)
        _require_text(self.text)
        _require_time(self.at_s)


@dataclass(frozen=True, slots=True)
class Pin:
    """The operator wants this release and none that is newer."""

    release: ReleaseKey
    text: str
    at_s: int

    def __post_init__(self) -> None:
        _require_text(self.text)
        _require_time(self.at_s)


@dataclass(frozen=True, slots=True)
class Hold:
    """The operator wants no new releases."""

    text: str
    at_s: int

    def __post_init__(self) -> None:
        _require_text(self.text)
        _require_time(self.at_s)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the host runs (None: nothing), since when, and how it came to that."""

    release: ReleaseKey | None
    how: How
    at_s: int

    def __post_init__(self) -> None:
        nothing = self.how in (How.GAVE_UP, How.SWITCHED_OFF)
        _require((self.release is None) == nothing, "nothing runs only where the host gave up or the guard said so")
        _require_time(self.at_s)


@dataclass(frozen=True, slots=True)
class ActivationState:
    """What survives a restart."""

    chain: tuple[Proven, ...]
    arrival: Arrival
    candidate: Candidate | None = None
    refused: tuple[Refusal, ...] = ()
    """Oldest first.  Past the bound the oldest is forgotten, but not its rank, see the next two."""

    forgotten_version: int = 0
    forgotten_signed_version: int = 0
    """The highest of both among the refusals that made room: what is not above either is as good as refused."""

    pin: Pin | None = None
    hold: Hold | None = None
    calm_steps: int = 0
    """Steps of `FORGIVE_STEP_MS` without harm since a death was last forgiven or added."""

    steady: bool = False
    """What runs is good and has answered for `STEADY_MS` in this life of the warden: if the host goes down now, it was
    hardly that."""

    def __post_init__(self) -> None:
        _require(1 <= len(self.chain) <= limits.GOOD_RELEASES_MAX, "the chain is empty or too long")
        _require(len(self.refused) <= limits.REFUSED_RELEASES_MAX, "more refusals than are kept")
        _require(0 <= self.calm_steps < limits.FORGIVE_STEPS, "more calm than forgives a death")
        _require(0 <= self.forgotten_version <= limits.RELEASE_VERSION_MAX, "a version that no release has")
        _require_version(self.forgotten_signed_version)
        good = {proven.release.sha256 for proven in self.chain}
        bad = {refusal.release.sha256 for refusal in self.refused}
        _require(len(good) == len(self.chain), "a release is twice in the chain")
        _require(len(bad) == len(self.refused), "a release is refused twice")
        _require(good.isdisjoint(bad), "a release is good and refused")
        if self.candidate is not None:
            tried = self.candidate.release.sha256
            _require(tried not in good, "what is tried is good already")
            refusal = self.refusal_of(tried)
            if refusal is not None and not self.candidate.by_operator:
                _require(self.candidate.signed_version > refusal.signed_version, "what is tried is refused")

    @property
    def baseline(self) -> Proven:
        """The release of the package, which is never dropped."""
        return self.chain[-1]

    def find(self, sha256: str) -> Proven | None:
        """The good release with this digest."""
        return next((one for one in self.chain if one.release.sha256 == sha256), None)

    def refusal_of(self, sha256: str) -> Refusal | None:
        """Why the release with this digest is refused; None: it is not."""
        return next((one for one in self.refused if one.release.sha256 == sha256), None)

    @property
    def files(self) -> frozenset[str]:
        """Digests of the releases whose files must be there.  The baseline's is in the package."""
        tried = () if self.candidate is None else (self.candidate.release.sha256,)
        return frozenset((*(one.release.sha256 for one in self.chain[:-1]), *tried))


def first_state(baseline: ReleaseKey, at_s: int) -> ActivationState:
    """A host that knows nothing but the release of its package: after the installation, or when its record is lost."""
    return ActivationState((Proven(baseline, 0, 0, at_s),), Arrival(baseline, How.PACKAGED, at_s))


def rebased(state: ActivationState, baseline: ReleaseKey, at_s: int) -> ActivationState:
    """The same state under another package: its baseline ends the chain, whatever was known of that release.

    The old baseline was the old package's and goes with it.  Nothing else changes: versions of the package's own
    releases and of the fleet's do not compare, and what ran last is not what will run: an end of the host is its alone.
    """
    if state.baseline.release == baseline:
        return state
    kept = tuple(one for one in state.chain[:-1] if one.release.sha256 != baseline.sha256)
    candidate = state.candidate
    if candidate is not None and candidate.release.sha256 == baseline.sha256:
        candidate = None
    return replace(
        state,
        chain=(*kept, Proven(baseline, 0, 0, at_s)),
        candidate=candidate,
        refused=tuple(one for one in state.refused if one.release.sha256 != baseline.sha256),
    )


def printable(text: str) -> str:
    """One line that a record may hold: what cannot be shown becomes a question mark, what is too long is cut."""
    line = "".join(one if one.isprintable() else " " if one.isspace() else "?" for one in text)
    return " ".join(line.split())[: limits.ACTIVATION_TEXT_CHARACTERS_MAX].rstrip()


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads like an assertion
    if not holds:
        raise InternalError(f"an activation that cannot be: {what}", "report it with the activation record")


def _require_version(version: int) -> None:
    _require(0 <= version <= limits.RELEASE_VERSION_MAX, f"signing metadata has the version {version}")


def _require_time(at_s: int) -> None:
    _require(0 <= at_s <= limits.JSON_INTEGER_MAX, "a time before 1970")


def _require_text(text: str) -> None:
    _require(text == printable(text), "a text is not one printable line within its bound")
