"""`ringfence content show`: what a release holds."""

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ringfence.host.tree_walk import shown
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.limits import RELEASE_BYTES_MAX
from ringfence.model.release import Release
from ringfence.programs.own_contract import own_contract_bytes
from ringfence.programs.starter_content import starter_release
from ringfence.wire.release import decode_release
from ringfence.wire.waiver import decode_waivers, waiver_digest


def command(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="A release; default: the packaged one.")] = None,
    *,
    rules: Annotated[bool, typer.Option("--rules", help="List every rule.")] = False,
    contract: Annotated[
        bool, typer.Option("--contract", help="Print instead what this build supplies to content, for an inventory.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    r"""Show what a release holds: packs, rules, self-tests, waivers, its proof, and what it needs and may cost.

    \b
    Examples:
      ringfence content show starter.release --rules
      ringfence content show --contract > contracts/this-build.json
    """
    if contract:
        print(own_contract_bytes().decode(), end="")
        return
    data = starter_release() if file is None else read_release_file(file)
    release = decode_release_file(data, file)
    facts = release_facts(release, data)
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in _summary(release, facts):
        print(f"{name:<16} {shown(value)}")
    for pack in facts["packs"]:
        print(f"pack {pack['name']:<24} {pack['rules']:>5} rules for class {pack['file_class']}")
    for pack in facts["detections"]:
        print(f"events {pack['name']:<22} {pack['size_bytes']:>5} bytes of rules over events")
    for waiver in facts["waivers"]:
        subject = f"{waiver['file']} {waiver['rule']}".strip()
        text = f"{waiver['code']} in {subject} until {waiver['expires']}, by {waiver['signer']}: {waiver['reason']}"
        print(f"waived {shown(text)}")
    for rule in release.manifest.rules if rules else ():
        text = f"{rule.identifier:<40} {rule.action:<5} {rule.severity:<13} {rule.technique:<9} {rule.author}"
        print(f"rule {shown(text)}")


def decode_release_file(data: bytes, file: Path | None) -> Release:
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


def release_facts(release: Release, data: bytes) -> dict[str, Any]:
    """Everything that the command says, as one JSON object."""
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
        "needs_events": [asdict(need) for need in manifest.contract.events],
        "budget": asdict(manifest.budget),
        "packs": [asdict(pack) | {"rules": of_pack[pack.name]} for pack in manifest.packs],
        "rules": [asdict(rule) for rule in manifest.rules],
        "self_tests": [asdict(test) for test in manifest.self_tests],
        "detections": [asdict(pack) for pack in manifest.detections],
        "waivers": _waivers(release.waivers),
        "proof_sha256": manifest.proof_sha256,
    }


def _summary(release: Release, facts: dict[str, Any]) -> list[tuple[str, str]]:
    """The first lines, each a name and what it is."""
    manifest, budget = release.manifest, release.manifest.budget
    fields = ", ".join(f"{need.type}.{need.field} ({need.kind})" for need in manifest.contract.events)
    cost = (
        f"{budget.compile_cpu_ms} ms and {budget.compile_bytes} bytes to compile,"
        f" {budget.scan_us_per_mib} us to scan 1 MiB"
    )
    return [
        *((name, str(facts[name])) for name in ("name", "version", "description", "sha256", "size_bytes")),
        ("proof", manifest.proof_sha256 or "none"),
        ("needs_modules", ", ".join(manifest.contract.yara_modules) or "-"),
        ("needs_variables", ", ".join(manifest.contract.yara_variables) or "-"),
        ("needs_events", fields or "-"),
        ("budget", cost),
        ("rules", f"{len(facts['rules'])}: {_counted(release, 'action')}; {_counted(release, 'severity')}"),
        ("self-tests", f"{len(manifest.self_tests)} on {len(release.samples)} samples"),
    ]


def _waivers(data: bytes) -> list[dict[str, str]]:
    """The waivers of a release, each with its signer's name."""
    if not data:
        return []
    book = decode_waivers(data)
    names = {key.public: key.name for key in book.keys}
    return [
        {
            "sha256": waiver_digest(signed),
            "signer": names[signed.key],
            "code": signed.waiver.code,
            "file": signed.waiver.file,
            "rule": signed.waiver.rule,
            "reason": signed.waiver.reason,
            "issued": signed.waiver.issued.isoformat(),
            "expires": signed.waiver.expires.isoformat(),
        }
        for signed in book.waivers
    ]


def _counted(release: Release, field: str) -> str:
    """How many rules have each value of `field`."""
    counts = Counter(str(getattr(rule, field)) for rule in release.manifest.rules)
    return ", ".join(f"{count} {value}" for value, count in sorted(counts.items()))
