"""The rules of the activation machine that concern people, disks and clocks, one script each.

Numbers in the headings are those of its docstring; `test_activation.py` has the others.
"""

from dataclasses import replace

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
    booted,
    given_up,
    key,
    soaking,
    with_good,
)

from ringfence.decide.activation import Activation, step
from ringfence.decide.activation_messages import (
    Booted,
    BreakerTripped,
    Cause,
    Compile,
    Compiled,
    CompileFailed,
    Damaged,
    EngineDied,
    EngineReady,
    Forget,
    Guard,
    Held,
    HoldLifted,
    Idle,
    Offered,
    Persist,
    PersistFailed,
    Pinned,
    ReportKind,
    Run,
    ShadowReport,
    StopCandidate,
    Tick,
    Unpinned,
)
from ringfence.decide.activation_trial import withdraw
from ringfence.decide.activation_turn import Turn
from ringfence.model import limits
from ringfence.model.activation import ActivationState, Arrival, How, Reason, Refusal, ReleaseKey
from ringfence.model.errors import InternalError


def refusing(*releases: ReleaseKey, **more: object) -> ActivationState:
    """What a host remembers that has refused these, each under metadata of its own version."""
    refusals = tuple(Refusal(one, one.version, Reason.CRASHED, "", WALL_S) for one in releases)
    return replace(with_good(), refused=refusals, **more)  # type: ignore[arg-type]


# --- 9: refusals ------------------------------------------------------------------------------------------------------


def test_what_is_refused_is_not_tried_again() -> None:
    book = booted(refusing(V2))
    for event in (Offered(V2, 2), Offered(V2, 1), Offered(V2, 0, by_operator=True), Offered(V2, 2, forced=True)):
        book.on(event).acts(Forget(V2)).says(ReportKind.DECLINED)


@pytest.mark.parametrize("event", [Offered(V2, 3), Offered(V2, 0, by_operator=True, forced=True)])
def test_unless_newer_metadata_vouches_for_it_or_the_operator_forces_it(event: Offered) -> None:
    book = booted(refusing(V2)).on(event).acts(Compile(V2))
    assert book.reasons == [(V2, Reason.CRASHED)]
    book.on(CompileFailed(V2, "again"))
    assert book.reasons == [(V2, Reason.NOT_COMPILED)]
    assert book.kept.refused[0].signed_version == max(event.signed_version, 2)


def test_force_is_no_newer_metadata() -> None:
    book = booted(refusing(V3)).on(Offered(V3, 0, by_operator=True, forced=True)).on(CompileFailed(V3, ""))
    book.on(Offered(V3, 3)).acts(Forget(V3)).says(ReportKind.DECLINED)


def test_the_refusal_stays_when_the_second_trial_ends_without_a_result_and_goes_when_it_ends_well() -> None:
    book = booted(refusing(V2)).on(Offered(V2, 3)).on(Held("later")).acts(StopCandidate(V2), Forget(V2))
    assert book.reasons == [(V2, Reason.CRASHED)]
    book = booted(refusing(V2)).on(Offered(V2, 3))
    book.on(Compiled(V2)).on(ShadowReport(V2, ENOUGH)).wait(limits.SHADOW_MS_MIN).wait(limits.SOAK_MS)
    assert book.reasons == []
    assert book.chain == [V2, BASE]


def test_the_oldest_refusal_becomes_a_rank() -> None:
    full = refusing(*(key(number) for number in range(2, limits.REFUSED_RELEASES_MAX + 2)))
    newest, next_one = key(900), key(901)
    book = booted(full).on(Offered(newest, 900)).on(CompileFailed(newest, ""))
    assert (book.kept.forgotten_version, book.kept.forgotten_signed_version) == (2, 2)
    assert len(book.kept.refused) == limits.REFUSED_RELEASES_MAX
    book.on(Offered(V2, 2)).says(ReportKind.DECLINED)
    book.on(Offered(V2, 0, by_operator=True)).says(ReportKind.DECLINED)
    book.on(Offered(V2, 3)).acts(Compile(V2)).on(CompileFailed(V2, ""))
    book.on(Offered(next_one, 1)).acts(Compile(next_one))
    booted(book.kept).on(Offered(ReleaseKey(2, "f" * 64), 2)).says(ReportKind.DECLINED)


