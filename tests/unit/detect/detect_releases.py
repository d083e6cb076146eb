"""Releases for tests: from sources to a `Release`, without a file."""

import hashlib

from ringfence.detect.rule_outline import outline
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import Contract, Manifest, Pack, PackEntry, Release, RuleEntry


def pack_of(name: str, source: str, file_class: str = "any") -> Pack:
    """A pack with a true entry."""
    raw = source.encode()
    entry = PackEntry(name, file_class, f"yara/{name}.yar", hashlib.sha256(raw).hexdigest(), len(raw))
    return Pack(entry, source)


def rule_of(
    identifier: str, pack: str, action: RuleAction = RuleAction.BLOCK, severity: Severity = Severity.HIGH
) -> RuleEntry:
    """A manifest entry."""
    return RuleEntry(identifier, pack, "tests", "a rule of the tests", severity, action, "", "", "Apache-2.0")


def release_of(*packs: Pack, alerting: frozenset[str] = frozenset(), rules: tuple[RuleEntry, ...] = ()) -> Release:
    """A release of `packs`; rules block unless named in `alerting`, and are listed as declared unless given."""
    ordered = tuple(sorted(packs, key=lambda pack: pack.entry.name))
    listed = rules or tuple(
        rule_of(rule.name, pack.entry.name, RuleAction.ALERT if rule.name in alerting else RuleAction.BLOCK)
        for pack in ordered
        for rule in outline(pack.source).rules
        if not rule.private
    )
    manifest = Manifest(
        "test",
        1,
        "a release of the tests",
        Contract((), ()),
        tuple(pack.entry for pack in ordered),
        tuple(sorted(listed, key=lambda entry: entry.identifier)),
        (),
    )
    return Release(manifest, ordered, ())
