"""The manifest: every field bounded, ordered, and naming what exists."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.wire.release_fixtures import small_release

from ringfence.model.errors import ContentRefused
from ringfence.wire import canonical
from ringfence.wire.manifest import decode_manifest, encode_manifest

MANIFEST = small_release().manifest
DATA = encode_manifest(MANIFEST)

Change = Callable[[dict[str, Any]], object]


def put(place: str, value: object) -> Change:
    """A change that sets the value at `place`, such as `rules/0/author`."""

    def change(document: dict[str, Any]) -> None:
        *path, last = place.split("/")
        inner: Any = document
        for step in path:
            inner = inner[int(step)] if isinstance(inner, list) else inner[step]
        inner[int(last) if isinstance(inner, list) else last] = value

    return change


def test_comes_back_as_it_was() -> None:
    assert decode_manifest(DATA) == MANIFEST


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (put("format", 2), ""),
        (put("format", True), "/format"),
        (put("name", "Small"), "/name"),
        (put("name", "a/b"), "/name"),
        (put("version", 0), "/version"),
        (put("version", 2**31), "/version"),
        (put("version", "7"), "/version"),
        (put("description", "a\nb"), "/description"),
        (put("description", "\u202eb"), "/description"),
        (put("extra", 1), "/"),
        (lambda document: document.pop("rules"), "/"),
        (put("contract/yara_modules", ["console"]), "/contract/yara_modules"),
        (put("contract/yara_modules", ["pe", "elf"]), "/contract/yara_modules"),
        (put("contract/yara_modules", ["pe", "pe"]), "/contract/yara_modules"),
        (put("contract/yara_variables", "filename"), "/contract/yara_variables"),
        (put("contract/events/0/type", "Process"), "/contract/events/0/type"),
        (put("contract/events/0/field", ""), "/contract/events/0/field"),
        (put("contract/events/0/kind", "any"), "/contract/events/0/kind"),
        (put("contract/events/0/extra", 1), "/contract/events/0"),
        (
            lambda document: document["contract"]["events"].append(document["contract"]["events"][0]),
            "/contract/events/1",
        ),
        (put("budget", {}), "/budget"),
        (put("budget/compile_cpu_ms", 0), "/budget/compile_cpu_ms"),
        (put("budget/compile_cpu_ms", 10**9), "/budget/compile_cpu_ms"),
        (put("budget/compile_bytes", 2**40), "/budget/compile_bytes"),
        (put("budget/scan_us_per_mib", "1"), "/budget/scan_us_per_mib"),
        (put("detections/0/path", "detections/other.json"), "/detections/0/path"),
        (put("detections/0/name", "Linux"), "/detections/0/name"),
        (put("detections/0/size_bytes", 2**30), "/detections/0/size_bytes"),
        (lambda document: document["detections"].append(document["detections"][0]), "/detections/1"),
        (put("waivers_sha256", "no"), "/waivers_sha256"),
        (put("proof_sha256", None), "/proof_sha256"),
        (put("packs", {}), "/packs"),
        (put("packs/0", []), "/packs/0"),
        (put("packs/0/name", "../x"), "/packs/0/name"),
        (put("packs/0/path", "yara/elf-01.yar"), "/packs/0/path"),
        (put("packs/0/path", "/etc/passwd"), "/packs/0/path"),
        (put("packs/0/file_class", "exe"), "/packs/0/file_class"),
        (put("packs/0/sha256", "A" * 64), "/packs/0/sha256"),
        (put("packs/0/size_bytes", -1), "/packs/0/size_bytes"),
        (put("packs/0/size_bytes", 2**40), "/packs/0/size_bytes"),
        (put("rules/0/identifier", "a-b"), "/rules/0/identifier"),
        (put("rules/0/identifier", "a" * 129), "/rules/0/identifier"),
        (put("rules/0/author", ""), "/rules/0/author"),
        (put("rules/0/author", "\x1b[31m"), "/rules/0/author"),
        (put("rules/0/description", "a" * 2000), "/rules/0/description"),
        (put("rules/0/severity", "HIGH"), "/rules/0/severity"),
        (put("rules/0/action", "delete"), "/rules/0/action"),
        (put("rules/0/technique", "T12"), "/rules/0/technique"),
        (put("rules/0/pack", "nowhere"), "/rules/0"),
        (put("rules/1/identifier", "one"), "/rules/1"),
        (lambda document: document["rules"].reverse(), "/rules/1"),
        (lambda document: document["packs"].reverse(), "/packs/1"),
        (lambda document: document["self_tests"].reverse(), "/self_tests/1"),
        (put("self_tests/0/rule", "nobody"), "/self_tests/0"),
        (put("self_tests/0/expects_match", 1), "/self_tests/0/expects_match"),
        (lambda document: document["rules"].pop(1), "/self_tests/2"),
    ],
)
def test_refuses(change: Change, place: str) -> None:
    document = json.loads(DATA)
    change(document)
    with pytest.raises(ContentRefused) as caught:
        decode_manifest(canonical.encode(document))
    assert caught.value.file == "manifest.json"
    assert caught.value.position == place


def test_refuses_a_pack_without_rules() -> None:
    document = json.loads(DATA)
    document["rules"] = [rule for rule in document["rules"] if rule["pack"] != "elf-01"]
    document["self_tests"] = []
    with pytest.raises(ContentRefused, match="holds no rule"):
        decode_manifest(canonical.encode(document))


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{}", b'{"format":1}', DATA + b" ", DATA[:-1]])
def test_refuses_other_documents(data: bytes) -> None:
    with pytest.raises(ContentRefused):
        decode_manifest(data)
