"""A Sigma rule as its author wrote it -> a rule that hosts run, or every reason why not, each with its place.

pySigma reads detections and conditions; it is on the author's side only, and whatever it raises is a finding.  What it
reads is turned into the predicates of `model/detection.py`.  Nothing is guessed: what a host cannot evaluate exactly
(correlations, placeholders, references to a part of another field, times of day) is refused with a code of its own.

1. The file is strict YAML (`author/strict_yaml.py`), one rule, and not large.
2. Metadata: id, title, author, license, level, and tags, references and logsource as Sigma has them.
3. Each selection is read alone first, so an error stands where it is made; then the condition.
4. Values become predicates.  Alternatives of one field and operator are one predicate with several values.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, cast
from uuid import UUID

from sigma.exceptions import SigmaError
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RegexEngine, RegexPattern
from sigma.rule import SigmaDetection, SigmaRule

from ringfence.author.finding import Finding, Level, in_order
from ringfence.author.sigma_cost import expansion_of
from ringfence.author.sigma_tree import Origin, SigmaTreeError, ValuePlaces, condition_of
from ringfence.author.strict_yaml import Document, Key, read_document
from ringfence.author.yara_source import first_line
from ringfence.model.detection import Condition, DetectionRule, Operator, event_type_of
from ringfence.model.errors import ContentRefused
from ringfence.model.limits import (
    DETECTION_TECHNIQUE_ENTRIES_MAX,
    NAME_CHARACTERS_MAX,
    RULE_TEXT_CHARACTERS_MAX,
    SIGMA_CONDITION_CHARACTERS_MAX,
    SIGMA_EXPANSION_NODES_MAX,
    SIGMA_FILE_BYTES_MAX,
    SIGMA_SOURCES_FILES_MAX,
)
from ringfence.model.records import Severity
from ringfence.wire.canonical import is_unwelcome
from ringfence.wire.detection_ir import RULE_UUID
from ringfence.wire.detection_pattern import compile_expression
from ringfence.wire.manifest import EVENT_TYPE

_TECHNIQUE_TAG: Final = re.compile(r"attack\.(t[0-9]{4}(?:\.[0-9]{3})?)", re.IGNORECASE)
_RETIRED: Final = frozenset({"deprecated", "unsupported"})
_KEYS: Final = {"identifier": "id", "tag": "tags", "reference": "references"}
"""Word of an error of pySigma -> key of a rule, where they differ."""

_LOG_SOURCE: Final = ("product", "category", "service")


class _QuietExpressions(RegexEngine):
    """RE2 as hosts have it, without words on standard error.

    A rule's own expression that RE2 refuses passes here: `author/sigma_tree.py` says so with its reason and place.
    """

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        """The compiled `pattern`.  pySigma also writes the names of selections (`1 of filter_*`) as expressions."""
        marks = "".join(mark for flag, mark in _FLAGS.items() if flags & flag)
        try:
            return cast("RegexPattern", compile_expression((f"(?{marks})" if marks else "") + pattern))
        except ValueError:
            return cast("RegexPattern", compile_expression(""))

    @property
    def error(self) -> type[Exception]:
        """What `compile` would raise."""
        return ValueError


_FLAGS: Final = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
_POLICY: Final = SigmaPolicy(regex_engine=_QuietExpressions())


@dataclass(frozen=True, slots=True)
class SigmaSource:
    """One file, read.  `rule` is there exactly where no finding refuses it."""

    file: str
    document: Document | None = None
    rule: DetectionRule | None = None
    parsed: SigmaRule | None = None
    """pySigma's view of the rule, for validators."""

    origins: Mapping[Origin, tuple[Key, ...]] = field(default_factory=dict)
    """Where each value of the rule's predicates stands in the document."""

    findings: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """The id that the file gives its rule, also where the rule is refused; "" where it gives none."""
        top = self.document.value if self.document is not None else None
        return str(top.get("id") or "").lower()[:NAME_CHARACTERS_MAX] if isinstance(top, dict) else ""

    def field_path(self, field: str) -> tuple[Key, ...]:
        """The first key at which the rule reads `field`; the detection where there is none."""
        for origin, path in self.origins.items():
            if origin.field == field or (origin.operator is Operator.SAME_AS and origin.value == field):
                return path[:-1] if isinstance(path[-1], int) and isinstance(path[-2], str) else path
        return ("detection",)

    def finding(self, code: str, text: str, *path: Key, level: Level = Level.ERROR) -> Finding:
        """A finding about this file at `path`."""
        return _finding(self.file, self.document, code, text, path, level)


