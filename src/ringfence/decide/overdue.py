"""Who has waited for a file until the deadline, and does not wait for the same version again at once.

Starting one program asks the kernel's question two or three times, reading one file as often as it is read.  Whoever
has waited the whole deadline for the first of them has nothing left for the others: they go on without a verdict, or
are refused where the path fails closed.  It lasts `OVERDUE_MEMORY_MS` from the question that came too late, and is not
prolonged by what it let pass: a later question of the same process is scanned again, and may be the second strike.

Bounded: when the table is full the oldest entry goes, which costs one process one more wait.
"""

from contextlib import suppress

from ringfence.decide.verdict_cache import FileKey, FileLook
from ringfence.model import limits


class Overdue:
    """Waits that came to nothing, by process and file."""

    def __init__(self) -> None:
        self._until: dict[tuple[int, FileKey], tuple[FileLook, int]] = {}

    def __len__(self) -> int:
        """Waits that are remembered."""
        return len(self._until)

    def note(self, pid: int, key: FileKey, look: FileLook, now_ms: int) -> None:
        """The process `pid` has just waited in vain for this version of the file."""
        if self.covers(pid, key, look, now_ms):
            return
        if len(self._until) >= limits.OVERDUE_ENTRIES_MAX:
            with suppress(StopIteration, RuntimeError):  # another thread changed it just now: then that one made room
                self._until.pop(next(iter(self._until)), None)
        self._until.pop((pid, key), None)
        self._until[pid, key] = look, now_ms + limits.OVERDUE_MEMORY_MS

    def covers(self, pid: int, key: FileKey, look: FileLook, now_ms: int) -> bool:
        """Whether `pid` has waited for this very version a moment ago."""
        waited = self._until.get((pid, key))
        return waited is not None and waited[0] == look and now_ms < waited[1]

    def clear(self) -> None:
        """Another release is asked anew."""
        self._until.clear()
