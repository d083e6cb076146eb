"""The host's metrics in Prometheus' text format, read back by Prometheus' own parser."""

from prometheus_client.parser import text_string_to_metric_families

from ringfence.model.verdict import Mode
from ringfence.programs.host_status import metrics
from ringfence.wire.sensor_reports import SeenCounter, SeenProcessStatus, StatusReport

REPORT = StatusReport(
    at_unix_ms=1,
    mode=Mode.ENFORCE,
    release_index=1,
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


def test_a_host_that_observes_says_so() -> None:
    observing = StatusReport(1, Mode.OBSERVE, None, (), (), ())
    assert "ringfence_sensor_enforcing 0" in metrics(observing)
