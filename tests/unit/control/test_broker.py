"""News reach every watcher; a slow one is cut off and nobody waits."""

import asyncio
import contextlib

import pytest

from ringfence.control.broker import Broker, News, NewsKind
from ringfence.control.refusals import TooManyAttempts
from ringfence.model.limits import STREAM_CLIENTS_MAX, STREAM_QUEUE_EVENTS_MAX

NEWS = News(NewsKind.ALERT_RAISED, alert_id=1)


def test_every_watcher_hears_everything_in_order() -> None:
    async def scene() -> list[News | None]:
        broker = Broker()
        with broker.subscribe() as one, broker.subscribe() as two:
            broker.publish([NEWS, News(NewsKind.HOST_CHANGED, host_id="h")])
            return [await watcher.next(timeout_s=1) for watcher in (one, two, one, two)]

    heard = asyncio.run(scene())
    assert [news.kind for news in heard if news] == [NewsKind.ALERT_RAISED] * 2 + [NewsKind.HOST_CHANGED] * 2


def test_a_watcher_that_does_not_read_is_cut_off_and_the_others_go_on() -> None:
    async def scene() -> tuple[bool, int, bool]:
        broker = Broker()
        with broker.subscribe() as slow:
            broker.publish([NEWS] * (STREAM_QUEUE_EVENTS_MAX + 10))
            with broker.subscribe() as quick:
                broker.publish([NEWS])
                heard = 0
                while await slow.next(timeout_s=0.01) is not None:
                    heard += 1
                return slow.overflowed, heard, await quick.next(timeout_s=1) == NEWS

    assert asyncio.run(scene()) == (True, STREAM_QUEUE_EVENTS_MAX, True)


def test_places_are_bounded_and_come_free() -> None:
    async def scene() -> int:
        broker = Broker()
        with contextlib.ExitStack() as watching:
            for _ in range(STREAM_CLIENTS_MAX):
                watching.enter_context(broker.subscribe())
            with pytest.raises(TooManyAttempts):
                broker.require_room()
        broker.require_room()
        return broker.watchers

    assert asyncio.run(scene()) == 0


def test_the_end_wakes_everybody() -> None:
    async def scene() -> tuple[News | None, bool]:
        broker = Broker()
        with broker.subscribe() as watcher:
            waiting = asyncio.create_task(watcher.next(timeout_s=60))
            broker.close()
            return await waiting, watcher.closed

    assert asyncio.run(scene()) == (None, True)
