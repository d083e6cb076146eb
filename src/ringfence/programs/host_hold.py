"""`ringfence host hold`: let this host take no new releases for a while."""

from pathlib import Path
from typing import Annotated

import typer

from ringfence.model.errors import UsageRefused
from ringfence.programs.host_activation import steer
from ringfence.programs.host_steered import tell
from ringfence.wire import catalogue


def command(
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why: `ringfence host why` shows it.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Take new releases again.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Let this host take no new releases until the hold is lifted; what it runs goes on, and what soaks soaks on.

    What the operator loads is taken all the same.  The hold survives restarts.

    Example: ringfence host hold --reason "quarter's end" --state /var/lib/ringfence
    """
    if lift and reason:
        raise UsageRefused("a hold that is lifted needs no reason", "leave out --reason, or leave out --lift")
    if not lift and not reason:
        raise UsageRefused("a hold needs its reason", "say --reason TEXT, or --lift to end one")
    told = steer(state, catalogue.STEER_LIFT if lift else catalogue.STEER_HOLD, reason=reason)
    tell(told, as_json=as_json)
