"""A public Sigma pack -> a content directory, with a word about every file.

1. Every `.yml` file below the directory is read, links are not followed.  Files without a detection or correlation at
   the top are no rules, and are passed over.
2. A rule is taken as it stands, with its comments, author and id; where it has no license, that of the pack is added.
3. Refused: what hosts cannot run, what the checks of `author/sigma_lint.py` call harmful, retired rules, ids that are
   taken, licences against commercial use, and rules for another product than was asked for.
4. Public packs have no self-tests.  Where that can be done, two are made for each rule: an event put together of the
   rule's own texts, and one of nothing in particular.  They hold the rule to what it means today, in both matchers;
   that this is what its author meant they cannot know.
5. The result is a content directory as `author/content_dir.py` reads it.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from ringfence.author.content_dir import EVENTS_SUFFIX, SIGMA_SUFFIXES, read_text, source_files
from ringfence.author.content_head import CONTENT_FILE
from ringfence.author.finding import Finding
from ringfence.author.import_metadata import NON_COMMERCIAL
from ringfence.author.import_yara import (
    REPORT_FILE,
    check_target,
    licence_files,
    licence_for,
    names_apart,
    release_name,
    remove_earlier,
)
from ringfence.author.sigma_lint import harm_findings
from ringfence.author.sigma_source import SigmaSource, read_sigma
from ringfence.detect.sigma.example import counter_example, example_event
from ringfence.model.detection import DetectionRule
from ringfence.model.errors import ContentRefused, PathRefused

Step = Callable[[str, int, int], None]
"""Called with what is being done, how far, and how far it goes."""

DETECTION_RULE_LICENSE: Final = "DRL-1.1"
RETIRED_FOLDERS: Final = frozenset({"deprecated", "unsupported"})
_IS_RULE: Final = re.compile(r"^(?:detection|correlation|action):", re.MULTILINE)
_IS_DRL: Final = re.compile(r"detection rule licen[sc]e|\bDRL\b", re.IGNORECASE)
_HAS_LICENSE: Final = re.compile(r"^license:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SigmaReport:
    """What became of one file.  `written` is its name below `sigma/`, "" where it was refused."""

    file: str
    written: str
    rule: str
    reasons: tuple[tuple[str, int, str], ...]
    """Code, line and text of each finding that refuses it."""


@dataclass(frozen=True, slots=True)
class ImportedSigma:
    """All that is to be written."""

    files: tuple[tuple[str, str], ...]
    """Name below `sigma/`, and text."""

    tests: tuple[tuple[str, bool, dict[str, str]], ...]
    """Rule, whether it matches, event."""

    licences: tuple[tuple[str, str], ...]
    reports: tuple[SigmaReport, ...]


def import_sigma_pack(source: Path, product: str = "", step: Step = lambda *_: None) -> ImportedSigma:
    """Read the public pack below `source`.  `product` keeps only rules for it, and those that name none.

    Raises PathRefused if there are no Sigma rules at all.
    """
    if not source.is_dir():
        raise PathRefused(f"{source} is not a directory", "name the directory of a public Sigma pack")
    importer = _Importer(licence_files(source), product)
    paths = source_files(source, SIGMA_SUFFIXES)
    for number, path in enumerate(paths):
        step("reading", number, len(paths))
        importer.take(path, str(path.relative_to(source)))
    if not importer.reports:
        raise PathRefused(f"{source} holds no Sigma rule", "name the directory of a public Sigma pack")
    return importer.imported()


class _Importer:
    def __init__(self, licences: Sequence[tuple[str, str]], product: str) -> None:
        self._licences = licences
        self._product = product
        self._ids: dict[str, str] = {}
        self._taken: list[tuple[str, str, DetectionRule]] = []
        self.reports: list[SigmaReport] = []

    def take(self, path: Path, name: str) -> None:
        """Take or refuse one file."""
        try:
            text = read_text(path, name)
        except (ContentRefused, PathRefused) as error:
            self.reports.append(SigmaReport(name, "", "", (("sigma/yaml", 1, error.what),)))
            return
        if not _IS_RULE.search(text):
            return
        if not _HAS_LICENSE.search(text):
            text = f"{text.rstrip()}\nlicense: {json.dumps(self._licence(name))}\n"
        source = read_sigma(name, text)
        reasons = tuple((one.code, one.line, one.text) for one in self._findings(source) if one.refuses)
        if source.rule is not None and not reasons:
            self._ids[source.rule.identifier] = name
            self._taken.append((name, text, source.rule))
        self.reports.append(SigmaReport(name, "", source.name, reasons))

    def imported(self) -> ImportedSigma:
        """Everything that was taken, each file under a name of its own."""
        names = names_apart([str(Path(name).with_suffix(".yml")) for name, *_ in self._taken])
        written = {name: new for (name, *_), new in zip(self._taken, names, strict=True)}
        licences = [(name, text) for name, text in self._licences if text]
        apart = names_apart([name for name, _ in licences])
        return ImportedSigma(
            files=tuple((written[name], text) for name, text, _ in self._taken),
            tests=tuple(test for *_, rule in self._taken for test in _made_tests(rule)),
            licences=tuple(zip(apart, [text for _, text in licences], strict=True)),
            reports=tuple(
                SigmaReport(one.file, written.get(one.file, ""), one.rule, one.reasons) for one in self.reports
            ),
        )

    def _licence(self, name: str) -> str:
        """The licence of the pack, for a file of it."""
        if any(_IS_DRL.search(text) for _, text in self._licences):
            return DETECTION_RULE_LICENSE
        return licence_for(name, self._licences) or "unknown"

    def _findings(self, source: SigmaSource) -> Iterator[Finding]:
        """Rule 3."""
        if RETIRED_FOLDERS.intersection(Path(source.file).parts[:-1]):
            yield source.finding("sigma/status", "stands in a folder of retired rules")
        yield from source.findings
        rule = source.rule
        if rule is None or source.document is None:
            return
        yield from harm_findings(source)
        if NON_COMMERCIAL.search(rule.licence):
            yield source.finding("sigma/metadata", "its licence forbids commercial use", "license")
        if first := self._ids.get(rule.identifier):
            yield source.finding("sigma/duplicate-id", f"has the id of the rule in {first}", "id")
        product = source.document.value["logsource"].get("product") or self._product
        if self._product and product != self._product:
            yield source.finding("sigma/not-supplied", f"is for {product}, not for {self._product}", "logsource")


def _made_tests(rule: DetectionRule) -> Iterator[tuple[str, bool, dict[str, str]]]:
    """Rule 4."""
    match, other = example_event(rule), counter_example(rule)
    if match is not None:
        yield rule.identifier, True, match
    if other is not None:
        yield rule.identifier, False, other


def write_sigma_directory(imported: ImportedSigma, directory: Path, name: str, report: str) -> None:
    """Write a content directory with the text of its report.  Raises PathRefused."""
    check_target(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / REPORT_FILE).write_text(report, encoding="utf-8")  # first: what is cut short may be done again
        remove_earlier(directory)
        for folder, files in (("sigma", imported.files), ("licences", imported.licences)):
            for file, text in files:
                path = directory / folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        tests = directory / "tests" / f"made{EVENTS_SUFFIX}"
        tests.parent.mkdir(exist_ok=True)
        tests.write_text(_tests_text(imported.tests), encoding="utf-8")
        head = f"format: 1\nname: {release_name(name)}\nversion: 1\ndescription: Imported from a public Sigma pack\n"
        (directory / CONTENT_FILE).write_text(head, encoding="utf-8")
    except OSError as error:
        raise PathRefused(f"{directory} cannot be written: {error.strerror}", "name a directory of yours") from error


def _tests_text(tests: Sequence[tuple[str, bool, dict[str, str]]]) -> str:
    """The self-tests as YAML, every value in quotes."""
    lines = ["# Made of the rules themselves by `ringfence content import-sigma`: see author/import_sigma.py, rule 4."]
    last = ""
    for rule, matches, event in tests:
        if rule != last:
            lines.append(f"{rule}:")
            last = rule
        text = yaml.safe_dump(event, default_style='"', default_flow_style=True, allow_unicode=True, width=sys.maxsize)
        lines += [f"  {'matches' if matches else 'ignores'}:", f"    - {text.strip()}"]
    return "\n".join(lines if tests else ["{}"]) + "\n"
