"""What has changed from one release to another: the question before anybody signs or trusts the second one.

Rules are compared by their own text (patterns and condition, wherever they stand), and by what happens when they match.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ringfence.detect.rule_outline import outline
from ringfence.model.release import Release
from ringfence.wire.detection_ir import decode_detections


@dataclass(frozen=True, slots=True)
class ReleaseDiff:
    """What is new, gone and other; `rules` and `head` say per name what changed, as (before, after)."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    rules: Mapping[str, Mapping[str, tuple[Any, Any]]]
    head: Mapping[str, tuple[Any, Any]]

    @property
    def same(self) -> bool:
        """Whether nothing but the bytes around it has changed."""
        return not (self.added or self.removed or self.rules or self.head)


def diff_releases(before: Release, after: Release) -> ReleaseDiff:
    """What has changed from `before` to `after`."""
    old, new = _rules(before), _rules(after)
    changed = {name: found for name in sorted(old.keys() & new.keys()) if (found := _changes(old[name], new[name]))}
    return ReleaseDiff(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        rules=changed,
        head=_changes(_head(before), _head(after)),
    )


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    keys = [*old, *(key for key in new if key not in old)]
    return {key: (old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)}


def _rules(release: Release) -> dict[str, dict[str, Any]]:
    """What each rule says, with the digest of its text and the count of its self-tests."""
    texts = _texts(release)
    tests: dict[str, int] = {}
    for test in release.manifest.self_tests:
        tests[test.rule] = tests.get(test.rule, 0) + 1
    found: dict[str, dict[str, Any]] = {}
    for entry in release.manifest.rules:
        facts = {name: value for name, value in asdict(entry).items() if name not in ("identifier", "pack")}
        found[entry.identifier] = facts | {
            "text": texts.get(entry.identifier, ""),
            "self_tests": tests.get(entry.identifier, 0),
        }
    for pack in release.detections:
        detections = decode_detections(pack.data, pack.entry.path)
        for rule in detections.rules:
            facts = asdict(rule)
            found[rule.identifier] = {
                "title": facts.get("title", ""),
                "severity": str(facts.get("severity", "")),
                "text": hashlib.sha256(repr(facts).encode()).hexdigest(),
                "self_tests": sum(test.rule == rule.identifier for test in detections.tests),
            }
    return found


def _texts(release: Release) -> dict[str, str]:
    """The digest of each rule's source; its metadata is compared by itself, but a changed text is a changed rule."""
    found: dict[str, str] = {}
    for pack in release.packs:
        rules = outline(pack.source).rules
        for rule, end in zip(rules, [*(one.start for one in rules[1:]), len(pack.source)], strict=True):
            text = " ".join(pack.source[rule.start : end].split())
            found[rule.name] = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return found


def _head(release: Release) -> dict[str, Any]:
    """What the release says of itself."""
    manifest = release.manifest
    events = [f"{need.type}.{need.field} ({need.kind})" for need in manifest.contract.events]
    return {
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "needs_modules": list(manifest.contract.yara_modules),
        "needs_variables": list(manifest.contract.yara_variables),
        "needs_events": events,
        **asdict(manifest.budget),
        "packs": [f"{pack.name} ({pack.file_class})" for pack in manifest.packs],
        "detections": [pack.name for pack in manifest.detections],
        "waivers_sha256": manifest.waivers_sha256,
    }