def test_force_passes_the_rank() -> None:
    kept = replace(with_good(), forgotten_version=9, forgotten_signed_version=9)
    booted(kept).on(Offered(V2, 0, by_operator=True, forced=True)).acts(Compile(V2))


# --- 10: pin ----------------------------------------------------------------------------------------------------------


def test_the_pinned_release_runs_if_it_is_good_and_the_newest_again_afterwards() -> None:
    book = booted(with_good(V4, V3, V2)).on(Pinned(V2, "4 blocks the build")).acts(Run(V2))
    assert book.kept.pin is not None
    assert (book.kept.pin.text, book.kept.arrival.how) == ("4 blocks the build", How.PINNED)
    book.on(Unpinned()).acts(Run(V4))
    assert book.kept.arrival.how is How.UNPINNED
    assert book.chain == [V4, V3, V2, BASE]


def test_a_pin_to_the_baseline() -> None:
    booted(with_good(V3)).on(Pinned(BASE, "")).acts(Run(BASE)).on(Unpinned()).acts(Run(V3))


def test_until_the_pinned_one_is_good_the_first_that_is_not_newer_runs() -> None:
    book = booted(with_good(V5, V3)).on(Pinned(V4, "")).acts(Run(V3))
    book.on(Offered(V4, 4)).acts(Compile(V4)).on(Compiled(V4)).on(ShadowReport(V4, ENOUGH))
    book.wait(limits.SHADOW_MS_MIN).acts(Run(V4)).wait(limits.SOAK_MS)
    assert book.chain == [V4, V5, V3, BASE]
    book.on(Unpinned()).acts(Run(V5))


def test_and_the_baseline_if_all_are_newer() -> None:
    booted(with_good(V5)).on(Pinned(V4, "")).acts(Run(BASE))


def test_a_pin_keeps_others_out_the_operators_too() -> None:
    book = booted(with_good(V3)).on(Pinned(V3, "")).acts()
    for event in (Offered(V4, 4), Offered(V4, 0, by_operator=True), Offered(V4, 0, by_operator=True, forced=True)):
        book.on(event).acts(Forget(V4)).says(ReportKind.DECLINED)


def test_a_pin_ends_the_trial_of_another() -> None:
    booted(with_good(V3)).on(Offered(V4, 4)).on(Pinned(V3, "")).acts(StopCandidate(V4), Forget(V4))
    soaking(V4, with_good(V3)).on(Pinned(V3, "")).acts(Run(V3), Forget(V4))


def test_a_pin_to_what_is_tried_lets_it_go_on() -> None:
    book = soaking(V4).on(Pinned(V4, "")).acts()
    assert book.wait(limits.SOAK_MS).chain == [V4, BASE]


def test_the_way_back_of_a_pinned_release_leads_to_nothing_newer() -> None:
    book = booted(with_good(V5, V4, V3)).on(Pinned(V4, ""))
    for _ in range(limits.RELEASE_DEATHS_MAX):
        book.on(EngineDied(V4, Cause.CRASHED))
    book.acts(Run(V3), Forget(V4))
    assert book.kept.pin is not None


def test_what_is_refused_is_pinned_by_force_only() -> None:
    book = booted(refusing(V2)).on(Pinned(V2, "")).acts().says(ReportKind.DECLINED)
    assert book.kept.pin is None
    book.on(Pinned(V2, "I know", forced=True))
    assert book.reasons == []
    book.on(Offered(V2, 2)).acts(Compile(V2))


def test_what_is_tried_under_newer_metadata_may_be_pinned() -> None:
    book = booted(refusing(V2)).on(Offered(V2, 3)).on(Pinned(V2, "")).acts()
    assert book.kept.pin is not None
    assert book.reasons == [(V2, Reason.CRASHED)]


