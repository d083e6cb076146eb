"""A beat: one page of shared memory in which a process writes the monotonic time as long as it makes progress.

Whoever supervises it reads the page and kills the process when the beat is stale; no message, no cooperation needed.
"""

import mmap
import os
import struct
import time
from typing import Final

from ringfence.model.limits import STALE_LOOKS_MIN

PAGE_BYTES: Final = 4096
_BEAT: Final = struct.Struct("=Q")


def create() -> int:
    """A descriptor of a new page; its first beat is now."""
    descriptor = os.memfd_create("ringfence-beat", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, PAGE_BYTES)
    Beat(descriptor).beat()
    return descriptor


class StaleLooks:
    """Whether a beat is stale for good: at `STALE_LOOKS_MIN` looks in a row."""

    def __init__(self, stale_ms: int) -> None:
        self._stale_ms = stale_ms
        self._looks = 0

    def at(self, age_ms: int) -> bool:
        """One more look at a beat of this age."""
        self._looks = self._looks + 1 if age_ms > self._stale_ms else 0
        return self._looks >= STALE_LOOKS_MIN


class Beat:
    """One mapping of the page."""

    def __init__(self, descriptor: int) -> None:
        self._page = mmap.mmap(descriptor, PAGE_BYTES)

    def beat(self) -> None:
        """Say that there is progress."""
        _BEAT.pack_into(self._page, 0, time.monotonic_ns())

    def close(self) -> None:
        """Let go of the page: what a process forks must not beat for it."""
        self._page.close()

    def age_ms(self) -> int:
        """Milliseconds since the last beat."""
        return (time.monotonic_ns() - int(_BEAT.unpack_from(self._page)[0])) // 1_000_000
