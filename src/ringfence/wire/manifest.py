"""The manifest of a release: canonical JSON <-> `model.release.Manifest`.

What is checked here is what can be said without the other members: types, bounds, order, uniqueness, and that rules,
packs and self-tests name each other.  `wire/release.py` checks the members against the manifest.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeVar

from ringfence.model.contract import EventNeed, FieldKind
from ringfence.model.limits import (
    CONTRACT_EVENTS_MAX,
    DETECTION_PACK_BYTES_MAX,
    DETECTION_PACKS_MAX,
    MANIFEST_BYTES_MAX,
    NAME_CHARACTERS_MAX,
    PACK_SOURCE_BYTES_MAX,
    PACKS_MAX,
    RELEASE_COMPILE_BYTES_MAX,
    RELEASE_COMPILE_CPU_MS_MAX,
    RELEASE_SCAN_US_PER_MIB_MAX,
    RELEASE_VERSION_MAX,
    RULE_IDENTIFIER_CHARACTERS_MAX,
    RULE_TEXT_CHARACTERS_MAX,
    RULES_MAX,
    SELF_TESTS_MAX,
)
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import (
    FILE_CLASSES,
    RELEASE_FORMAT,
    YARA_MODULES,
    YARA_VARIABLES,
    Budget,
    Contract,
    DetectionEntry,
    Manifest,
    PackEntry,
    RuleEntry,
    SelfTest,
)
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, refuse

Rule = TypeVar("Rule")

MANIFEST_NAME: Final = "manifest.json"

RELEASE_NAME: Final = re.compile(rf"[a-z0-9][a-z0-9.-]{{0,{NAME_CHARACTERS_MAX - 1}}}")
PACK_NAME: Final = re.compile(rf"[a-z0-9][a-z0-9_-]{{0,{NAME_CHARACTERS_MAX - 1}}}")
RULE_IDENTIFIER: Final = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{RULE_IDENTIFIER_CHARACTERS_MAX - 1}}}")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
SHA256_OR_NONE: Final = re.compile(r"(?:[0-9a-f]{64})?")
EVENT_TYPE: Final = re.compile(rf"[a-z][a-z0-9_]{{0,{NAME_CHARACTERS_MAX - 1}}}")
EVENT_FIELD: Final = re.compile(rf"[A-Za-z][A-Za-z0-9_.-]{{0,{NAME_CHARACTERS_MAX - 1}}}")
TECHNIQUE: Final = re.compile(r"(?:T[0-9]{4}(?:\.[0-9]{3})?)?")

_TOP: Final = frozenset({"format"} | set(Manifest.__dataclass_fields__))
_CONTRACT: Final = frozenset({"yara_modules", "yara_variables", "events"})
_EVENT: Final = frozenset({"type", "field", "kind"})
_BUDGET: Final = frozenset({"compile_cpu_ms", "compile_bytes", "scan_us_per_mib"})
_DETECTION: Final = frozenset({"name", "path", "sha256", "size_bytes"})
_PACK: Final = frozenset({"name", "file_class", "path", "sha256", "size_bytes"})
_RULE: Final = frozenset(
    {"identifier", "pack", "author", "description", "severity", "action", "technique", "reference", "licence"}
)
_SELF_TEST: Final = frozenset({"rule", "sample_sha256", "expects_match"})


def pack_path(name: str) -> str:
    """Where the pack `name` stands in a release."""
    return f"yara/{name}.yar"


def detection_path(name: str) -> str:
    """Where the rules over events called `name` stand in a release."""
    return f"detections/{name}.json"


def decode_manifest(data: bytes) -> Manifest:
    """Read a manifest.  Raises ContentRefused with the place of the first thing that is off."""
    value = canonical.decode(data, file=MANIFEST_NAME, bytes_max=MANIFEST_BYTES_MAX)
    if isinstance(value, dict) and value.get("format") != RELEASE_FORMAT:
        refuse(f"has format {str(value.get('format'))[:16]!a}; this version reads {RELEASE_FORMAT}", MANIFEST_NAME)
    top = Fields(value, _TOP, file=MANIFEST_NAME)
    top.integer("format", RELEASE_FORMAT, RELEASE_FORMAT)
    contract = top.inner("contract", _CONTRACT)
    manifest = Manifest(
        name=top.word("name", RELEASE_NAME),
        version=top.integer("version", 1, RELEASE_VERSION_MAX),
        description=top.text("description", RULE_TEXT_CHARACTERS_MAX),
        contract=Contract(
            yara_modules=contract.words("yara_modules", YARA_MODULES),
            yara_variables=contract.words("yara_variables", YARA_VARIABLES),
            events=tuple(_event(row) for row in contract.rows("events", CONTRACT_EVENTS_MAX, _EVENT)),
        ),
        budget=read_budget(top.inner("budget", _BUDGET)),
        packs=tuple(_pack(row) for row in top.rows("packs", PACKS_MAX, _PACK)),
        rules=tuple(read_rule(row, RuleEntry) for row in top.rows("rules", RULES_MAX, _RULE)),
        self_tests=tuple(_self_test(row) for row in top.rows("self_tests", SELF_TESTS_MAX, _SELF_TEST)),
        detections=tuple(_detection(row) for row in top.rows("detections", DETECTION_PACKS_MAX, _DETECTION)),
        waivers_sha256=top.word("waivers_sha256", SHA256_OR_NONE),
        proof_sha256=top.word("proof_sha256", SHA256_OR_NONE),
    )
    _check_references(manifest)
    return manifest


def encode_manifest(manifest: Manifest) -> bytes:
    """The canonical bytes of `manifest`."""
    return canonical.encode(
        {
            "format": RELEASE_FORMAT,
            "name": manifest.name,
            "version": manifest.version,
            "description": manifest.description,
            "contract": {
                "yara_modules": list(manifest.contract.yara_modules),
                "yara_variables": list(manifest.contract.yara_variables),
                "events": [{name: getattr(need, name) for name in _EVENT} for need in manifest.contract.events],
            },
            "budget": {name: getattr(manifest.budget, name) for name in _BUDGET},
            "packs": [{name: getattr(pack, name) for name in _PACK} for pack in manifest.packs],
            "rules": [{name: getattr(rule, name) for name in _RULE} for rule in manifest.rules],
            "self_tests": [{name: getattr(test, name) for name in _SELF_TEST} for test in manifest.self_tests],
            "detections": [{name: getattr(pack, name) for name in _DETECTION} for pack in manifest.detections],
            "waivers_sha256": manifest.waivers_sha256,
            "proof_sha256": manifest.proof_sha256,
        }
    )


def proof_subject(manifest: Manifest) -> str:
    """What a proof of the release is about: the digest of its manifest without the proof's own digest."""
    return hashlib.sha256(encode_manifest(replace(manifest, proof_sha256=""))).hexdigest()