def test_taking_the_pin_back_ends_the_trial_of_what_is_old() -> None:
    book = booted(with_good(V5)).on(Pinned(V4, "")).on(Offered(V4, 4)).on(Unpinned())
    book.acts(StopCandidate(V4), Run(V5), Forget(V4))
    book = booted(with_good(V5)).on(Pinned(V4, "")).on(Offered(V4, 4, by_operator=True)).on(Unpinned())
    book.acts(Run(V5))


# --- 11: hold ---------------------------------------------------------------------------------------------------------


def test_a_hold_keeps_new_releases_out_except_the_operators() -> None:
    book = booted().on(Held("audit week")).acts()
    assert book.kept.hold is not None
    book.on(Offered(V2, 2)).acts(Forget(V2)).says(ReportKind.DECLINED)
    book.on(Offered(V2, 0, by_operator=True)).acts(Compile(V2))
    book.on(CompileFailed(V2, "")).on(HoldLifted()).on(Offered(V3, 3)).acts(Compile(V3))


def test_a_hold_ends_a_trial_but_no_soak() -> None:
    booted().on(Offered(V2, 2)).on(Held("")).acts(StopCandidate(V2), Forget(V2)).says(ReportKind.WITHDRAWN)
    booted().on(Offered(V2, 2, by_operator=True)).on(Held("")).acts()
    book = soaking(V2).on(Held("")).acts()
    assert book.wait(limits.SOAK_MS).chain == [V2, BASE]


# --- 12: boot guard ---------------------------------------------------------------------------------------------------


def test_what_did_not_boot_is_refused() -> None:
    book = booted(with_good(V3, V2), guard=Guard.PREVIOUS).acts(Run(V2), Forget(V3))
    assert book.reasons == [(V3, Reason.BOOT_FAILED)]
    assert book.kept.arrival.how is How.GUARDED


def test_a_candidate_that_did_not_boot_is_refused_and_the_good_one_is_not() -> None:
    book = booted(soaking(V3, with_good(V2)).kept, guard=Guard.PREVIOUS, clean=False).acts(Run(V2), Forget(V3))
    assert book.reasons == [(V3, Reason.BOOT_FAILED)]
    assert [one.deaths for one in book.kept.chain] == [0, 0]


def test_one_that_was_refused_for_the_same_end_does_not_drag_the_next_along() -> None:
    dying = replace(with_good(V3, V2))
    dying = replace(dying, chain=(replace(dying.chain[0], deaths=limits.RELEASE_DEATHS_MAX - 1), *dying.chain[1:]))
    book = booted(dying, guard=Guard.PREVIOUS, clean=False).acts(Run(V2), Forget(V3))
    assert book.chain == [V2, BASE]


def test_the_guard_counts_once_in_a_boot() -> None:
    booted(with_good(V3, V2), guard=Guard.PREVIOUS, begun=False).acts(Run(V3))


def test_only_the_baseline() -> None:
    book = booted(soaking(V4, with_good(V3, V2)).kept, guard=Guard.BASELINE, clean=False)
    book.acts(Run(BASE), Forget(V3), Forget(V2), Forget(V4))
    assert book.chain == [BASE]
    assert book.reasons == [(V4, Reason.BOOT_FAILED)]


def test_the_baseline_is_not_refused_for_a_boot() -> None:
    for guard in (Guard.PREVIOUS, Guard.BASELINE):
        assert booted(guard=guard).acts(Run(BASE)).kept == with_good()


def test_switched_off() -> None:
    kept = booted(with_good(V2)).on(Offered(V3, 3)).kept
    book = booted(kept, guard=Guard.OFF, begun=False).acts(Idle(), Forget(V3))
    book.says(ReportKind.WITHDRAWN, ReportKind.IDLE)
    book.on(Offered(V3, 0, by_operator=True, forced=True)).acts(Forget(V3)).says(ReportKind.DECLINED)
    book.on(EngineDied(V2, Cause.CRASHED)).acts()
    book.wait(limits.FORGIVE_STEP_MS * limits.FORGIVE_STEPS).expects()
    assert book.kept.arrival == Arrival(None, How.SWITCHED_OFF, WALL_S)
    again = booted(book.kept).acts(Run(V2))
    assert again.kept.arrival.how is How.WITHDRAWN


