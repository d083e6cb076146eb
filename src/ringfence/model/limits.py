"""Every bound of the system: name with its unit, value, and the reason for the value.

A queue, table, message or wait that is not bounded by a name from this file is a bug; a house test holds that.
"""

from typing import Final

# --- the kernel's questions -------------------------------------------------------------------------------------

QUESTION_DEADLINE_MS: Final = 2_000
"""Longest wait of one kernel question.  Longer than any honest scan of the synchronous windows; shorter than the
patience of a service that opens its files at start."""

QUESTION_GRACE_MS: Final = 1_000
"""What the watchdog adds to the deadline: no open ever waits longer than deadline plus grace, whatever is killed."""

QUESTIONS_PENDING_MAX: Final = 1_024
"""Questions that may wait unread in the kernel; past it the gate allows, records and scans later."""
