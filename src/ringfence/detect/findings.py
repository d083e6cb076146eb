"""What a scan found.  Rules are named by their index in the release's manifest; whoever reports holds the table.

1. A rule whose action is `block` matched: `MALICIOUS`.
2. Only rules whose action is `alert` matched: `SUSPICIOUS`.
3. None matched and something was not looked at: `UNKNOWN`, with the reason.
4. None matched and all was looked at: `CLEAN`.

A finding may be malicious or suspicious *and* incomplete: `missing` then still says what was not looked at, and such a
verdict on a suspicious file is not worth keeping.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ringfence.model.limits import FINDING_MATCHES_MAX, FINDING_RULES_MAX, MEMBER_PATH_BYTES_MAX
from ringfence.model.verdict import Outcome, UnknownReason


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """One matched pattern: at most `MATCH_EXCERPT_BYTES_MAX` bytes of it in `excerpt`."""

    rule: int
    """Index into the manifest's rules."""

    pattern: str
    offset_bytes: int
    """From the start of the file, or of the archive member."""

    length_bytes: int
    excerpt: bytes
    member: str
    """Path inside the archive, or "" for the file itself; nested archives are joined by `!`."""


@dataclass(frozen=True, slots=True)
class ScanFindings:
    """The result of scanning one file.  `rules` has no duplicates and is worst first."""

    rules: tuple[int, ...]
    matches: tuple[RuleMatch, ...]
    outcome: Outcome
    missing: UnknownReason
    """Why not everything was looked at; `NONE` when everything was."""

    @property
    def complete(self) -> bool:
        """Everything was looked at."""
        return self.missing is UnknownReason.NONE

    @property
    def reason(self) -> UnknownReason:
        """The reason that goes with `outcome`: `NONE` unless it is `UNKNOWN`."""
        return self.missing if self.outcome is Outcome.UNKNOWN else UnknownReason.NONE


CLEAN: Final = ScanFindings((), (), Outcome.CLEAN, UnknownReason.NONE)
"""Everything was looked at and nothing matched.  One value for all clean files: the hot path allocates nothing."""


def not_scanned(reason: UnknownReason) -> ScanFindings:
    """Nothing was looked at, or not enough.  Raises ValueError for `NONE`, which would make unknown look clean."""
    if reason is UnknownReason.NONE:
        raise ValueError("a file that was not scanned needs a reason")
    return ScanFindings((), (), Outcome.UNKNOWN, reason)


def join(parts: Sequence[ScanFindings], rank: Callable[[int], int]) -> ScanFindings:
    """The findings of the parts of one file (members, windows) as one.  `rank` orders rule indexes, worst first.

    No part at all is clean: an empty archive has nothing in it to be looked at.
    """
    if len(parts) == 1:
        return parts[0]
    rules = sorted({rule for part in parts for rule in part.rules}, key=rank)[:FINDING_RULES_MAX]
    matches = [match for part in parts for match in part.matches if match.rule in rules]
    matches.sort(key=lambda match: rank(match.rule))
    missing = next((part.missing for part in parts if not part.complete), UnknownReason.NONE)
    outcomes = {part.outcome for part in parts}
    for outcome in (Outcome.MALICIOUS, Outcome.SUSPICIOUS, Outcome.UNKNOWN):
        if outcome in outcomes:
            return ScanFindings(tuple(rules), tuple(dict.fromkeys(matches))[:FINDING_MATCHES_MAX], outcome, missing)
    return CLEAN


def shifted(findings: ScanFindings, offset_bytes: int) -> ScanFindings:
    """`findings` of a part that begins at `offset_bytes`, with offsets from the start of the file."""
    if offset_bytes == 0 or not findings.matches:
        return findings
    matches = tuple(replace(match, offset_bytes=match.offset_bytes + offset_bytes) for match in findings.matches)
    return replace(findings, matches=matches)


def member_label(path: str) -> str:
    """`path` for a report: at most `MEMBER_PATH_BYTES_MAX` bytes of UTF-8, cut in the middle, no lone surrogates."""
    encoded = path.encode("utf-8", "backslashreplace")
    if len(encoded) <= MEMBER_PATH_BYTES_MAX:
        return encoded.decode("utf-8")
    half = (MEMBER_PATH_BYTES_MAX - 3) // 2
    return encoded[:half].decode("utf-8", "ignore") + "…" + encoded[-half:].decode("utf-8", "ignore")