# --- 13: no memory, no risks ------------------------------------------------------------------------------------------


def test_a_trial_that_cannot_be_written_down_does_not_begin() -> None:
    book = booted().on(Offered(V2, 2)).on(PersistFailed("no space"))
    book.acts(StopCandidate(V2), Forget(V2)).says(ReportKind.TRYING, ReportKind.NOT_KEPT, ReportKind.WITHDRAWN)
    book.on(Offered(V2, 2)).acts(Forget(V2)).says(ReportKind.DECLINED)


def test_the_record_is_written_again_and_then_all_is_as_before() -> None:
    book = booted().on(Offered(V2, 2)).on(PersistFailed("")).wait(limits.PERSIST_RETRY_MS)
    assert book.commands == (Persist(with_good()),)
    book.on(PersistFailed("")).says().wait(limits.PERSIST_RETRY_MS)
    assert book.commands == (Persist(with_good()),)
    book.on(Offered(V2, 2)).acts(Compile(V2))


def test_a_release_does_not_begin_to_soak_unwritten() -> None:
    book = booted(with_good(V2)).on(Offered(V3, 3)).on(Compiled(V3)).wait(limits.SHADOW_MS_MIN)
    book.on(ShadowReport(V3, ENOUGH)).acts(Run(V3))
    book.on(PersistFailed("")).acts(StopCandidate(V3), Run(V2))
    assert book.kept.candidate is None


def test_deaths_count_in_memory() -> None:
    book = booted(with_good(V2))
    for _ in range(limits.RELEASE_DEATHS_MAX - 1):
        book.on(EngineDied(V2, Cause.CRASHED)).on(PersistFailed("")).acts(Run(V2))
    book.on(EngineDied(V2, Cause.CRASHED)).on(PersistFailed("")).acts(Run(BASE))
    book.says(ReportKind.DIED, ReportKind.REFUSED, ReportKind.RUNS)
    assert book.reasons == [(V2, Reason.CRASHED)]
    book.wait(limits.PERSIST_RETRY_MS).acts(Forget(V2))


def test_a_file_that_the_record_on_the_disk_names_stays() -> None:
    book = booted(with_good(V2)).on(BreakerTripped(V2, "")).on(PersistFailed("")).acts(Run(BASE))
    book.on(Offered(V2, 9)).acts().says(ReportKind.DECLINED)


def test_a_file_that_was_to_go_with_a_step_that_the_disk_refused_goes_all_the_same() -> None:
    book = booted(with_good(V2), clean=False).on(PersistFailed("")).wait(limits.PERSIST_RETRY_MS)
    book.on(Offered(BASE, 1)).acts(Run(V2), Forget(BASE))
    book.on(PersistFailed("")).acts(Run(V2), Forget(BASE))


def test_after_an_end_that_cannot_be_written_down_only_the_baseline_runs_until_it_can() -> None:
    book = booted(with_good(V2), clean=False).acts(Run(V2)).on(PersistFailed("read-only")).acts(Run(BASE))
    assert book.kept.arrival == Arrival(BASE, How.CAUTIOUS, WALL_S)
    book.wait(limits.PERSIST_RETRY_MS).acts().on(PersistFailed("")).acts().wait(limits.PERSIST_RETRY_MS)
    book.on(Tick()).acts(Run(V2))
    assert book.kept.arrival.how is How.RETURNED


def test_caution_does_not_ask_how_long_it_was_calm() -> None:
    """A disk that cannot be written would keep saying so."""
    steady = replace(with_good(V2), steady=True)
    book = booted(steady, clean=False).on(PersistFailed("read-only")).acts(Run(BASE))
    assert book.kept.chain[0].deaths == 0