def _pack(row: Fields) -> PackEntry:
    name = row.word("name", PACK_NAME)
    return PackEntry(
        name=name,
        file_class=row.one_of("file_class", FILE_CLASSES),
        path=row.one_of("path", frozenset({pack_path(name)})),
        sha256=row.word("sha256", SHA256),
        size_bytes=row.integer("size_bytes", 1, PACK_SOURCE_BYTES_MAX),
    )


def _detection(row: Fields) -> DetectionEntry:
    name = row.word("name", PACK_NAME)
    return DetectionEntry(
        name=name,
        path=row.one_of("path", frozenset({detection_path(name)})),
        sha256=row.word("sha256", SHA256),
        size_bytes=row.integer("size_bytes", 1, DETECTION_PACK_BYTES_MAX),
    )


def _event(row: Fields) -> EventNeed:
    return EventNeed(
        type=row.word("type", EVENT_TYPE),
        field=row.word("field", EVENT_FIELD),
        kind=row.choice("kind", FieldKind),
    )


def read_budget(row: Fields) -> Budget:
    """A budget, within what any release may claim."""
    return Budget(
        compile_cpu_ms=row.integer("compile_cpu_ms", 1, RELEASE_COMPILE_CPU_MS_MAX),
        compile_bytes=row.integer("compile_bytes", 1, RELEASE_COMPILE_BYTES_MAX),
        scan_us_per_mib=row.integer("scan_us_per_mib", 1, RELEASE_SCAN_US_PER_MIB_MAX),
    )


def read_rule(row: Fields, kind: Callable[..., Rule]) -> Rule:
    """A rule's entry in a manifest or a rule table: a `kind` with these fields, each checked."""
    return kind(
        identifier=row.word("identifier", RULE_IDENTIFIER),
        pack=row.word("pack", PACK_NAME),
        author=row.text("author", RULE_TEXT_CHARACTERS_MAX, empty=False),
        description=row.text("description", RULE_TEXT_CHARACTERS_MAX),
        severity=row.choice("severity", Severity),
        action=row.choice("action", RuleAction),
        technique=row.word("technique", TECHNIQUE),
        reference=row.text("reference", RULE_TEXT_CHARACTERS_MAX),
        licence=row.text("licence", RULE_TEXT_CHARACTERS_MAX),
    )


def _self_test(row: Fields) -> SelfTest:
    return SelfTest(
        rule=row.word("rule", RULE_IDENTIFIER),
        sample_sha256=row.word("sample_sha256", SHA256),
        expects_match=row.flag("expects_match"),
    )


def _check_references(manifest: Manifest) -> None:
    """Refuse wrong order, repetition, and names that name nothing."""
    _check_rising("packs", [pack.name for pack in manifest.packs])
    _check_rising("rules", [rule.identifier for rule in manifest.rules])
    _check_rising("self_tests", [f"{test.rule} {test.sample_sha256}" for test in manifest.self_tests])
    _check_rising("detections", [pack.name for pack in manifest.detections])
    _check_rising("contract/events", [f"{need.type} {need.field}" for need in manifest.contract.events])
    packs = {pack.name for pack in manifest.packs}
    rules = {rule.identifier for rule in manifest.rules}
    _check_named("rules", (rule.pack for rule in manifest.rules), packs, "pack")
    _check_named("self_tests", (test.rule for test in manifest.self_tests), rules, "rule")
    if idle := sorted(packs - {rule.pack for rule in manifest.rules}):
        refuse(f"the pack {idle[0]!r} holds no rule", MANIFEST_NAME, "/packs")


def _check_rising(place: str, keys: list[str]) -> None:
    for index in range(1, len(keys)):
        if keys[index - 1] >= keys[index]:
            refuse("must be sorted and without repetition", MANIFEST_NAME, f"/{place}/{index}")


def _check_named(place: str, names: Iterable[str], known: set[str], kind: str) -> None:
    for index, name in enumerate(names):
        if name not in known:
            refuse(f"names the {kind} {name!r}, which does not exist", MANIFEST_NAME, f"/{place}/{index}")
