"""`ringfence host pin`: keep this host on one release, and on none that is newer."""

from pathlib import Path
from typing import Annotated

import typer

from ringfence.programs.host_activation import release_named, steer
from ringfence.programs.host_steered import tell
from ringfence.wire import catalogue


def command(
    release: Annotated[str, typer.Argument(help="Its version, or its SHA-256 in full.", show_default=False)],
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why: `ringfence host why` shows it.", show_default=False)],
    force: Annotated[bool, typer.Option("--force", help="Although this host has refused it.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Keep this host on one release that it knows, and on none that is newer, until `ringfence host unpin`.

    If it is good here it runs at once; else the newest good one that is not newer runs.  The pin survives restarts.

    Example: ringfence host pin 41 --reason "ticket 1234" --state /var/lib/ringfence
    """
    version, sha256 = release_named(release)
    told = steer(state, catalogue.STEER_PIN, version=version, sha256=sha256, reason=reason, forced=force)
    tell(told, as_json=as_json)
