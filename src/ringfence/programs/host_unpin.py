"""`ringfence host unpin`: take the pin back."""

from pathlib import Path
from typing import Annotated

import typer

from ringfence.programs.host_activation import steer
from ringfence.programs.host_steered import tell
from ringfence.wire import catalogue


def command(
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Take the pin back: the newest release that is good here runs, and newer ones are taken again.

    Example: ringfence host unpin --state /var/lib/ringfence
    """
    tell(steer(state, catalogue.STEER_UNPIN), as_json=as_json)
