"""Indicators in YARA rules: patterns, digests and metadata that are an address, a name or a digest and nothing else.

1. A pattern that tells nothing (`author/indicators.py`) is no evidence.  It is an error where the rule can match
   through it alone, and a warning elsewhere: beside other patterns a popular name may well be a part of the picture.
2. A digest in a condition is the whole evidence: of nothing, or of a file that is known to be good, it is an error.
3. In metadata it is a warning: there it is only said where the rule comes from.
"""

from collections.abc import Iterator, Mapping

from ringfence.author.finding import Finding, Level
from ringfence.author.indicators import Trouble, trouble_with
from ringfence.author.lint_yara import LintedFile
from ringfence.author.yara_evidence import Evidence
from ringfence.author.yara_file import FileRule
from ringfence.author.yara_source import unescaped


def worthless_patterns(file: LintedFile) -> dict[str, dict[str, Trouble]]:
    """For each rule its patterns that are no evidence, and why."""
    found: dict[str, dict[str, Trouble]] = {}
    for rule in file.parsed.rules:
        for pattern in rule.patterns:
            text = unescaped(pattern.value[1:-1]) if pattern.kind == "text" else ""
            if text and (trouble := trouble_with(text)):
                found.setdefault(rule.name, {})[pattern.name] = trouble
    return found


def check_indicators(file: LintedFile, worthless: Mapping[str, Mapping[str, Trouble]]) -> Iterator[Finding]:
    """All findings about indicators in `file`."""
    others: dict[str, int] = {}
    for rule in file.parsed.rules:
        troubles = worthless.get(rule.name, {})
        evidence = Evidence(rule, others, frozenset(troubles))
        others[rule.name] = evidence.total
        alone = {spot.pattern for spot in evidence.weak_spots(1)}
        for pattern in rule.patterns:
            if trouble := troubles.get(pattern.name):
                level = Level.ERROR if pattern.name in alone and not rule.private else Level.WARNING
                what = f"{pattern.name}: {trouble.text}"
                yield file.at(pattern.value_start, trouble.code, what, rule=rule.name, level=level)
        yield from _in_condition(file, rule)
        yield from _in_metadata(file, rule)


def _in_condition(file: LintedFile, rule: FileRule) -> Iterator[Finding]:
    """Rule 2."""
    for node in rule.condition.walk() if rule.condition else ():
        if node.kind != "compare" or node.value != "==":
            continue
        for one in node.children:
            trouble = trouble_with(unescaped(one.value[1:-1])) if one.kind == "text" else None
            if trouble and trouble.code in ("indicator/empty-file-hash", "indicator/known-good-hash"):
                yield file.at(one.start, trouble.code, trouble.text, rule=rule.name)


def _in_metadata(file: LintedFile, rule: FileRule) -> Iterator[Finding]:
    """Rule 3."""
    for entry in rule.meta:
        trouble = trouble_with(unescaped(entry.value)) if entry.is_text and "hash" in entry.name.lower() else None
        if trouble and trouble.code in ("indicator/empty-file-hash", "indicator/known-good-hash"):
            what = f"metadata {entry.name}: {trouble.text}"
            yield file.at(entry.start, trouble.code, what, rule=rule.name, level=Level.WARNING)
