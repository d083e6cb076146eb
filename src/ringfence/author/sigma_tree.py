"""pySigma's tree of conditions -> ours, exactly or not at all; with the place of every value.

1. Text: without wildcards eq, a star before and behind contains, and so on; anything else is a glob.  A star alone only
   asks for presence.  A keyword is looked for anywhere in a value.
2. Regular expressions keep their text, with their flags in front.  Nothing is escaped again.
3. Numbers and truth are compared as text, as events hold them; with lt, lte, gt and gte as numbers.
4. Parts of one kind inside each other are one; alternatives of one field and operator are one predicate.
5. Bounds are those of the host (`wire/detection_ir.py`), so what passes here passes there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR, ConditionValueExpression
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import (
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from ringfence.author.strict_yaml import Key
from ringfence.model.detection import (
    CASE_OPERATORS,
    AllOf,
    AnyOf,
    Condition,
    NotOf,
    Operator,
    Predicate,
    Wildcard,
    folded,
    glob_text,
)
from ringfence.model.limits import (
    DETECTION_LITERAL_CHARACTERS_MAX,
    DETECTION_REGEX_CHARACTERS_MAX,
    DETECTION_RULE_DEPTH_MAX,
    DETECTION_RULE_NODES_MAX,
)
from ringfence.wire.detection_ir import check_value
from ringfence.wire.manifest import EVENT_FIELD

Path = tuple[Key, ...]

_WILDCARDS: Final = {SpecialChars.WILDCARD_MULTI: Wildcard.RUN, SpecialChars.WILDCARD_SINGLE: Wildcard.ONE}
_COMPARISONS: Final = {
    "LT": Operator.LESS,
    "LTE": Operator.AT_MOST,
    "GT": Operator.MORE,
    "GTE": Operator.AT_LEAST,
}
_UNDERSTOOD: Final = frozenset(
    {
        SigmaBool,
        SigmaCasedString,
        SigmaCIDRExpression,
        SigmaCompareExpression,
        SigmaExists,
        SigmaFieldReference,
        SigmaNull,
        SigmaNumber,
        SigmaRegularExpression,
        SigmaString,
    }
)
"""These very classes.  One derived from them means something else: for pySigma an hour of the day is a number."""

_CODES: Final = {Operator.REGEX: "sigma/regex", Operator.GLOB: "sigma/wildcards"}


@dataclass(frozen=True, slots=True)
class Origin:
    """One value of a predicate ("" for a predicate without values)."""

    field: str | None
    operator: Operator
    cased: bool
    value: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a value cannot be evaluated by a host."""

    code: str
    text: str
    path: Path


class SigmaTreeError(Exception):
    """A condition that hosts cannot evaluate."""

    def __init__(self, troubles: Sequence[Trouble]) -> None:
        super().__init__(troubles[0].text)
        self.troubles = tuple(troubles)


class ValuePlaces:
    """Where each of pySigma's values comes from.  Paths begin with the name of the selection."""

    def __init__(self, definitions: dict[str, Any], detections: dict[str, SigmaDetection]) -> None:
        self._paths: dict[int, Path] = {}
        self._kept: list[SigmaType] = []
        for name, detection in detections.items():
            self._selection(detection, definitions.get(name), (name,))

    def of(self, value: SigmaType) -> Path:
        """The path of `value`, () where it is not known."""
        return self._paths.get(id(value), ())

    def _selection(self, detection: SigmaDetection, definition: object, path: Path) -> None:
        keys: list[Key] = list(definition) if isinstance(definition, dict) else []
        for number, item in enumerate(detection.detection_items):
            below: Path = (*path, keys[number]) if number < len(keys) else path
            if isinstance(item, SigmaDetectionItem):
                written = definition[keys[number]] if isinstance(definition, dict) and keys else definition
                self._item(item, written, below)
            else:
                part = definition[number] if isinstance(definition, list) else definition
                self._selection(item, part, (*path, number) if isinstance(definition, list) else below)

    def _item(self, item: SigmaDetectionItem, written: object, path: Path) -> None:
        several = isinstance(written, list) and len(written) == len(item.value)
        for number, value in enumerate(item.value):
            self._note(value, (*path, number) if several else path)

    def _note(self, value: SigmaType, path: Path) -> None:
        self._paths[id(value)] = path
        self._kept.append(value)  # so that its id stays its own
        if isinstance(value, SigmaExpansion):
            for inner in value.values:
                self._note(inner, path)


