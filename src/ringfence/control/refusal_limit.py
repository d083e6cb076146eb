"""Counts refusals per address or host in memory: bounded in keys and in time.

For what guards no secret that could be guessed (a token of 256 bits cannot) but must not fill a log or a disk.
Log-ins have their own, durable count in `authentication.py`.
"""

from collections import OrderedDict, deque

from ringfence.model.limits import REFUSAL_KEYS_MAX


class RefusalLimit:
    """At most `most` refusals per key within `window_ms`."""

    def __init__(self, *, most: int, window_ms: int) -> None:
        self._most = most
        self._window_ms = window_ms
        self._refusals: OrderedDict[str, deque[int]] = OrderedDict()

    def is_exceeded(self, key: str, now_unix_ms: int) -> bool:
        """Whether `key` has been refused too often lately."""
        refusals = self._refusals.get(key)
        if refusals is None:
            return False
        while refusals and refusals[0] <= now_unix_ms - self._window_ms:
            refusals.popleft()
        return len(refusals) >= self._most

    def count(self, key: str, now_unix_ms: int) -> None:
        """Remember one refusal."""
        refusals = self._refusals.setdefault(key, deque(maxlen=self._most))
        refusals.append(now_unix_ms)
        self._refusals.move_to_end(key)
        if len(self._refusals) > REFUSAL_KEYS_MAX:
            self._refusals.popitem(last=False)
