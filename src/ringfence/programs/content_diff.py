"""`ringfence content diff`: what has changed from one release to another."""

import hashlib
import json
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.release_diff import ReleaseDiff, diff_releases
from ringfence.host.tree_walk import shown
from ringfence.programs.content_show import decode_release_file, read_release_file

DIFFERENT_STATUS = 1


def command(
    before: Annotated[Path, typer.Argument(metavar="A", help="A release.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another one, most likely its successor.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Show what has changed from release A to release B: rules, what they do, needs, budget, waivers and size.

    \b
    Example:
      ringfence content diff yesterday.release today.release

    \b
    Exit status:
      0   they say the same (their proofs may differ)
      1   something has changed
      65  one of them is no release
    """
    data = read_release_file(before), read_release_file(after)
    found = diff_releases(decode_release_file(data[0], before), decode_release_file(data[1], after))
    sizes = len(data[0]), len(data[1])
    if as_json:
        facts = {
            "same": found.same,
            "sha256": [hashlib.sha256(one).hexdigest() for one in data],
            "size_bytes": list(sizes),
            "added": list(found.added),
            "removed": list(found.removed),
            "changed": {rule: dict(changes) for rule, changes in found.rules.items()},
            "release": dict(found.head),
        }
        print(json.dumps(facts))
    else:
        print_diff(found, sizes)
    if not found.same:
        raise SystemExit(DIFFERENT_STATUS)


def print_diff(found: ReleaseDiff, sizes: tuple[int, int]) -> None:
    """The difference for people; nothing from a release reaches a terminal as it is."""
    for name, (old, new) in found.head.items():
        print(shown(f"release {name}: {_told(old)} -> {_told(new)}"))
    print(f"size {sizes[0]} -> {sizes[1]} bytes ({sizes[1] - sizes[0]:+d})")
    for rule in found.removed:
        print(shown(f"- {rule}"))
    for rule in found.added:
        print(shown(f"+ {rule}"))
    for rule, changes in found.rules.items():
        parts = [
            "text" if name == "text" else f"{name} {_told(old)} -> {_told(new)}" for name, (old, new) in changes.items()
        ]
        print(shown(f"~ {rule}: {', '.join(parts)}"))
    print(f"{len(found.added)} added, {len(found.removed)} removed, {len(found.rules)} changed")


def _told(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value) if value not in ("", None) else "none"
