"""Hot files: written again and again (databases, logs), silenced in the kernel although they change.

A file becomes hot when somebody reads it while a writer has it open, or when version after version of it was scanned
clean.  While it is hot:

1. every `HOT_RESCAN_MS` it is due for an idle scan, which does not make any reader wait;
2. a close after writing ends it, unless it is closed again and again, in which case rule 1 goes on bounding the hole;
3. an idle scan that is `HOT_OVERDUE_MS` late (a starved machine) ends it: the next read asks;
4. exec is never silenced: the mark covers reading only.

The hole: bytes appended to a hot file can be read until its next idle scan ends.
"""

from dataclasses import dataclass

from ringfence.decide.verdict_cache import FileKey
from ringfence.model import limits


@dataclass(slots=True)
class HotFile:
    """One hot file.  Times are monotonic milliseconds."""

    since_ms: int
    scanned_ms: int
    scanning: bool = False
    closes: int = 0


class HotFiles:
    """Bounded table of hot files."""

    def __init__(self) -> None:
        self._files: dict[FileKey, HotFile] = {}

    def __len__(self) -> int:
        """How many are hot."""
        return len(self._files)

    def __contains__(self, key: FileKey) -> bool:
        """Whether this file is hot."""
        return key in self._files

    def add(self, key: FileKey, now_ms: int) -> bool:
        """Make a file hot; False when it is already, or when the table is full (its reads then go on asking)."""
        if key in self._files or len(self._files) >= limits.HOT_FILES_MAX:
            return False
        self._files[key] = HotFile(now_ms, now_ms)
        return True

    def closed(self, key: FileKey, now_ms: int) -> bool:
        """A writer closed it: True when it stops being hot now (and is removed)."""
        hot = self._files.get(key)
        if hot is None:
            return False
        hot.closes += 1
        if hot.closes >= limits.HOT_VERSIONS_MIN and now_ms - hot.since_ms < hot.closes * limits.HOT_RESCAN_MS:
            return False
        del self._files[key]
        return True

    def awaits_close(self) -> bool:
        """Whether the next close of some hot file may end it (rule 2): only then must closes be heard at once."""
        files = list(self._files.values())  # in one step: other threads add files meanwhile
        return any(hot.closes < limits.HOT_VERSIONS_MIN for hot in files)

    def due(self, now_ms: int) -> list[FileKey]:
        """Files whose idle scan should start now; they count as being scanned from here on."""
        found = []
        for key, hot in self._files.items():
            if not hot.scanning and now_ms - hot.scanned_ms >= limits.HOT_RESCAN_MS:
                hot.scanning = True
                found.append(key)
        return found

    def scanned(self, key: FileKey, *, quiet: bool, now_ms: int) -> bool:
        """An idle scan of it ended clean; `quiet`: it did not change meanwhile and nobody writes.

        True when it stops being hot now (and is removed).
        """
        hot = self._files.get(key)
        if hot is None:
            return False
        if quiet:
            del self._files[key]
            return True
        hot.scanning = False
        hot.scanned_ms = now_ms
        return False

    def remove(self, key: FileKey) -> bool:
        """End it, whatever the reason; False when it was not hot."""
        return self._files.pop(key, None) is not None

    def overdue(self, now_ms: int) -> list[FileKey]:
        """Files whose idle scan is too late; they stop being hot now (and are removed)."""
        found = [key for key, hot in self._files.items() if now_ms - hot.scanned_ms >= limits.HOT_OVERDUE_MS]
        for key in found:
            del self._files[key]
        return found

    def next_due_ms(self) -> int | None:
        """When the next idle scan is due; None when nothing is hot."""
        waiting = [hot.scanned_ms for hot in self._files.values() if not hot.scanning]
        return min(waiting) + limits.HOT_RESCAN_MS if waiting else None
