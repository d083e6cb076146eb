"""The address of the alert list and the filter that it means: parsed strictly, written canonically.

    /alerts?state=open&severity=critical&severity=high&host=…&rule=…&response=…&source=…&release=…&assignee=…
           &sha256=…&span=24h&q=words&before=1234

Without `state` the list shows open alerts, with `state=all` every alert.  A word that does not exist is refused, not
ignored: a filter that quietly shows everything would mislead.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from ringfence.control.refusals import RequestRefused
from ringfence.control.views import AlertFilter, AlertState
from ringfence.model.records import AlertResponse, AlertSource, Severity

SPANS_MS: Final = {"1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000}
"""Choices of time: how far the list looks back."""

_ALL_STATES: Final = "all"
_ROW_DIGITS_MAX: Final = 18

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertQuery:
    """What the address of the alert list says."""

    state: str = AlertState.OPEN.value
    severities: tuple[Severity, ...] = ()
    response: str = ""
    source: str = ""
    host: str = ""
    rule: str = ""
    release: str = ""
    assignee: str = ""
    sha256: str = ""
    span: str = ""
    search: str = ""
    before: int | None = None

    @property
    def narrowed(self) -> bool:
        """Whether anything but the state narrows the list."""
        return bool(self._pairs())

    @property
    def narrowed_further(self) -> bool:
        """Whether a filter of the second row is in use."""
        return any(name not in ("severity", "q") for name, _ in self._pairs())

    def address(self, *, state: str | None = None, before: int | None = None) -> str:
        """The address of this list, or of the same with another state or page."""
        shown = self.state if state is None else state
        pairs = [("state", shown)] if shown != AlertState.OPEN.value else []
        pairs += self._pairs()
        if before is not None:
            pairs.append(("before", str(before)))
        return f"/alerts?{urlencode(pairs)}" if pairs else "/alerts"

    def _pairs(self) -> list[tuple[str, str]]:
        pairs = [("severity", severity.value) for severity in self.severities]
        pairs += [
            ("response", self.response),
            ("source", self.source),
            ("host", self.host),
            ("rule", self.rule),
            ("release", self.release),
            ("assignee", self.assignee),
            ("sha256", self.sha256),
            ("span", self.span),
            ("q", self.search),
        ]
        return [(name, value) for name, value in pairs if value]

    def filter(self, now_unix_ms: int) -> AlertFilter:
        """The filter for the database."""
        return AlertFilter(
            severities=frozenset(self.severities),
            states=frozenset() if self.state == _ALL_STATES else frozenset({AlertState(self.state)}),
            responses=frozenset({AlertResponse(self.response)}) if self.response else frozenset(),
            sources=frozenset({AlertSource(self.source)}) if self.source else frozenset(),
            rule=self.rule,
            host_id=self.host,
            release=self.release,
            assignee=self.assignee,
            sha256=self.sha256,
            search=self.search,
            since_unix_ms=now_unix_ms - SPANS_MS[self.span] if self.span else None,
        )


def alert_query_of(given: QueryParams) -> AlertQuery:
    """Parse the address.  Raises `RequestRefused` for a word that does not exist."""
    before = given.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) <= _ROW_DIGITS_MAX):
        raise RequestRefused("the page number is not a number", "go back to the list of alerts")
    state = given.get("state", "")
    span = given.get("span", "")
    if span and span not in SPANS_MS:
        raise RequestRefused("the span of time does not exist", f"choose one of {', '.join(SPANS_MS)}")
    return AlertQuery(
        state=_ALL_STATES if state == _ALL_STATES else _word(AlertState, state or AlertState.OPEN.value).value,
        severities=tuple(dict.fromkeys(_word(Severity, one) for one in given.getlist("severity") if one)),
        response=_word(AlertResponse, response).value if (response := given.get("response", "")) else "",
        source=_word(AlertSource, source).value if (source := given.get("source", "")) else "",
        host=given.get("host", ""),
        rule=given.get("rule", ""),
        release=given.get("release", ""),
        assignee=given.get("assignee", ""),
        sha256=given.get("sha256", "").strip().lower(),
        span=span,
        search=given.get("q", "").strip(),
        before=int(before) if before else None,
    )


def _word(words: type[Word], given: str) -> Word:
    try:
        return words(given)
    except ValueError as error:
        raise RequestRefused(
            "the filter has a word that does not exist", f"choose one of {', '.join(word.value for word in words)}"
        ) from error
