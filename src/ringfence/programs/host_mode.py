"""`ringfence host mode`: switch a running sensor to observe or enforce."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ringfence.model.errors import UsageRefused
from ringfence.model.verdict import Mode
from ringfence.programs.host_frames import ask_warden
from ringfence.wire import catalogue


def command(
    mode: Annotated[str, typer.Argument(help="observe or enforce", show_default=False)],
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Switch a running sensor; `enforce` also closes a breaker that has tripped.

    Example: ringfence host mode observe --state /var/lib/ringfence
    """
    try:
        wanted = Mode[mode.upper()]
    except KeyError:
        raise UsageRefused(f"{mode!r} is no mode", "say `observe` or `enforce`") from None
    ask_warden(state, catalogue.MODE, catalogue.MODE_BODY.pack(wanted))
    print(json.dumps({"mode": wanted.name.lower()}) if as_json else f"mode is {wanted.name.lower()} now")
