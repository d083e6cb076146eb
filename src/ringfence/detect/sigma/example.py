"""An event that a rule matches, made from the rule: for probes, and to begin a self-test with.

Ways in which the condition can be true are tried in turn, a bounded number of them.  Each way says for every field what
its value must be, begin with, hold and end in; a value is put together of that.  What cannot be put together so (an
expression without plain texts, say) gives no event.  Whether an event matches is never assumed: `naive.py` says it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Final

from ringfence.detect.sigma.naive import holds
from ringfence.detect.sigma.regex_example import regex_example
from ringfence.detect.sigma.regex_literals import required_texts
from ringfence.model.detection import (
    AllOf,
    AnyOf,
    Condition,
    DetectionRule,
    NotOf,
    Operator,
    Predicate,
    Wildcard,
    fields_of,
    glob_parts,
)
from ringfence.model.limits import EXAMPLE_TRIES_ENTRIES_MAX

KEYWORD_FIELD: Final = "Keyword"
"""Where the text of a keyword is put: it is looked for in every field."""

FILLING: Final = "0"
"""What stands where anything may stand."""

Way = tuple[tuple[Predicate, str], ...]
"""Predicates with the one value that each shall have."""


@dataclass(slots=True)
class _Wanted:
    """What a field's value must be."""

    exact: list[str] = field(default_factory=list)
    starts: list[str] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    def text(self, before: str) -> str:
        """A value that may be all that, with `before` in front where anything may stand."""
        if self.exact:
            return self.exact[0]
        start, end = max(self.starts, key=len, default=before), max(self.ends, key=len, default="")
        inside = [text for text in dict.fromkeys(self.inside) if text not in start and text not in end]
        return start + "".join(inside) + end or FILLING


def example_event(rule: DetectionRule) -> dict[str, str] | None:
    """Fields of an event that `rule` matches, every field that it reads among them if that is possible; or None."""
    names = sorted(fields_of(rule))
    for way in islice(_ways(rule.condition), EXAMPLE_TRIES_ENTRIES_MAX):
        for before in ("", FILLING):
            event = _event(way, before)
            for filled in ({**dict.fromkeys(names, FILLING), **event}, event):
                if holds(rule.condition, filled):
                    return dict(sorted(filled.items()))
    return None


def counter_example(rule: DetectionRule) -> dict[str, str] | None:
    """Fields of an event that `rule` does not match, with every field that it reads; or None."""
    names = sorted(fields_of(rule)) or [KEYWORD_FIELD]
    for text in (FILLING, "x", "ordinary text", "1"):
        event = dict.fromkeys(names, text)
        if not holds(rule.condition, event):
            return event
    return None


def _ways(condition: Condition) -> Iterator[Way]:
    """Ways in which `condition` may be true; negations are left to chance."""
    match condition:
        case Predicate():
            for value in condition.values or ("",):
                yield ((condition, value),)
        case NotOf():
            yield ()
        case AnyOf(parts):
            iterators = [_ways(part) for part in parts]
            while iterators:  # the first of each, then the second of each
                found = [(one, next(one, None)) for one in iterators]
                yield from (way for _, way in found if way is not None)
                iterators = [one for one, way in found if way is not None]
        case AllOf(parts):
            choices = [list(islice(_ways(part), EXAMPLE_TRIES_ENTRIES_MAX)) for part in parts]
            for ways in product(*choices):
                yield tuple(one for way in ways for one in way)


def _event(way: Way, before: str) -> dict[str, str]:
    wanted: dict[str, _Wanted] = {}
    for predicate, value in way:
        name = predicate.field or KEYWORD_FIELD
        if predicate.operator is Operator.NULL or (predicate.operator is Operator.EXISTS and value == "false"):
            continue
        _add(wanted.setdefault(name, _Wanted()), predicate.operator, value)
        if predicate.operator is Operator.SAME_AS:
            wanted.setdefault(value, _Wanted())
    return {name: one.text(before) for name, one in wanted.items()}


def _add(wanted: _Wanted, operator: Operator, value: str) -> None:
    match operator:
        case Operator.EQUALS:
            wanted.exact.append(value)
        case Operator.STARTS:
            wanted.starts.append(value)
        case Operator.ENDS:
            wanted.ends.append(value)
        case Operator.CONTAINS:
            wanted.inside.append(value)
        case Operator.GLOB:
            _add_glob(wanted, value)
        case Operator.REGEX:
            wanted.inside.append(regex_example(value) or "".join(min(clause) for clause in required_texts(value)))
        case Operator.NETWORK:
            wanted.exact.append(value.partition("/")[0])
        case Operator.LESS:
            wanted.exact.append(f"-{'9' * len(value)}")
        case Operator.MORE:
            wanted.exact.append(f"{'9' * len(value)}")
        case Operator.AT_MOST | Operator.AT_LEAST:
            wanted.exact.append(value)


def _add_glob(wanted: _Wanted, value: str) -> None:
    """The texts between the stars: the first begins the value, the last ends it."""
    texts = [""]
    for part in glob_parts(value):
        if part is Wildcard.RUN:
            texts.append("")
        else:
            texts[-1] += FILLING if part is Wildcard.ONE else str(part)
    if len(texts) == 1:
        wanted.exact.append(texts[0])
        return
    wanted.starts += filter(None, texts[:1])
    wanted.inside += filter(None, texts[1:-1])
    wanted.ends += filter(None, texts[-1:])
