"""How long a process has waited for a file in vain: what is left of its deadline for the next question about it.

Starting one program asks the kernel's question two or three times, reading one file as often as it is read.  The
deadline is for all of them: whoever has waited for a scanner that was lost has only the rest of it for the next
question, and when nothing is left that one goes on without a verdict, or is refused where the path fails closed.

It lasts `OVERDUE_MEMORY_MS` from the first question that went on so, and is not prolonged: a later question of the same
process is scanned again, and may be the second strike.  Another release changes nothing about it: it may hang on the
same file, and the asker has waited.

Bounded: when the table is full the oldest entry goes, which costs one process one more wait.
"""

from contextlib import suppress

from ringfence.decide.verdict_cache import FileKey, FileLook
from ringfence.model import limits


class Overdue:
    """Waits that came to nothing, by process and file."""

    def __init__(self) -> None:
        self._waits: dict[tuple[int, FileKey], tuple[FileLook, int, int]] = {}
        """Process and file -> version, milliseconds waited, and until when that counts."""

    def __len__(self) -> int:
        """Waits that are remembered."""
        return len(self._waits)

    def note(self, pid: int, key: FileKey, look: FileLook, waited_ms: int, now_ms: int) -> None:
        """The process `pid` has waited so long for this version of the file, and has no verdict."""
        if waited_ms < limits.OVERDUE_MS_MIN:
            return
        before = self._waits.pop((pid, key), None)
        until_ms = now_ms + limits.OVERDUE_MEMORY_MS
        if before is not None and before[0] == look and now_ms < before[2]:
            waited_ms += before[1]
            until_ms = before[2]
        if len(self._waits) >= limits.OVERDUE_ENTRIES_MAX:
            with suppress(StopIteration, RuntimeError):  # another thread changed it just now: then that one made room
                self._waits.pop(next(iter(self._waits)), None)
        self._waits[pid, key] = look, waited_ms, until_ms

    def waited_ms(self, pid: int, key: FileKey, look: FileLook, now_ms: int) -> int:
        """How long `pid` has waited for this very version a moment ago."""
        wait = self._waits.get((pid, key))
        return wait[1] if wait is not None and wait[0] == look and now_ms < wait[2] else 0
