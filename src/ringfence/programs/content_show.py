"""`ringfence content show`: what a release holds."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.limits import RELEASE_BYTES_MAX
from ringfence.model.release import Release
from ringfence.programs.starter_content import starter_release
from ringfence.wire.release import decode_release


def command(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A release; default: the packaged one.")] = None,
    *,
    rules: Annotated[bool, typer.Option("--rules", help="List every rule.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what a release holds: its packs, rules, self-tests and what it needs of a sensor.

    Example: ringfence content show starter.release --rules
    """
    data = starter_release() if file is None else read_release_file(file)
    release = _decoded(data, file)
    facts = _facts(release, data)
    if as_json:
        print(json.dumps(facts))
        return
    for name in ("name", "version", "description", "sha256", "size_bytes", "needs_modules", "needs_variables"):
        print(f"{name:<16} {facts[name] if not isinstance(facts[name], list) else ', '.join(facts[name]) or '-'}")
    print(f"{'rules':<16} {len(facts['rules'])}: {_counted(release, 'action')}; {_counted(release, 'severity')}")
    print(f"{'self-tests':<16} {len(release.manifest.self_tests)} on {len(release.samples)} samples")
    for pack in facts["packs"]:
        print(f"pack {pack['name']:<24} {pack['rules']:>5} rules for class {pack['file_class']}")
    for rule in release.manifest.rules if rules else ():
        print(f"rule {rule.identifier:<40} {rule.action:<5} {rule.severity:<13} {rule.technique:<9} {rule.author}")


def _decoded(data: bytes, file: Path | None) -> Release:
    """The release in `data`; a refusal names the file that it came from."""
    try:
        return decode_release(data)
    except ContentRefused as refusal:
        raise ContentRefused(refusal.what, refusal.way_out, file=str(file or "the packaged release")) from refusal


def read_release_file(path: Path) -> bytes:
    """The bytes of a release file, bounded before they are read.  Raises PathRefused or ContentRefused."""
    try:
        if not path.is_file():
            raise PathRefused(f"{path} is not a file", "name a release made by `ringfence content build`")
        with path.open("rb") as stream:
            data = stream.read(RELEASE_BYTES_MAX + 1)
    except OSError as error:
        raise PathRefused(f"{path} cannot be read: {error.strerror}", "check its rights") from error
    if len(data) > RELEASE_BYTES_MAX:
        raise ContentRefused(
            f"is larger than the {RELEASE_BYTES_MAX} bytes allowed",
            "name a release made by `ringfence content build`",
            file=str(path),
        )
    return data


def _facts(release: Release, data: bytes) -> dict[str, Any]:
    manifest = release.manifest
    of_pack = Counter(rule.pack for rule in manifest.rules)
    return {
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_bytes": len(data),
        "needs_modules": list(manifest.contract.yara_modules),
        "needs_variables": list(manifest.contract.yara_variables),
        "packs": [asdict(pack) | {"rules": of_pack[pack.name]} for pack in manifest.packs],
        "rules": [asdict(rule) for rule in manifest.rules],
        "self_tests": [asdict(test) for test in manifest.self_tests],
    }


def _counted(release: Release, field: str) -> str:
    """How many rules have each value of `field`."""
    counts = Counter(str(getattr(rule, field)) for rule in release.manifest.rules)
    return ", ".join(f"{count} {value}" for value, count in sorted(counts.items()))
