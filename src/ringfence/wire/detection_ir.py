"""A pack of detections: canonical JSON <-> `model.detection.Detections`.

The form: {"format": 1, "rules": [...], "tests": [...]}.  A condition is a list whose first item says what it is:

    ["and", part, part, ...]   ["or", part, part, ...]   ["not", part]
    ["contains", "CommandLine", "value", ...]     field null: any value of the event
    ["contains:cased", "CommandLine", "Value"]    the other operators ignore case, and their values are folded

1. Everything that the matcher relies on is checked here, once: bounds, depth, folding, order, expressions that RE2
   compiles within its memory, networks, numbers, names of rules.  What comes out of `decode_detections` runs.
2. One value has one spelling (`wire/canonical.py`), and one set of rules has one: all lists are sorted.
3. The only error is ContentRefused, with the file and the place of the first thing that is off.
"""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final, NoReturn, TypeVar

from ringfence.model.detection import (
    CASE_OPERATORS,
    KEYWORD_OPERATORS,
    NUMBER_OPERATORS,
    PRESENCE_OPERATORS,
    AllOf,
    AnyOf,
    Condition,
    DetectionRule,
    Detections,
    EventTest,
    NotOf,
    Operator,
    Predicate,
    folded,
    glob_parts,
)
from ringfence.model.limits import (
    DETECTION_CONTAINERS_MAX,
    DETECTION_GLOB_WORDS_MAX,
    DETECTION_LITERAL_CHARACTERS_MAX,
    DETECTION_NODES_MAX,
    DETECTION_NUMBER_DIGITS_MAX,
    DETECTION_PACK_BYTES_MAX,
    DETECTION_REGEX_CHARACTERS_MAX,
    DETECTION_RULE_DEPTH_MAX,
    DETECTION_RULE_NODES_MAX,
    DETECTION_RULES_MAX,
    DETECTION_TECHNIQUE_ENTRIES_MAX,
    DETECTION_TESTS_MAX,
    EVENT_FIELDS_MAX,
    EVENT_VALUE_CHARACTERS_MAX,
    RULE_TEXT_CHARACTERS_MAX,
)
from ringfence.model.records import Severity
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, JsonValue, refuse
from ringfence.wire.detection_pattern import compile_expression, glob_expression
from ringfence.wire.manifest import EVENT_FIELD, EVENT_TYPE

Key = TypeVar("Key", str, tuple[str, tuple[tuple[str, str], ...]])

DETECTIONS_FORMAT: Final = 1
CASED: Final = ":cased"

RULE_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TECHNIQUE_NAME: Final = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?")
NUMBER: Final = re.compile(
    rf"-?[0-9]{{1,{DETECTION_NUMBER_DIGITS_MAX}}}(?:\.[0-9]{{1,{DETECTION_NUMBER_DIGITS_MAX}}})?", re.ASCII
)
"""A number as rules and events write it.  No exponent, no infinity, no digits of other scripts."""

_TOP: Final = frozenset({"format", "rules", "tests"})
_RULE: Final = frozenset(
    {"id", "title", "author", "licence", "level", "techniques", "reference", "event_type", "condition"}
)
_TEST: Final = frozenset({"rule", "event", "expects_match"})
_JSON_DEPTH_MAX: Final = DETECTION_RULE_DEPTH_MAX + 4
"""A condition stands in a rule, in the list of rules, in the document; its predicates are lists."""

_OPERATORS: Final = {operator.value: (operator, False) for operator in Operator} | {
    operator.value + CASED: (operator, True) for operator in CASE_OPERATORS
}


def decode_detections(data: bytes, file: str) -> Detections:
    """Read a pack, called `file` in errors.  Raises ContentRefused with the place of the first thing that is off."""
    value = canonical.decode(
        data,
        file=file,
        bytes_max=DETECTION_PACK_BYTES_MAX,
        depth_max=_JSON_DEPTH_MAX,
        containers_max=DETECTION_CONTAINERS_MAX,
    )
    top = Fields(value, _TOP, file=file)
    top.integer("format", DETECTIONS_FORMAT, DETECTIONS_FORMAT)
    reader = _Reader(file)
    rules = tuple(
        reader.rule(row, f"/rules/{index}") for index, row in enumerate(top.rows("rules", DETECTION_RULES_MAX, _RULE))
    )
    _check_rising([rule.identifier for rule in rules], file, "/rules")
    names = frozenset(rule.identifier for rule in rules)
    tests = tuple(
        _test(row, names, file, f"/tests/{index}")
        for index, row in enumerate(top.rows("tests", DETECTION_TESTS_MAX, _TEST))
    )
    _check_rising([(test.rule, test.event) for test in tests], file, "/tests")
    return Detections(rules, tests)


