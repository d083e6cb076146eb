"""A public YARA pack -> a content directory, with a word about every file.

1. Every `.yar` and `.yara` file below the directory is read, links are not followed.  Files that only include others
   (indexes) are passed over: what they include is met anyway.
2. Rules that refer to each other are taken or refused together.  Refused: licences against commercial use, modules that
   content may not use, external variables that no sensor supplies, too many patterns, what the engine refuses or warns
   about, what is slow (`author/probe.py`), and what the lint of content refuses (`author/import_trial.py`): that a rule
   must not block only takes its right to block.
3. A rule whose name is taken gets a number behind it; one that is word for word the same as another is passed over.
4. Metadata becomes ours (`author/import_metadata.py`); the rest of it stays.
5. Every file that is written has a name of its own, also where upper and lower case are the same.
6. The result is a content directory as `author/content_dir.py` reads it, with self-tests for rules that block.
   `content build` then packs by class.
"""

import base64
import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ringfence.author.content_dir import RULE_SUFFIXES, SIGMA_SUFFIXES, read_text, source_files
from ringfence.author.content_head import CONTENT_FILE
from ringfence.author.import_metadata import NON_COMMERCIAL, clean, licence_of, with_our_metadata
from ringfence.author.import_trial import IGNORED_SAMPLE, SampleChild, file_text, try_rules
from ringfence.author.packing import Cluster, clusters_of
from ringfence.author.probe import Candidate, Prober
from ringfence.author.yara_source import SourceReader, SourceRule, referred, variables_of
from ringfence.detect.supplied import VARIABLES
from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.limits import NAME_CHARACTERS_MAX, RULE_IDENTIFIER_CHARACTERS_MAX, RULE_PATTERNS_MAX
from ringfence.model.records import RuleAction
from ringfence.model.release import YARA_MODULES

Step = Callable[[str, int, int], None]
"""Called with what is being done, how far, and how far it goes."""

REPORT_FILE: Final = "import-report.json"
MADE_TESTS: Final = "tests/made.yaml"
"""Self-tests that the import has made."""

