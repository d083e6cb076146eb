"""Three strikes: a file on which scanners keep dying is no longer scanned while somebody waits.

The pair is (file identity and version); the table belongs to one release and is cleared with it.  Bounded: when it is
full the oldest pair goes, which costs an attacker one more dead scanner and us nothing else.
"""

from contextlib import suppress

from ringfence.decide.verdict_cache import FileKey, FileLook

Pair = tuple[FileKey, FileLook]


class Strikes:
    """Counts the faults of each pair."""

    def __init__(self, *, strikes_max: int, entries_max: int) -> None:
        self._strikes_max = strikes_max
        self._entries_max = entries_max
        self._counts: dict[Pair, int] = {}

    def __len__(self) -> int:
        """Pairs with at least one fault."""
        return len(self._counts)

    def struck(self, pair: Pair) -> bool:
        """Record one more fault; True exactly when this one puts the pair into quarantine."""
        count = self._counts.pop(pair, 0) + 1
        if len(self._counts) >= self._entries_max:
            with suppress(StopIteration, RuntimeError):  # another thread changed it just now: then that one made room
                self._counts.pop(next(iter(self._counts)), None)
        self._counts[pair] = count
        return count == self._strikes_max

    def quarantined(self, pair: Pair) -> bool:
        """Whether the pair is out of synchronous scanning."""
        return self._counts.get(pair, 0) >= self._strikes_max

    def clear(self) -> None:
        """A new release starts with no strikes."""
        self._counts.clear()
