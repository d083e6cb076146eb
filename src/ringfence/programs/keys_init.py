"""`ringfence keys init`: the first documents of a repository, for people to sign."""

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from ringfence.author.ceremonies import begin
from ringfence.author.key_files import read_key
from ringfence.author.trust_directory import TrustDirectory
from ringfence.programs.wall_time import wall_time
from ringfence.trust import roles
from ringfence.trust.ceremony import RoleKeys

_PUBLIC: Final = "The public half of a key; may be repeated."


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The trust directory to begin.")],
    root: Annotated[list[Path], typer.Option("--root", metavar="FILE", help=_PUBLIC)],
    content: Annotated[list[Path], typer.Option("--content", metavar="FILE", help=_PUBLIC)],
    rollout: Annotated[list[Path], typer.Option("--rollout", metavar="FILE", help=_PUBLIC)],
    snapshot: Annotated[list[Path], typer.Option("--snapshot", metavar="FILE", help=_PUBLIC)],
    timestamp: Annotated[list[Path], typer.Option("--timestamp", metavar="FILE", help=_PUBLIC)],
    root_threshold: Annotated[int, typer.Option(help="How many of root's keys must agree.")] = (
        roles.RULES[roles.ROOT].threshold
    ),
    content_threshold: Annotated[int, typer.Option(help="How many of content's keys must agree.")] = (
        roles.RULES[roles.CONTENT].threshold
    ),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Begin a repository: root, targets and an empty content, version 1, unsigned.

    Root and content are held by people, by default three each of whom two must agree; the other three by the server.

    \b
    Example:
      ringfence keys init trust --root ada.pub --root grace.pub --root mary.pub \
        --content lise.pub --content emmy.pub --content rosa.pub \
        --rollout rollout.pub --snapshot snapshot.pub --timestamp timestamp.pub
      ringfence keys sign trust/1.root.json --key ada.key
    """
    given = {
        roles.ROOT: (root, root_threshold),
        roles.CONTENT: (content, content_threshold),
        roles.ROLLOUT: (rollout, roles.RULES[roles.ROLLOUT].threshold),
        roles.SNAPSHOT: (snapshot, roles.RULES[roles.SNAPSHOT].threshold),
        roles.TIMESTAMP: (timestamp, roles.RULES[roles.TIMESTAMP].threshold),
    }
    keys = {role: RoleKeys(tuple(map(read_key, files)), threshold) for role, (files, threshold) in given.items()}
    written = begin(TrustDirectory(directory), keys, wall_time())
    if as_json:
        print(json.dumps({"files": [str(path) for path in written]}))
        return
    for path, who in zip(written, ("root", "root", "content"), strict=True):
        print(f"{path}: waits for {keys[who].threshold} signatures of {who}'s keys (`ringfence keys sign`)")