@lru_cache(maxsize=SIGMA_SOURCES_FILES_MAX)
def read_sigma(file: str, text: str) -> SigmaSource:
    """Read one Sigma file.  Never raises: what is off is a finding.  Who lints and then builds it reads it once."""
    if len(text.encode(errors="surrogatepass")) > SIGMA_FILE_BYTES_MAX:
        return SigmaSource(
            file, findings=(_finding(file, None, "sigma/size", f"is larger than {SIGMA_FILE_BYTES_MAX} bytes"),)
        )
    try:
        document = read_document(text, file)
    except ContentRefused as error:
        return SigmaSource(file, findings=(_yaml_finding(file, error),))
    reader = _Reader(file, document)
    try:
        return reader.read()
    except Exception as error:  # noqa: BLE001 - pySigma also leaves with TypeError, RecursionError, MemoryError, ...
        reader.refuse("sigma/invalid", f"pySigma fails on it: {type(error).__name__}: {first_line(error)}")
        return reader.refused()


def _yaml_finding(file: str, error: ContentRefused) -> Finding:
    line, _, column = error.position.partition(":")
    what = str(error).removeprefix(f"{file}:{error.position}: ")
    return Finding(file, int(line or 1), int(column or 1), "sigma/yaml", Level.ERROR, "", what)


def _finding(
    file: str,
    document: Document | None,
    code: str,
    text: str,
    path: tuple[Key, ...] = (),
    level: Level = Level.ERROR,
) -> Finding:
    line, column = 1, 1
    rule = ""
    if document is not None:
        place = document.place(*path)
        line, column = place.line, place.column
        top = document.value
        rule = str(top.get("id", "") or "")[:64] if isinstance(top, dict) else ""
    return Finding(file, line, column, code, level, rule, text[:RULE_TEXT_CHARACTERS_MAX])


