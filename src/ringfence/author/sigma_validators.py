"""pySigma's own validators and those of SigmaHQ, as far as they work without a network and on one rule alone.

They know style and taxonomy, not harm.  So only what is beyond doubt is an error; suspicions are warnings, advice is a
note.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final

from sigma.rule import SigmaDetectionItem, SigmaRule
from sigma.validators.base import SigmaRuleValidator, SigmaValidationIssue, SigmaValidationIssueSeverity
from sigma.validators.core import validators as own_validators
from sigma.validators.sigmahq import validators as sigmahq_validators

from ringfence.author.finding import Finding, Level
from ringfence.author.sigma_source import SigmaSource
from ringfence.author.strict_yaml import Key

_DOWNLOADS: Final = "downloads the data that it compares with"
_WHOLE_SET: Final = "compares rules with each other: `author/sigma_lint.py` does"
_NAMES: Final = "is about the names of files in SigmaHQ's repository"

LEFT_OUT: Final[dict[str, str]] = {
    "attacktag": _DOWNLOADS,
    "d3_fendtag": _DOWNLOADS,
    "duplicate_filename": _WHOLE_SET,
    "duplicate_title": _WHOLE_SET,
    "filename_length": _NAMES,
    "identifier_existence": "an id must be there: `author/sigma_source.py` says so with its place",
    "identifier_uniqueness": _WHOLE_SET,
    "sigmahq_category_event_id": _DOWNLOADS,
    "sigmahq_category_windows_provider_name": _DOWNLOADS,
    "sigmahq_correlation_filename_prefix": _NAMES,
    "sigmahq_fieldname_cast": _DOWNLOADS,
    "sigmahq_filename_convention": _NAMES,
    "sigmahq_filename_prefix": _DOWNLOADS,
    "sigmahq_invalid_fieldname": _DOWNLOADS,
    "sigmahq_logsource_unknown": _DOWNLOADS,
    "sigmahq_redundant_field": _DOWNLOADS,
    "sigmahq_status_to_high": "looks at the clock: the same rule would be judged in another way tomorrow",
    "sigmahq_tags_techniques_without_tactics": _DOWNLOADS,
}
"""Validator -> why it is not asked."""

CERTAIN: Final = frozenset(
    {"dangling_condition", "dangling_detection", "fieldname_logsource", "invalid_modifier_combinations"}
)
"""Those whose issues of high severity are beyond doubt: the rule does not say what its author means."""

_WORDS: Final = {
    "title": "title",
    "tag": "tags",
    "tlp": "tags",
    "description": "description",
    "falsepositive": "falsepositives",
    "date": "date",
    "modified": "modified",
    "level": "level",
    "status": "status",
    "author": "author",
    "logsource": "logsource",
    "link": "references",
    "reference": "references",
    "fields": "fields",
    "attributes": "",
}
"""Word in the name of a validator -> the key that it looks at."""


def validator_findings(source: SigmaSource) -> Iterator[Finding]:
    """What the validators say about a rule that pySigma could read."""
    if source.parsed is None:
        return
    for name, validator in _validators():
        try:
            issues = list(validator().validate(source.parsed))
        except Exception as error:  # noqa: BLE001 - a validator that fails is no reason to refuse a rule
            yield source.finding("sigma/style", f"the validator {name} fails: {error}"[:200], level=Level.NOTE)
            continue
        for issue in issues:
            code, level = _weight(name, issue)
            yield source.finding(code, f"{issue.description} ({name})", *_path(source, name, issue), level=level)


@cache
def _validators() -> tuple[tuple[str, type[SigmaRuleValidator]], ...]:
    known = {**own_validators, **sigmahq_validators}
    return tuple((name, known[name]) for name in sorted(known) if name not in LEFT_OUT)


def _weight(name: str, issue: SigmaValidationIssue) -> tuple[str, Level]:
    match issue.severity:
        case SigmaValidationIssueSeverity.HIGH if name in CERTAIN:
            return "sigma/contradiction", Level.ERROR
        case SigmaValidationIssueSeverity.LOW:
            return "sigma/style", Level.NOTE
        case _:
            return "sigma/suspicion", Level.WARNING


def _path(source: SigmaSource, name: str, issue: SigmaValidationIssue) -> tuple[Key, ...]:
    """Where the issue stands: its detection item, or the key that the validator's name speaks of."""
    item = getattr(issue, "detection_item", None)
    if isinstance(item, SigmaDetectionItem) and source.parsed is not None:
        return _path_of_item(source, source.parsed, item)
    if name.endswith("condition"):
        return ("detection", "condition")
    word = next((word for word in _WORDS if word in name), "")
    return (_WORDS[word],) if word and _WORDS[word] else ("detection",)


def _path_of_item(source: SigmaSource, rule: SigmaRule, item: SigmaDetectionItem) -> tuple[Key, ...]:
    """The first key in a selection that is the item's field with as many modifiers."""
    written = source.document.value["detection"] if source.document is not None else {}
    for name, detection in rule.detection.detections.items():
        if item in detection.detection_items:
            keys = written[name] if isinstance(written.get(name), dict) else {}
            for key in keys:
                field, *modifiers = str(key).split("|")
                if field == (item.field or "") and len(modifiers) == len(item.modifiers):
                    return ("detection", name, key)
            return ("detection", name)
    return ("detection",)
