"""Foreign metadata -> ours.  Authors and licences are kept; what is missing is said to be missing, never made up.

| ours | from |
| --- | --- |
| author | author, authors, or "unknown" |
| description | description, desc, threat_name, or the rule's name |
| severity | severity (word or number), score; else medium |
| action | the importer's choice |
| technique | the first ATT&CK technique named in any metadata |
| reference | reference, references, ref, url |
| licence | license, licence, or what the pack's licence file begins with |
"""

import dataclasses
import re
from typing import Final

from ringfence.author.yara_source import MetaValue, SourceRule, literal_text
from ringfence.model.limits import RULE_TEXT_CHARACTERS_MAX
from ringfence.model.records import RuleAction, Severity
from ringfence.wire.canonical import is_unwelcome

NON_COMMERCIAL: Final = re.compile(r"\bby-nc\b|non-?\s?commercial|\bCC[ -]BY[ -]NC\b", re.IGNORECASE)
"""Licences that forbid commercial use: such rules are not taken."""

_TECHNIQUE: Final = re.compile(r"\bT[0-9]{4}(?:\.[0-9]{3})?\b")
_OURS: Final = frozenset(
    {"author", "authors", "description", "severity", "action", "technique", "reference", "licence", "license"}
)
_THRESHOLDS: Final = (
    (90, Severity.CRITICAL),
    (70, Severity.HIGH),
    (50, Severity.MEDIUM),
    (30, Severity.LOW),
)


def with_our_metadata(rule: SourceRule, action: RuleAction, pack_licence: str) -> SourceRule:
    """`rule` with our seven entries first and its other entries after them."""
    made = {
        "author": rule.meta("author", "authors") or "unknown",
        "description": rule.meta("description", "desc", "threat_name") or rule.identifier.replace("_", " "),
        "severity": severity_of(rule).value,
        "action": action.value,
        "technique": _technique(rule),
        "reference": rule.meta("reference", "references", "ref", "url"),
        "licence": licence_of(rule, pack_licence),
    }
    ours: list[tuple[str, MetaValue]] = [(key, literal_text(clean(value))) for key, value in made.items()]
    theirs = [(key, value) for key, value in rule.metadata if key.lower() not in _OURS]
    return dataclasses.replace(rule, metadata=(*ours, *theirs))


def licence_of(rule: SourceRule, pack_licence: str) -> str:
    """The rule's licence, or the pack's, or "unknown"."""
    return rule.meta("license", "licence") or pack_licence or "unknown"


def severity_of(rule: SourceRule) -> Severity:
    """The rule's severity, from a word or a number up to 100."""
    word = rule.meta("severity").lower()
    if word in list(Severity):
        return Severity(word)
    number = word if word.isdecimal() else rule.meta("score")
    if not number.isdecimal():
        return Severity.MEDIUM
    return next((severity for least, severity in _THRESHOLDS if int(number[:9]) >= least), Severity.INFORMATIONAL)


def clean(text: str) -> str:
    """`text` as one bounded line without characters that lie to a reader's eyes."""
    line = " ".join(text.split())
    return "".join(character for character in line if not is_unwelcome(character))[:RULE_TEXT_CHARACTERS_MAX]


def _technique(rule: SourceRule) -> str:
    for _, value in rule.metadata:
        if isinstance(value, str) and (found := _TECHNIQUE.search(value)):
            return found[0]
    return next((found[0] for tag in rule.tags if (found := _TECHNIQUE.fullmatch(tag.replace("_", ".")))), "")