class _Reader:
    """Reads one document."""

    def __init__(self, file: str, document: Document) -> None:
        self._file = file
        self._document = document
        self._findings: list[Finding] = []

    def refuse(self, code: str, text: str, *path: Key) -> None:
        """Note that the rule is refused."""
        self._findings.append(_finding(self._file, self._document, code, text, path))

    def refused(self, parsed: SigmaRule | None = None) -> SigmaSource:
        """What there is when there is no rule."""
        return SigmaSource(self._file, self._document, None, parsed, findings=in_order(self._findings))

    def read(self) -> SigmaSource:
        top = self._document.value
        if not isinstance(top, dict):
            self.refuse("sigma/invalid", "is not a mapping")
            return self.refused()
        if not self._is_plain_rule(top):
            return self.refused()
        metadata = self._metadata(top)
        parsed, condition, origins = self._detection(top)
        if self._findings or condition is None:
            return self.refused(parsed)
        rule = DetectionRule(**metadata, condition=condition)
        return SigmaSource(self._file, self._document, rule, parsed, origins)

    def _is_plain_rule(self, top: dict[str, Any]) -> bool:
        """Refuse what is no rule over single events."""
        for key, code, what in (
            ("correlation", "sigma/correlation", "counts or joins events: hosts evaluate one event at a time"),
            ("filter", "sigma/filter", "is a filter for other rules, not a rule"),
            ("action", "sigma/collection", "is a part of a collection: write each rule in a file of its own"),
        ):
            if key in top:
                self.refuse(code, what, key)
        detection = top.get("detection")
        if not isinstance(detection, dict):
            if not self._findings:
                self.refuse("sigma/invalid", "has no detection", "detection")
        elif "timeframe" in detection:
            self.refuse(
                "sigma/correlation", "has a timeframe: hosts evaluate one event at a time", "detection", "timeframe"
            )
        elif len(str(detection.get("condition"))) > SIGMA_CONDITION_CHARACTERS_MAX:
            what = f"is longer than {SIGMA_CONDITION_CHARACTERS_MAX} characters"
            self.refuse("sigma/size", what, "detection", "condition")
        elif (count := expansion_of(detection)) > SIGMA_EXPANSION_NODES_MAX:
            what = f"becomes up to {count} nodes and values when it is read, more than {SIGMA_EXPANSION_NODES_MAX}"
            self.refuse("sigma/size", what, "detection")
        return not self._findings

    # --- metadata ---

    def _metadata(self, top: dict[str, Any]) -> dict[str, Any]:
        """Rule 2: the fields of a DetectionRule but its condition."""
        identifier = str(top.get("id") or "").lower()
        if not RULE_UUID.fullmatch(identifier) or not _is_uuid(identifier):
            self.refuse("sigma/metadata", "the id must be a UUID", "id")
        level = str(top.get("level") or "")
        if level not in list(Severity):
            self.refuse("sigma/metadata", f"the level must be one of {', '.join(Severity)}", "level")
        status = top.get("status")
        if isinstance(status, str) and status in _RETIRED:
            self.refuse("sigma/status", f"its status is {status}: it is no longer meant to be used", "status")
        return {
            "identifier": identifier,
            "title": self._text(top, "title"),
            "author": self._text(top, "author"),
            "licence": self._text(top, "license"),
            "level": Severity(level) if level in list(Severity) else Severity.LOW,
            "techniques": self._techniques(top),
            "reference": self._reference(top),
            "event_type": self._event_type(top),
        }

    def _text(self, top: dict[str, Any], key: str) -> str:
        value = top.get(key)
        if not isinstance(value, str) or not value.strip():
            self.refuse("sigma/metadata", f"the {key} is missing", key)
            return ""
        text = " ".join(value.split())
        if len(text) > RULE_TEXT_CHARACTERS_MAX or is_unwelcome(text):
            self.refuse("sigma/metadata", f"the {key} is too long, or holds characters that lie to a reader", key)
        return text

    def _techniques(self, top: dict[str, Any]) -> tuple[str, ...]:
        tags = top.get("tags")
        found = {
            match[1].upper()
            for tag in (tags if isinstance(tags, list) else [])
            if isinstance(tag, str) and (match := _TECHNIQUE_TAG.fullmatch(tag))
        }
        if len(found) > DETECTION_TECHNIQUE_ENTRIES_MAX:
            self.refuse("sigma/metadata", f"names {len(found)} techniques", "tags")
        return tuple(sorted(found))

    def _reference(self, top: dict[str, Any]) -> str:
        references = top.get("references")
        first = references[0] if isinstance(references, list) and references else ""
        text = first.strip() if isinstance(first, str) else ""
        if len(text) > RULE_TEXT_CHARACTERS_MAX or is_unwelcome(text):
            self.refuse(
                "sigma/metadata", "the first reference is too long, or holds control characters", "references", 0
            )
        return text

    def _event_type(self, top: dict[str, Any]) -> str:
        source = top.get("logsource")
        if not isinstance(source, dict):
            self.refuse("sigma/logsource", "has no logsource", "logsource")
            return ""
        parts = [source.get(name) for name in _LOG_SOURCE]
        if any(part is not None and not isinstance(part, str) for part in parts):
            self.refuse("sigma/logsource", "product, category and service must be text", "logsource")
            return ""
        event_type = event_type_of(*(part or "" for part in parts))
        if not EVENT_TYPE.fullmatch(event_type):
            self.refuse("sigma/logsource", "names no type of event: give it a category or a service", "logsource")
        return event_type

    # --- detection ---

    def _detection(
        self, top: dict[str, Any]
    ) -> tuple[SigmaRule | None, Condition | None, dict[Origin, tuple[Key, ...]]]:
        """Rules 3 and 4."""
        detection: dict[str, Any] = top["detection"]
        for path in _empty_lists(detection):
            self.refuse("sigma/empty-list", "an empty list would mean that the field is missing: say null", *path)
        if not self._selections_are_read(detection):
            return None, None, {}
        parsed = SigmaRule.from_dict(top, collect_errors=True, policy=_POLICY)
        for error in parsed.errors:
            self.refuse("sigma/invalid", first_line(error), *self._path_of(error))
        if parsed.errors:
            return parsed, None, {}
        try:
            conditions = [one.parsed for one in parsed.detection.parsed_condition]
        except Exception as error:  # noqa: BLE001 - as in read_sigma
            self.refuse("sigma/condition", f"{_named(error)}{first_line(error)}", "detection", "condition")
            return parsed, None, {}
        try:
            condition, origins = condition_of(conditions, ValuePlaces(detection, parsed.detection.detections))
        except SigmaTreeError as error:
            for trouble in error.troubles:
                self.refuse(trouble.code, trouble.text, "detection", *trouble.path)
            return parsed, None, {}
        return parsed, condition, {origin: ("detection", *path) for origin, path in origins.items()}

    def _selections_are_read(self, detection: dict[str, Any]) -> bool:
        """Rule 3."""
        good = True
        for name, definition in detection.items():
            error = _error_of(definition) if name != "condition" else None
            if error is not None:
                good = False
                self.refuse(
                    "sigma/invalid", f"{_named(error)}{first_line(error)}", "detection", name, *_guilty(definition)
                )
        return good

    def _path_of(self, error: SigmaError) -> tuple[Key, ...]:
        """The key that pySigma's error is about, from its class or its words: SigmaTagError is about `tags`."""
        words = [type(error).__name__.removeprefix("Sigma").removesuffix("Error"), *first_line(error).split()[:3]]
        for word in words:
            key = _KEYS.get(word.lower(), word.lower())
            if key in self._document.value:
                return (key,)
        return ()


