"""Batches in a real database: whole or not at all, once, and never somebody else's."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from tests.unit.control.opened import NOW_UNIX_MS, new_host, opened
from tests.unit.wire.record_examples import ALERT, RULE
from tests.unit.wire.record_examples import records as any_record

from ringfence.control import documents, ingest, queries
from ringfence.control.database import Database
from ringfence.control.ingest import Stored, store_batch
from ringfence.control.schema import ALERTS, HOST_EPOCHS
from ringfence.control.views import AlertFilter
from ringfence.model.limits import HOST_EPOCHS_MAX
from ringfence.model.records import Alert, NumberedRecord, Record, RecordKey, RuleReference, Severity

EPOCH = "00000000000000aa"


def _numbered(records: list[Record], epoch: str = EPOCH, first: int = 1) -> list[NumberedRecord]:
    return [NumberedRecord(RecordKey(epoch, n), record) for n, record in enumerate(records, start=first)]


def _store(database: Database, host_id: str, records: list[NumberedRecord]) -> "asyncio.Future[Stored]":
    return asyncio.ensure_future(store_batch(database, host_id, records[0].key.epoch, records, now_unix_ms=NOW_UNIX_MS))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(any_record, min_size=1, max_size=8))
def test_every_record_that_the_wire_lets_through_is_stored_and_read_back(
    tmp_path_factory: pytest.TempPathFactory, records: list[Record]
) -> None:
    async def scene() -> tuple[Stored, Stored, list[str]]:
        async with opened(tmp_path_factory.mktemp("ingest")) as (services, _):
            host_id = await new_host(services)
            first = await _store(services.database, host_id, _numbered(records))
            again = await _store(services.database, host_id, _numbered(records))
            page = await queries.list_alerts(services.database, AlertFilter(), limit=200)
            details = [await queries.alert_detail(services.database, row.alert_id) for row in reversed(page.rows)]
            return first, again, [documents.document_of(detail.record) for detail in details]

    first, again, alerts = asyncio.run(scene())
    assert (first.accepted_through, first.new_records) == (len(records), len(records))
    assert (again.accepted_through, again.new_records) == (len(records), 0)
    assert alerts == [documents.document_of(record) for record in records if isinstance(record, Alert)]


def test_a_batch_that_fails_in_the_middle_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_: object) -> bool:
        raise RuntimeError("in the middle")

    async def scene() -> tuple[int, Stored]:
        async with opened(tmp_path) as (services, _):
            host_id = await new_host(services)
            with monkeypatch.context() as broken:
                broken.setattr(ingest, "_update_host", failing)
                with pytest.raises(RuntimeError, match="in the middle"):
                    await _store(services.database, host_id, _numbered([ALERT]))
            total = (await queries.list_alerts(services.database, AlertFilter())).total
            return total, await _store(services.database, host_id, _numbered([ALERT]))

    total, stored = asyncio.run(scene())
    assert (total, stored.new_alerts) == (0, 1)


def test_hosts_may_use_the_same_epoch_and_numbers(tmp_path: Path) -> None:
    async def scene() -> list[Stored]:
        async with opened(tmp_path) as (services, _):
            hosts = [await new_host(services, name) for name in ("a", "b")]
            return [await _store(services.database, host_id, _numbered([ALERT, ALERT])) for host_id in hosts]

    assert [(stored.accepted_through, stored.new_alerts) for stored in asyncio.run(scene())] == [(2, 2), (2, 2)]


def test_the_worst_rule_names_the_alert_and_every_rule_finds_it(tmp_path: Path) -> None:
    def rule(name: str, severity: Severity) -> RuleReference:
        return RuleReference(name, "p", "a", "d", severity, RULE.action, "", "", "")

    rules = (rule("Mild", Severity.LOW), rule("Worst", Severity.CRITICAL), rule("Bad", Severity.HIGH))
    alert = Alert(1, ALERT.source, ALERT.response, ALERT.file, rules, (), None, (), ALERT.release)

    async def scene() -> list[tuple[str, Severity]]:
        async with opened(tmp_path) as (services, _):
            await _store(services.database, await new_host(services), _numbered([alert]))
            pages = [await queries.list_alerts(services.database, AlertFilter(rule=one.identifier)) for one in rules]
            return [(page.rows[0].rule, page.rows[0].severity) for page in pages]

    assert asyncio.run(scene()) == [("Worst", Severity.CRITICAL)] * 3


def test_epochs_are_bounded_and_what_a_forgotten_one_brought_is_stored_once(tmp_path: Path) -> None:
    async def scene() -> tuple[int, int]:
        async with opened(tmp_path) as (services, _):
            host_id = await new_host(services)
            for number in (*range(HOST_EPOCHS_MAX + 3), 0):
                batch = _numbered([ALERT], epoch=f"{number:016x}")
                await store_batch(services.database, host_id, f"{number:016x}", batch, now_unix_ms=NOW_UNIX_MS + number)
            async with services.database.reading() as connection:
                epochs = (await connection.execute(select(HOST_EPOCHS.c.epoch))).all()
                alerts = (await connection.execute(select(ALERTS.c.alert_id))).all()
            return len(epochs), len(alerts)

    assert asyncio.run(scene()) == (HOST_EPOCHS_MAX, HOST_EPOCHS_MAX + 3)
