"""Hosts as the console lists them: pages, silence, gaps, losses, counters."""

import asyncio
from pathlib import Path

import pytest
from tests.unit.control.opened import new_host, opened
from tests.unit.wire.record_examples import ALERT

from ringfence.control import host_queries
from ringfence.control.ingest import store_batch
from ringfence.control.refusals import NotFound, RequestRefused
from ringfence.control.rows import check_page_limit
from ringfence.control.services import ConsoleServices
from ringfence.control.views import HostDetail
from ringfence.model.limits import HOST_SILENT_AFTER_MS, PAGE_ROWS_MAX
from ringfence.model.records import (
    Counter,
    HostEvent,
    HostEventKind,
    HostStatus,
    Lost,
    NumberedRecord,
    Record,
    RecordKey,
    ReleaseReference,
    SkippedFile,
)

EPOCH = "00000000000000aa"


def _status(at_unix_ms: int, questions: int) -> HostStatus:
    release = ReleaseReference("starter", 3, "cd" * 32)
    return HostStatus(at_unix_ms, "enforce", release, ("/srv",), (), (Counter("questions", questions),))


async def _send(services: ConsoleServices, host_id: str, numbers_and_records: dict[int, Record]) -> None:
    records = [NumberedRecord(RecordKey(EPOCH, number), record) for number, record in numbers_and_records.items()]
    await store_batch(services.database, host_id, EPOCH, records, now_unix_ms=services.clock())


def test_pages_of_hosts_go_by_name_and_hold_each_once(tmp_path: Path) -> None:
    async def scene() -> list[list[str]]:
        async with opened(tmp_path) as (services, clock):
            for name in ("b", "a", "c", "a"):
                await new_host(services, name)
            pages: list[list[str]] = []
            after: str | None = None
            while True:
                page = await host_queries.list_hosts(services.database, now_unix_ms=clock(), after=after, limit=3)
                pages.append([row.host_name for row in page.rows])
                after = page.next_after
                if after is None:
                    return pages

    assert asyncio.run(scene()) == [["a", "a", "b"], ["c"]]


def test_a_host_is_shown_with_all_that_it_said_and_did_not_say(tmp_path: Path) -> None:
    async def scene() -> HostDetail:
        async with opened(tmp_path) as (services, clock):
            host_id = await new_host(services)
            sent: dict[int, Record] = {
                1: ALERT,
                2: SkippedFile(1, "/srv/big", 5, "file_too_large", will_rescan=True),
                5: Lost(1, "gate", 7),
                6: HostEvent(1, HostEventKind.STARTED, "warden", "x"),
                7: _status(1, 10),
            }
            await _send(services, host_id, sent)
            return await host_queries.host_detail(services.database, host_id, now_unix_ms=clock())

    detail = asyncio.run(scene())
    assert detail.status == _status(1, 10)
    assert (detail.row.mode, detail.row.release_name, detail.row.release_version) == ("enforce", "starter", 3)
    assert [gap.count for gap in detail.gaps] == [2]
    assert [(loss.source, loss.count) for loss in detail.losses] == [("gate", 7)]
    assert [skipped.path for skipped in detail.skipped] == ["/srv/big"]
    assert [event.kind for event in detail.events] == [HostEventKind.STARTED]
    assert (detail.row.open_alerts, len(detail.alerts), detail.row.is_silent) == (1, 1, False)


def test_no_report_is_silence_whatever_was_said_last(tmp_path: Path) -> None:
    async def scene() -> bool:
        async with opened(tmp_path) as (services, clock):
            host_id = await new_host(services)
            await _send(services, host_id, {1: _status(1, 1)})
            clock.now_unix_ms += HOST_SILENT_AFTER_MS + 1
            page = await host_queries.list_hosts(services.database, now_unix_ms=clock())
            return page.rows[0].is_silent

    assert asyncio.run(scene())


def test_a_counter_is_read_over_time(tmp_path: Path) -> None:
    async def scene() -> list[tuple[int, int]]:
        async with opened(tmp_path) as (services, _):
            host_id = await new_host(services)
            await _send(services, host_id, {1: _status(100, 5), 2: _status(200, 9)})
            points = await host_queries.counter_series(services.database, host_id, "questions", since_unix_ms=0)
            assert await host_queries.counter_series(services.database, host_id, "other", since_unix_ms=0) == ()
            newest = await host_queries.newest_statuses(services.database, most=5)
            assert [status for _, status in newest] == [_status(200, 9)]
            return [(point.at_unix_ms, point.value) for point in points]

    assert asyncio.run(scene()) == [(100, 5), (200, 9)]


def test_a_host_that_does_not_exist_is_not_found(tmp_path: Path) -> None:
    async def scene() -> None:
        async with opened(tmp_path) as (services, clock):
            await host_queries.host_detail(services.database, "0" * 32, now_unix_ms=clock())

    with pytest.raises(NotFound):
        asyncio.run(scene())


@pytest.mark.parametrize("limit", [0, -1, PAGE_ROWS_MAX + 1])
def test_a_page_is_bounded(limit: int) -> None:
    with pytest.raises(RequestRefused, match=str(PAGE_ROWS_MAX)):
        check_page_limit(limit)
