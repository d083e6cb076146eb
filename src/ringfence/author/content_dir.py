"""Reading a content directory: what an author writes, before it becomes a release.

    DIR/content.yaml        name, version and more: `author/content_head.py`
    DIR/rules/**/*.yar      rules, in files by family; metadata as in `entry_of`
    DIR/sigma/**/*.yml      rules over events: `author/sigma_dir.py`
    DIR/tests/**/*.yaml     self-tests: `author/authored_tests.py`; of Sigma rules: `*.events.yaml`
    DIR/waivers/*.json      findings that somebody took responsibility for: `author/waivers.py`

YAML is strict (`author/strict_yaml.py`).  Everything that is off is a ContentRefused with file and place.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from ringfence.author.authored_tests import AuthoredTest, read_tests
from ringfence.author.content_head import CONTENT_FILE, ContentHead, Problem, read_head
from ringfence.author.strict_yaml import Document, read_document
from ringfence.author.yara_source import SourceReader, SourceRule
from ringfence.model.errors import ContentRefused, PathRefused, UsageRefused
from ringfence.model.limits import (
    RULE_TEXT_CHARACTERS_MAX,
    SOURCE_FILE_BYTES_MAX,
    SOURCE_FILES_MAX,
)
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import RuleEntry
from ringfence.wire.canonical import is_unwelcome
from ringfence.wire.manifest import TECHNIQUE

if TYPE_CHECKING:
    from ringfence.author.sigma_dir import SigmaContent

RULE_SUFFIXES: Final = (".yar", ".yara")
SIGMA_SUFFIXES: Final = (".yml", ".yaml")
EVENTS_SUFFIX: Final = ".events.yaml"
"""What the names of self-tests of rules over events end in."""

Progress = Callable[[str], None]
"""Called with the name of each file before it is read."""


@dataclass(frozen=True, slots=True)
class ContentDirectory:
    """A content directory, read.  `files` holds the rules of each file, in the order of the names."""

    head: ContentHead
    files: tuple[tuple[SourceRule, ...], ...]
    tests: tuple[AuthoredTest, ...]
    sigma: "SigmaContent | None" = None
    """Rules over events, where there are files of them."""


def read_directory(
    directory: Path, progress: Progress = lambda _: None, reader: SourceReader | None = None
) -> ContentDirectory:
    """Read the content directory `directory`, its files of rules by `reader`.  Raises PathRefused or ContentRefused."""
    head_file = directory / CONTENT_FILE
    if not head_file.is_file():
        raise PathRefused(
            f"{directory} is not a content directory: it has no {CONTENT_FILE}",
            "name a directory that has one; `ringfence content import-yara` makes one from public rules",
        )
    document = read_yaml(head_file, CONTENT_FILE)
    head = read_head(document)
    if not isinstance(head, ContentHead):
        _refuse_first(head, document, CONTENT_FILE)
    reader = reader or SourceReader()
    files = []
    for path in source_files(directory / "rules", RULE_SUFFIXES):
        name = str(path.relative_to(directory))
        progress(name)
        files.append(reader.read(read_text(path, name), name))
    tests: list[AuthoredTest] = []
    for path in source_files(directory / "tests", (".yaml",)):
        name = str(path.relative_to(directory))
        if name.endswith(EVENTS_SUFFIX):
            continue
        document = read_yaml(path, name)
        found, problems = read_tests(document, name)
        if problems:
            _refuse_first(problems, document, name)
        tests += found
    return ContentDirectory(head, tuple(files), tuple(tests), read_sigma_content(directory, progress))


def read_sigma_content(directory: Path, progress: Progress = lambda _: None) -> "SigmaContent | None":
    """The rules over events of `directory`, None where it has no files of them."""
    rules = [(str(path.relative_to(directory)), path) for path in source_files(directory / "sigma", SIGMA_SUFFIXES)]
    tests = [(str(path.relative_to(directory)), path) for path in source_files(directory / "tests", (".yaml",))]
    tests = [(name, path) for name, path in tests if name.endswith(EVENTS_SUFFIX)]
    if not rules and not tests:
        return None
    progress("sigma")
    try:
        from ringfence.author.sigma_dir import read_content  # noqa: PLC0415 - pySigma is there for those who write Sigma
    except ModuleNotFoundError as error:
        raise UsageRefused(
            f"there are Sigma rules, but the library {error.name} is missing", "pip install 'ringfence[author]'"
        ) from error
    return read_content(rules, tests, read_text)


def source_files(root: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files below `root` that end in one of `suffixes`, in the order of their names.  Links are not followed."""
    found = sorted(
        path for path in root.rglob("*") if path.suffix.lower() in suffixes and path.is_file() and not path.is_symlink()
    )
    if len(found) > SOURCE_FILES_MAX:
        raise ContentRefused(
            f"has {len(found)} files, more than the {SOURCE_FILES_MAX} allowed", "split it", file=str(root)
        )
    return found


