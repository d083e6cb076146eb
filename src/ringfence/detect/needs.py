"""What a release needs of a sensor, read from the rules themselves: for `trust/eligibility.py`.

1. Formats and limits are needs of the release as a whole, everything else is the need of one rule.
2. A module is needed by the rules whose conditions name it, and by the first rule of a pack that only imports it.
3. Rules over events need the type of their events and every field that they read (`detect/sigma/needs.py`).
4. What the rules need must stand in the release's own contract: a release that says less is refused.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from ringfence.detect.rule_outline import PackOutline, outline
from ringfence.detect.sigma.needs import event_needs
from ringfence.model.contract import InputKind, Need
from ringfence.model.errors import ContentRefused
from ringfence.model.release import RELEASE_FORMAT, Pack, Release
from ringfence.wire.detection_ir import DETECTIONS_FORMAT, decode_detections
from ringfence.wire.manifest import encode_manifest

WAY_OUT: Final = "build the release again"


def outlines_of(release: Release) -> tuple[PackOutline, ...]:
    """What each pack declares, in their order; a large release takes half a second, so a loader does it once."""
    return tuple(outline(pack.source) for pack in release.packs)


def needs_of(release: Release, outlines: Sequence[PackOutline] | None = None) -> tuple[Need, ...]:
    """Every need of `release`, each once, the whole release's first."""
    found = list(_of_the_whole(release))
    for pack, declared in zip(release.packs, outlines or outlines_of(release), strict=True):
        found += yara_needs(pack, declared)
    for pack_of_events in release.detections:
        for rule in decode_detections(pack_of_events.data, pack_of_events.entry.path).rules:
            found += event_needs(rule)
    return tuple(dict.fromkeys(found))


def check_declared(release: Release, needs: Sequence[Need]) -> None:
    """Rule 4.  Raises ContentRefused."""
    contract = release.manifest.contract
    declared = {(InputKind.YARA_MODULE, name) for name in contract.yara_modules}
    declared |= {(InputKind.YARA_VARIABLE, name) for name in contract.yara_variables}
    declared |= {(InputKind.EVENT_FIELD, f"{event.type}.{event.field}") for event in contract.events}
    kinds = {InputKind.YARA_MODULE, InputKind.YARA_VARIABLE, InputKind.EVENT_FIELD}
    for need in needs:
        if need.kind in kinds and (need.kind, need.name) not in declared:
            raise ContentRefused(
                f"rule {need.rule} reads the {need.kind} {need.name}, which the release's contract does not name",
                WAY_OUT,
            )


def yara_needs(pack: Pack, declared: PackOutline) -> Iterator[Need]:
    """The needs of the rules of one pack."""
    first = declared.rules[0].name if declared.rules else pack.entry.name
    yield Need(first, InputKind.FILE_CLASS, pack.entry.file_class)
    named = frozenset[str]().union(*(rule.inputs for rule in declared.rules))
    for module in sorted(declared.imports - named):
        yield Need(first, InputKind.YARA_MODULE, module)
    for rule in declared.rules:
        for name in sorted(rule.inputs):
            kind = InputKind.YARA_MODULE if name in declared.imports else InputKind.YARA_VARIABLE
            yield Need(rule.name, kind, name)


def _of_the_whole(release: Release) -> Iterator[Need]:
    """Formats, and what counts against the loader's limits."""
    manifest = release.manifest
    yield Need("", InputKind.RELEASE_FORMAT, "", amount=RELEASE_FORMAT)
    if release.detections:
        yield Need("", InputKind.DETECTION_FORMAT, "", amount=DETECTIONS_FORMAT)
    budget = manifest.budget
    amounts = {
        "DETECTION_PACKS_MAX": len(release.detections),
        "DETECTION_PACK_BYTES_MAX": max((len(pack.data) for pack in release.detections), default=0),
        "MANIFEST_BYTES_MAX": len(encode_manifest(manifest)),
        "PACKS_MAX": len(release.packs),
        "PACK_SOURCE_BYTES_MAX": max((pack.entry.size_bytes for pack in release.packs), default=0),
        "RELEASE_COMPILE_BYTES_MAX": budget.compile_bytes,
        "RELEASE_COMPILE_CPU_MS_MAX": budget.compile_cpu_ms,
        "RELEASE_SCAN_US_PER_MIB_MAX": budget.scan_us_per_mib,
        "RULES_MAX": len(manifest.rules),
        "SAMPLE_BYTES_MAX": max((len(sample.content) for sample in release.samples), default=0),
        "SELF_TESTS_MAX": len(manifest.self_tests),
    }
    for name, amount in amounts.items():
        yield Need("", InputKind.LIMIT, name, amount=amount)
