"""The address of the alert list and what it means."""

import pytest
from starlette.datastructures import QueryParams

from ringfence.control.console.alert_query import alert_query_of
from ringfence.control.refusals import RequestRefused
from ringfence.control.views import AlertState
from ringfence.model.records import AlertResponse, AlertSource, Severity

EVERYTHING = (
    "state=resolved&severity=critical&severity=low&response=blocked&source=exec&host=h&rule=R&release=starter%4012"
    "&assignee=admin&sha256=AB&span=24h&q=two+words&before=17"
)


def test_without_words_the_list_shows_open_alerts() -> None:
    query = alert_query_of(QueryParams(""))
    assert query.filter(1).states == frozenset({AlertState.OPEN})
    assert query.address() == "/alerts"
    assert not query.narrowed


def test_every_word_reaches_the_filter() -> None:
    wanted = alert_query_of(QueryParams(EVERYTHING)).filter(100_000_000)
    assert wanted.states == frozenset({AlertState.RESOLVED})
    assert wanted.severities == frozenset({Severity.CRITICAL, Severity.LOW})
    assert wanted.responses == frozenset({AlertResponse.BLOCKED})
    assert wanted.sources == frozenset({AlertSource.EXEC})
    assert (wanted.host_id, wanted.rule, wanted.release) == ("h", "R", "starter@12")
    assert (wanted.assignee, wanted.sha256, wanted.search) == ("admin", "ab", "two words")
    assert wanted.since_unix_ms == 100_000_000 - 86_400_000


def test_the_address_says_the_same_again() -> None:
    query = alert_query_of(QueryParams(EVERYTHING))
    again = alert_query_of(QueryParams(query.address(before=query.before).partition("?")[2]))
    assert again == query


def test_all_states_are_asked_for_by_name() -> None:
    assert alert_query_of(QueryParams("state=all")).filter(1).states == frozenset()


@pytest.mark.parametrize(
    "words",
    [
        "severity=urgent",
        "state=closed",
        "response=x",
        "source=x",
        "span=1y",
        "before=x",
        "before=-1",
        "before=" + "9" * 30,
    ],
)
def test_a_word_that_does_not_exist_is_refused_not_ignored(words: str) -> None:
    with pytest.raises(RequestRefused):
        alert_query_of(QueryParams(words))


def test_empty_fields_of_the_form_mean_nothing() -> None:
    query = alert_query_of(QueryParams("severity=&response=&source=&host=&span=&q=+&before="))
    assert query.address() == "/alerts"
