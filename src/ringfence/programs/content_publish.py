"""`ringfence content publish`: what is signed becomes what hosts get, if a fresh host would take it."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.contract_files import read_contracts
from ringfence.author.publish import Conditions, check, chosen, offered
from ringfence.author.trust_directory import TrustDirectory
from ringfence.control.online_keys import OnlineKeys
from ringfence.control.repository import CURRENT, Repository
from ringfence.control.state import open_state
from ringfence.host.repository_judge import judge
from ringfence.model.errors import UsageRefused
from ringfence.programs.own_contract import own_contract
from ringfence.programs.release_file import read_release
from ringfence.programs.wall_time import wall_time
from ringfence.trust import roles
from ringfence.trust.metadata import encode_metadata
from ringfence.wire.rollout import CHANNEL, Rollout, RolloutEntry


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The trust directory.")],
    state: Annotated[Path, typer.Option(help="The state directory of the server.", show_default=False)],
    channel: Annotated[str, typer.Option(help="The channel that gets a release.")] = "stable",
    release: Annotated[
        str, typer.Option(metavar="WHICH", help="NAME:VERSION, or the beginning of a digest; the newest otherwise.")
    ] = "",
    contracts: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The contracts of every sensor build; this build's otherwise.")
    ] = None,
    only_keys: Annotated[
        bool, typer.Option("--only-keys", help="Publish changed documents, and leave the channels as they are.")
    ] = False,
    unproven: Annotated[
        bool, typer.Option("--unproven", help="Publish a release without a proof.  Hosts refuse it by default.")
    ] = False,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Publish what people have signed, and give a channel its release.

    Before anything is served, it is judged as hosts would: by one that knows only the first root, and by one that
    holds what is served now.  The release is held against the contract of every sensor build, and its proof is looked
    at.  A refusal leaves everything as it was.  There is no switch that skips the judgement.

    \b
    Examples:
      ringfence content publish trust --state /var/lib/ringfence
      ringfence content publish trust --state /var/lib/ringfence --channel canary --release starter:8
      ringfence content publish trust --state /var/lib/ringfence --only-keys
    """
    if not CHANNEL.fullmatch(channel):
        raise UsageRefused(f"{channel!r} is no name of a channel", "use small letters, digits and `-`")
    now = wall_time()
    offline = offered(TrustDirectory(directory))
    changed: dict[str, Rollout] = {}
    facts: dict[str, object] = {}
    if not only_keys:
        if unproven:
            print("ringfence: WITHOUT PROOF: nobody has shown that this release cannot hurt a host", file=sys.stderr)
        one = chosen(offline, release)
        fleet = read_contracts(contracts) if contracts is not None else (own_contract(),)
        data = read_release(_file(directory, roles.release_path(one.sha256)))
        check(one, data, Conditions(fleet, int(now.timestamp()), unproven))
        changed[channel] = Rollout(channel, (RolloutEntry(one.sha256, one.note.version),))
        facts = {"channel": channel, "sha256": one.sha256, "name": one.note.name, "version": one.note.version}
    server = open_state(state)
    repository = Repository(server.repository, OnlineKeys(server.online_keys))
    served = (server.repository / CURRENT).resolve() if (server.repository / CURRENT).is_symlink() else None
    before = repository.published()
    first = encode_metadata((before.offline if before else offline).roots[0])
    channels = {*changed, *(before.rollouts if before else ())}
    published = repository.publish(
        offline,
        lambda path: _file(directory, path),
        changed,
        now,
        lambda generation: judge(generation, served, first, sorted(channels), now),
    )
    facts |= {"generation": int(published.path.name), "content": offline.content.signed.version}
    if as_json:
        print(json.dumps(facts))
    elif changed:
        print(f"{channel} gets {facts['name']} version {facts['version']} ({str(facts['sha256'])[:16]})")
    else:
        print(f"published root {offline.root.version} and content {offline.content.signed.version}")


def _file(directory: Path, path: str) -> Path:
    return TrustDirectory(directory).target_files / path
