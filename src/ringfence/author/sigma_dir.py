"""The Sigma part of a content directory, and the packs of detections that a release holds of it.

    DIR/sigma/**/*.yml              one rule each
    DIR/tests/**/*.events.yaml      their self-tests: `author/sigma_tests.py`

1. A file that is refused refuses the build, with the first of its findings.
2. One pack for each type of event, cut where a pack would be too large.  The same rules always give the same packs.
3. Every rule has its self-tests with it, and they hold, in both matchers.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, NoReturn

from ringfence.author.finding import Finding, finding_line
from ringfence.author.sigma_lint import duplicate_findings
from ringfence.author.sigma_source import SigmaSource, read_sigma
from ringfence.author.sigma_tests import AuthoredEvent, read_event_tests
from ringfence.detect.sigma.needs import declared_needs
from ringfence.detect.sigma.self_tests import check_event_tests
from ringfence.model.contract import EventNeed
from ringfence.model.detection import DetectionRule, Detections, EventTest
from ringfence.model.errors import ContentRefused
from ringfence.model.limits import DETECTION_PACK_RULES_MAX
from ringfence.model.release import DetectionEntry, DetectionPack
from ringfence.wire.detection_ir import decode_detections, encode_detections
from ringfence.wire.manifest import detection_path

WAY_OUT: Final = "correct the rule or the self-test"

Named = Sequence[tuple[str, Path]]
"""Files with their names below the content directory."""

Reader = Callable[[Path, str], str]
"""Gives the text of a file, or raises ContentRefused."""


@dataclass(frozen=True, slots=True)
class SigmaContent:
    """The Sigma rules of a directory and their self-tests, in the order of the files."""

    sources: tuple[SigmaSource, ...] = ()
    tests: tuple[AuthoredEvent, ...] = ()


def read_content(rules: Named, tests: Named, read_text: Reader) -> SigmaContent:
    """Read the files.  A rule with findings is among the sources; what is no self-test is ContentRefused."""
    sources = tuple(read_sigma(name, read_text(path, name)) for name, path in rules)
    found = [test for name, path in tests for test in read_event_tests(name, read_text(path, name))]
    return SigmaContent(sources, tuple(found))


def detection_packs(content: SigmaContent) -> tuple[tuple[DetectionPack, ...], tuple[EventNeed, ...]]:
    """The packs of a release in their order, and what its manifest declares of them.  Raises ContentRefused."""
    for finding in [one for source in content.sources for one in source.findings if one.refuses]:
        _refuse(finding)
    for finding in duplicate_findings(content.sources):
        _refuse(finding)
    rules = sorted((source.rule for source in content.sources if source.rule), key=lambda rule: rule.identifier)
    tests = _tests({rule.identifier for rule in rules}, content.tests)
    packs = [_pack(name, several, tests) for name, several in _cut(rules)]
    check_event_tests([decode_detections(pack.data, pack.entry.path) for pack in packs])
    return tuple(packs), declared_needs(rules)


def _refuse(finding: Finding) -> NoReturn:
    what = finding_line(finding).removeprefix(f"{finding.file}:{finding.line}:{finding.column}: ")
    raise ContentRefused(what, WAY_OUT, file=finding.file, position=f"{finding.line}:{finding.column}")


def _tests(rules: set[str], tests: Iterable[AuthoredEvent]) -> dict[str, list[EventTest]]:
    """The self-tests of each rule, in order, each once."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], EventTest] = {}
    for one in tests:
        test = one.test
        position = f"{one.place.line}:{one.place.column}"
        if test.rule not in rules:
            raise ContentRefused(f"there is no rule {test.rule[:64]!a}", WAY_OUT, file=one.file, position=position)
        if found.setdefault((test.rule, test.event), test) != test:
            what = f"an event must both match and not match {test.rule}"
            raise ContentRefused(what, WAY_OUT, file=one.file, position=position)
    by_rule: dict[str, list[EventTest]] = {}
    for key in sorted(found):
        by_rule.setdefault(key[0], []).append(found[key])
    return by_rule


def _cut(rules: Sequence[DetectionRule]) -> Iterator[tuple[str, list[DetectionRule]]]:
    """Rule 2: names of packs in order, with their rules."""
    by_type: dict[str, list[DetectionRule]] = {}
    for rule in rules:
        by_type.setdefault(rule.event_type, []).append(rule)
    cut: dict[str, list[DetectionRule]] = {}
    for event_type in sorted(by_type):
        several = by_type[event_type]
        for number, start in zip(count(1), range(0, len(several), DETECTION_PACK_RULES_MAX), strict=False):
            cut[f"{event_type[:60]}-{number:02}"] = several[start : start + DETECTION_PACK_RULES_MAX]
    yield from sorted(cut.items())


def _pack(name: str, rules: Sequence[DetectionRule], tests: dict[str, list[EventTest]]) -> DetectionPack:
    mine = tuple(test for rule in rules for test in tests.get(rule.identifier, []))
    data = encode_detections(Detections(tuple(rules), mine))
    return DetectionPack(DetectionEntry(name, detection_path(name), hashlib.sha256(data).hexdigest(), len(data)), data)
