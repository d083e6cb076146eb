"""`ringfence host why`: which release this host runs, why, and with what evidence; also when no sensor runs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ringfence.decide.activation_turn import Activation
from ringfence.decide.activation_why import Evidence, Topic, why
from ringfence.decide.shadow import evidence_of
from ringfence.host.boot_store import BootStore
from ringfence.model.boot import Phase
from ringfence.programs.host_activation import Told, ask_activation
from ringfence.programs.host_boot_state import MEANING, WHY
from ringfence.wire.catalogue import SHADOW_COUNTERS


def command(
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say why this host is on this release: what runs and since when, what is tried, what is good, pinned and refused.

    Without a running sensor the answer comes from its record.

    Example: ringfence host why --state /var/lib/ringfence
    """
    told = ask_activation(state)
    lines = (*evidence(told), *boot_evidence(state))
    if as_json:
        print(json.dumps(as_object(told, lines), indent=2))
    else:
        show(lines)


def evidence(told: Told) -> tuple[Evidence, ...]:
    """Line by line, the most important first."""
    live, kept = told.live, told.state
    if live is None:
        note = Evidence(Topic.TROUBLE, "no sensor runs: this is what its record says", code="no-sensor")
        return (*why(Activation(kept, begun=True, runs=kept.arrival.release, ready=True)), note)
    counts = evidence_of(live.counts) if kept.candidate is not None else evidence_of((0,) * len(SHADOW_COUNTERS))
    known = Activation(
        kept, begun=True, unkept=live.unkept, off=live.off, runs=kept.arrival.release, ready=live.ready,
        stage_ms=live.stage_ms, counts=counts,
    )
    notes = []
    if live.damaged:
        text = f"{live.damaged} files of the store were found damaged and set aside since the sensor started"
        notes.append(Evidence(Topic.TROUBLE, text, code="damaged"))
    if counts.new_blocks:
        path = live.worst_path.decode("utf-8", "backslashreplace")
        notes.append(Evidence(Topic.TRYING, f"the worst of its new blocks: {path}", code="worst-block"))
    return (*why(known), *notes)


def boot_evidence(state: Path) -> tuple[Evidence, ...]:
    """How much say the sensor has because of the last boots; nothing where none is counted, as with `ringfence up`."""
    record, _ = BootStore(str(state)).load()
    if record is None or record.phase is Phase.NONE:
        return ()
    since = record.lowered_at_s or None
    text = f"level {record.level.word}: {MEANING[record.level]} ({WHY[record.reason]})"
    return (Evidence(Topic.BOOT, text, at_s=since, code=f"boot-{record.level.word}"),)


def as_object(told: Told, lines: tuple[Evidence, ...]) -> dict[str, object]:
    """The JSON shape: whether a sensor runs, counts of the shadow, and every line."""
    counts = () if told.live is None else told.live.counts
    return {
        "sensor_runs": told.live is not None,
        "shadow": dict(zip(SHADOW_COUNTERS, counts, strict=False)),
        "lines": [
            {
                "topic": str(one.topic),
                "text": one.text,
                "version": None if one.release is None else one.release.version,
                "sha256": None if one.release is None else one.release.sha256,
                "at_s": one.at_s,
                "code": one.code,
            }
            for one in lines
        ],
    }


def show(lines: tuple[Evidence, ...]) -> None:
    """For a person: one line each."""
    wide = max(len(one.topic) for one in lines)
    for one in lines:
        since = "" if one.at_s is None else datetime.fromtimestamp(one.at_s, UTC).strftime(" since %Y-%m-%d %H:%M:%SZ")
        about = "" if one.release is None else f"release {one.release.label}{since}: "
        print(f"{one.topic:<{wide}}  {about}{one.text}")
