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


class Beat:
    """One mapping of the page."""

    def __init__(self, descriptor: int) -> None:
        self._page = mmap.mmap(descriptor, PAGE_BYTES)
        self._stale_looks = 0

    def beat(self) -> None:
        """Say that there is progress."""
        _BEAT.pack_into(self._page, 0, time.monotonic_ns())

    def close(self) -> None:
        """Let go of the page: what a process forks must not beat for it."""
        self._page.close()

    def age_ms(self) -> int:
        """Milliseconds since the last beat."""
        return (time.monotonic_ns() - int(_BEAT.unpack_from(self._page)[0])) // 1_000_000

    def is_stale(self, stale_ms: int) -> bool:
        """One more look: whether it was older than `stale_ms` at `STALE_LOOKS_MIN` looks in a row."""
        self._stale_looks = self._stale_looks + 1 if self.age_ms() > stale_ms else 0
        return self._stale_looks >= STALE_LOOKS_MIN
