"""What a scanner can do to its host, and which rules made it do so.

A rule is named by its pack and its own name: private rules, which have no place in a manifest, can be guilty as well.
"""

from dataclasses import dataclass
from enum import IntEnum, unique


@unique
class FaultKind(IntEnum):
    """What became of a scanner that had a file in its hand."""

    HUNG = 1
    """It did not come back in time."""

    DIED = 2
    """It ended: a crash, or a panic of the engine."""

    GREW = 3
    """It ended at its bound of memory."""

    SLOW = 4
    """It came back, but a rule took more than its budget."""


@unique
class Finding(IntEnum):
    """What an examination of a fault has found."""

    RULES = 1
    """These rules do it; without them the file is scanned."""

    NOT_REPRODUCED = 2
    """It did not happen again: chance, a signal from outside, a machine without time."""

    NO_RULE = 3
    """It happens without any rule: the file does it to the reader of its format."""

    TOO_MANY = 4
    """The rules named do it, and others as well: this is no matter of single rules."""

    GAVE_UP = 5
    """The trials were used up, or the examiner itself came to harm."""

    APPRAISED = 6
    """Nothing was examined: rules were timed, and none took too long."""


@dataclass(frozen=True, slots=True, order=True)
class RuleName:
    """A rule of a release."""

    pack: str
    rule: str

    def __str__(self) -> str:
        """As it is spelled in arguments and reports: neither part may hold a colon."""
        return f"{self.pack}:{self.rule}"


def rule_name_of(text: str) -> RuleName:
    """The name that is spelled `PACK:RULE`.  Raises ValueError."""
    pack, colon, rule = text.partition(":")
    if not (pack and colon and rule) or ":" in rule:
        raise ValueError(f"{text!r} does not name a rule as PACK:RULE")
    return RuleName(pack, rule)


@dataclass(frozen=True, slots=True)
class Attribution:
    """The result of one examination."""

    finding: Finding
    kind: FaultKind | None
    """What was seen again; None where nothing was."""

    rules: tuple[RuleName, ...]
    """The guilty, as few as explain the fault; empty unless `finding` is RULES or TOO_MANY."""

    trials: int
