"""`ringfence content lint`: everything that is wrong with a content directory, at once, each with its exact place.

1. `content.yaml`, rules, self-tests and waivers are each read as far as they can be; nothing stops at the first error.
2. A file of rules is checked without the engine first (`author/lint_yara.py`), then by the engine's compiler in a child
   (`author/lint_engine.py`), unless its size alone is past a bound: compiling that is what the bound is for.
3. Names are one for the whole release.  Each rule that reports has a sample that it matches and one that it ignores;
   for a rule that only alerts their lack is a warning, because public packs have none.
4. What a rule reads is held against every contract given: an input that one of the builds does not supply refuses it.
   So does a variable that all of them supply: no self-test can give it a value yet, so nobody has seen the rule use it.
5. Sigma rules (`sigma/**/*.yml`) and their self-tests are checked by `author/sigma_lint.py`.
6. Waivers are applied last (`author/waivers.py`).
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringfence.author.authored_tests import AuthoredTest, read_tests
from ringfence.author.content_dir import (
    EVENTS_SUFFIX,
    RULE_SUFFIXES,
    SIGMA_SUFFIXES,
    read_text,
    read_yaml,
    source_files,
)
from ringfence.author.content_head import CONTENT_FILE, ContentHead, Problem, read_head
from ringfence.author.finding import Finding, Level, in_order
from ringfence.author.finding_cache import Check, FindingCache
from ringfence.author.lint_engine import EngineChild
from ringfence.author.lint_indicators import check_indicators, worthless_patterns
from ringfence.author.lint_yara import LintedFile, blocks, check_evidence, check_file
from ringfence.author.proof_cache import ProofCache
from ringfence.author.strict_yaml import Document
from ringfence.author.waivers import Digests, apply_waivers, book_of, read_waivers, text_digest
from ringfence.author.yara_file import read_yara
from ringfence.model.contract import InputKind, Need, SensorContract
from ringfence.model.errors import ContentRefused, PathRefused, RingfenceError
from ringfence.model.limits import LINT_FINDINGS_MAX
from ringfence.model.release import YARA_MODULES, YARA_VARIABLES
from ringfence.model.waiver import WaiverBook
from ringfence.trust.eligibility import shortages
from ringfence.wire.contract import contract_digest
from ringfence.wire.waiver import waiver_digest

Progress = Callable[[str], None]

BOUNDS: Final = frozenset(
    {"yara/too-many-patterns", "yara/too-deep", "yara/condition-too-long", "yara/too-many-variants"}
)
"""Rule 2: a file with one of these is not compiled."""


@dataclass(frozen=True, slots=True)
class LintResult:
    """What a lint has found.  `waivers` are those that excuse something."""

    findings: tuple[Finding, ...]
    waivers: WaiverBook
    files: int
    rules: int

    @property
    def refused(self) -> bool:
        """Whether the content must not be built."""
        return any(finding.refuses for finding in self.findings)


def lint_directory(
    directory: Path,
    contracts: Sequence[SensorContract],
    today: dt.date,
    progress: Progress = lambda _: None,
    cache: ProofCache | None = None,
) -> LintResult:
    """Check the content directory `directory`.  Raises PathRefused where there is none, or it cannot be read.

    What is wrong with a file by itself is remembered in `cache`.
    """
    lint = _linted(directory, contracts, progress, cache)
    waivers, about_waivers = read_waivers(directory, lint.head.waiver_keys if lint.head else (), today)
    judged, used = apply_waivers([*lint.findings, *about_waivers], waivers, lint.digests)
    return LintResult(
        bounded(judged), book_of(used, lint.head.waiver_keys if lint.head else ()), lint.files, lint.rules
    )


def lint_text_digests(
    directory: Path, contracts: Sequence[SensorContract], today: dt.date
) -> tuple[tuple[Finding, ...], Digests]:
    """What `lint_directory` finds, with the digests of the texts that a waiver is about; what is waived is left out."""
    lint = _linted(directory, contracts, lambda _: None, None)
    waivers, _ = read_waivers(directory, lint.head.waiver_keys if lint.head else (), today)
    judged, _ = apply_waivers(lint.findings, waivers, lint.digests)
    return tuple(finding for finding in in_order(judged) if not finding.waived_by), lint.digests


def _linted(
    directory: Path, contracts: Sequence[SensorContract], progress: Progress, cache: ProofCache | None
) -> "_Lint":
    if not (directory / CONTENT_FILE).is_file():
        raise PathRefused(
            f"{directory} is not a content directory: it has no {CONTENT_FILE}",
            "name one that has; `ringfence content new` makes one to start from",
        )
    lint = _Lint(directory, contracts, progress, FindingCache(cache or ProofCache(None)))
    lint.run()
    return lint


class _Lint:
    """One lint, as it goes through the directory."""

    def __init__(
        self, directory: Path, contracts: Sequence[SensorContract], progress: Progress, memory: FindingCache
    ) -> None:
        self.directory = directory
        self.contracts = contracts
        self.progress = progress
        self.memory = memory
        self.findings: list[Finding] = []
        self.digests: dict[tuple[str, str], str] = {}
        self.head: ContentHead | None = None
        self.files = 0
        self.rules = 0

    def run(self) -> None:
        """Rules 1 to 4."""
        self._head()
        tests = self._tests()
        files = self._yara_files()
        self._names(files, tests)
        with EngineChild() as engine:
            for file in files:
                self.progress(file.name)
                self._yara(file, engine)
        self.findings += missing_tests(files, tests)
        self.findings += check_contract(files, self.contracts)
        self._sigma()

    def _sigma(self) -> None:
        """Rule 5."""
        texts: dict[str, str] = {}
        for path in self._paths("sigma", SIGMA_SUFFIXES):
            name = str(path.relative_to(self.directory))
            if (text := self._text(path, name)) is not None:
                texts[name] = text
        event_files = [path for path in self._paths("tests", (".yaml",)) if path.name.endswith(EVENTS_SUFFIX)]
        if not texts and not event_files:
            return
        from ringfence.author import sigma_lint, sigma_source, sigma_tests  # noqa: PLC0415 - pySigma takes a second

        tests: list[sigma_tests.AuthoredEvent] = []
        for path in event_files:
            name = str(path.relative_to(self.directory))
            if (text := self._text(path, name)) is not None:
                try:
                    tests += sigma_tests.read_event_tests(name, text)
                except ContentRefused as refusal:
                    self.findings.append(finding_of_refusal(refusal, name, "sigma/self-test"))
        sources = []
        for name, text in texts.items():
            self.progress(name)
            sources.append(source := sigma_source.read_sigma(name, text))
            self.digests[name, source.name] = self.digests[name, ""] = text_digest(text)
        self.files += len(texts)
        self.rules += len(texts)
        given = " ".join(contract_digest(contract) for contract in self.contracts)

        def remembered(source: sigma_source.SigmaSource, check: Check) -> Iterable[Finding]:
            return self.memory.findings("sigma", source.file, texts[source.file], given, check)

        self.findings += sigma_lint.lint_sigma_rules(sources, tests, self.contracts, remembered)

    def _head(self) -> None:
        document = self._document(self.directory / CONTENT_FILE, CONTENT_FILE)
        if document is not None:
            read = read_head(document)
            if isinstance(read, ContentHead):
                self.head = read
            else:
                self._problems(CONTENT_FILE, document, read, "source/head")

    def _tests(self) -> list[AuthoredTest]:
        found: list[AuthoredTest] = []
        for path in self._paths("tests", (".yaml",)):
            if path.name.endswith(EVENTS_SUFFIX):
                continue
            name = str(path.relative_to(self.directory))
            document = self._document(path, name)
            if document is not None:
                tests, problems = read_tests(document, name)
                found += tests
                self._problems(name, document, problems, "source/self-test")
        return found

    def _yara_files(self) -> list[LintedFile]:
        found = []
        for path in self._paths("rules", RULE_SUFFIXES):
            name = str(path.relative_to(self.directory))
            if (text := self._text(path, name)) is None:
                continue
            found.append(LintedFile(name, text, read_yara(text)))
            self.files += 1
        return found

    def _yara(self, file: LintedFile, engine: EngineChild) -> None:
        """Everything about one file of rules alone."""
        self.digests[file.name, ""] = text_digest(file.text)
        for rule in file.parsed.rules:
            self.digests[file.name, rule.name] = text_digest(file.text[rule.start : rule.end])
        self.rules += len(file.parsed.rules)
        self.findings += self.memory.findings("yara", file.name, file.text, "", lambda: check_rules(file, engine))

    def _names(self, files: Sequence[LintedFile], tests: Sequence[AuthoredTest]) -> None:
        """Rule 3, names: the second of two rules is the finding."""
        places: dict[str, str] = {}
        for file in files:
            here: set[str] = set()
            for rule in file.parsed.rules:
                if rule.private or rule.name in here:
                    continue  # the engine says it of two in one file
                here.add(rule.name)
                if other := places.get(rule.name):
                    what = f"the name {rule.name} is taken by a rule in {other}"
                    self.findings.append(file.at(rule.name_start, "yara/duplicate-rule", what, rule=rule.name))
                places.setdefault(rule.name, file.name)
        for test in dict.fromkeys((test.rule, test.file, test.rule_place) for test in tests):
            rule_name, name, place = test
            if rule_name not in places:
                what = f"there is no rule {rule_name[:64]!a}"
                self.findings.append(
                    Finding(name, place.line, place.column, "source/self-test", Level.ERROR, "", what)
                )
        self.findings += _contradictions(tests)

    def _paths(self, folder: str, suffixes: Sequence[str]) -> list[Path]:
        try:
            return source_files(self.directory / folder, suffixes)
        except ContentRefused as refusal:
            self.findings.append(finding_of_refusal(refusal, folder, "source/file"))
            return []

    def _text(self, path: Path, name: str) -> str | None:
        try:
            return read_text(path, name)
        except ContentRefused as refusal:
            self.findings.append(finding_of_refusal(refusal, name, "source/file"))
            return None

    def _document(self, path: Path, name: str) -> Document | None:
        try:
            return read_yaml(path, name)
        except ContentRefused as refusal:
            self.findings.append(finding_of_refusal(refusal, name, "source/yaml"))
            return None

    def _problems(self, name: str, document: Document, problems: Iterable[Problem], code: str) -> None:
        for problem in problems:
            place = document.place(*problem.path)
            rule = str(problem.path[0]) if code == "source/self-test" and problem.path else ""
            self.findings.append(Finding(name, place.line, place.column, code, Level.ERROR, rule, problem.text))


def check_rules(file: LintedFile, engine: EngineChild) -> list[Finding]:
    """Rule 2: all that is wrong with the rules of one file by themselves."""
    found = text_findings(file)
    if not any(finding.code in BOUNDS for finding in found):
        found += _without_repetition(found, engine.findings(file))
    return found


def text_findings(file: LintedFile) -> list[Finding]:
    """The part of rule 2 that needs no engine."""
    worthless = worthless_patterns(file)
    found = [*check_file(file), *check_indicators(file, worthless)]
    found += check_evidence(file, {name: frozenset(patterns) for name, patterns in worthless.items()})
    return found


def finding_of_refusal(refusal: RingfenceError, name: str, code: str) -> Finding:
    """A refusal of a reader as a finding in the file `name`; its position is `line` or `line:column`."""
    position = refusal.position if isinstance(refusal, ContentRefused) else ""
    line, _, column = position.partition(":")
    what = refusal.what.removeprefix(f"{name}:{position}: ").removeprefix(f"{name}: ")
    numbers = (int(line), int(column or 1)) if line.isdecimal() else (1, 1)
    return Finding(name, *numbers, code, Level.ERROR, "", what)


def _without_repetition(ours: Sequence[Finding], theirs: Sequence[Finding]) -> Iterator[Finding]:
    """What the engine says and we have not said: of an unread rule its text is the better one."""
    said = {(finding.code, finding.line) for finding in ours}
    for finding in theirs:
        if (finding.code, finding.line) not in said:
            yield finding


def _contradictions(tests: Sequence[AuthoredTest]) -> Iterator[Finding]:
    """The same sample for a rule on both sides."""
    expected: dict[tuple[str, bytes], bool] = {}
    for test in tests:
        if expected.setdefault((test.rule, test.sample), test.expects_match) is not test.expects_match:
            what = f"a sample must both match and not match {test.rule}"
            yield Finding(
                test.file, test.place.line, test.place.column, "source/self-test", Level.ERROR, test.rule, what
            )


def missing_tests(files: Sequence[LintedFile], tests: Sequence[AuthoredTest]) -> Iterator[Finding]:
    """Rule 3, self-tests: each rule that blocks is told, of the others one line says how many a file has."""
    tested = {(test.rule, test.expects_match) for test in tests}
    kinds = ((True, "yara/no-positive-test", "match"), (False, "yara/no-negative-test", "ignore"))
    for file in files:
        reporting = [rule for rule in file.parsed.rules if not rule.private]
        for expects_match, code, word in kinds:
            lacking = [rule for rule in reporting if (rule.name, expects_match) not in tested]
            for rule in lacking:
                if blocks(rule):
                    what = f"blocks, and has no self-test that it must {word}: nobody has seen it do so"
                    yield file.at(rule.name_start, code, what, rule=rule.name)
            quiet = [rule for rule in lacking if not blocks(rule)]
            if quiet:
                what = f"{len(quiet)} of its rules only alert and have no self-test that they must {word}"
                yield file.at(quiet[0].name_start, code, f"{what}: {quiet[0].name} first", level=Level.WARNING)


def check_contract(files: Sequence[LintedFile], contracts: Sequence[SensorContract]) -> Iterator[Finding]:
    """Rule 4."""
    for file in files:
        imported = {word.text for word in file.parsed.imports} & YARA_MODULES  # of others the import is told
        for rule in file.parsed.rules:
            places: dict[Need, int] = {}
            for node in rule.condition.walk() if rule.condition else ():
                if node.kind == "name" and node.value in imported | YARA_VARIABLES:
                    kind = InputKind.YARA_MODULE if node.value in imported else InputKind.YARA_VARIABLE
                    places.setdefault(Need(rule.name, kind, node.value), node.start)
            short = {one.need: one.text for one in shortages(places, contracts)}
            for need, start in places.items():
                if text := short.get(need):
                    yield file.at(start, "contract/not-supplied", text, rule=rule.name)
                elif need.kind is InputKind.YARA_VARIABLE:
                    what = f"reads the variable {need.name}, which no self-test can give a value"
                    yield file.at(start, "contract/not-exercised", what, rule=rule.name)


def bounded(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """At most `LINT_FINDINGS_MAX` findings for a file, those that refuse before all others; the rest is counted."""
    by_file: dict[str, list[Finding]] = {}
    for finding in sorted(in_order(findings), key=lambda one: not one.refuses):
        by_file.setdefault(finding.file, []).append(finding)
    kept = []
    for file, found in by_file.items():
        kept += found[:LINT_FINDINGS_MAX]
        if (more := len(found) - LINT_FINDINGS_MAX) > 0:
            what = f"{more} more findings about this file are not told"
            kept.append(Finding(file, 1, 1, "source/too-many-findings", Level.WARNING, "", what))
    return in_order(kept)


def reasons_of(book: WaiverBook) -> dict[str, str]:
    """Why each waived finding is excused, by digest of its waiver."""
    return {waiver_digest(signed): f"{signed.waiver.reason} (until {signed.waiver.expires})" for signed in book.waivers}
