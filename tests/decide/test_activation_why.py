"""Whatever has happened to a host, it can say why it is on this release."""

from dataclasses import replace

import pytest
from tests.decide.activation_book import BASE, V2, V3, V4, WALL_S, Book, booted, given_up, soaking, with_good

from ringfence.decide.activation import Activation
from ringfence.decide.activation_messages import (
    Booted,
    Cause,
    Compiled,
    CompileFailed,
    Damaged,
    EngineDied,
    EngineReady,
    Guard,
    Held,
    Offered,
    PersistFailed,
    Pinned,
    ShadowCounts,
    ShadowReport,
)
from ringfence.decide.activation_why import _HOW, _REASON, Evidence, Topic, why
from ringfence.model import limits
from ringfence.model.activation import How, Reason, ReleaseKey


def told(book: Book, topic: Topic) -> list[Evidence]:
    """The lines about one topic."""
    return [one for one in why(book.state) if one.topic is topic]


def line(book: Book, topic: Topic) -> Evidence:
    """The one line about a topic."""
    (found,) = told(book, topic)
    return found


def test_every_word_of_the_record_has_words_for_people() -> None:
    assert set(_HOW) == set(How)
    assert set(_REASON) == set(Reason)


@pytest.mark.parametrize(
    ("book", "release", "how"),
    [
        (booted(), BASE, How.PACKAGED),
        (soaking(V2), V2, How.TRIED),
        (booted(with_good(V3, V2)).on(Pinned(V2, "")), V2, How.PINNED),
        (booted(with_good(V3, V2), guard=Guard.PREVIOUS), V2, How.GUARDED),
        (booted(with_good(V2)).on(Damaged(V2)), BASE, How.FELL_BACK),
        (booted(given_up()), None, How.GAVE_UP),
        (booted(with_good(V2), guard=Guard.OFF), None, How.SWITCHED_OFF),
        (booted(with_good(V2), clean=False).on(PersistFailed("")), BASE, How.CAUTIOUS),
    ],
)
def test_the_first_line_says_what_runs_and_how_it_came_to_that(book: Book, release: ReleaseKey, how: How) -> None:
    first = why(book.state)[0]
    assert (first.topic, first.release, first.code, first.at_s) == (Topic.RUNS, release, how, WALL_S)
    assert first.text


def test_it_says_whether_the_engine_answers() -> None:
    book = booted()
    assert line(book, Topic.RUNS).text.endswith("does not answer yet")
    assert not line(book.on(EngineReady(BASE)), Topic.RUNS).text.endswith("does not answer yet")


def test_a_trial_with_its_stage_and_counts() -> None:
    book = booted().on(Offered(V2, 7))
    assert line(book, Topic.TRYING).text == "compiling, start 1 of 2; brought by metadata version 7"
    counts = ShadowCounts(questions=20, replayed=30, new_blocks=4, known_blocks=1, active_ms=70, candidate_ms=90)
    book.on(Compiled(V2)).on(ShadowReport(V2, replace(counts, missed_blocks=2))).wait(9_000)
    assert line(book, Topic.TRYING).text == (
        "shadow, start 1 of 2, 9 s: 50 of 200 files compared (20 live, 30 replayed), 4 new blocks (1 of long-known,"
        " 0 of vital files), 2 missed, 0 deaths, 0 timeouts, 90 ms for 70 ms; brought by metadata version 7"
    )
    book = soaking(V2).on(EngineDied(V2, Cause.HUNG)).wait(40_000)
    text = f"soaking, start 2 of 2, 40 of {limits.SOAK_MS // 1000} s; brought by metadata version 2"
    assert line(book, Topic.TRYING) == Evidence(Topic.TRYING, text, V2, WALL_S, "soaking")
    book = booted().on(Offered(V2, 0, by_operator=True))
    assert line(book, Topic.TRYING).text.endswith("brought by the operator")


def test_what_was_refused_and_why_the_latest_first() -> None:
    book = booted().on(Offered(V2, 7)).on(CompileFailed(V2, "a.yar:3: syntax"))
    book.on(Offered(V3, 8)).on(Compiled(V3)).on(ShadowReport(V3, ShadowCounts(vital_blocks=2)))
    latest, first = told(book, Topic.REFUSED)
    assert (latest.release, latest.code, latest.at_s) == (V3, "blocked-vital", WALL_S)
    assert first.text == (
        "it does not compile, or a self-test does not hold: a.yar:3: syntax; metadata above version 7 would let it be"
        " tried again"
    )


def test_deaths_and_the_way_back() -> None:
    book = booted(with_good(V3, V2)).on(EngineDied(V3, Cause.CRASHED)).on(EngineDied(V2, Cause.CRASHED))
    assert line(book, Topic.DEATHS).text == "1 of 3 deaths are held against it; 6 hours of calm forgive one"
    assert [(one.release, one.text) for one in told(book, Topic.GOOD)] == [
        (V2, "good, on the way back, 1 deaths"),
        (BASE, "the release of the package, the end of the way back"),
    ]
    assert line(booted(given_up()), Topic.DEATHS).release == BASE


def test_the_operators_words() -> None:
    book = booted(with_good(V3)).on(Pinned(V3, "4 is too new")).on(Held("audit"))
    assert line(book, Topic.PIN) == Evidence(Topic.PIN, "4 is too new", V3, WALL_S)
    assert line(book, Topic.HOLD) == Evidence(Topic.HOLD, "audit", None, WALL_S)
    book = booted(with_good(V3)).on(Pinned(V4, "")).on(Held(""))
    assert line(book, Topic.PIN).text == "no reason given; it is not good here, so nothing newer than it runs"
    assert line(book, Topic.HOLD).text == "no reason given"


def test_what_is_not_as_it_should_be() -> None:
    book = booted(with_good(V2), clean=False).on(PersistFailed("")).on(Damaged(BASE))
    assert {one.code for one in told(book, Topic.TROUBLE)} == {"baseline-lost", "cautious"}
    book.on(PersistFailed(""))
    assert {one.code for one in told(book, Topic.TROUBLE)} == {"baseline-lost", "cautious", "not-kept"}
    assert [one.code for one in told(booted(guard=Guard.OFF), Topic.TROUBLE)] == ["off"]
    aside = booted().on(Offered(V2, 2)).on(EngineDied(V2, Cause.KILLED))
    assert line(aside, Topic.TROUBLE).text == "a trial ended without a result; not again for 6 hours: 000000000000"


def test_also_before_the_start() -> None:
    assert why(Activation(with_good(V2)))[0].release == V2
    assert Booted(clean=True).guard is Guard.NORMAL
