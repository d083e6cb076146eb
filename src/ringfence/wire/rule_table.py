"""The rule table: who speaks when a rule index is named.  Canonical JSON <-> values.

    {"format":1,"release":{"name":…,"sha256":…,"version":…},"rules":[{"action":…,…},…]}

Whoever compiles a release writes it once into a sealed memory file; the warden passes it to the courier, which names
rules by it.  The index of a rule is its place in the release's manifest.
"""

from dataclasses import dataclass
from typing import Final

from ringfence.model.limits import RELEASE_VERSION_MAX, RULE_TABLE_BYTES_MAX, RULES_MAX
from ringfence.model.records import ReleaseReference, RuleReference
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields
from ringfence.wire.manifest import RELEASE_NAME, SHA256, read_rule

RULE_TABLE_FORMAT: Final = 1
_FILE: Final = "the rule table"
_TOP: Final = frozenset({"format", "release", "rules"})
_RELEASE: Final = frozenset({"name", "version", "sha256"})
_RULE: Final = frozenset(RuleReference.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class RuleTable:
    """The rules of one release, in the order of its manifest."""

    release: ReleaseReference
    rules: tuple[RuleReference, ...]


def encode_rule_table(table: RuleTable) -> bytes:
    """The canonical bytes of `table`."""
    return canonical.encode(
        {
            "format": RULE_TABLE_FORMAT,
            "release": {name: getattr(table.release, name) for name in _RELEASE},
            "rules": [{name: getattr(rule, name) for name in _RULE} for rule in table.rules],
        }
    )


def decode_rule_table(data: bytes) -> RuleTable:
    """The table in `data`.  Raises ContentRefused."""
    top = Fields(canonical.decode(data, file=_FILE, bytes_max=RULE_TABLE_BYTES_MAX), _TOP, file=_FILE)
    top.integer("format", RULE_TABLE_FORMAT, RULE_TABLE_FORMAT)
    release = top.inner("release", _RELEASE)
    return RuleTable(
        release=ReleaseReference(
            name=release.word("name", RELEASE_NAME),
            version=release.integer("version", 1, RELEASE_VERSION_MAX),
            sha256=release.word("sha256", SHA256),
        ),
        rules=tuple(read_rule(row, RuleReference) for row in top.rows("rules", RULES_MAX, _RULE)),
    )
