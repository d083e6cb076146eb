"""What a scan decided, and why.

Unknown is a value of its own: it is never cached as clean, and "no verdict" is never "trusted" (promise 6).
There is no `__bool__` on any of these on purpose.
"""

from enum import IntEnum, unique


@unique
class Outcome(IntEnum):
    """The result of scanning one file.  Zero is not a member: an all-zero frame is refused, not "clean"."""

    CLEAN = 1
    """Every rule that can apply was evaluated over the bytes that policy asks for; none matched."""

    SUSPICIOUS = 2
    """Only rules whose action is `alert` matched: the open goes on, an alert is raised."""

    MALICIOUS = 3
    """A rule whose action is `block` matched."""

    UNKNOWN = 4
    """Not scanned, or not completely; the reason says why."""


@unique
class UnknownReason(IntEnum):
    """Why there is no verdict.  `NONE` goes with every other outcome."""

    NONE = 0
    DEADLINE_PASSED = 1
    QUEUE_FULL = 2
    SCANNER_DIED = 3
    SCANNER_ABSENT = 4
    SCANNER_GARBAGE = 5
    ENGINE_TIMEOUT = 6
    ENGINE_PANIC = 7
    FILE_TOO_LARGE = 8
    FILE_UNREADABLE = 9
    PAIR_QUARANTINED = 10
    ARCHIVE_BOUND = 11
    FILE_HOT = 12
    FILE_PARTIAL = 13
    """Only windows of a large file were scanned while somebody waited; the whole is scanned afterwards."""


@unique
class Mode(IntEnum):
    """What the gate does with a malicious verdict."""

    OBSERVE = 1
    """Alert only; every open goes on."""

    ENFORCE = 2
    """Refuse the open, read or exec."""
