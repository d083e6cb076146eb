"""Checks of one file of YARA rules that need no engine: bounds, loops, metadata, evidence.

1. Bounds are those of `model/limits.py`: what is past them makes the compiler slow or large, whatever the rule means.
2. A loop in a loop, and a digest or a statistic over bytes in a loop, cost more the larger a file is.  The engine warns
   of the first only sometimes, and never of the second.
3. Every rule that reports says who wrote it, what it means, how bad it is and what happens; technique, reference and
   licence have to be said too, if only with "".
4. A rule that looks at nothing but sizes and kinds of files matches ordinary ones.  One that blocks needs evidence of
   `RULE_EVIDENCE_BYTES_MIN` in the weakest of its alternatives.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ringfence.author.finding import Finding, Level, place_of
from ringfence.author.pattern_strength import alternatives, variants
from ringfence.author.yara_condition import Node
from ringfence.author.yara_evidence import Evidence
from ringfence.author.yara_file import FilePattern, FileRule, YaraFile
from ringfence.author.yara_source import unescaped
from ringfence.model.limits import (
    PATTERN_ALTERNATIVES_ENTRIES_MAX,
    PATTERN_EXPRESSION_CHARACTERS_MAX,
    PATTERN_HEX_CHARACTERS_MAX,
    PATTERN_TEXT_CHARACTERS_MAX,
    RULE_ALERT_EVIDENCE_BYTES_MIN,
    RULE_CONDITION_WORDS_MAX,
    RULE_EVIDENCE_BYTES_MIN,
    RULE_IDENTIFIER_CHARACTERS_MAX,
    RULE_PATTERNS_MAX,
    RULE_TEXT_CHARACTERS_MAX,
    RULE_VARIANTS_PATTERNS_MAX,
)
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import YARA_MODULES
from ringfence.wire.canonical import is_unwelcome
from ringfence.wire.manifest import TECHNIQUE

COSTLY_FUNCTIONS: Final[Mapping[str, frozenset[str]]] = {
    "hash": frozenset("md5 sha1 sha256 crc32 checksum32".split()),
    "math": frozenset(
        "entropy deviation mean serial_correlation monte_carlo_pi count percentage mode".split()
    ),
}
"""Functions that read all the bytes that they are given."""

NEEDED: Final = ("author", "description", "severity", "action", "licence")
TO_BE_SAID: Final = ("technique", "reference")
"""Metadata that may be empty, but on purpose."""

_LENGTHS: Final = {
    "text": PATTERN_TEXT_CHARACTERS_MAX,
    "hex": PATTERN_HEX_CHARACTERS_MAX,
    "regex": PATTERN_EXPRESSION_CHARACTERS_MAX,
}


@dataclass(frozen=True, slots=True)
class LintedFile:
    """A file of rules with all that its checks look at."""

    name: str
    text: str
    parsed: YaraFile

    def at(self, offset: int, code: str, text: str, *, rule: str = "", level: Level = Level.ERROR) -> Finding:
        """A finding at the character `offset`."""
        line, column = place_of(self.text, offset)
        return Finding(self.name, line, column, code, level, rule, text)


def meta_of(rule: FileRule, name: str) -> str:
    """The text of the first metadata `name`; "" where there is none."""
    return next((unescaped(entry.value).strip() for entry in rule.meta if entry.name == name), "")


def blocks(rule: FileRule) -> bool:
    """Whether the rule says that a match refuses the file."""
    return meta_of(rule, "action") == RuleAction.BLOCK


def check_file(file: LintedFile) -> Iterator[Finding]:
    """All findings about `file` but those of evidence."""
    for unread in file.parsed.unread:
        yield file.at(unread.start, "yara/syntax", unread.text)
    for included in file.parsed.includes:
        what = f"includes {included.text[:64]!a}: content stands in its own files, and nothing else is read"
        yield file.at(included.start, "yara/include", what)
    for imported in file.parsed.imports:
        if imported.text not in YARA_MODULES:
            what = f"imports the module {imported.text[:64]!a}, which content may not use"
            yield file.at(imported.start, "yara/module", what)
    for rule in file.parsed.rules:
        yield from _bounds(file, rule)
        yield from _loops(file, rule)
        if not rule.private:
            yield from _metadata(file, rule)


def _bounds(file: LintedFile, rule: FileRule) -> Iterator[Finding]:
    """Rule 1."""
    name = rule.name
    if len(name) > RULE_IDENTIFIER_CHARACTERS_MAX:
        what = f"has a name of {len(name)} characters, more than {RULE_IDENTIFIER_CHARACTERS_MAX}"
        yield file.at(rule.name_start, "yara/rule-name", what, rule=name)
    if len(rule.patterns) > RULE_PATTERNS_MAX:
        what = f"has {len(rule.patterns)} patterns, more than {RULE_PATTERNS_MAX}: compiling takes their square"
        yield file.at(rule.name_start, "yara/too-many-patterns", what, rule=name)
    if rule.too_deep is not None:
        what = "the condition is nested too deeply to be read by people or checked"
        yield file.at(rule.too_deep, "yara/too-deep", what, rule=name)
    if rule.condition_tokens > RULE_CONDITION_WORDS_MAX:
        what = f"the condition has {rule.condition_tokens} words, more than {RULE_CONDITION_WORDS_MAX}"
        yield file.at(rule.condition_start, "yara/condition-too-long", what, rule=name)
    made = 0
    for pattern in rule.patterns:
        made += variants(pattern)
        yield from _pattern_bounds(file, rule, pattern)
    if made > RULE_VARIANTS_PATTERNS_MAX:
        what = f"xor, wide and base64 make {made} patterns of its {len(rule.patterns)}: more than the"
        yield file.at(
            rule.name_start, "yara/too-many-variants", f"{what} {RULE_VARIANTS_PATTERNS_MAX} allowed", rule=name
        )


def _pattern_bounds(file: LintedFile, rule: FileRule, pattern: FilePattern) -> Iterator[Finding]:
    """What one pattern may be."""
    if len(pattern.value) > _LENGTHS[pattern.kind]:
        what = f"{pattern.name} has {len(pattern.value)} characters, more than {_LENGTHS[pattern.kind]}"
        yield file.at(pattern.value_start, "yara/pattern-too-long", what, rule=rule.name)
    if (count := alternatives(pattern)) > PATTERN_ALTERNATIVES_ENTRIES_MAX:
        what = f"{pattern.name} has {count} alternatives in one place, more than {PATTERN_ALTERNATIVES_ENTRIES_MAX}"
        yield file.at(pattern.value_start, "yara/too-many-alternatives", what, rule=rule.name)


def _loops(file: LintedFile, rule: FileRule) -> Iterator[Finding]:
    """Rule 2."""
    waiting: list[tuple[Node, bool]] = [(rule.condition, False)] if rule.condition else []
    while waiting:
        node, inside = waiting.pop()
        loops = node.kind == "for_in"
        if loops and inside:
            what = "a loop within a loop: its cost is a product, and one slow rule silences its whole pack"
            yield file.at(node.start, "yara/nested-loop", what, rule=rule.name)
        elif inside and (called := _costly(node)):
            what = f"calls {called} in a loop: it reads its bytes anew each time"
            yield file.at(node.start, "yara/costly-loop", what, rule=rule.name)
        deeper = inside or loops or node.kind == "for_of"
        waiting += [(child, deeper) for child in node.children]


def _costly(node: Node) -> str:
    """The name of the costly function that `node` calls, or ""."""
    if node.kind != "call" or node.children[0].kind != "field" or not node.children[0].children:
        return ""
    module, function = node.children[0].children[0].value, node.children[0].value
    return f"{module}.{function}" if function in COSTLY_FUNCTIONS.get(module, ()) else ""


def _metadata(file: LintedFile, rule: FileRule) -> Iterator[Finding]:
    """Rule 3."""
    known: set[str] = set()
    ours = {*NEEDED, *TO_BE_SAID}
    for entry in rule.meta:
        if entry.name in known & ours:
            what = f"says {entry.name!r} twice: readers disagree on which of the two holds"
            yield file.at(entry.start, "yara/metadata-repeated", what, rule=rule.name)
        known.add(entry.name)
    for name in NEEDED:
        if not meta_of(rule, name):
            yield file.at(rule.name_start, "yara/metadata-missing", f"lacks the metadata {name!r}", rule=rule.name)
    for name in TO_BE_SAID:
        if name not in known:
            what = f'lacks the metadata {name!r}; where there is none, say {name} = ""'
            yield file.at(rule.name_start, "yara/metadata-missing", what, rule=rule.name)
    for entry in rule.meta:
        if entry.name in ours and (what := _wrong_metadata(entry.name, unescaped(entry.value).strip())):
            yield file.at(entry.start, "yara/metadata-invalid", what, rule=rule.name)


def _wrong_metadata(name: str, value: str) -> str:
    """What is wrong with a line of metadata, or ""."""
    if len(value) > RULE_TEXT_CHARACTERS_MAX:
        return f"{name} has {len(value)} characters, more than {RULE_TEXT_CHARACTERS_MAX}"
    if is_unwelcome(value):
        return f"{name} holds control characters, or marks that turn the direction of text"
    if name == "severity" and value and value not in list(Severity):
        return f"severity {value[:32]!a} is none of {', '.join(Severity)}"
    if name == "action" and value and value not in list(RuleAction):
        return f"action {value[:32]!a} is none of {', '.join(RuleAction)}"
    if name == "technique" and not TECHNIQUE.fullmatch(value):
        return f"technique {value[:32]!a} is not like T1059 or T1059.004"
    return ""


def check_evidence(file: LintedFile, worthless: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    """Rule 4.  `worthless`: for each rule the patterns that are no evidence (`author/lint_indicators.py`)."""
    found: dict[str, int] = {}
    for rule in file.parsed.rules:
        ours = worthless.get(rule.name, frozenset())
        evidence = Evidence(rule, found, ours)
        total = found[rule.name] = evidence.total
        if rule.private or rule.condition is None:
            continue
        if not evidence.looks:
            what = "looks at sizes and kinds of files only: ordinary files match"
            yield file.at(rule.condition_start, "yara/no-evidence", what, rule=rule.name)
        elif blocks(rule):
            if total < RULE_EVIDENCE_BYTES_MIN:
                yield from _weak(file, rule, evidence, RULE_EVIDENCE_BYTES_MIN, Level.ERROR)
        elif total < RULE_ALERT_EVIDENCE_BYTES_MIN:
            yield from _weak(file, rule, evidence, RULE_ALERT_EVIDENCE_BYTES_MIN, Level.WARNING)


def _weak(file: LintedFile, rule: FileRule, evidence: Evidence, least: int, level: Level) -> Iterator[Finding]:
    """One finding for each alternative that is too weak."""
    does = "blocks" if level is Level.ERROR else "alerts"
    for spot in evidence.weak_spots(least):
        by = f"by {spot.pattern}" if spot.pattern else "by this alternative"
        what = f"{does} {by} on {spot.evidence} different fixed bytes, fewer than {least}: ordinary files have them"
        yield file.at(spot.start, "yara/unspecific", what, rule=rule.name, level=level)
