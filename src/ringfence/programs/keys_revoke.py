"""`ringfence keys revoke`: a key that is lost or stolen leaves every role at once."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.ceremonies import change_keys
from ringfence.author.trust_directory import TrustDirectory
from ringfence.model.errors import UsageRefused
from ringfence.programs.wall_time import wall_time
from ringfence.trust import roles
from ringfence.trust.ceremony import names_of


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The trust directory.")],
    keyid: Annotated[str, typer.Argument(metavar="KEYID", help="The key, or its beginning (8 characters or more).")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Take a key out of the role that has it: writes the next version of the document that names it, unsigned.

    Refused where too few keys would be left: rotate a new one in instead.  What the key has signed alone stays in
    force for no longer than the new document needs to be signed and published.

    Example: ringfence keys revoke trust 3f2a9c01d2
    """
    found = _roles_of(TrustDirectory(directory), keyid)
    if len(found) != 1:
        raise UsageRefused(
            f"{keyid!r} is a key of {len(found)} roles" + (f": {', '.join(found)}" if found else ""),
            "copy the identifier from `ringfence keys show`; one of several roles leaves with `ringfence keys rotate`",
        )
    path = change_keys(
        TrustDirectory(directory), found[0], added=(), removed=[keyid], threshold=None, now=wall_time()
    )
    if as_json:
        print(json.dumps({"file": str(path), "role": found[0]}))
    else:
        print(f"{path}: without that key of {found[0]}; waits for the signatures of root's keys")


def _roles_of(directory: TrustDirectory, keyid: str) -> list[str]:
    """The roles that have the key; targets follow root."""
    chain = directory.chain()
    found = []
    for role, rule in roles.RULES.items():
        delegator = chain.in_force(rule.delegator)
        if role == roles.TARGETS or delegator is None:
            continue
        if any(one.startswith(keyid) for one, _ in names_of(delegator.signed, role)):
            found.append(role)
    return found
