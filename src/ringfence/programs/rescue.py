"""`ringfence rescue`: the disk of a machine that does not boot, repaired from outside; see
`programs/rescue_tool.py`.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from ringfence.host.durable import write_durably
from ringfence.model.errors import PathRefused, UsageRefused
from ringfence.programs import rescue_tool


def command(
    root: Annotated[Path | None, typer.Option(help="Where the disk of the machine is mounted.")] = None,
    state: Annotated[
        str, typer.Option(help="Its state directory, as the machine calls it.")
    ] = rescue_tool.DEFAULT_STATE,
    to: Annotated[
        str | None, typer.Option(help="normal, previous, baseline or off; without it, only show.", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what --to would do, and do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    write_tool: Annotated[
        Path | None,
        typer.Option(help="Write this command as one file for a system that has only Python.", show_default=False),
    ] = None,
) -> None:
    r"""Repair the disk of a machine that does not boot, from outside.

    Shows how its last boots went and which releases it has.  Takes the sensor back where asked; no link of that disk is
    followed, and what is taken away is kept beside its old place.

    \b
    Examples:
      ringfence rescue --root /mnt
      ringfence rescue --root /mnt --to baseline
      ringfence rescue --write-tool rescue.pyz     # then, anywhere: python3 rescue.pyz --root /mnt --to off
    """
    if write_tool is not None:
        if not write_tool.parent.is_dir():
            raise PathRefused(f"{write_tool.parent} is not a directory", "make it first")
        write_durably(write_tool, rescue_tool.tool(), mode=0o755)
        print(f"wrote {write_tool}: python3 {write_tool.name} --root DIR")
        return
    if root is None:
        raise UsageRefused("no disk is named", "say where it is mounted with --root, or --write-tool FILE")
    if to is not None and to not in rescue_tool.LEVELS:
        raise UsageRefused(f"there is no level {to!a}", f"say --to {', '.join(rescue_tool.LEVELS)}")
    level = None if to is None else rescue_tool.LEVELS[to]
    told = rescue_tool.run(str(root), state, level, dry_run=dry_run)
    print(json.dumps(told, indent=2) if as_json else "\n".join(rescue_tool.lines_of(told)))
