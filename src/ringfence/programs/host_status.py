"""`ringfence host status`: each process of the sensor, the active release, marks, queues and counters."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ringfence.programs.host_frames import ask_warden
from ringfence.wire import catalogue
from ringfence.wire.sensor_reports import StatusReport, decode_status_report


def command(
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show each process of the sensor: role, pid, uid, state, memory; release, marks, queues and counters.

    Example: ringfence host status --state /var/lib/ringfence --json | jq .counters
    """
    report = decode_status_report(ask_warden(state, catalogue.STATUS))
    if as_json:
        print(json.dumps(_as_object(report), indent=2))
    else:
        _print(report)


def _as_object(report: StatusReport) -> dict[str, object]:
    """The JSON shape: mode, release, marks, memory_pss_bytes, processes, counters by name."""
    return {
        "at_unix_ms": report.at_unix_ms,
        "mode": report.mode.name.lower(),
        "release": report.release_index,
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


def _print(report: StatusReport) -> None:
    console = Console(file=sys.stdout, highlight=False)
    marks = ", ".join(mark.decode("utf-8", "backslashreplace") for mark in report.marks)
    console.print(
        f"mode {report.mode.name.lower()}, release number {report.release_index}, protecting {marks}", markup=False
    )
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
