"""`ringfence keys show`: who signed what, what is missing, and what expires when."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ringfence.author.key_files import read_key
from ringfence.author.trust_directory import RoleReport, TrustDirectory, chain_or_first, report
from ringfence.programs.wall_time import wall_time
from ringfence.trust import roles
from ringfence.trust.ceremony import names_of
from ringfence.wire.key_document import KeyDocument, NoSecret, OpenSecret, SealedSecret


def command(
    path: Annotated[Path, typer.Argument(metavar="DIR|KEY", help="A trust directory, or a key file.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a trust directory: for each document who has signed it, how many must, and how long it holds.

    Warnings come well before an expiry: 60 days for root, 30 for content.  A key file shows whose key it is.

    Example: ringfence keys show trust
    """
    if path.is_file():
        _show_key(read_key(path), as_json=as_json)
        return
    directory = TrustDirectory(path)
    reports = report(directory, wall_time())
    online = _online_keys(directory)
    if as_json:
        print(json.dumps({"documents": [_facts(one) for one in reports], "online": online}))
        return
    for one in reports:
        state = "in force" if one.in_force else "waits for signatures"
        print(f"{one.role} version {one.version}: {state}, expires {one.expires:%Y-%m-%d} ({one.days_left} days left)")
        for place, quorum in enumerate(one.quorums):
            said = ("by the keys of the root before it: ", "by its own keys: ")[place] if len(one.quorums) > 1 else ""
            signed = sum(key.signed for key in quorum.keys)
            print(f"  {said}{signed} signatures, {quorum.threshold} of {len(quorum.keys)} wanted")
            for key in quorum.keys:
                print(f"    {'signed ' if key.signed else 'not yet'}  {key.owner}  {key.keyid[:16]}")
    for role, keys in online.items():
        named = ", ".join(f"{one['owner']} {one['keyid'][:16]}" for one in keys)
        print(f"{role}: signed by the server with {named}")
    for one in reports:
        for warning in one.warnings:
            print(f"warning: {warning}")


def _online_keys(directory: TrustDirectory) -> dict[str, list[dict[str, str]]]:
    chain = chain_or_first(directory)
    found = {}
    for role in roles.ONLINE:
        delegator = chain.root if roles.RULES[role].delegator == roles.ROOT else chain.targets
        if delegator is not None:
            found[role] = [{"keyid": keyid, "owner": owner} for keyid, owner in names_of(delegator.signed, role)]
    return found


def _facts(one: RoleReport) -> dict[str, Any]:
    return {
        "role": one.role,
        "version": one.version,
        "in_force": one.in_force,
        "expires": f"{one.expires:%Y-%m-%dT%H:%M:%SZ}",
        "days_left": one.days_left,
        "quorums": [
            {
                "threshold": quorum.threshold,
                "missing": quorum.missing,
                "keys": [{"keyid": key.keyid, "owner": key.owner, "signed": key.signed} for key in quorum.keys],
            }
            for quorum in one.quorums
        ],
        "warnings": list(one.warnings),
    }


def _show_key(key: KeyDocument, *, as_json: bool) -> None:
    match key.secret:
        case NoSecret():
            secret = "the public half"  # noqa: S105 - words about a secret
        case SealedSecret():
            secret = "behind a passphrase"  # noqa: S105 - words about a secret
        case OpenSecret():
            secret = "without a passphrase"  # noqa: S105 - words about a secret
        case other:
            secret = f"at {other.uri}"
    if as_json:
        print(json.dumps({"keyid": key.keyid, "owner": key.owner, "scheme": key.scheme, "secret": secret}))
    else:
        print(f"{key.owner}: {key.scheme} {key.keyid}, {secret}")
