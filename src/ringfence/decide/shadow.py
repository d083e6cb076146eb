"""Shadow: what a release on trial says about a file, beside what the active one says.  No I/O.

Both releases are asked about the very same bytes by scanners of the same kind, so that neither caches nor load make a
difference that is none.  What counts is distinct files, because a host that opens one file a thousand times has learnt
nothing more.  Rules, in the order of `compared`:

1. A file that has been compared in this version is not compared again; past `SHADOW_FILES_MAX` nothing more is.
2. Where the active release fails as well, the file is to blame and not the candidate: nothing is counted.
3. A candidate that dies or burns the time of a whole question on a file is counted as that, whatever else it does.
4. What it alone condemns is a new block; one of a vital file, and one of a file that is long known (here unchanged for
   a long time, or vouched for by the package manager), is counted as that too.  What only the active one condemns is a
   missed block.

This says what was seen.  Whether that convicts is `decide/activation.py`'s.
"""

from dataclasses import dataclass, field
from enum import IntEnum, unique

from ringfence.decide import activation_messages
from ringfence.decide.verdict_cache import FileKey, FileLook
from ringfence.model import limits
from ringfence.model.verdict import Outcome
from ringfence.wire.catalogue import SHADOW_COUNTERS


@unique
class Heard(IntEnum):
    """What became of one scan of one file."""

    CLEAN = 0
    CONDEMNED = 1
    UNKNOWN = 2
    """A verdict that is none: the engine gave up in order."""

    DIED = 3
    BURNT = 4
    """It computed for as long as a whole question may take."""

    STARVED = 5
    """Nothing came for a long time, and no processor time was used: the machine is busy, or somebody stopped it."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one release said about one file."""

    heard: Heard
    processor_ns: int = 0
    rule: int = 0
    vouched: bool = False


@dataclass(slots=True)
class ShadowCounts:
    """What has been seen of one candidate.  The order of the fields is the order in a SHADOW_COUNTS frame."""

    compared: int = 0
    compared_old: int = 0
    new_blocks: int = 0
    vital_blocks: int = 0
    known_blocks: int = 0
    """Of files that have been here unchanged for a long time, or that a package manager vouches for."""

    missed_blocks: int = 0
    timeouts: int = 0
    deaths: int = 0
    starved: int = 0
    """Comparisons that were given up without anybody's fault."""

    replayed: int = 0
    """Comparisons of files that were asked about before the trial."""

    dropped: int = 0
    """Questions that found the queue full."""

    active_ns: int = 0
    candidate_ns: int = 0
    exhausted: int = 0
    """1: every file of the protected places has been looked at."""

    rule: int = 0
    """What condemned the worst new block: its rule's index plus one; 0: none has."""

    def values(self) -> tuple[int, ...]:
        """In the order of the frame."""
        return tuple(int(getattr(self, name)) for name in SHADOW_COUNTERS)


@dataclass(slots=True)
class Comparison:
    """The memory of one trial."""

    counts: ShadowCounts = field(default_factory=ShadowCounts)
    seen: dict[FileKey, FileLook] = field(default_factory=dict)
    worst: bytes = b""
    """The path of the worst new block."""

    _severity: int = 0

    def knows(self, key: FileKey, look: FileLook) -> bool:
        """Rule 1."""
        return self.seen.get(key) == look or len(self.seen) >= limits.SHADOW_FILES_MAX

    def compared(
        self, key: FileKey, look: FileLook, active: Spoken, candidate: Spoken, *,
        vital: bool, old: bool, replayed: bool,
    ) -> int:
        """Take one pair of verdicts in; how bad it is: 0 for nothing new, more for what is worse."""
        if self.knows(key, look):
            return 0
        counts = self.counts
        if Heard.STARVED in (active.heard, candidate.heard):
            counts.starved += 1
            return 0
        self.seen[key] = look
        if active.heard not in (Heard.CLEAN, Heard.CONDEMNED):
            return 0
        counts.compared += 1
        counts.compared_old += old
        counts.replayed += replayed
        counts.active_ns += active.processor_ns
        counts.candidate_ns += candidate.processor_ns
        counts.timeouts += candidate.heard is Heard.BURNT
        counts.deaths += candidate.heard is Heard.DIED
        counts.missed_blocks += active.heard is Heard.CONDEMNED and candidate.heard is Heard.CLEAN
        if candidate.heard is not Heard.CONDEMNED or active.heard is Heard.CONDEMNED:
            return 0
        known = old or candidate.vouched
        counts.new_blocks += 1
        counts.vital_blocks += vital
        counts.known_blocks += known
        return self._blamed(1 + known + 2 * vital, candidate.rule)

    def _blamed(self, severity: int, rule: int) -> int:
        if severity <= self._severity:
            return 0
        self._severity = severity
        self.counts.rule = rule + 1
        return severity


def heard(outcome: Outcome) -> Heard:
    """What a verdict counts as; suspicious files go on, as clean ones do."""
    if outcome is Outcome.MALICIOUS:
        return Heard.CONDEMNED
    return Heard.UNKNOWN if outcome is Outcome.UNKNOWN else Heard.CLEAN


def evidence_of(values: tuple[int, ...], resident_bytes: int = 0) -> activation_messages.ShadowCounts:
    """What the counts of a SHADOW_COUNTS frame mean to the activation machine."""
    seen = dict(zip(SHADOW_COUNTERS, values, strict=True))
    return activation_messages.ShadowCounts(
        questions=max(0, seen["compared"] - seen["replayed"]),
        replayed=seen["replayed"],
        new_blocks=seen["new_blocks"],
        vital_blocks=seen["vital_blocks"],
        known_blocks=seen["known_blocks"],
        missed_blocks=seen["missed_blocks"],
        crashes=seen["deaths"],
        timeouts=seen["timeouts"],
        active_ms=seen["active_ns"] // 1_000_000,
        candidate_ms=seen["candidate_ns"] // 1_000_000,
        resident_bytes=resident_bytes,
        exhausted=bool(seen["exhausted"]),
    )