def condition_of(conditions: Sequence[object], places: ValuePlaces) -> tuple[Condition, dict[Origin, Path]]:
    """The condition that is true where one of `conditions` is, and where its values stand.  Raises SigmaTreeError."""
    translator = _Translator(places)
    parts = [translator.node(one, 1) for one in conditions]
    if translator.troubles:
        raise SigmaTreeError(translator.troubles)
    condition = _joined(AnyOf, parts)
    nodes, depth = _size(condition)
    if nodes > DETECTION_RULE_NODES_MAX:
        text = f"has {nodes} nodes and values in its condition, more than the {DETECTION_RULE_NODES_MAX} allowed"
        raise SigmaTreeError([Trouble("sigma/size", text, ("condition",))])
    if depth > DETECTION_RULE_DEPTH_MAX:
        text = f"its condition is {depth} levels deep, more than the {DETECTION_RULE_DEPTH_MAX} allowed"
        raise SigmaTreeError([Trouble("sigma/depth", text, ("condition",))])
    return condition, translator.origins


class _Unsupported(Exception):
    """A value that hosts cannot evaluate: code and text."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class _Translator:
    def __init__(self, places: ValuePlaces) -> None:
        self._places = places
        self.troubles: list[Trouble] = []
        self.origins: dict[Origin, Path] = {}

    def node(self, node: Any, depth: int) -> Condition:  # noqa: ANN401 - pySigma's classes have no common base
        """The condition of one node.  What cannot be translated is noted, and stands for nothing."""
        if isinstance(node, ConditionNOT):
            return NotOf(self.node(node.args[0], depth + 1))
        if isinstance(node, (ConditionAND, ConditionOR)):
            parts = [self.node(one, depth + 1) for one in node.args]
            return _joined(AllOf if isinstance(node, ConditionAND) else AnyOf, parts)
        is_keyword = isinstance(node, ConditionValueExpression)
        return self._leaf(None if is_keyword else node.field, node.value)

    def _leaf(self, name: str | None, value: SigmaType) -> Condition:
        if isinstance(value, SigmaExpansion):
            return _joined(AnyOf, [self._leaf(name, one) for one in value.values])
        path = self._places.of(value)
        try:
            if name is not None and not EVENT_FIELD.fullmatch(name):
                raise _Unsupported("sigma/bound", f"the field {name[:64]!a} does not fit {EVENT_FIELD.pattern}")
            predicate = _predicate(name, value)
            _check_bounds(predicate)
        except _Unsupported as error:
            self.troubles.append(Trouble(error.code, str(error), path))
            return Predicate(name, Operator.NULL, False, ())
        for text in predicate.values or ("",):
            self.origins.setdefault(Origin(name, predicate.operator, predicate.cased, text), path)
        return predicate


def _joined(kind: type[AllOf] | type[AnyOf], parts: Iterable[Condition]) -> Condition:
    """Rule 4."""
    flat: list[Condition] = []
    for part in parts:
        if isinstance(part, kind):
            flat.extend(part.parts)
        else:
            flat.append(part)
    unique = list(dict.fromkeys(_merged(flat) if kind is AnyOf else flat))
    return unique[0] if len(unique) == 1 else kind(tuple(unique))


def _merged(parts: Iterable[Condition]) -> list[Condition]:
    """Predicates of one field, operator and case become one, at the place of the first."""
    values: dict[tuple[str | None, Operator, bool], set[str]] = {}
    order: list[Condition | tuple[str | None, Operator, bool]] = []
    for part in parts:
        if isinstance(part, Predicate) and part.values:
            key = (part.field, part.operator, part.cased)
            if key not in values:
                values[key] = set()
                order.append(key)
            values[key].update(part.values)
        else:
            order.append(part)
    return [
        Predicate(*one, tuple(sorted(values[one]))) if isinstance(one, tuple) else one  # the others are conditions
        for one in order
    ]


def _size(condition: Condition) -> tuple[int, int]:
    """Nodes and values, and depth."""
    if isinstance(condition, Predicate):
        return max(1, len(condition.values)), 1
    parts = (condition.part,) if isinstance(condition, NotOf) else condition.parts
    sizes = [_size(part) for part in parts]
    return 1 + sum(nodes for nodes, _ in sizes), 1 + max(depth for _, depth in sizes)


def _predicate(name: str | None, value: SigmaType) -> Predicate:
    if type(value) not in _UNDERSTOOD or (
        isinstance(value, SigmaCompareExpression) and type(value.number) is not SigmaNumber
    ):
        return _refuse_kind(value)
    if isinstance(value, SigmaString):  # SigmaCasedString is one
        return _text(name, value)
    if isinstance(value, SigmaRegularExpression):
        return _regex(name, value)
    if isinstance(value, (SigmaNumber, SigmaBool)):
        text = _number(value) if isinstance(value, SigmaNumber) else str(value.boolean).lower()
        return Predicate(name, Operator.CONTAINS if name is None else Operator.EQUALS, False, (text,))
    if name is None:
        raise _Unsupported("sigma/value", f"a keyword cannot be a {type(value).__name__.removeprefix('Sigma')}")
    if isinstance(value, SigmaNull):
        return Predicate(name, Operator.NULL, False, ())
    if isinstance(value, SigmaExists):
        return Predicate(name, Operator.EXISTS, False, ("true" if value.exists else "false",))
    if isinstance(value, SigmaCIDRExpression):
        return Predicate(name, Operator.NETWORK, False, (str(value.cidr),))
    if isinstance(value, SigmaCompareExpression) and value.op.name in _COMPARISONS:
        return Predicate(name, _COMPARISONS[value.op.name], False, (_number(value.number),))
    if isinstance(value, SigmaFieldReference):
        if value.starts_with or value.ends_with:
            raise _Unsupported(
                "sigma/field-reference", "compares with a part of another field: hosts compare all of it"
            )
        return Predicate(name, Operator.SAME_AS, False, (value.field,))
    return _refuse_kind(value)


def _refuse_kind(value: SigmaType) -> NoReturn:
    kind = type(value).__name__.removeprefix("Sigma")
    raise _Unsupported("sigma/value", f"asks for a {kind}, which hosts do not evaluate")


def _number(value: SigmaNumber) -> str:
    number = value.number
    text = str(number) if isinstance(number, int) else f"{number:.15f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def _text(name: str | None, value: SigmaString) -> Predicate:
    """Rule 1."""
    cased = isinstance(value, SigmaCasedString)
    parts: list[str | Wildcard] = []
    for part in value.s:
        if isinstance(part, SpecialChars):
            parts.append(_WILDCARDS[part])
        elif isinstance(part, str):
            parts.append(part if cased else folded(part))
        else:
            raise _Unsupported(
                "sigma/placeholder", f"holds the placeholder %{part.name}%, which only its user can fill"
            )
    if name is None:
        parts = [Wildcard.RUN, *parts, Wildcard.RUN]
    core = list(parts)
    while core and core[0] is Wildcard.RUN:
        core.pop(0)
    while core and core[-1] is Wildcard.RUN:
        core.pop()
    lead, trail = parts[:1] == [Wildcard.RUN], parts[-1:] == [Wildcard.RUN]
    if not core and (lead or trail):
        if name is None:
            raise _Unsupported("sigma/matches-everything", "a keyword that is nothing is in every event")
        return Predicate(name, Operator.ANY, False, ())
    texts = [part for part in core if isinstance(part, str)]
    if len(texts) < len(core):
        return Predicate(name, Operator.GLOB, cased, (glob_text(parts),))
    operator = (
        (Operator.CONTAINS if trail else Operator.ENDS) if lead else (Operator.STARTS if trail else Operator.EQUALS)
    )
    return Predicate(name, operator, cased, ("".join(texts),))


def _placeholder(part: Placeholder) -> _Unsupported:
    return _Unsupported("sigma/placeholder", f"holds the placeholder %{part.name}%, which only its user can fill")


def _regex(name: str | None, value: SigmaRegularExpression) -> Predicate:
    """Rule 2."""
    texts = []
    for part in value.regexp.s:
        if isinstance(part, SpecialChars):
            texts.append(_WILDCARDS[part].value)
        elif isinstance(part, str):
            texts.append(part)
        else:
            raise _Unsupported(
                "sigma/placeholder", f"holds the placeholder %{part.name}%, which only its user can fill"
            )
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return Predicate(name, Operator.REGEX, False, ((f"(?{flags})" if flags else "") + "".join(texts),))


def _check_bounds(predicate: Predicate) -> None:
    """Rule 5."""
    is_regex = predicate.operator is Operator.REGEX
    longest = DETECTION_REGEX_CHARACTERS_MAX if is_regex else DETECTION_LITERAL_CHARACTERS_MAX
    code = _CODES.get(predicate.operator, "sigma/bound")
    for text in predicate.values:
        if len(text) > longest:
            raise _Unsupported(code, f"has {len(text)} characters, more than the {longest} allowed")
        if predicate.operator in CASE_OPERATORS and not predicate.cased and folded(text) != text:
            raise _Unsupported("sigma/bound", "cannot be folded")  # not met: folding is done once
        try:
            text.encode()
            check_value(predicate.operator, text)
        except ValueError as error:
            raise _Unsupported(code, str(error)) from error