LICENCE_NAMES: Final = re.compile(r"(licen[cs]e|copying)(\.(md|txt|rst))?", re.IGNORECASE)
_INCLUDE: Final = re.compile(r'^\s*include\s+"[^"\n]*"', re.MULTILINE)
_RULE: Final = re.compile(r"\brule\s+\w", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule that was not taken (`rule` is "" for a whole file), and why."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file; `written` is its name below `rules/`, "" where nothing of it was taken."""

    file: str
    written: str
    taken: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    refused: tuple[Refusal, ...]
    only_alert: tuple[Refusal, ...]
    """Taken rules that were to block and only alert, and why."""


@dataclass(frozen=True, slots=True)
class Imported:
    """All that is to be written: rules and licences by the names of their new files, and the report."""

    files: tuple[tuple[str, tuple[SourceRule, ...]], ...]
    samples: tuple[tuple[str, bytes], ...]
    """Rules that block, each with a sample that it matches."""

    licences: tuple[tuple[str, str], ...]
    reports: tuple[FileReport, ...]


@dataclass(slots=True)
class _FileWork:
    """One file on its way."""

    name: str
    rules: tuple[SourceRule, ...]
    clusters: list[Cluster]
    licence: str
    refused: list[Refusal]
    renamed: list[tuple[str, str]]
    only_alert: dict[str, str] = field(default_factory=dict)
    samples: dict[str, bytes] = field(default_factory=dict)


def import_pack(source: Path, action: RuleAction, step: Step = lambda *_: None) -> Imported:
    """Read the public pack below `source`.  Raises PathRefused if there are no files of rules at all."""
    if not source.is_dir():
        raise PathRefused(f"{source} is not a directory", "name the directory of a public YARA pack")
    paths = source_files(source, RULE_SUFFIXES)
    if not paths:
        raise PathRefused(f"{source} holds no .yar or .yara file", "name the directory of a public YARA pack")
    licences = licence_files(source)
    reader = SourceReader()
    works = []
    for number, path in enumerate(paths):
        step("reading", number, len(paths))
        works.append(_read(path, str(path.relative_to(source)), reader, licences))
    _name_apart(works)
    _probe(works, step)
    _try(works, action, step)
    kept = [work for work in works if work.clusters]
    names = names_apart([str(Path(work.name).with_suffix(".yar")) for work in kept])
    written = {work.name: name for work, name in zip(kept, names, strict=True)}
    licences = [(name, text) for name, text in licences if text]
    return Imported(
        files=tuple((written[work.name], _taken(work, action)) for work in kept),
        samples=tuple(sorted(sample for work in kept for sample in work.samples.items())),
        licences=tuple(zip(names_apart([name for name, _ in licences]), [text for _, text in licences], strict=True)),
        reports=tuple(_report(work, written.get(work.name, "")) for work in works),
    )


def names_apart(names: Sequence[str]) -> list[str]:
    """File names, each of its own even where case does not count, none the name of another's directory."""
    taken = {str(parent).casefold() for name in names for parent in Path(name).parents}
    apart = []
    for name in names:
        path, number = Path(name), 2
        while str(path).casefold() in taken:
            path = path.with_name(f"{Path(name).stem}_{number}{path.suffix}")
            number += 1
        taken.add(str(path).casefold())
        apart.append(str(path))
    return apart


def check_target(directory: Path) -> None:
    """Raises PathRefused unless `directory` is new, empty or an earlier import."""
    try:
        if directory.exists() and any(directory.iterdir()) and not (directory / REPORT_FILE).is_file():
            raise PathRefused(f"{directory} is not empty and not an earlier import", "name a new directory")
    except OSError as error:
        raise PathRefused(f"{directory} cannot be written: {error.strerror}", "name a new directory") from error


def write_directory(imported: Imported, directory: Path, name: str, report: str = "{}\n") -> None:
    """Write a content directory with the text of its report.  Raises PathRefused, also for what `check_target` does."""
    check_target(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / REPORT_FILE).write_text(report, encoding="utf-8")  # first: what is cut short may be done again
        remove_earlier(directory)
        for file, rules in imported.files:
            path = directory / "rules" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file_text(rules), encoding="utf-8")
        if imported.samples:
            path = directory / MADE_TESTS
            path.parent.mkdir(exist_ok=True)
            path.write_text(_tests_text(imported.samples), encoding="utf-8")
        for file, text in imported.licences:
            path = directory / "licences" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        head = f"format: 1\nname: {release_name(name)}\nversion: 1\ndescription: Imported from a public YARA pack\n"
        (directory / CONTENT_FILE).write_text(head, encoding="utf-8")
    except OSError as error:
        raise PathRefused(f"{directory} cannot be written: {error.strerror}", "name a directory of yours") from error


def remove_earlier(directory: Path) -> None:
    """Remove the rules and licences of an earlier import, of whatever kind, and the directories that this leaves empty.

    Its head goes first and comes last: between the two it is no content directory that anybody could build.
    """
    (directory / CONTENT_FILE).unlink(missing_ok=True)
    (directory / MADE_TESTS).unlink(missing_ok=True)
    suffixes = {"rules": RULE_SUFFIXES, "sigma": SIGMA_SUFFIXES}
    for top in (directory / "rules", directory / "sigma", directory / "licences"):
        below = sorted(top.rglob("*"), reverse=True)  # what is in a directory comes before it
        for path in below:
            if path.is_dir() and not path.is_symlink():
                with suppress(OSError):  # somebody keeps something in it
                    path.rmdir()
            elif top.name == "licences" or path.suffix.lower() in suffixes[top.name]:
                path.unlink()


