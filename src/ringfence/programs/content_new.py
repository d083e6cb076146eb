"""`ringfence content new`: a content directory to start from."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.example import write_example
from ringfence.host.tree_walk import shown


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The directory to make; it must not be there yet.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a small, complete content directory to start from: rules with self-tests that lint, build and prove.

    Nothing is overwritten.  Example: ringfence content new my-content
    """
    files = write_example(directory)
    if as_json:
        print(json.dumps({"directory": str(directory), "files": list(files)}))
        return
    for file in files:
        print(shown(str(directory / file)))
    print(f"Next:\n  ringfence content lint {shlex.quote(shown(str(directory)))}")
