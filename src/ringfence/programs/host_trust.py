"""`ringfence host trust`: where a host's trust in signed content begins, and which channel it follows."""

import json
import shutil
from pathlib import Path
from typing import Annotated

import typer

from ringfence.host.durable import write_durably
from ringfence.host.sensor_state import require_sensor
from ringfence.host.update_runner import CHANNEL_NAME, METADATA_NAME, ROOT_NAME
from ringfence.model.errors import PathRefused, UsageRefused
from ringfence.model.limits import METADATA_ROOT_BYTES_MAX
from ringfence.trust import roles
from ringfence.trust.ceremony import names_of
from ringfence.trust.metadata import read_root
from ringfence.wire.rollout import CHANNEL


def command(
    root: Annotated[Path, typer.Argument(metavar="FILE", help="The first root, such as trust/1.root.json.")],
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    channel: Annotated[str, typer.Option(help="The channel to follow.")] = "stable",
    replace: Annotated[
        bool, typer.Option("--replace", help="Take another root than the one that is trusted now.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell a host which root its content must come from.  Without one it looks for no updates.

    Later roots are followed by themselves, as long as each is signed by the one before.  Compare the owners and the
    identifiers of their keys with what the people say who hold them.

    Example: ringfence host trust 1.root.json --state /var/lib/ringfence --channel stable
    """
    if not CHANNEL.fullmatch(channel):
        raise UsageRefused(f"{channel!r} is no name of a channel", "use small letters, digits and `-`")
    content = require_sensor(state).content
    try:
        with root.open("rb") as file:
            data = file.read(METADATA_ROOT_BYTES_MAX + 1)
    except OSError as error:
        raise PathRefused(f"{root}: {error.strerror}", "name the first root of the repository") from error
    document = read_root(data, file=str(root))
    kept = content / ROOT_NAME
    if kept.exists() and kept.read_bytes() != data:
        if not replace:
            raise PathRefused(
                f"{kept} holds another root already", "say --replace if the repository itself is another one now"
            )
        shutil.rmtree(content / METADATA_NAME, ignore_errors=True)
    write_durably(content / CHANNEL_NAME, f"{channel}\n".encode())
    write_durably(kept, data)
    owners = names_of(document.signed, roles.ROOT)
    if as_json:
        keys = [{"keyid": keyid, "owner": owner} for keyid, owner in owners]
        print(json.dumps({"root_version": document.signed.version, "channel": channel, "keys": keys}))
        return
    threshold = document.signed.roles[roles.ROOT].threshold
    print(f"root version {document.signed.version}: {threshold} of these must agree, for ever after")
    for keyid, owner in owners:
        print(f"  {owner}  {keyid}")
    print(f"the host follows the channel {channel}; `ringfence host update` looks at once")
