"""Every metric has its line in `docs/metrics.md`, and hostile names stay inside their quotes."""

import asyncio
import re
from pathlib import Path

from tests.unit.control.opened import new_host, opened

from ringfence.control.ingest import store_batch
from ringfence.control.metrics import ServerMetrics, render_metrics
from ringfence.model.records import Counter, HostStatus, NumberedRecord, ProcessStatus, RecordKey, ReleaseReference
from ringfence.wire.catalogue import GATE_COUNTERS

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "metrics.md"
EPOCH = "00000000000000aa"
STATUS = HostStatus(
    at_unix_ms=1,
    mode="enforce",
    release=ReleaseReference("starter", 3, "cd" * 32),
    marks=(),
    processes=(ProcessStatus("scanner", 1, 1, "running", 100, 3), ProcessStatus("scanner", 2, 1, "running", 50, 3)),
    counters=(Counter("questions", 7),),
)


def _rendered(directory: Path, host_name: str) -> str:
    async def scene() -> str:
        async with opened(directory) as (services, clock):
            host_id = await new_host(services, host_name)
            records = [NumberedRecord(RecordKey(EPOCH, 1), STATUS)]
            await store_batch(services.database, host_id, EPOCH, records, now_unix_ms=clock())
            metrics = ServerMetrics()
            metrics.uplink_answers.labels(status="200").inc()
            metrics.http_answers.labels(part="api", status="200").inc()
            return (await render_metrics(services, metrics)).decode()

    return asyncio.run(scene())


def test_every_metric_is_documented_and_every_documented_one_exists(tmp_path: Path) -> None:
    families = re.findall(r"^# TYPE (\w+) \w+$", _rendered(tmp_path, "web-1"), re.MULTILINE)
    named = {name for name in families if not name.endswith("_created")}
    assert set(re.findall(r"^\| `(ringfence_\w+)", DOCUMENT.read_text(), re.MULTILINE)) == named


def test_every_counter_of_a_gate_is_documented() -> None:
    documented = set(re.findall(r"^\| `([a-z_]+)` \|", DOCUMENT.read_text(), re.MULTILINE))
    assert [name for name in GATE_COUNTERS if name not in documented] == []


def test_memory_of_a_role_is_added_up_and_its_restarts_are_not(tmp_path: Path) -> None:
    text = _rendered(tmp_path, "web-1")
    assert re.search(r'ringfence_host_process_memory_bytes\{.*role="scanner"\} 150\.0', text)
    assert re.search(r'ringfence_host_process_restarts\{.*role="scanner"\} 3\.0', text)
    assert re.search(r'ringfence_host_counter\{counter="questions".*\} 7\.0', text)


def test_a_hostile_name_stays_inside_its_quotes(tmp_path: Path) -> None:
    lines = _rendered(tmp_path, 'x"} 1\nevil_metric 5').splitlines()
    assert not any(line.startswith("evil_metric") for line in lines)
