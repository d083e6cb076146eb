"""The rules of the activation machine that concern releases, one script each.

Numbers in the headings are those of its docstring; `test_activation_operator.py` has the others.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import pytest
from tests.decide.activation_book import (
    BASE,
    ENOUGH,
    TICK,
    V2,
    V3,
    V4,
    V5,
    WALL_S,
    Book,
    booted,
    given_up,
    good,
    soaking,
    with_good,
)

from ringfence.decide import activation_messages as messages
from ringfence.decide.activation import Activation, step
from ringfence.decide.activation_messages import (
    BreakerTripped,
    Cause,
    Compile,
    Compiled,
    CompileFailed,
    EngineDied,
    EngineReady,
    Forget,
    Idle,
    Offered,
    Persist,
    Pinned,
    ReportKind,
    Run,
    ShadowCounts,
    ShadowReport,
    StartShadow,
    StopCandidate,
    Tick,
)
from ringfence.model import limits
from ringfence.model.activation import Arrival, How, Proven, Reason, ReleaseKey, Stage, first_state, rebased


def test_no_message_is_both_told_and_said() -> None:
    assert set(get_args(messages.Event)).isdisjoint(get_args(messages.Command))


def test_nothing_is_believed_before_the_start() -> None:
    state = Activation(with_good())
    assert step(state, Offered(V2, 2), 0, WALL_S) == (state, ())


# --- 1: one at a time -------------------------------------------------------------------------------------------------


def test_the_whole_way() -> None:
    book = booted().acts(Run(BASE)).on(EngineReady(BASE)).expects()
    book.on(Offered(V2, 7)).acts(Compile(V2)).says(ReportKind.TRYING)
    book.on(Compiled(V2)).acts(StartShadow(V2)).says(ReportKind.SHADOWING)
    book.on(ShadowReport(V2, ENOUGH)).expects()
    book.wait(limits.SHADOW_MS_MIN - 1).expects()
    book.after(1).on(Tick()).acts(Run(V2)).says(ReportKind.SOAKING, ReportKind.RUNS)
    book.on(EngineReady(V2)).expects()
    book.wait(limits.SOAK_MS - 1).expects()
    book.after(1).on(Tick()).acts().says(ReportKind.GOOD)
    assert book.kept.chain == (Proven(V2, 7, 0, WALL_S), Proven(BASE, 0, 0, WALL_S))
    assert book.kept.arrival == Arrival(V2, How.TRIED, WALL_S)
    assert book.kept.candidate is None


def test_another_is_not_taken_while_one_is_tried() -> None:
    booted().on(Offered(V2, 2)).on(Offered(V3, 3)).acts(Forget(V3)).says(ReportKind.DECLINED)


def test_an_offer_that_is_repeated_changes_nothing_and_costs_no_file() -> None:
    booted().on(Offered(V2, 2)).on(Offered(V2, 2)).acts().says(ReportKind.DECLINED)


def test_the_operator_ends_a_trial() -> None:
    book = booted().on(Offered(V2, 2)).on(Offered(V3, 0, by_operator=True))
    book.acts(StopCandidate(V2), Compile(V3), Forget(V2)).says(ReportKind.WITHDRAWN, ReportKind.TRYING)
    assert book.reasons == []


def test_the_operator_ends_a_soak() -> None:
    book = soaking(V2).on(Offered(V3, 0, by_operator=True))
    book.acts(Run(BASE), Compile(V3), Forget(V2))
    assert book.kept.arrival.how is How.WITHDRAWN


def test_the_operator_may_spare_the_shadow_of_what_he_brings() -> None:
    book = booted().on(Offered(V2, 0, by_operator=True, at_once=True)).on(Compiled(V2))
    book.acts(Run(V2)).says(ReportKind.SOAKING, ReportKind.RUNS)


def test_the_operator_may_spare_the_shadow_of_what_is_in_it() -> None:
    book = booted().on(Offered(V2, 2)).on(Compiled(V2)).on(Offered(V2, 2, by_operator=True, at_once=True))
    book.acts(StopCandidate(V2), Compile(V2))
    book.on(Offered(V2, 2, by_operator=True, at_once=True)).acts().says(ReportKind.DECLINED)


def test_nobody_else_may() -> None:
    booted().on(Offered(V2, 2, at_once=True)).on(Compiled(V2)).acts(StartShadow(V2))


@pytest.mark.parametrize("version", [2, 3])
def test_what_is_not_newer_is_not_tried(version: int) -> None:
    other = ReleaseKey(version, "f" * 64)
    booted(with_good(V3, V2)).on(Offered(other, 9)).acts(Forget(other)).says(ReportKind.DECLINED)


def test_what_is_good_is_not_tried() -> None:
    booted(with_good(V2)).on(Offered(V2, 9)).acts().says(ReportKind.DECLINED)
    booted(with_good(V2)).on(Offered(BASE, 9)).acts(Forget(BASE)).says(ReportKind.DECLINED)


def test_versions_of_the_package_and_of_files_brought_by_hand_do_not_compare() -> None:
    by_hand = Proven(V5, 0, 0, WALL_S)
    kept = replace(with_good(), chain=(by_hand, Proven(V4, 0, 0, WALL_S)), arrival=Arrival(V5, How.TRIED, WALL_S))
    booted(kept).on(Offered(V2, 2)).acts(Compile(V2))


def test_an_older_one_is_tried_when_the_operator_brings_it() -> None:
    book = booted(with_good(V3)).on(Offered(V2, 0, by_operator=True)).acts(Compile(V2))
    book.on(Compiled(V2)).on(ShadowReport(V2, ENOUGH)).wait(limits.SHADOW_MS_MIN).wait(limits.SOAK_MS)
    assert book.chain == [V2, V3, BASE]
    assert book.state.runs == V2


def test_a_good_one_that_the_operator_brings_runs_without_a_trial() -> None:
    book = booted(with_good(V3, V2)).on(Offered(V2, 0, by_operator=True)).acts(Run(V2))
    assert book.chain == [V2, V3, BASE]
    assert book.kept.arrival.how is How.CHOSEN
    book.on(Offered(V2, 0, by_operator=True)).acts().says(ReportKind.DECLINED)
    book.on(Offered(BASE, 0, by_operator=True)).acts(Forget(BASE)).says(ReportKind.DECLINED)


def test_it_ends_a_trial_too() -> None:
    book = soaking(V4, with_good(V3, V2)).on(Offered(V2, 0, by_operator=True))
    book.acts(Run(V2), Forget(V4))
    assert book.kept.arrival.how is How.CHOSEN


# --- 2 and 3: order and disk ------------------------------------------------------------------------------------------


def test_what_arrives_out_of_order_changes_nothing() -> None:
    book = booted(with_good(V2)).on(Offered(V3, 3))
    for event in (ShadowReport(V3, ENOUGH), Compiled(V4), CompileFailed(V4, ""), ShadowReport(V2, ENOUGH)):
        book.on(event).expects()
    book.on(Compiled(V3)).on(Compiled(V3)).expects().on(CompileFailed(V3, "")).expects()
    book.on(EngineReady(V3)).expects()
    assert not book.state.ready


def test_the_disk_comes_first_and_once() -> None:
    events = (Offered(V2, 2), Compiled(V2), ShadowReport(V2, replace(ENOUGH, vital_blocks=1)))
    book = booted()
    for event in events:
        before = book.kept
        book.on(event)
        assert [type(one) for one in book.commands].index(Persist) == 0
        assert [one.state for one in book.commands if isinstance(one, Persist)] == [book.kept]
        assert book.kept != before


def test_a_trial_begins_anew_after_an_orderly_restart_and_is_owed_nothing() -> None:
    book = booted().on(Offered(V2, 2)).on(Compiled(V2))
    again = booted(book.kept).acts(Run(BASE), Compile(V2))
    assert again.kept.candidate is not None
    assert (again.kept.candidate.attempts, again.kept.candidate.stage) == (1, Stage.COMPILING)


def test_a_soak_begins_anew_after_an_orderly_restart_without_another_shadow() -> None:
    again = booted(soaking(V2).kept).acts(Run(BASE), Compile(V2))
    assert again.kept.arrival.how is How.WITHDRAWN
    again.on(Compiled(V2)).acts(Run(V2))


def test_a_start_writes_before_anything_runs() -> None:
    booted(with_good(V2)).expects(Persist(with_good(V2)), Run(V2))


def test_the_baseline_of_another_package_is_written_down_before_it_runs_and_bears_no_old_guilt() -> None:
    book = booted(rebased(with_good(), V5, WALL_S), clean=False).acts(Run(V5))
    assert book.kept == first_state(V5, WALL_S)
    assert book.commands[0] == Persist(book.kept)
    assert booted(book.kept, clean=False).kept.baseline.deaths == 1


# --- 4: shadow --------------------------------------------------------------------------------------------------------

HARM = {
    Reason.BLOCKED_VITAL: ShadowCounts(vital_blocks=1),
    Reason.BLOCKED_KNOWN: ShadowCounts(known_blocks=limits.SHADOW_KNOWN_FILES_MAX + 1),
    Reason.BLOCKED_NEW: ShadowCounts(new_blocks=limits.SHADOW_NEW_FILES_MAX + 1),
    Reason.SHADOW_CRASHED: ShadowCounts(crashes=limits.SHADOW_DEATHS_MAX + 1),
    Reason.SHADOW_TIMEOUTS: ShadowCounts(timeouts=limits.SHADOW_TIMEOUTS_FREE_FILES + 1),
    Reason.SHADOW_SLOW: ShadowCounts(active_ms=500, candidate_ms=500 * limits.SHADOW_TIME_RATIO_MAX + 1),
    Reason.SHADOW_GREW: ShadowCounts(resident_bytes=limits.ZYGOTE_RESIDENT_BYTES_MAX + 1),
}
HARMLESS = [
    ShadowCounts(known_blocks=limits.SHADOW_KNOWN_FILES_MAX, new_blocks=limits.SHADOW_NEW_FILES_MAX),
    ShadowCounts(crashes=limits.SHADOW_DEATHS_MAX, timeouts=limits.SHADOW_TIMEOUTS_FREE_FILES),
    ShadowCounts(questions=10_000, timeouts=10_000 * limits.SHADOW_TIMEOUTS_MAX_PERCENT // 100),
    ShadowCounts(active_ms=1, candidate_ms=limits.SHADOW_TIME_FREE_MS),
    ShadowCounts(active_ms=5_000, candidate_ms=5_000 * limits.SHADOW_TIME_RATIO_MAX),
    ShadowCounts(active_ms=0, candidate_ms=1_000_000),
    ShadowCounts(missed_blocks=1_000, resident_bytes=limits.ZYGOTE_RESIDENT_BYTES_MAX),
]


@pytest.mark.parametrize("reason", HARM)
def test_harm_in_the_shadow_refuses_at_once(reason: Reason) -> None:
    book = booted().on(Offered(V2, 2)).on(Compiled(V2)).on(ShadowReport(V2, HARM[reason]))
    book.acts(StopCandidate(V2), Forget(V2)).says(ReportKind.REFUSED)
    assert book.reasons == [(V2, reason)]
    assert book.kept.refused[0].text


@pytest.mark.parametrize("counts", HARMLESS)
def test_what_is_within_the_bounds_passes(counts: ShadowCounts) -> None:
    counts = replace(counts, questions=max(counts.questions, limits.SHADOW_QUESTIONS_MIN))
    book = booted().on(Offered(V2, 2)).on(Compiled(V2)).wait(limits.SHADOW_MS_MIN)
    book.on(ShadowReport(V2, counts)).acts(Run(V2))


def test_replayed_files_count_as_comparisons() -> None:
    book = booted().on(Offered(V2, 2)).on(Compiled(V2)).wait(limits.SHADOW_MS_MIN)
    book.on(ShadowReport(V2, ShadowCounts(replayed=limits.SHADOW_QUESTIONS_MIN - 1))).expects()
    book.on(ShadowReport(V2, ShadowCounts(questions=1, replayed=limits.SHADOW_QUESTIONS_MIN - 1))).acts(Run(V2))


def test_without_data_it_neither_runs_nor_is_refused_and_may_come_back_later() -> None:
    book = booted().on(Offered(V2, 2)).on(Compiled(V2)).wait(limits.SHADOW_MS_MAX - 1).expects()
    book.after(1).on(Tick()).acts(StopCandidate(V2), Forget(V2)).says(ReportKind.WITHDRAWN)
    assert book.reasons == []
    book.on(Offered(V2, 2)).acts(Forget(V2)).says(ReportKind.DECLINED)
    book.on(Offered(V3, 3)).acts(Compile(V3)).on(CompileFailed(V3, ""))
    book.wait(limits.SHADOW_ASIDE_MS).on(Offered(V2, 2)).acts(Compile(V2))


def test_the_operator_need_not_wait_for_that() -> None:
    book = booted().on(Offered(V2, 2)).on(Compiled(V2)).wait(limits.SHADOW_MS_MAX)
    book.on(Offered(V2, 2, by_operator=True)).acts(Compile(V2))


def test_a_host_on_which_nothing_runs_tries_all_the_same() -> None:
    book = booted(given_up()).acts(Idle())
    book.on(Offered(V2, 2)).on(Compiled(V2)).on(ShadowReport(V2, ENOUGH)).wait(limits.SHADOW_MS_MIN)
    book.acts(Run(V2))


# --- 5 and 6: soak and trial ------------------------------------------------------------------------------------------


def test_only_an_engine_that_answers_soaks() -> None:
    book = soaking(V2)
    for _ in range(limits.SOAK_MS // TICK + 1):
        book.after(TICK).on(Tick()).expects()
    book.wait(limits.SOAK_MS).says(ReportKind.GOOD)


def test_a_death_begins_the_soak_anew_and_counts_on() -> None:
    book = soaking(V2).wait(limits.SOAK_MS - TICK).on(EngineDied(V2, Cause.CRASHED)).acts(Run(V2))
    book.says(ReportKind.DIED).wait(limits.SOAK_MS - TICK).expects().wait(TICK).says(ReportKind.GOOD)
    assert book.kept.chain[0].deaths == 1


@pytest.mark.parametrize(
    ("cause", "reason"),
    [(Cause.CRASHED, Reason.CRASHED), (Cause.HUNG, Reason.HUNG), (Cause.GREW, Reason.GREW)],
)
def test_the_last_start_of_a_soak_that_ends_in_harm_refuses(cause: Cause, reason: Reason) -> None:
    book = soaking(V2)
    for _ in range(limits.TRIAL_STARTS_MAX - 1):
        book.on(EngineDied(V2, cause)).acts(Run(V2))
    book.on(EngineDied(V2, cause)).acts(Run(BASE), Forget(V2))
    book.says(ReportKind.REFUSED, ReportKind.RUNS)
    assert book.reasons == [(V2, reason)]
    assert book.kept.arrival == Arrival(BASE, How.FELL_BACK, WALL_S)


def test_a_soak_in_which_nothing_is_answered_is_over_at_once() -> None:
    book = soaking(V2).on(EngineDied(V2, Cause.MUTE)).acts(Run(BASE), Forget(V2))
    book.says(ReportKind.REFUSED, ReportKind.RUNS)
    assert book.reasons == [(V2, Reason.HUNG)]
    assert book.kept.arrival == Arrival(BASE, How.FELL_BACK, WALL_S)


def test_silence_of_anything_but_a_soak_proves_nothing() -> None:
    good = booted(with_good(V3, V2))
    for _ in range(limits.RELEASE_DEATHS_MAX + 1):
        good.on(EngineDied(V3, Cause.MUTE)).expects().on(EngineDied(V2, Cause.MUTE)).expects()
    assert [one.deaths for one in good.kept.chain] == [0, 0, 0]
    compiling = booted().on(Offered(V2, 2)).on(EngineDied(V2, Cause.MUTE)).expects()
    compiling.on(Compiled(V2)).on(EngineDied(V2, Cause.MUTE)).expects()
    soaking(V3).on(EngineDied(V2, Cause.MUTE)).expects()


def test_a_child_that_dies_is_started_once_more_from_the_beginning() -> None:
    book = booted().on(Offered(V2, 2)).on(Compiled(V2)).on(EngineDied(V2, Cause.HUNG)).acts(Compile(V2))
    book.on(EngineDied(V2, Cause.HUNG)).acts(StopCandidate(V2), Forget(V2))
    assert book.reasons == [(V2, Reason.HUNG)]


def test_what_the_child_says_itself_refuses_at_once() -> None:
    book = booted().on(Offered(V2, 2)).on(CompileFailed(V2, "rules.yar:3:\n\x1b syntax"))
    book.acts(StopCandidate(V2), Forget(V2))
    assert book.reasons == [(V2, Reason.NOT_COMPILED)]
    assert book.kept.refused[0].text == "rules.yar:3: ? syntax"


@pytest.mark.parametrize("at", [lambda book: book, lambda book: book.on(Compiled(V2))], ids=["compiling", "shadow"])
def test_an_end_of_the_host_counts_against_the_trial(at: Callable[[Book], Book]) -> None:
    book = at(booted().on(Offered(V2, 2)))
    book = booted(book.kept, clean=False).acts(Run(BASE), Compile(V2))
    book = booted(book.kept, clean=False).acts(Run(BASE), Forget(V2))
    assert book.reasons == [(V2, Reason.HOST_CRASHED)]
    assert book.kept.baseline.deaths == 0


# --- 7 and 8: the way back --------------------------------------------------------------------------------------------


def test_a_good_release_is_refused_at_its_last_death_and_the_next_runs() -> None:
    book = booted(with_good(V3, V2))
    for _ in range(limits.RELEASE_DEATHS_MAX - 1):
        book.on(EngineDied(V3, Cause.GREW)).acts(Run(V3)).says(ReportKind.DIED)
    book.on(EngineDied(V3, Cause.GREW)).acts(Run(V2), Forget(V3))
    assert book.chain == [V2, BASE]
    assert book.reasons == [(V3, Reason.GREW)]


def test_the_way_back_ends_with_nothing_and_begins_again_after_a_long_calm() -> None:
    book = booted(with_good(V2))
    for number in range(2 * limits.RELEASE_DEATHS_MAX):
        running = V2 if number < limits.RELEASE_DEATHS_MAX else BASE
        book.on(EngineDied(running, Cause.CRASHED))
    book.acts(Idle()).says(ReportKind.DIED, ReportKind.IDLE)
    calm_ms = limits.FORGIVE_STEP_MS * limits.FORGIVE_STEPS
    book.wait(calm_ms - TICK).expects().wait(TICK).acts(Run(BASE))
    assert book.kept.arrival.how is How.RETURNED
    book.on(EngineDied(BASE, Cause.CRASHED)).acts(Idle())


def test_calm_forgives_one_death_at_a_time_over_restarts() -> None:
    book = booted(with_good(V2)).on(EngineDied(V2, Cause.CRASHED)).on(EngineDied(V2, Cause.CRASHED))
    for _ in range(limits.FORGIVE_STEPS - 1):
        book = booted(book.wait(limits.FORGIVE_STEP_MS).kept)
        assert book.kept.chain[0].deaths == 2
    book.wait(limits.FORGIVE_STEP_MS).says(ReportKind.FORGIVEN)
    assert book.kept.chain[0].deaths == 1
    assert book.kept.calm_steps == 0


def test_a_death_ends_the_calm() -> None:
    book = booted(with_good(V2)).on(EngineDied(V2, Cause.CRASHED)).wait(limits.FORGIVE_STEP_MS * 2)
    assert book.kept.calm_steps == 2
    assert book.on(EngineDied(V2, Cause.CRASHED)).kept.calm_steps == 0


def test_an_end_of_the_host_counts_against_what_ran() -> None:
    kept = with_good(V2)
    for _ in range(limits.RELEASE_DEATHS_MAX):
        assert kept.chain[0].release == V2
        kept = booted(kept, clean=False).kept
    assert [one.release for one in kept.chain] == [BASE]
    assert kept.refused[0].reason is Reason.HOST_CRASHED


def test_an_end_of_the_host_after_a_long_calm_counts_against_nobody() -> None:
    book = booted(with_good(V2)).wait(limits.STEADY_MS - TICK)
    assert book.kept == with_good(V2)
    book.wait(TICK)
    assert book.kept == with_good(V2, steady=True)
    booted(book.kept, clean=False).expects(Persist(with_good(V2)), Run(V2))
    booted(book.kept).expects(Persist(with_good(V2)), Run(V2))
    book.on(EngineDied(V2, Cause.CRASHED))
    assert not book.kept.steady


def test_but_against_a_trial_it_counts_whenever_it_comes() -> None:
    soaked = soaking(V3, with_good(V2)).wait(limits.SOAK_MS - TICK)
    compiled = booted(with_good(V2)).wait(limits.STEADY_MS).on(Offered(V3, 3))
    for book in (soaked, compiled):
        again = booted(book.kept, clean=False)
        assert again.kept.candidate is not None
        assert again.kept.candidate.attempts == 2
        assert again.kept.chain[0].deaths == 0


def test_an_end_of_the_host_while_nothing_ran_counts_against_nobody() -> None:
    assert booted(given_up(), clean=False).acts(Idle()).kept == given_up()


def test_the_chain_keeps_what_it_may_and_drops_the_oldest() -> None:
    kept = with_good(V4, V3, V2)
    assert len(kept.chain) == limits.GOOD_RELEASES_MAX
    book = good(V5, kept).acts(Forget(V2))
    assert book.chain == [V5, V4, V3, BASE]


def test_it_does_not_drop_the_pinned_one() -> None:
    book = booted(with_good(V4, V3)).on(Pinned(V2, "")).on(Offered(V2, 2, by_operator=True))
    book.on(Compiled(V2)).on(ShadowReport(V2, ENOUGH)).wait(limits.SHADOW_MS_MIN).wait(limits.SOAK_MS)
    assert book.chain == [V2, V4, V3, BASE]


def test_a_death_of_what_does_not_run_is_held_against_it() -> None:
    book = booted(with_good(V3, V2)).on(EngineDied(V2, Cause.CRASHED)).acts()
    assert [one.deaths for one in book.kept.chain] == [0, 1, 0]
    book.on(EngineDied(V5, Cause.CRASHED)).expects()


def test_a_burst_of_condemned_files_refuses_the_good_release() -> None:
    book = booted(with_good(V2)).on(BreakerTripped(V2, "8 old files")).acts(Run(BASE), Forget(V2))
    assert book.reasons == [(V2, Reason.BREAKER)]
    book.on(BreakerTripped(BASE, "8 old files")).expects()


def test_and_the_one_that_soaks() -> None:
    book = soaking(V2).on(BreakerTripped(V2, "")).acts(Run(BASE), Forget(V2))
    assert book.reasons == [(V2, Reason.BREAKER)]
