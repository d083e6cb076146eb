"""What a scanner is at this moment, in a page that outlives it: its zygote reads its last words there.

Shared by fork, fixed size, written by the scanner before and after each group of rules.  A scanner that a hostile file
has taken over writes what it likes: the words are a hint where to look first, and nothing is decided by them.
"""

import mmap
import struct
from typing import Final

MARK: Final = struct.Struct("=QI4x")
"""job, number of the group from 1; 0: between two groups."""


class ExecutingMark:
    """One page.  Make it before the fork; parent and child then share it."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, MARK.size)
        self._job = 0

    def take(self, job: int) -> None:
        """The scanner has a new job."""
        self._job = job

    def begin(self, group: int) -> None:
        """It runs a group of rules."""
        MARK.pack_into(self._page, 0, self._job, group + 1)

    def end(self, group: int) -> None:
        """It has come back from it."""
        del group
        MARK.pack_into(self._page, 0, self._job, 0)

    def read(self) -> tuple[int, int]:
        """Job, and the group in which it was; -1 where it was in none."""
        job, group = MARK.unpack_from(self._page)
        return job, group - 1

    def close(self) -> None:
        """Let go of the page."""
        self._page.close()
