"""A content directory -> a release, the same bytes each time.

1. Every rule has its metadata, and a name of its own in the whole release.
2. Rules are partitioned and packed (`author/packing.py`).
3. Sigma rules become packs of detections (`author/sigma_dir.py`), their self-tests hold.
4. The engine compiles every pack, and every self-test holds, in the very code that a host runs (`detect/yara.py`).
5. The bytes are written, read again and compared (`wire/release.py`).
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

from ringfence.author.authored_tests import AuthoredTest
from ringfence.author.content_dir import ContentDirectory, Progress, entry_of, read_directory, read_yaml, refuse_rule
from ringfence.author.content_head import CONTENT_FILE, ContentHead, read_head
from ringfence.author.packing import PackedSource, clusters_of, pack_up
from ringfence.author.waivers import book_of, read_waivers
from ringfence.author.yara_source import SourceRule
from ringfence.detect.rule_outline import outline
from ringfence.detect.self_tests import check_self_tests
from ringfence.detect.yara import compile_release
from ringfence.model.contract import EventNeed
from ringfence.model.errors import ContentRefused
from ringfence.model.limits import RULE_PATTERNS_MAX
from ringfence.model.release import (
    YARA_MODULES,
    YARA_VARIABLES,
    Contract,
    DetectionPack,
    Manifest,
    Pack,
    PackEntry,
    Release,
    Sample,
    SelfTest,
)
from ringfence.wire.manifest import RULE_IDENTIFIER, pack_path
from ringfence.wire.release import encode_release
from ringfence.wire.waiver import encode_waivers

WAY_OUT: Final = "correct the rule or the self-test"


def build_bytes(directory: Path, version: int | None = None, progress: Progress = lambda _: None) -> bytes:
    """The bytes of the release that `directory` describes.  `version` overrides the directory's.

    Raises PathRefused or ContentRefused; a release that does not compile or fails a self-test is not built.
    """
    release = with_waivers(build_release(read_directory(directory, progress), version), directory)
    progress("compiling")
    compiled = compile_release(release)
    progress("self-tests")
    check_self_tests(release, compiled)
    progress("writing")
    return encode_release(release)


def with_waivers(release: Release, directory: Path) -> Release:
    """The release with the waivers of its directory, expired or not: lint and prove say whether they still hold.

    Raises ContentRefused for one that is malformed, foreign or badly signed.
    """
    document = read_yaml(directory / CONTENT_FILE, CONTENT_FILE)
    head = read_head(document)
    keys = head.waiver_keys if isinstance(head, ContentHead) else ()
    waivers, findings = read_waivers(directory, keys, None)
    if findings:
        raise ContentRefused(findings[0].text, "remove the file, or have it signed anew", file=findings[0].file)
    if not waivers:
        return release
    data = encode_waivers(book_of(waivers, keys))
    manifest = replace(release.manifest, waivers_sha256=hashlib.sha256(data).hexdigest())
    return replace(release, manifest=manifest, waivers=data)


def build_release(content: ContentDirectory, version: int | None = None) -> Release:
    """The release that `content` describes; not compiled, not tested."""
    rules = _unique(chain.from_iterable(content.files))
    for rule in rules.values():
        _check_bounds(rule)
    packs = pack_up(chain.from_iterable(clusters_of(rules_of_file) for rules_of_file in content.files))
    entries = [entry_of(rules[name], pack.name) for pack in packs for name in pack.reporting]
    tests = _self_tests(content.tests, rules)
    samples = {hashlib.sha256(test.sample).hexdigest(): test.sample for test in content.tests}
    detections, events = _detections(content)
    manifest = Manifest(
        name=content.head.name,
        version=content.head.version if version is None else version,
        description=content.head.description,
        contract=dataclasses.replace(_contract(packs), events=events),
        packs=tuple(_entry(pack) for pack in packs),
        rules=tuple(sorted(entries, key=lambda entry: entry.identifier)),
        self_tests=tests,
        detections=tuple(pack.entry for pack in detections),
        budget=content.head.budget,
    )
    return Release(
        manifest,
        tuple(Pack(_entry(pack), pack.source) for pack in packs),
        tuple(Sample(sha256, samples[sha256]) for sha256 in sorted(samples)),
        detections,
    )


def _detections(content: ContentDirectory) -> tuple[tuple[DetectionPack, ...], tuple[EventNeed, ...]]:
    """The packs of rules over events, and what they need."""
    if content.sigma is None:
        return (), ()
    from ringfence.author.sigma_dir import detection_packs  # noqa: PLC0415 - as in author/content_dir.py

    return detection_packs(content.sigma)


def _unique(rules: Iterable[SourceRule]) -> dict[str, SourceRule]:
    """The reporting rules by name.  Two rules of one name are refused."""
    found: dict[str, SourceRule] = {}
    for rule in rules:
        if rule.private:
            continue
        if rule.identifier in found:
            other = found[rule.identifier]
            refuse_rule(rule, f"has the name of a rule in {other.file}, line {other.line}")
        found[rule.identifier] = rule
    return found


def _check_bounds(rule: SourceRule) -> None:
    if not RULE_IDENTIFIER.fullmatch(rule.identifier):
        refuse_rule(rule, "has a name that is too long")
    if len(rule.patterns) > RULE_PATTERNS_MAX:
        refuse_rule(rule, f"has {len(rule.patterns)} patterns, more than the {RULE_PATTERNS_MAX} allowed")
    if foreign := sorted(rule.modules - YARA_MODULES):
        refuse_rule(rule, f"imports the module {foreign[0]!r}, which content may not use")


def _entry(pack: PackedSource) -> PackEntry:
    content = pack.source.encode()
    return PackEntry(
        name=pack.name,
        file_class=pack.file_class.value,
        path=pack_path(pack.name),
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )


def _contract(packs: Sequence[PackedSource]) -> Contract:
    """What the packs need, read as a host reads it: imported modules, and external variables that conditions name."""
    outlines = [outline(pack.source) for pack in packs]
    named = frozenset[str]().union(*(rule.inputs for declared in outlines for rule in declared.rules))
    modules = frozenset[str]().union(*(declared.imports for declared in outlines))
    return Contract(yara_modules=tuple(sorted(modules)), yara_variables=tuple(sorted(named & YARA_VARIABLES)))


def _self_tests(tests: Sequence[AuthoredTest], rules: dict[str, SourceRule]) -> tuple[SelfTest, ...]:
    found: dict[tuple[str, str], SelfTest] = {}
    for test in tests:
        if test.rule not in rules:
            raise ContentRefused(f"there is no rule {test.rule!a}", WAY_OUT, file=test.file)
        sha256 = hashlib.sha256(test.sample).hexdigest()
        made = SelfTest(test.rule, sha256, test.expects_match)
        if found.setdefault((test.rule, sha256), made) != made:
            raise ContentRefused(f"a sample must both match and not match {test.rule}", WAY_OUT, file=test.file)
    return tuple(found[key] for key in sorted(found))
