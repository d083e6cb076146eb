"""`ringfence keys rotate`: other keys for a role, as a new document for people to sign."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.ceremonies import change_keys
from ringfence.author.key_files import read_key
from ringfence.author.trust_directory import TrustDirectory
from ringfence.model.errors import UsageRefused
from ringfence.programs.wall_time import wall_time
from ringfence.trust import roles


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The trust directory.")],
    role: Annotated[str, typer.Option(help="root, content, rollout, snapshot or timestamp.")],
    add: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="The public half of a new key; may be repeated.")
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="KEYID", help="A key that leaves, or its beginning; may be repeated.")
    ] = None,
    threshold: Annotated[int | None, typer.Option(help="How many must agree from now on.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Give a role other keys: writes the next version of the document that names them, unsigned.

    A new root needs the signatures of the old root's keys and of the new one's.

    \b
    Example:
      ringfence keys rotate trust --role content --remove 3f2a --add emmy-2.pub
      ringfence keys sign trust/2.targets.json --key ada.key
    """
    if not add and not remove and threshold is None:
        raise UsageRefused("nothing would change", "say --add, --remove or --threshold; `keys renew` renews the expiry")
    change(directory, role, add or [], remove or [], threshold, as_json=as_json)


def change(
    directory: Path, role: str, add: list[Path], remove: list[str], threshold: int | None, *, as_json: bool
) -> None:
    """Write the changed document and say who must sign it.  Raises UsageRefused for an unknown role."""
    require_role(role, tuple(name for name in roles.RULES if name != roles.TARGETS))
    path = change_keys(
        TrustDirectory(directory),
        role,
        added=[read_key(one) for one in add],
        removed=remove,
        threshold=threshold,
        now=wall_time(),
    )
    if as_json:
        print(json.dumps({"file": str(path)}))
    else:
        print(f"{path}: waits for the signatures of root's keys (`ringfence keys sign {path} --key FILE`)")


def require_role(role: str, allowed: tuple[str, ...]) -> None:
    """Raise UsageRefused unless `role` is one of those."""
    if role not in allowed:
        raise UsageRefused(f"{role!r} is no role here", f"say one of {', '.join(allowed)}")
