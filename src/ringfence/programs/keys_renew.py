"""`ringfence keys renew`: a later expiry for a document, and nothing else."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.ceremonies import renew
from ringfence.author.trust_directory import TrustDirectory
from ringfence.programs.keys_rotate import require_role
from ringfence.programs.wall_time import wall_time
from ringfence.trust import roles


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The trust directory.")],
    role: Annotated[str, typer.Option(help="root, targets or content; the server renews the others by itself.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write the next version of a document with a later expiry, unsigned.

    Example: ringfence keys renew trust --role root
    """
    require_role(role, roles.OFFLINE)
    path = renew(TrustDirectory(directory), role, wall_time())
    if as_json:
        print(json.dumps({"file": str(path)}))
    else:
        print(f"{path}: waits for signatures (`ringfence keys sign {path} --key FILE`)")
