"""Self-tests of Sigma rules: `tests/**/*.events.yaml` maps the id of a rule to events that it must match or ignore.

    6f0e2b3c-5d1a-4a53-9a3f-2f1a7c8b9d01:
      matches:
        - {Image: /bin/sh, ParentImage: /usr/sbin/nginx}
      ignores:
        - {Image: /bin/sh, ParentImage: /usr/bin/login}

1. An event is of the rule's type; its values are made text as a sensor's are (`detect/events.py`).
2. Every rule has at least one of each kind, and they hold.
3. Every field that the rule reads has a value of its own in at least one event: not "", and not a wildcard.  Channel
   File 291 was tested with a wildcard in its 21st field, so nobody saw that no sensor supplied it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

from ringfence.author.finding import Finding, Level
from ringfence.author.sigma_source import SigmaSource
from ringfence.author.strict_yaml import Document, Key, Place, read_document
from ringfence.detect.events import text_of
from ringfence.detect.sigma.naive import holds
from ringfence.model.detection import EventTest, fields_of
from ringfence.model.errors import ContentRefused
from ringfence.model.limits import EVENT_FIELDS_MAX, EVENT_VALUE_CHARACTERS_MAX
from ringfence.wire.manifest import EVENT_FIELD

WAY_OUT: Final = "see the head of author/sigma_tests.py for the form"
_KINDS: Final = ("matches", "ignores")


@dataclass(frozen=True, slots=True)
class AuthoredEvent:
    """A self-test as its author wrote it."""

    test: EventTest
    file: str
    place: Place


def read_event_tests(file: str, text: str) -> list[AuthoredEvent]:
    """The self-tests in one file.  Raises ContentRefused with line and column."""
    document = read_document(text, file)
    reader = _Reader(file, document)
    if not isinstance(document.value, dict):
        reader.refuse("must map the ids of rules to self-tests")
    return [test for rule in document.value for test in reader.rule(rule, document.value[rule])]


class _Reader:
    def __init__(self, file: str, document: Document) -> None:
        self._file = file
        self._document = document

    def refuse(self, what: str, *path: Key) -> NoReturn:
        place = self._document.place(*path)
        raise ContentRefused(what, WAY_OUT, file=self._file, position=f"{place.line}:{place.column}")

    def rule(self, rule: str, tests: object) -> Iterator[AuthoredEvent]:
        if not isinstance(tests, dict) or not tests or not set(tests) <= set(_KINDS):
            self.refuse("must have matches, ignores or both", rule)
        for kind, events in tests.items():
            if not isinstance(events, list):
                self.refuse("must be a list of events", rule, kind)
            for number, event in enumerate(events):
                made = self._event(event, (rule, kind, number))
                test = EventTest(rule.lower(), made, expects_match=kind == "matches")
                yield AuthoredEvent(test, self._file, self._document.place(rule, kind, number))

    def _event(self, event: object, path: tuple[Key, ...]) -> tuple[tuple[str, str], ...]:
        if not isinstance(event, dict) or len(event) > EVENT_FIELDS_MAX:
            self.refuse(f"must be an event: up to {EVENT_FIELDS_MAX} fields with a value each", *path)
        made = []
        for name, value in sorted(event.items()):
            if not EVENT_FIELD.fullmatch(name):
                self.refuse(f"the field does not fit {EVENT_FIELD.pattern}", *path, name)
            if value is not None and not isinstance(value, (str, int, float)):
                self.refuse("a value is text, a number, true, false or null (missing)", *path, name)
            if value is not None:
                made.append((name, text_of(value)))
            if made and len(made[-1][1]) > EVENT_VALUE_CHARACTERS_MAX:
                self.refuse(f"has more than {EVENT_VALUE_CHARACTERS_MAX} characters", *path, name)
        return tuple(made)


def self_test_findings(sources: Iterable[SigmaSource], tests: Sequence[AuthoredEvent]) -> Iterator[Finding]:
    """What is wrong with the self-tests of these rules: rules 2 and 3, and tests of rules that are not there."""
    by_rule: dict[str, list[AuthoredEvent]] = {}
    for test in tests:
        by_rule.setdefault(test.test.rule, []).append(test)
    for source in sources:
        yield from _of_rule(source, by_rule.pop(source.name, []))
    for test in (several[0] for several in by_rule.values()):
        yield _finding(test, "there is no rule of this id")


def _of_rule(source: SigmaSource, tests: Sequence[AuthoredEvent]) -> Iterator[Finding]:
    rule = source.rule
    if rule is None:
        return
    for test in tests:
        if holds(rule.condition, dict(test.test.event)) is not test.test.expects_match:
            yield _finding(test, f"the rule does not {'match' if test.test.expects_match else 'ignore'} this event")
    for wanted, kind in ((True, "matches"), (False, "ignores")):
        if not any(test.test.expects_match is wanted for test in tests):
            yield source.finding("sigma/no-test", f"has no self-test of an event that it {kind}")
    tried = {name for test in tests for name, value in test.test.event if value.strip("*?")}
    for field in sorted(fields_of(rule) - tried):
        what = f"no self-test gives the field {field} a value of its own"
        yield source.finding("sigma/no-test", what, *source.field_path(field))


def _finding(test: AuthoredEvent, text: str) -> Finding:
    place = test.place
    return Finding(test.file, place.line, place.column, "sigma/self-test", Level.ERROR, test.test.rule, text)