def _tests_text(samples: Iterable[tuple[str, bytes]]) -> str:
    """The self-tests as YAML; samples as base64, so that no scanner takes the file for what it looks for."""
    lines = ["# Made of the rules themselves by `ringfence content import-yara`: see author/import_trial.py, rule 2."]
    ignored = IGNORED_SAMPLE.decode().rstrip("\n")
    for rule, sample in samples:
        matches = base64.b64encode(sample).decode()
        lines += [f"{rule}:", f'  matches: [{{base64: "{matches}"}}]', f'  ignores: ["{ignored}\\n"]']
    return "\n".join(lines) + "\n"


def release_name(text: str) -> str:
    """A release's name made of `text`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:NAME_CHARACTERS_MAX] or "imported"


def licence_files(source: Path) -> list[tuple[str, str]]:
    """The licence files of the pack (and of the directory above it), by name below it."""
    found = []
    for path in sorted([*source.parent.glob("*"), *source.rglob("*")]):
        if LICENCE_NAMES.fullmatch(path.name) and path.is_file() and not path.is_symlink():
            name = str(path.relative_to(source)) if path.is_relative_to(source) else f"above/{path.name}"
            found.append((name, path.read_bytes().decode(errors="replace")))
    return found


def licence_for(file: str, licences: Sequence[tuple[str, str]]) -> str:
    """The first line of the licence file nearest above `file`."""
    for parent in [*Path(file).parents, Path("above")]:
        for name, text in licences:
            if Path(name).parent == parent:
                return clean(next((line for line in text.splitlines() if line.strip("#= \t")), "").strip("# "))
    return ""


def _read(path: Path, name: str, reader: SourceReader, licences: Sequence[tuple[str, str]]) -> _FileWork:
    work = _FileWork(name, (), [], licence_for(name, licences), [], [])
    try:
        text = read_text(path, name)
        if not _RULE.search(text):
            what = "an index: what it includes is met anyway" if _INCLUDE.search(text) else "no rules"
            work.refused.append(Refusal("", what))
            return work
        work.rules = reader.read(text, name)
        head = text[: text.find("rule ")]
        if NON_COMMERCIAL.search(head):
            work.refused.append(Refusal("", "its licence forbids commercial use"))
            return work
        if all(rule.private for rule in work.rules):
            work.refused.append(Refusal("", "only private rules: nothing in it reports"))
            return work
        for cluster in clusters_of(work.rules):
            _sort_out(cluster, work)
    except (ContentRefused, PathRefused) as error:
        work.refused.append(Refusal("", error.what.removeprefix(f"{name}:").strip()))
    return work


def _sort_out(cluster: Cluster, work: _FileWork) -> None:
    """Keep `cluster`, or refuse it for what can be seen without the engine."""
    for rule in cluster.rules:
        reason = ""
        if NON_COMMERCIAL.search(licence_of(rule, work.licence)):
            reason = "its licence forbids commercial use"
        elif foreign := sorted(rule.modules - YARA_MODULES):
            reason = f"imports the module {foreign[0]!r}, which content may not use"
        elif unsupplied := sorted(variables_of(rule) - set(VARIABLES)):
            reason = f"reads the variable {unsupplied[0]!r}, which no sensor supplies"
        elif len(rule.patterns) > RULE_PATTERNS_MAX:
            reason = f"has {len(rule.patterns)} patterns, more than {RULE_PATTERNS_MAX}"
        if reason:
            _refuse(cluster, reason if len(cluster.rules) == 1 else f"{rule.identifier} {reason}", work)
            return
    work.clusters.append(cluster)


def _refuse(cluster: Cluster, reason: str, work: _FileWork) -> None:
    work.refused += [Refusal(rule.identifier, reason) for rule in cluster.rules if not rule.private]


def _name_apart(works: Iterable[_FileWork]) -> None:
    """Give every reporting rule a name of its own, and pass over repetitions."""
    bodies: dict[str, set[str]] = {}
    taken: set[str] = set()
    for work in works:
        kept = []
        for cluster in work.clusters:
            again = [rule for rule in cluster.rules if not rule.private and rule.identifier in taken]
            if again and all(_body(rule) in bodies.get(rule.identifier, set()) for rule in again):
                _refuse(cluster, "the same rule stands in another file: see what became of it there", work)
                continue
            if again and len(cluster.rules) > 1 and _is_referred(again, cluster):
                _refuse(cluster, "its name is taken, and other rules refer to it", work)
                continue
            for rule in cluster.rules:
                bodies.setdefault(rule.identifier, set()).add(_body(rule))
            cluster = _renamed(cluster, taken, work)  # noqa: PLW2901 - the cluster under its new names
            taken |= {rule.identifier for rule in cluster.rules if not rule.private}
            kept.append(cluster)
        work.clusters = kept


def _body(rule: SourceRule) -> str:
    return f"{rule.raw_patterns}\n{rule.raw_condition}"


def _is_referred(rules: Sequence[SourceRule], cluster: Cluster) -> bool:
    names = {rule.identifier for rule in rules}
    return any(referred(rule, names) for rule in cluster.rules)


def _renamed(cluster: Cluster, taken: set[str], work: _FileWork) -> Cluster:
    rules = []
    for rule in cluster.rules:
        name = rule.identifier
        number = 2
        while not rule.private and name in taken:
            name = f"{rule.identifier[: RULE_IDENTIFIER_CHARACTERS_MAX - 8]}_{number}"
            number += 1
        if name != rule.identifier:
            work.renamed.append((rule.identifier, name))
        rules.append(dataclasses.replace(rule, identifier=name))
    return dataclasses.replace(cluster, rules=tuple(rules))


def _probe(works: Sequence[_FileWork], step: Step) -> None:
    """Refuse what the engine refuses, warns about or is slow with."""
    clusters = [(work, cluster) for work in works for cluster in work.clusters]
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        step("trying", done, len(clusters))

    with Prober() as prober:
        reasons = prober.reasons([_candidate(cluster) for _, cluster in clusters], count)
    for work in works:
        work.clusters = []
    for (work, cluster), reason in zip(clusters, reasons, strict=True):
        if reason:
            _refuse(cluster, reason, work)
        else:
            work.clusters.append(cluster)


def _try(works: Sequence[_FileWork], action: RuleAction, step: Step) -> None:
    """Take from rules that must not block the right to, and refuse those that must not even alert."""
    with SampleChild() as child:
        for number, work in enumerate(works):
            step("judging", number, len(works))
            kept = []
            for cluster in work.clusters:
                rules = [with_our_metadata(rule, action, work.licence) for rule in cluster.rules]
                trial = try_rules(rules, action, cluster.file_class.value, child)
                if trial.refused:
                    rule, reason = next(iter(trial.refused.items()))
                    _refuse(cluster, reason if len(cluster.rules) == 1 else f"{rule}: {reason}".lstrip(": "), work)
                    continue
                work.only_alert |= trial.only_alert
                work.samples |= trial.samples
                kept.append(cluster)
            work.clusters = kept


def _candidate(cluster: Cluster) -> Candidate:
    return Candidate(file_text(cluster.rules), cluster.file_class)


def _taken(work: _FileWork, action: RuleAction) -> tuple[SourceRule, ...]:
    """The rules of the taken clusters, each once, in the order of the file."""
    found = {rule.identifier: rule for cluster in work.clusters for rule in cluster.rules}
    ordered = sorted(found.values(), key=lambda rule: (rule.line, rule.identifier))
    return tuple(
        with_our_metadata(rule, RuleAction.ALERT if rule.identifier in work.only_alert else action, work.licence)
        for rule in ordered
    )


def _report(work: _FileWork, written: str) -> FileReport:
    taken = tuple(rule.identifier for cluster in work.clusters for rule in cluster.rules if not rule.private)
    names = set(taken)
    renamed = tuple(pair for pair in work.renamed if pair[1] in names)
    only_alert = tuple(Refusal(rule, reason) for rule, reason in work.only_alert.items())
    return FileReport(work.name, written, taken, renamed, tuple(work.refused), only_alert)
