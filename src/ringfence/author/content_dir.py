"""Reading a content directory: what an author writes, before it becomes a release.

    DIR/content.yaml        format: 1, name, version, description
    DIR/rules/**/*.yar      rules, in files by family; metadata as in `entry_of`
    DIR/tests/**/*.yaml     self-tests: rule name -> {matches: [sample, ...], ignores: [sample, ...]}
    DIR/sigma/, DIR/tests/**/*.events.yaml      rules over events: `author/sigma_dir.py`

A sample is a list of parts that are joined: text, {hex: "7f45"}, {base64: "..."} or {zeros: 100}.  Parts let a
self-test hold what must not stand as a live string in a repository.

YAML is read without aliases, tags and repeated keys.  Everything that is off is a ContentRefused with file and place.
"""

import base64
import binascii
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import yaml

from ringfence.author.yara_source import SourceReader, SourceRule, first_line
from ringfence.model.errors import ContentRefused, PathRefused, UsageRefused
from ringfence.model.limits import (
    RELEASE_VERSION_MAX,
    RULE_TEXT_CHARACTERS_MAX,
    SAMPLE_BYTES_MAX,
    SOURCE_FILE_BYTES_MAX,
    SOURCE_FILES_MAX,
)
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import RuleEntry
from ringfence.wire.canonical import is_unwelcome
from ringfence.wire.manifest import RELEASE_NAME, TECHNIQUE

if TYPE_CHECKING:
    from ringfence.author.sigma_dir import SigmaContent

CONTENT_FILE: Final = "content.yaml"
CONTENT_FORMAT: Final = 1
RULE_SUFFIXES: Final = (".yar", ".yara")
SIGMA_SUFFIXES: Final = (".yml", ".yaml")
EVENTS_SUFFIX: Final = ".events.yaml"
"""What the names of self-tests of rules over events end in."""

Progress = Callable[[str], None]
"""Called with the name of each file before it is read."""


@dataclass(frozen=True, slots=True)
class ContentHead:
    """What `content.yaml` says."""

    name: str
    version: int
    description: str


@dataclass(frozen=True, slots=True)
class AuthoredTest:
    """A self-test as its author wrote it."""

    rule: str
    sample: bytes
    expects_match: bool
    file: str


@dataclass(frozen=True, slots=True)
class ContentDirectory:
    """A content directory, read.  `files` holds the rules of each file, in the order of the names."""

    head: ContentHead
    files: tuple[tuple[SourceRule, ...], ...]
    tests: tuple[AuthoredTest, ...]
    sigma: "SigmaContent | None" = None
    """Rules over events, where there are files of them."""


def read_directory(directory: Path, progress: Progress = lambda _: None) -> ContentDirectory:
    """Read the content directory `directory`.  Raises PathRefused or ContentRefused."""
    head_file = directory / CONTENT_FILE
    if not head_file.is_file():
        raise PathRefused(
            f"{directory} is not a content directory: it has no {CONTENT_FILE}",
            "name a directory that has one; `ringfence content import-yara` makes one from public rules",
        )
    head = _head(_yaml(head_file, CONTENT_FILE))
    reader = SourceReader()
    files = []
    for path in source_files(directory / "rules", RULE_SUFFIXES):
        name = str(path.relative_to(directory))
        progress(name)
        files.append(reader.read(read_text(path, name), name))
    tests: list[AuthoredTest] = []
    for path in source_files(directory / "tests", (".yaml",)):
        name = str(path.relative_to(directory))
        if not name.endswith(EVENTS_SUFFIX):
            tests += _tests(_yaml(path, name), name)
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
        f"rule {rule.identifier} {what}", "correct the rule", file=rule.file, position=f"line {rule.line}"
    )


class _StrictLoader(yaml.SafeLoader):
    """YAML without aliases and repeated keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases before they are followed."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - the base class's
        """Refuse repeated keys, which YAML's own loader lets win silently."""
        made = super().construct_mapping(node, deep)
        if len(made) != len(node.value):
            raise yaml.MarkedYAMLError(problem="a key is repeated", problem_mark=node.start_mark)
        return made


def _yaml(path: Path, name: str) -> object:
    """The value of a YAML file."""
    text = read_text(path, name)
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - derives from SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or first_line(error)
        raise ContentRefused(
            f"is not strict YAML: {what}",
            "correct the file",
            file=name,
            position=f"line {mark.line + 1}" if mark else "",
        ) from error


def _head(value: object) -> ContentHead:
    def refuse(what: str) -> NoReturn:
        raise ContentRefused(what, "correct the file", file=CONTENT_FILE)

    if not isinstance(value, dict) or set(value) != {"format", "name", "version", "description"}:
        refuse("must have exactly the keys format, name, version and description")
    name, version, description = value["name"], value["version"], value["description"]
    if value["format"] != CONTENT_FORMAT:
        refuse(f"has a format that is not {CONTENT_FORMAT}")
    if not isinstance(name, str) or not RELEASE_NAME.fullmatch(name):
        refuse(f"name must fit {RELEASE_NAME.pattern}")
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= RELEASE_VERSION_MAX:
        refuse(f"version must be an integer from 1 to {RELEASE_VERSION_MAX}")
    if not isinstance(description, str) or len(description) > RULE_TEXT_CHARACTERS_MAX or is_unwelcome(description):
        refuse("description must be a line of text")
    return ContentHead(name, version, description)


def _tests(value: object, file: str) -> Iterator[AuthoredTest]:
    """The self-tests of one file."""

    def refuse(place: str, what: str) -> NoReturn:
        raise ContentRefused(what, "see the head of author/content_dir.py for the form", file=file, position=place)

    if not isinstance(value, dict):
        refuse("", "must map rule names to self-tests")
    for rule, tests in value.items():
        if not isinstance(tests, dict) or not tests or not set(tests) <= {"matches", "ignores"}:
            refuse(str(rule), "must have matches, ignores or both")
        for kind, samples in tests.items():
            if not isinstance(samples, list):
                refuse(f"{rule}/{kind}", "must be a list of samples")
            for number, sample in enumerate(samples):
                try:
                    content = b"".join(_part(part) for part in (sample if isinstance(sample, list) else [sample]))
                except (ValueError, binascii.Error) as error:
                    refuse(f"{rule}/{kind}/{number}", str(error))
                if len(content) > SAMPLE_BYTES_MAX:
                    refuse(f"{rule}/{kind}/{number}", f"has more than {SAMPLE_BYTES_MAX} bytes")
                yield AuthoredTest(str(rule), content, kind == "matches", file)


def _part(part: object) -> bytes:
    """One part of a sample.  Raises ValueError for what is none."""
    match part:
        case str():
            return part.encode()
        case {"hex": str(digits), **rest} if not rest:
            return bytes.fromhex(digits)
        case {"base64": str(text), **rest} if not rest:
            return base64.b64decode(text, validate=True)
        case {"zeros": int(count), **rest} if not rest and 0 <= count <= SAMPLE_BYTES_MAX:
            return bytes(count)
    raise ValueError("a part is text, {hex: ...}, {base64: ...} or {zeros: ...}")