def encode_detections(pack: Detections) -> bytes:
    """The canonical bytes of `pack`.  `decode_detections` says whether they may be used."""
    return canonical.encode(
        {
            "format": DETECTIONS_FORMAT,
            "rules": [
                {
                    "id": rule.identifier,
                    "title": rule.title,
                    "author": rule.author,
                    "licence": rule.licence,
                    "level": rule.level.value,
                    "techniques": list(rule.techniques),
                    "reference": rule.reference,
                    "event_type": rule.event_type,
                    "condition": condition_value(rule.condition),
                }
                for rule in pack.rules
            ],
            "tests": [
                {"rule": test.rule, "event": dict(test.event), "expects_match": test.expects_match}
                for test in pack.tests
            ],
        }
    )


def condition_value(condition: Condition) -> JsonValue:
    """`condition` as the JSON value that stands in a pack."""
    match condition:
        case AllOf(parts):
            return ["and", *map(condition_value, parts)]
        case AnyOf(parts):
            return ["or", *map(condition_value, parts)]
        case NotOf(part):
            return ["not", condition_value(part)]
        case Predicate(field, operator, cased, values):
            return [operator.value + (CASED if cased else ""), field, *values]


def read_condition(value: JsonValue, file: str, place: str) -> Condition:
    """One condition, checked as in a pack of its own.  Raises ContentRefused."""
    reader = _Reader(file)
    return reader.condition(value, place)


