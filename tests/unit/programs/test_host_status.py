"""The host's metrics in Prometheus' text format, read back by Prometheus' own parser."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ringfence.decide.boot_guard import FIRST
from ringfence.host.boot_store import BootStore
from ringfence.model.boot import Level, Phase, Reason
from ringfence.model.verdict import Mode
from ringfence.programs import host_status
from ringfence.programs.host_status import metrics
from ringfence.wire.sensor_reports import (
    SeenCounter,
    SeenProcessStatus,
    SeenRelease,
    StatusReport,
    encode_status_report,
)

REPORT = StatusReport(
    at_unix_ms=1,
    mode=Mode.ENFORCE,
    release=SeenRelease(1, b"starter", 7, bytes(range(32))),
    marks=(b"mount:/srv",),
    processes=(
        SeenProcessStatus(b"gate", 7, 64101, b"armed", 9_000_000, 2),
        SeenProcessStatus(b"gate", 8, 0, b"standby", 8_000_000, 0),
    ),
    counters=(SeenCounter(b"questions", 41), SeenCounter(b"ahead_queued", 3)),
)


def test_prometheus_reads_every_metric() -> None:
    families = {one.name: one for one in text_string_to_metric_families("\n".join(metrics(REPORT)) + "\n")}
    assert families["ringfence_sensor_questions"].type == "counter"
    assert families["ringfence_sensor_questions"].samples[0].value == 41
    assert families["ringfence_sensor_ahead_queued"].type == "gauge"
    assert families["ringfence_sensor_enforcing"].samples[0].value == 1
    memory = {one.labels["state"]: one.value for one in families["ringfence_sensor_process_memory_pss_bytes"].samples}
    assert memory == {"armed": 9_000_000, "standby": 8_000_000}


def test_the_release_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(host_status, "ask_warden", lambda *_: encode_status_report(REPORT))
    host_status.command(Path("/nowhere"), as_json=True)
    release = json.loads(capsys.readouterr().out)["release"]
    assert release == {"name": "starter", "version": 7, "sha256": bytes(range(32)).hex(), "number": 1}
    host_status.command(Path("/nowhere"))
    assert f"release starter version 7 (SHA-256 {release['sha256']})" in capsys.readouterr().out


def test_the_level_of_the_boot_guard_is_told_where_boots_are_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(host_status, "ask_warden", lambda *_: encode_status_report(REPORT))
    host_status.command(tmp_path)
    assert "boot level" not in capsys.readouterr().out
    store = BootStore(str(tmp_path))
    store.make()
    assert host_status.boot_level(tmp_path) is None
    store.write(replace(FIRST, phase=Phase.UP, level=Level.BASELINE, reason=Reason.FAILED))
    host_status.command(tmp_path)
    assert "boot level baseline, see `ringfence host boot-state`" in capsys.readouterr().out
    host_status.command(tmp_path, as_json=True)
    assert json.loads(capsys.readouterr().out)["boot_level"] == "baseline"


def test_a_host_that_observes_says_so() -> None:
    observing = StatusReport(1, Mode.OBSERVE, None, (), (), ())
    assert "ringfence_sensor_enforcing 0" in metrics(observing)
