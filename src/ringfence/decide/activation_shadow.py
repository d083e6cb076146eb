"""What the counts of a shadow say about a release: harmful, harmless so far, or enough to let it run.

A block of a file that the good release allows is harm by presumption: an infection that only the new release finds
leaves a handful of files, a bad rule hits the system's own.  Deaths, timeouts, time and memory are compared with what
the same files cost the good release.
"""

from typing import Final

from ringfence.decide.activation_messages import ShadowCounts
from ringfence.model import limits
from ringfence.model.activation import Reason

_HUNDRED: Final = 100


def harm_of(counts: ShadowCounts) -> tuple[Reason, str] | None:
    """Why a release with these counts is refused, and in which words; None: no reason so far."""
    if counts.vital_blocks:
        return Reason.BLOCKED_VITAL, f"it would refuse {counts.vital_blocks} vital files"
    if counts.known_blocks > limits.SHADOW_KNOWN_FILES_MAX:
        return Reason.BLOCKED_KNOWN, f"it would newly refuse {counts.known_blocks} files that the host has had for long"
    if counts.new_blocks > limits.SHADOW_NEW_FILES_MAX:
        return Reason.BLOCKED_NEW, f"it would newly refuse {counts.new_blocks} files"
    if counts.crashes > limits.SHADOW_DEATHS_MAX:
        return Reason.SHADOW_CRASHED, f"{counts.crashes} of its scanners died"
    compared = compared_of(counts)
    late_max = max(limits.SHADOW_TIMEOUTS_FREE_FILES, compared * limits.SHADOW_TIMEOUTS_MAX_PERCENT // _HUNDRED)
    if counts.timeouts > late_max:
        return Reason.SHADOW_TIMEOUTS, f"{counts.timeouts} of {compared} files were not judged in time"
    slow = counts.candidate_ms > counts.active_ms * limits.SHADOW_TIME_RATIO_MAX
    if slow and counts.active_ms and counts.candidate_ms > limits.SHADOW_TIME_FREE_MS:
        return Reason.SHADOW_SLOW, f"it took {counts.candidate_ms} ms for what takes {counts.active_ms} ms"
    if counts.resident_bytes > limits.ZYGOTE_RESIDENT_BYTES_MAX:
        return Reason.SHADOW_GREW, f"it held {counts.resident_bytes} bytes of memory"
    return None


def compared_of(counts: ShadowCounts) -> int:
    """How many pairs of verdicts there are."""
    return counts.questions + counts.replayed


def is_enough(counts: ShadowCounts, shadow_ms: int) -> bool:
    """Whether a release that has done no harm may run now.  No data never promotes."""
    compared = compared_of(counts)
    enough = compared >= limits.SHADOW_QUESTIONS_MIN or (counts.exhausted and compared > 0)
    return shadow_ms >= limits.SHADOW_MS_MIN and enough