class _Reader:
    """Reads conditions, and counts what they hold."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._in_rule = 0
        self._in_pack = 0

    def rule(self, row: Fields, place: str) -> DetectionRule:
        return DetectionRule(
            identifier=row.word("id", RULE_UUID),
            title=row.text("title", RULE_TEXT_CHARACTERS_MAX, empty=False),
            author=row.text("author", RULE_TEXT_CHARACTERS_MAX, empty=False),
            licence=row.text("licence", RULE_TEXT_CHARACTERS_MAX, empty=False),
            level=row.choice("level", Severity),
            techniques=self._techniques(row, place),
            reference=row.text("reference", RULE_TEXT_CHARACTERS_MAX),
            event_type=row.word("event_type", EVENT_TYPE),
            condition=self.condition(row.raw("condition"), f"{place}/condition"),
        )

    def _techniques(self, row: Fields, place: str) -> tuple[str, ...]:
        found: list[str] = []
        for value in row.items("techniques", DETECTION_TECHNIQUE_ENTRIES_MAX):
            if not isinstance(value, str) or not TECHNIQUE_NAME.fullmatch(value):
                row.refuse("techniques", f"may hold only what fits {TECHNIQUE_NAME.pattern}")
            found.append(value)
        _check_rising(found, self._file, f"{place}/techniques")
        return tuple(found)

    def condition(self, value: JsonValue, place: str) -> Condition:
        """The condition of one rule."""
        self._in_rule = 0
        return self._node(value, place, 1)

    def _count(self, more: int, place: str) -> None:
        self._in_rule += more
        self._in_pack += more
        if self._in_rule > DETECTION_RULE_NODES_MAX:
            self._refuse(f"has more than {DETECTION_RULE_NODES_MAX} nodes and values", place)
        if self._in_pack > DETECTION_NODES_MAX:
            self._refuse(f"has more than {DETECTION_NODES_MAX} nodes and values in all its rules", place)

    def _refuse(self, what: str, place: str) -> NoReturn:
        refuse(what, self._file, place)

    def _node(self, value: JsonValue, place: str, depth: int) -> Condition:
        if depth > DETECTION_RULE_DEPTH_MAX:
            self._refuse(f"is nested deeper than {DETECTION_RULE_DEPTH_MAX}", place)
        if isinstance(value, str) or not isinstance(value, Sequence) or not value or not isinstance(value[0], str):
            self._refuse("must be a list that begins with an operator", place)
        kind, *rest = value
        if kind not in ("and", "or", "not"):
            return self._predicate(str(kind), rest, place)
        self._count(1, place)
        if (kind == "not") is not (len(rest) == 1) or not rest:
            self._refuse("'not' has one part, 'and' and 'or' have at least two", place)
        parts = tuple(self._node(part, f"{place}/{index}", depth + 1) for index, part in enumerate(rest, 1))
        return NotOf(parts[0]) if kind == "not" else AllOf(parts) if kind == "and" else AnyOf(parts)

    def _predicate(self, kind: str, rest: Sequence[JsonValue], place: str) -> Predicate:
        if kind not in _OPERATORS:
            self._refuse(f"has the unknown operator {kind[:32]!a}", place)
        operator, cased = _OPERATORS[kind]
        if not rest:
            self._refuse("lacks its field", place)
        field, *values = rest
        if field is None:
            if operator not in KEYWORD_OPERATORS:
                self._refuse(f"{operator} needs a field", place)
        elif not _is_field(field):
            self._refuse("has a field that is no name", f"{place}/1")
        if bool(values) is (operator in PRESENCE_OPERATORS):
            self._refuse(f"{operator} has the wrong number of values", place)
        self._count(max(1, len(values)), place)
        texts = tuple(self._value(operator, cased, one, f"{place}/{index}") for index, one in enumerate(values, 2))
        _check_rising(texts, self._file, place)
        return Predicate(str(field) if field is not None else None, operator, cased, texts)

    def _value(self, operator: Operator, cased: bool, value: JsonValue, place: str) -> str:  # noqa: FBT001 - as in a Predicate
        longest = DETECTION_REGEX_CHARACTERS_MAX if operator is Operator.REGEX else DETECTION_LITERAL_CHARACTERS_MAX
        if not isinstance(value, str):
            self._refuse("must be text", place)
        if len(value) > longest:
            self._refuse(f"has {len(value)} characters, more than the {longest} allowed", place)
        if operator in CASE_OPERATORS and not cased and folded(value) != value:
            self._refuse("ignores case, so it must be folded", place)
        try:
            check_value(operator, value)
        except ValueError as error:
            self._refuse(str(error), place)
        return value


def check_value(operator: Operator, value: str) -> None:
    """Raise ValueError, with the reason, for a text that `operator` cannot take."""
    match operator:
        case Operator.GLOB:
            parts = glob_parts(value)
            if not parts or len(parts) > DETECTION_GLOB_WORDS_MAX:
                raise ValueError(f"has {len(parts)} texts and wildcards, which is not 1 to {DETECTION_GLOB_WORDS_MAX}")
            compile_expression(glob_expression(parts))
        case Operator.REGEX:
            compile_expression(value)
        case Operator.NETWORK:
            ipaddress.ip_network(value)
        case Operator.EXISTS:
            if value not in ("false", "true"):
                raise ValueError('must be "true" or "false"')
        case Operator.SAME_AS:
            if not _is_field(value):
                raise ValueError("is not the name of a field")
        case _ if operator in NUMBER_OPERATORS:
            if not NUMBER.fullmatch(value):
                raise ValueError("is not a decimal number")


def _is_field(value: JsonValue) -> bool:
    return isinstance(value, str) and EVENT_FIELD.fullmatch(value) is not None


def _test(row: Fields, rules: frozenset[str], file: str, place: str) -> EventTest:
    rule = row.word("rule", RULE_UUID)
    if rule not in rules:
        refuse(f"names the rule {rule}, which is not in the pack", file, f"{place}/rule")
    event = row.table("event", EVENT_FIELDS_MAX)
    for name, value in event.items():
        if not _is_field(name):
            refuse("has a field that is no name", file, f"{place}/event")
        if not isinstance(value, str) or len(value) > EVENT_VALUE_CHARACTERS_MAX:
            refuse(f"must be text of at most {EVENT_VALUE_CHARACTERS_MAX} characters", file, f"{place}/event/{name}")
    return EventTest(rule, tuple((name, str(event[name])) for name in sorted(event)), row.flag("expects_match"))


def _check_rising(keys: Sequence[Key], file: str, place: str) -> None:
    """Refuse wrong order and repetition."""
    for index in range(1, len(keys)):
        if keys[index - 1] >= keys[index]:
            refuse("must be sorted and without repetition", file, f"{place}/{index}")
