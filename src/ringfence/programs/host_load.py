"""`ringfence host load`: give a running sensor another release."""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from ringfence.host import operator_socket
from ringfence.host.child import reported
from ringfence.programs.host_frames import ask_warden
from ringfence.programs.release_file import read_release
from ringfence.wire import catalogue


def command(
    release: Annotated[Path, typer.Argument(help="The release file.", show_default=False)],
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Give a running sensor another release.  It is decoded and compiled in a sandbox first; refused, the old one
    stays.

    Example: ringfence host load new.release --state /var/lib/ringfence
    """
    data = read_release(release)
    answer = ask_warden(state, catalogue.LOAD, b"", (operator_socket.sealed(data),))
    if answer:
        raise reported(answer)
    digest = hashlib.sha256(data).hexdigest()
    print(json.dumps({"active": digest}) if as_json else f"release {digest[:16]} is active")
