"""The control plane's clock: Unix milliseconds that never go back while the server runs.

A wall clock that steps back would bring expired sessions to life and put records before their causes.  So time stands
still until the wall clock has caught up with the newest moment that was already given out.
"""

import time
from collections.abc import Callable
from threading import Lock

Clock = Callable[[], int]
"""Unix milliseconds, never less than before."""


def wall_clock() -> int:
    """The machine's idea of the time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


class SteadyClock:
    """A clock that does not go back.  `newest_unix_ms` is the newest moment that is already on record."""

    def __init__(self, wall: Clock = wall_clock, *, newest_unix_ms: int = 0) -> None:
        self._wall = wall
        self._newest_unix_ms = newest_unix_ms
        self._lock = Lock()

    def __call__(self) -> int:
        """Unix milliseconds, never less than the call before."""
        with self._lock:
            self._newest_unix_ms = max(self._newest_unix_ms, self._wall())
            return self._newest_unix_ms

    def behind_ms(self) -> int:
        """How far the wall clock is behind the newest moment given out; 0 when all is well."""
        with self._lock:
            return max(0, self._newest_unix_ms - self._wall())
