"""A beat: one page of shared memory in which a process writes the monotonic time as long as it makes progress.

Whoever supervises it reads the page and kills the process when the beat is stale; no message, no cooperation needed.
"""

import mmap
import os
import struct
import time
from typing import Final

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

    def beat(self) -> None:
        """Say that there is progress."""
        _BEAT.pack_into(self._page, 0, time.monotonic_ns())

    def age_ms(self) -> int:
        """Milliseconds since the last beat."""
        return (time.monotonic_ns() - int(_BEAT.unpack_from(self._page)[0])) // 1_000_000
