"""Hands news about alerts to everybody who watches, inside this process.

A publisher never waits: a watcher whose queue is full is cut off (`Subscription.overflowed`), reconnects with the
number of the last event it saw and gets the rest from the database.  News carry numbers only; watchers
read what they show.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum, unique

from ringfence.control.refusals import TooManyAttempts
from ringfence.model.limits import STREAM_CLIENTS_MAX, STREAM_QUEUE_EVENTS_MAX, STREAM_RETRY_AFTER_S


@unique
class NewsKind(StrEnum):
    """What happened."""

    ALERT_RAISED = "alert_raised"
    ALERT_TRIAGED = "alert_triaged"
    HOST_CHANGED = "host_changed"


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened.  `alert_id` is 0 for news of a host; `host_id` is "" where only the alert matters."""

    kind: NewsKind
    alert_id: int = 0
    host_id: str = ""


class Subscription:
    """What one watcher has not read yet."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[News | None] = asyncio.Queue(STREAM_QUEUE_EVENTS_MAX + 1)
        self.overflowed = False
        self.closed = False

    def offer(self, news: News) -> None:
        """Put `news` where the watcher finds it, or cut the watcher off."""
        if self.overflowed or self.closed:
            return
        if self._queue.qsize() >= STREAM_QUEUE_EVENTS_MAX:
            self.overflowed = True
            self._queue.put_nowait(None)
            return
        self._queue.put_nowait(news)

    def close(self) -> None:
        """The server stops: wake the watcher for the last time."""
        if not (self.closed or self.overflowed):
            self.closed = True
            self._queue.put_nowait(None)

    async def next(self, *, timeout_s: float) -> News | None:
        """The next news, or None when `timeout_s` passed or the subscription ended (`overflowed`, `closed`)."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._queue.get()
        except TimeoutError:
            return None


class Broker:
    """Everybody who watches.  Lives in one event loop."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    def require_room(self) -> None:
        """Raise `TooManyAttempts` when all places are taken."""
        if len(self._subscriptions) >= STREAM_CLIENTS_MAX:
            raise TooManyAttempts(
                f"{STREAM_CLIENTS_MAX} live streams are open",
                "close other console windows and try again",
                retry_after_s=STREAM_RETRY_AFTER_S,
            )

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """A subscription for as long as the block runs.  Raises `TooManyAttempts` when all places are taken."""
        self.require_room()
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    @property
    def watchers(self) -> int:
        """How many streams are open."""
        return len(self._subscriptions)

    def publish(self, news: Iterable[News]) -> None:
        """Tell everybody.  Call it only after the transaction has been committed."""
        told = tuple(news)
        for subscription in tuple(self._subscriptions):
            for one in told:
                subscription.offer(one)

    def close(self) -> None:
        """End every stream."""
        for subscription in tuple(self._subscriptions):
            subscription.close()
