"""What Prometheus may read at `/metrics`: the server's own counters, and gauges of each host from its newest status.

`docs/metrics.md` lists every name.  Hosts are labelled, never part of a name, and bounded by `METRICS_HOSTS_MAX`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ringfence.control.host_queries import newest_statuses
from ringfence.control.services import ConsoleServices
from ringfence.control.views import HostRow
from ringfence.model.limits import METRICS_HOSTS_MAX
from ringfence.model.records import HostStatus

METRICS_MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class ServerMetrics:
    """The server's own counters; one instance per server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.uplink_answers = Counter(
            "ringfence_uplink_answers", "Answers given to hosts, by HTTP status.", ["status"], registry=self.registry
        )
        self.records_stored = Counter(
            "ringfence_records_stored", "Records of hosts that were stored.", registry=self.registry
        )
        self.records_repeated = Counter(
            "ringfence_records_repeated", "Records that came again and were ignored.", registry=self.registry
        )
        self.alerts_stored = Counter("ringfence_alerts_stored", "Alerts that were stored.", registry=self.registry)
        self.http_answers = Counter(
            "ringfence_http_answers",
            "Answers by part of the server and status.",
            ["part", "status"],
            registry=self.registry,
        )
        self.rows_removed = Counter(
            "ringfence_rows_removed", "Rows that the retention removed.", registry=self.registry
        )
        self.streams = Gauge("ringfence_streams", "Live streams that are open.", registry=self.registry)
        self.clock_behind_seconds = Gauge(
            "ringfence_clock_behind_seconds", "How far the clock is behind the newest record.", registry=self.registry
        )


class _HostGauges(Collector):
    """Gauges made from rows that were read a moment ago."""

    def __init__(self, hosts: Sequence[tuple[HostRow, HostStatus | None]]) -> None:
        self._hosts = hosts

    def collect(self) -> Iterable[Metric]:
        """One family after the other."""
        labels = ["host_id", "host"]
        seen = GaugeMetricFamily("ringfence_host_last_seen_seconds", "Unix time of the last batch.", labels=labels)
        alerts = GaugeMetricFamily("ringfence_host_open_alerts", "Alerts that are open.", labels=labels)
        enforcing = GaugeMetricFamily("ringfence_host_enforcing", "1 when the mode is enforce.", labels=labels)
        release = GaugeMetricFamily(
            "ringfence_host_release_version", "Version of the active release.", labels=[*labels, "release"]
        )
        memory = GaugeMetricFamily(
            "ringfence_host_process_memory_bytes", "Proportional set size by role.", labels=[*labels, "role"]
        )
        restarts = GaugeMetricFamily("ringfence_host_process_restarts", "Restarts by role.", labels=[*labels, "role"])
        counters = GaugeMetricFamily(
            "ringfence_host_counter",
            "A counter of the sensor, as the host last reported it.",
            labels=[*labels, "counter"],
        )
        for host, status in self._hosts:
            who = [host.host_id, host.host_name]
            seen.add_metric(who, host.last_seen_unix_ms / 1000)
            alerts.add_metric(who, host.open_alerts)
            enforcing.add_metric(who, float(host.mode == "enforce"))
            if host.release_name:
                release.add_metric([*who, host.release_name], host.release_version)
            if status is None:
                continue
            for role in sorted({process.role for process in status.processes}):
                same = [process for process in status.processes if process.role == role]
                memory.add_metric([*who, role], sum(process.memory_pss_bytes for process in same))
                restarts.add_metric([*who, role], max(process.restarts for process in same))  # each has its role's
            for name, value in {counter.name: counter.value for counter in status.counters}.items():
                counters.add_metric([*who, name], value)
        return (seen, alerts, enforcing, release, memory, restarts, counters)


async def render_metrics(services: ConsoleServices, metrics: ServerMetrics) -> bytes:
    """Everything in Prometheus's text format."""
    metrics.streams.set(services.broker.watchers)
    hosts = CollectorRegistry()
    hosts.register(_HostGauges(await newest_statuses(services.database, most=METRICS_HOSTS_MAX)))
    return generate_latest(metrics.registry) + generate_latest(hosts)
