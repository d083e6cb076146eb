"""The gate's memory of files: (device, inode) -> what the file looked like and what was decided.

Rules: unknown is never stored; a verdict holds only while change time, modification time and size are the ones that
were scanned; the table is bounded by two generations (the young one grows to half the bound, then becomes the old one,
and what is asked again moves back), so that forgetting costs nothing and an attacker can only make us scan again.
"""

from typing import Final, NamedTuple

from ringfence.model.verdict import Outcome

_UNKNOWN: Final = Outcome.UNKNOWN
"""As a global: an enumeration looks its members up slowly, and every question would pay for it."""

FileKey = tuple[int, int]
"""(device, inode)."""

FileLook = tuple[int, int, int]
"""(mtime_ns, ctime_ns, size_bytes): the version of a file as far as stat can tell."""


class Remembered(NamedTuple):
    """One stored verdict."""

    look: FileLook
    outcome: Outcome
    rule: int
    deep: bool
    """Containers were opened and the whole file was read."""

    partial: bool = False
    """Only windows of a large file were read."""


class VerdictCache:
    """Bounded map of verdicts.  Every operation is atomic under the interpreter lock."""

    def __init__(self, entries_max: int) -> None:
        self._half = max(1, entries_max // 2)
        self._young: dict[FileKey, Remembered] = {}
        self._old: dict[FileKey, Remembered] = {}

    def __len__(self) -> int:
        """Entries of both generations."""
        return len(self._young) + len(self._old)

    def recall(self, key: FileKey, look: FileLook) -> Remembered | None:
        """The verdict for this version of the file, or None."""
        known = self._young.get(key)
        if known is None:
            known = self._old.get(key)
            if known is None:
                return None
            self._put(key, known)
        return known if known.look == look else None

    def remember(self, key: FileKey, known: Remembered) -> Remembered | None:
        """Store a verdict; returns the one that it replaces.

        An unknown outcome is refused with ValueError: it would read as an answer later.
        """
        if known.outcome is _UNKNOWN:
            raise ValueError("an unknown outcome is never remembered")
        before = self._young.get(key) or self._old.get(key)
        self._put(key, known)
        return before

    def forget(self, key: FileKey) -> None:
        """Drop what is known about a file."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def clear(self) -> None:
        """Drop everything: a new release judges anew."""
        self._young, self._old = {}, {}

    def _put(self, key: FileKey, known: Remembered) -> None:
        self._young[key] = known
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
