"""Tables stay within their bounds; settled alerts go first; a noisy host pushes out only its own."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from tests.unit.control.opened import NOW_UNIX_MS, new_host, opened
from tests.unit.wire.record_examples import ALERT

from ringfence.control import commands, queries, retention
from ringfence.control.ingest import store_batch
from ringfence.control.services import ConsoleServices
from ringfence.control.views import Actor, AlertFilter
from ringfence.model.records import HostStatus, NumberedRecord, Record, RecordKey, SkippedFile

EPOCH = "00000000000000aa"
ADMIN = Actor(source="user", name="admin")


async def _send(services: ConsoleServices, host_id: str, record: Record, first: int, count: int) -> None:
    records = [NumberedRecord(RecordKey(EPOCH, number), record) for number in range(first, first + count)]
    await store_batch(services.database, host_id, EPOCH, records, now_unix_ms=NOW_UNIX_MS)


def test_a_noisy_host_pushes_out_its_own_alerts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ALERTS_KEPT_PER_HOST_MAX", 5)

    async def scene() -> tuple[Counter[str], list[str]]:
        async with opened(tmp_path) as (services, _):
            noisy, quiet = await new_host(services, "noisy"), await new_host(services, "quiet")
            await _send(services, quiet, ALERT, 1, 3)
            await _send(services, noisy, ALERT, 1, 20)
            assert await retention.remove_old_rows(services.database, now_unix_ms=NOW_UNIX_MS) == 15
            assert await retention.remove_old_rows(services.database, now_unix_ms=NOW_UNIX_MS) == 0
            rows = (await queries.list_alerts(services.database, AlertFilter())).rows
            log = await queries.audit_log(services.database, action="server:alerts")
            return Counter(row.host_name for row in rows), [entry.detail for entry in log.rows]

    assert asyncio.run(scene()) == (Counter(noisy=5, quiet=3), ["15"])


def test_settled_alerts_go_before_open_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ALERTS_KEPT_MAX", 2)

    async def scene() -> list[int]:
        async with opened(tmp_path) as (services, _):
            await _send(services, await new_host(services), ALERT, 1, 4)
            for alert_id in (3, 4):
                await commands.resolve_alert(services, ADMIN, alert_id=alert_id, expected_version=1)
            await retention.remove_old_rows(services.database, now_unix_ms=NOW_UNIX_MS)
            return [row.alert_id for row in (await queries.list_alerts(services.database, AlertFilter())).rows]

    assert asyncio.run(scene()) == [2, 1]


def test_status_and_skipped_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_WHOLE_TABLES", tuple((t, key, 3) for t, key, _ in retention._WHOLE_TABLES))
    monkeypatch.setattr(retention, "_PER_HOST_TABLES", tuple((t, key, 2) for t, key, _ in retention._PER_HOST_TABLES))

    async def scene() -> int:
        async with opened(tmp_path) as (services, _):
            host_id = await new_host(services)
            await _send(services, host_id, SkippedFile(1, "/x", 1, "file_hot", will_rescan=False), 1, 10)
            await _send(services, host_id, HostStatus(1, "enforce", None, (), (), ()), 11, 10)
            return await retention.remove_old_rows(services.database, now_unix_ms=NOW_UNIX_MS)

    assert asyncio.run(scene()) == 7 + 8