def _error_of(definition: Any) -> Exception | None:  # noqa: ANN401 - whatever stands there
    """What pySigma says against a selection alone."""
    try:
        SigmaDetection.from_definition(definition, policy=_POLICY)
    except Exception as error:  # noqa: BLE001 - as in read_sigma
        return error
    return None


def _guilty(definition: object) -> tuple[Key, ...]:
    """The keys to the smallest part of a selection that pySigma does not take."""
    if isinstance(definition, dict):
        for key, value in definition.items():
            if _error_of({key: value}) is not None:
                values = value if isinstance(value, list) else []
                bad = (number for number, one in enumerate(values) if _error_of({key: one}) is not None)
                return (key, *((number,) if (number := next(bad, None)) is not None else ()))
    if isinstance(definition, list):
        for number, part in enumerate(definition):
            if _error_of(part) is not None:
                return (number, *_guilty(part))
    return ()


def _empty_lists(value: object, path: tuple[Key, ...] = ("detection",)) -> Iterator[tuple[Key, ...]]:
    if isinstance(value, list) and not value:
        yield path
    if isinstance(value, (dict, list)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _empty_lists(part, (*path, key))


def _named(error: Exception) -> str:
    """PySigma's own errors speak for themselves."""
    return "" if isinstance(error, SigmaError) else f"pySigma fails on it: {type(error).__name__}: "


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
