"""`ringfence content build`: a directory of rules becomes a release."""

import hashlib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ringfence.author.build import build_bytes
from ringfence.model.errors import PathRefused, UsageRefused
from ringfence.model.limits import RELEASE_VERSION_MAX
from ringfence.programs.progress import progress_line
from ringfence.wire.detection_ir import decode_detections
from ringfence.wire.release import decode_release


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Content directory: content.yaml, rules/, tests/.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the release.")],
    version: Annotated[int | None, typer.Option("--version", metavar="N", help="Overrides content.yaml.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Build a release from a directory of rules: the same bytes each time, compiled and self-tested before.

    Example: ringfence content build content/starter -o starter.release
    """
    if version is not None and not 1 <= version <= RELEASE_VERSION_MAX:
        raise UsageRefused(f"--version {version} is not from 1 to {RELEASE_VERSION_MAX}", "give a larger number")
    with progress_line("building") as progress:
        data = build_bytes(directory, version, progress)
    write_whole(output, data)
    release = decode_release(data)
    manifest = release.manifest
    events = [decode_detections(pack.data, pack.entry.path) for pack in release.detections]
    facts = {
        "file": str(output),
        "name": manifest.name,
        "version": manifest.version,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "rules": len(manifest.rules),
        "packs": len(manifest.packs),
        "self_tests": len(manifest.self_tests),
        "event_rules": sum(len(pack.rules) for pack in events),
        "event_self_tests": sum(len(pack.tests) for pack in events),
    }
    if as_json:
        print(json.dumps(facts))
    else:
        over_events = f"{facts['event_rules']} rules over events, " if events else ""
        self_tests = len(manifest.self_tests) + sum(len(pack.tests) for pack in events)
        print(
            f"{output}: {manifest.name} version {manifest.version}, {len(manifest.rules)} rules in"
            f" {len(manifest.packs)} packs, {over_events}{self_tests} self-tests hold, {len(data)} bytes"
        )
        print(f"sha256 {facts['sha256']}", file=sys.stdout)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` beside `path` and put it in its place: there is never half a file.  Raises PathRefused."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise PathRefused(
            f"{path} cannot be written: {error.strerror}", "name a file in a directory of yours"
        ) from error
