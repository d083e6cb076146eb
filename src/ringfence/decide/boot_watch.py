"""When a boot is up, healthy, lasting or overdue: what the boot guard makes of its looks at the machine.

Pure.  Time is monotonic and given with each look; a look that comes late (the machine was asleep, or busy) counts for
what it sees, not for what it missed: both signs must have held at every look for `settle_ms`.
"""

from dataclasses import dataclass, replace
from enum import Enum, unique

from ringfence.model import limits


@unique
class Finding(Enum):
    """What a look has brought to light."""

    UP = "up"
    LASTING = "lasting"
    HEALTHY = "healthy"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Watch:
    """What was seen so far."""

    began_ms: int
    settle_ms: int = limits.BOOT_SETTLE_S * 1000
    overdue_ms: int = limits.BOOT_OVERDUE_S * 1000
    short_ms: int = limits.BOOT_SHORT_S * 1000
    told_up: bool = False
    told_lasting: bool = False
    well_since_ms: int | None = None
    """Since when every look has found the machine up and the sensor answering."""


def look(watch: Watch, *, up: bool, answers: bool, now_ms: int) -> tuple[Watch, tuple[Finding, ...]]:
    """One look at the machine: is its default target reached, does the sensor answer the kernel's questions?"""
    found = []
    if up and not watch.told_up:
        watch = replace(watch, told_up=True)
        found.append(Finding.UP)
    if up and not watch.told_lasting and now_ms - watch.began_ms >= watch.short_ms:
        watch = replace(watch, told_lasting=True)
        found.append(Finding.LASTING)
    if not (up and answers):
        watch = replace(watch, well_since_ms=None)
    elif watch.well_since_ms is None:
        watch = replace(watch, well_since_ms=now_ms)
    if watch.well_since_ms is not None and now_ms - watch.well_since_ms >= watch.settle_ms:
        found.append(Finding.HEALTHY)
    elif not watch.told_up and now_ms - watch.began_ms >= watch.overdue_ms:
        watch = replace(watch, began_ms=now_ms)
        found.append(Finding.OVERDUE)
    return watch, tuple(found)
