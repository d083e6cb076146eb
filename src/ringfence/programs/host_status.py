"""`ringfence host status`: each process of the sensor, the active release, marks, queues and counters."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from ringfence.host.boot_store import BootStore
from ringfence.model.activation import Stage
from ringfence.model.boot import Phase
from ringfence.model.verdict import Mode
from ringfence.programs.host_frames import ask_warden
from ringfence.wire import catalogue
from ringfence.wire.sensor_reports import SeenRelease, StatusReport, decode_status_report

_GAUGES: Final = frozenset(
    """ahead_queued sightings_queued courier_spool_bytes courier_spool_records rules_observed rules_disabled
    releases_good releases_refused release_stage shadow_compared shadow_new_blocks""".split()
)
"""Counters that also go down."""


def command(
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="Print metrics in Prometheus' text format, for a textfile collector.")
    ] = False,
) -> None:
    """Show each process of the sensor: role, pid, uid, state, memory; release, marks, queues and counters.

    Example: ringfence host status --state /var/lib/ringfence --json | jq .counters

    For a node exporter: ringfence host status --state /var/lib/ringfence --prometheus > ringfence.prom
    """
    report = decode_status_report(ask_warden(state, catalogue.STATUS))
    if prometheus:
        print("\n".join(metrics(report)))
    elif as_json:
        print(json.dumps({**_as_object(report), "boot_level": boot_level(state)}, indent=2))
    else:
        _print(report, boot_level(state))


def boot_level(state: Path) -> str | None:
    """The level of the boot guard, in a word; None where no boot is counted, as with `ringfence up`."""
    record, _ = BootStore(str(state)).load()
    return None if record is None or record.phase is Phase.NONE else record.level.word


def _as_object(report: StatusReport) -> dict[str, object]:
    """The JSON shape, but for boot_level: mode, release, marks, memory_pss_bytes, processes, counters by name."""
    return {
        "at_unix_ms": report.at_unix_ms,
        "mode": report.mode.name.lower(),
        "release": None if report.release is None else _release_of(report.release),
        "marks": [mark.decode("utf-8", "backslashreplace") for mark in report.marks],
        "memory_pss_bytes": sum(one.memory_pss_bytes for one in report.processes),
        "processes": [
            {
                key: value.decode() if isinstance(value, bytes) else value
                for key, value in dataclasses.asdict(one).items()
            }
            for one in report.processes
        ],
        "counters": {one.name.decode(): one.value for one in report.counters},
    }


def _release_of(release: SeenRelease) -> dict[str, object]:
    return {
        "name": release.name.decode(),
        "version": release.version,
        "sha256": release.sha256.hex(),
        "number": release.index,
    }


def metrics(report: StatusReport) -> list[str]:
    """The lines of Prometheus' text exposition format, version 0.0.4: counters, and a process's memory and restarts."""
    enforcing = int(report.mode is Mode.ENFORCE)
    lines = ["# TYPE ringfence_sensor_enforcing gauge", f"ringfence_sensor_enforcing {enforcing}"]
    for counter in report.counters:
        name = f"ringfence_sensor_{counter.name.decode()}"
        kind = "gauge" if counter.name.decode() in _GAUGES else "counter"
        name += "" if kind == "gauge" else "_total"
        lines += [f"# TYPE {name} {kind}", f"{name} {counter.value}"]
    for field in ("memory_pss_bytes", "restarts"):
        lines.append(f"# TYPE ringfence_sensor_process_{field} gauge")
        for one in report.processes:
            labels = f'role="{one.role.decode()}",pid="{one.pid}",state="{one.state.decode()}"'
            lines.append(f"ringfence_sensor_process_{field}{{{labels}}} {getattr(one, field)}")
    return lines


def _trial(report: StatusReport) -> str:
    """What is tried beside it, and what was refused; `ringfence host why` tells the rest."""
    counted = {one.name.decode(): one.value for one in report.counters}
    stage, refused = counted.get("release_stage", 0), counted.get("releases_refused", 0)
    trial = f"\nanother release is tried: {list(Stage)[stage - 1]}" if stage else ""
    return trial + (f"\n{refused} releases are refused" if refused else "")


def _print(report: StatusReport, level: str | None) -> None:
    console = Console(file=sys.stdout, highlight=False)
    marks = ", ".join(mark.decode("utf-8", "backslashreplace") for mark in report.marks)
    release = "no release"
    if report.release is not None:
        active = report.release
        release = f"release {active.name.decode()} version {active.version} (SHA-256 {active.sha256.hex()})"
    release += _trial(report)
    if level is not None:
        release += f"\nboot level {level}, see `ringfence host boot-state`"
    console.print(f"mode {report.mode.name.lower()}, protecting {marks}\n{release}", markup=False, soft_wrap=True)
    table = Table("role", "pid", "uid", "state", "memory", "restarts", box=None)
    for one in report.processes:
        memory = f"{one.memory_pss_bytes / 1e6:.1f} MB"
        table.add_row(one.role.decode(), str(one.pid), str(one.uid), one.state.decode(), memory, str(one.restarts))
    console.print(table)
    total = sum(one.memory_pss_bytes for one in report.processes)
    console.print(f"memory of all processes together: {total / 1e6:.1f} MB (proportional set size)")
    counters = Table("counter", "value", box=None)
    for counter in report.counters:
        counters.add_row(counter.name.decode(), str(counter.value))
    console.print(counters)