def read_text(path: Path, name: str) -> str:
    """The text of `path`.

    Raises ContentRefused for what is too large or not UTF-8, PathRefused for what cannot be read.
    """
    try:
        if (size := path.stat().st_size) > SOURCE_FILE_BYTES_MAX:
            raise ContentRefused(
                f"has {size} bytes, more than the {SOURCE_FILE_BYTES_MAX} allowed", "split the file", file=name
            )
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise ContentRefused("is not UTF-8", "convert the file", file=name, position=f"byte {error.start}") from error
    except OSError as error:
        raise PathRefused(f"{path} cannot be read: {error.strerror}", "check its rights") from error


def entry_of(rule: SourceRule, pack: str) -> RuleEntry:
    """The manifest's entry of `rule`, from its metadata.  Raises ContentRefused for what is missing or off.

    Metadata: author, description, severity, action, technique, reference, licence.  All but technique and reference
    must be there.
    """

    def text(name: str, *, needed: bool = True) -> str:
        value = rule.meta(name)
        if needed and not value:
            refuse_rule(rule, f"lacks the metadata {name!r}")
        if len(value) > RULE_TEXT_CHARACTERS_MAX or is_unwelcome(value):
            refuse_rule(rule, f"the metadata {name!r} is too long or holds control characters")
        return value

    severity, action, technique = text("severity"), text("action"), text("technique", needed=False)
    if severity not in list(Severity):
        refuse_rule(rule, f"severity {severity!a} is none of {', '.join(Severity)}")
    if action not in list(RuleAction):
        refuse_rule(rule, f"action {action!a} is none of {', '.join(RuleAction)}")
    if not TECHNIQUE.fullmatch(technique):
        refuse_rule(rule, f"technique {technique!a} is not like T1059 or T1059.004")
    return RuleEntry(
        identifier=rule.identifier,
        pack=pack,
        author=text("author"),
        description=text("description"),
        severity=Severity(severity),
        action=RuleAction(action),
        technique=technique,
        reference=text("reference", needed=False),
        licence=text("licence"),
    )


def refuse_rule(rule: SourceRule, what: str) -> NoReturn:
    """Raise ContentRefused for `rule`."""
    raise ContentRefused(
        f"rule {rule.identifier} {what}", "correct the rule", file=rule.file, position=str(rule.line)
    )


def read_yaml(path: Path, name: str) -> Document:
    """A YAML file of the directory.  Raises ContentRefused with line and column."""
    return read_document(read_text(path, name), name)


def _refuse_first(problems: Sequence[Problem], document: Document, file: str) -> NoReturn:
    """Raise ContentRefused for the first of `problems`, with the count of the others."""
    place = document.place(*problems[0].path)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise ContentRefused(
        f"{problems[0].text}{more}",
        "correct the file; `ringfence content lint` names everything at once",
        file=file,
        position=f"{place.line}:{place.column}",
    )