def test_a_later_failure_is_not_taken_for_that() -> None:
    book = booted(with_good(V2), clean=False).on(EngineReady(V2)).on(Held("")).on(PersistFailed("")).acts()
    assert book.state.runs == V2
    book = booted(given_up(), clean=False).on(Held("")).on(PersistFailed("")).acts()
    assert not book.state.cautious


def test_a_failure_that_nobody_waits_for_changes_nothing() -> None:
    book = booted(with_good(V2)).on(Tick())
    before = book.state
    assert book.on(PersistFailed("")).expects().state == before


# --- 14: lost files ---------------------------------------------------------------------------------------------------


def test_a_good_release_whose_file_is_lost_leaves_the_chain_unrefused() -> None:
    book = booted(with_good(V3, V2)).on(Damaged(V3)).acts(Run(V2), Forget(V3)).says(ReportKind.LOST, ReportKind.RUNS)
    assert (book.chain, book.reasons) == ([V2, BASE], [])
    book.on(Offered(V3, 3)).acts(Compile(V3))
    booted(with_good(V3, V2)).on(Damaged(V2)).acts(Forget(V2))


def test_a_candidate_whose_file_is_lost_is_not_refused() -> None:
    book = booted().on(Offered(V2, 2)).on(Damaged(V2)).acts(StopCandidate(V2), Forget(V2))
    book.says(ReportKind.LOST, ReportKind.WITHDRAWN)
    assert book.reasons == []
    soaking(V2).on(Damaged(V2)).acts(Run(BASE), Forget(V2))
    booted().on(Damaged(V5)).expects()


def test_without_its_baseline_a_host_runs_what_else_is_good_or_nothing() -> None:
    book = booted(with_good(V2)).on(Damaged(BASE)).acts().says(ReportKind.LOST)
    for _ in range(limits.RELEASE_DEATHS_MAX):
        book.on(EngineDied(V2, Cause.CRASHED))
    book.acts(Idle(), Forget(V2))
    booted(book.kept).acts(Run(BASE))


# --- 15 and 16: clocks, and somebody else -----------------------------------------------------------------------------


@pytest.mark.parametrize("jump_ms", [10**12, -(10**12)])
def test_a_clock_that_jumps_is_worth_one_look(jump_ms: int) -> None:
    book = soaking(V2).on(EngineReady(V2)).after(jump_ms).on(Tick()).expects()
    worth = max(0, min(jump_ms, TICK))
    book.wait(limits.SOAK_MS - TICK - worth).expects().wait(TICK).says(ReportKind.GOOD)


@pytest.mark.parametrize("wall_s", [-5, 0, 2**70])
def test_wall_time_is_only_written_down(wall_s: int) -> None:
    state, _ = step(Activation(with_good()), Booted(clean=True), 0, wall_s)
    state, commands = step(state, Offered(V2, 2), 0, wall_s)
    assert Compile(V2) in commands
    assert state.kept.candidate is not None
    assert state.kept.candidate.since_s == min(max(wall_s, 0), limits.JSON_INTEGER_MAX)


def test_who_is_killed_by_somebody_else_is_not_blamed() -> None:
    book = booted(with_good(V2)).on(EngineDied(V2, Cause.KILLED)).expects(Run(V2))
    book = soaking(V3).wait(limits.SOAK_MS - TICK).on(EngineDied(V3, Cause.KILLED)).expects(Run(V3))
    book.wait(limits.SOAK_MS - TICK).expects().wait(TICK).says(ReportKind.GOOD)
    assert book.kept.chain[0].deaths == 0


def test_a_child_that_somebody_else_killed_ends_the_trial_without_a_result() -> None:
    book = booted().on(Offered(V2, 2)).on(EngineDied(V2, Cause.KILLED)).acts(StopCandidate(V2), Forget(V2))
    assert book.reasons == []
    book.on(Offered(V2, 2)).says(ReportKind.DECLINED)


def test_a_trial_that_has_not_begun_cannot_end() -> None:
    with pytest.raises(InternalError):
        withdraw(Turn(Activation(with_good()), with_good(), WALL_S), "")
