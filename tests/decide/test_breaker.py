"""The breaker: a release that condemns what the machine runs on is convicted; an attacker's files convict nobody."""

import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.decide.breaker import Breaker, Judgement, Tripped
from ringfence.model import limits
from ringfence.model.conviction import NOT_CONVICTED, Conviction

OLD_MAX = limits.BREAKER_OLD_FILES_MAX
WINDOW = limits.BREAKER_WINDOW_MS


def judged(inode: int, *, rule: int = 0, condemned: bool = True, vital: bool = False, old: bool = True) -> Judgement:
    return Judgement((1, inode), rule, condemned=condemned, vital=vital, older_than_release=old)


def first_trip(breaker: Breaker, judgements: list[Judgement], now_ms: int = 0) -> tuple[int, Tripped]:
    """How many judgements it took, and what they tripped; (0, NO) when nothing did."""
    for number, judgement in enumerate(judgements, start=1):
        tripped = breaker.judge(judgement, now_ms)
        if tripped is not Tripped.NO:
            return number, tripped
    return 0, Tripped.NO


def test_a_rule_that_matches_everything_is_stopped_within_eight_old_files() -> None:
    breaker = Breaker()
    assert first_trip(breaker, [judged(inode) for inode in range(100)]) == (OLD_MAX, Tripped.RELEASE)
    assert breaker.release_tripped
    assert breaker.spares(0)
    assert breaker.spares(12345)


def test_new_files_never_convict_a_release() -> None:
    breaker = Breaker()
    fresh = [judged(inode, rule=inode, old=False) for inode in range(5_000)]
    assert first_trip(breaker, fresh) == (0, Tripped.NO)


def test_an_attackers_fresh_files_of_one_rule_cost_that_rule_only() -> None:
    breaker = Breaker()
    fresh = [judged(inode, rule=4, old=False) for inode in range(5_000)]
    assert first_trip(breaker, fresh) == (limits.BREAKER_RULE_FILES_MAX, Tripped.RULE)
    assert breaker.spares(4)
    assert not breaker.spares(5)
    assert not breaker.release_tripped


def test_the_same_file_again_and_again_is_one_file() -> None:
    breaker = Breaker()
    assert first_trip(breaker, [judged(1)] * 1_000) == (0, Tripped.NO)
    assert first_trip(breaker, [judged(1, vital=True)] * 1_000) == (0, Tripped.NO)


def test_an_infected_tree_among_ten_thousand_clean_old_files_convicts_nobody() -> None:
    breaker = Breaker()
    tree = [judged(inode, rule=inode % 40, condemned=inode % 20 == 10) for inode in range(10_500)]
    assert first_trip(breaker, tree) == (0, Tripped.NO)


def test_an_infected_corner_read_last_convicts_nobody() -> None:
    breaker = Breaker()
    clean = [judged(inode, condemned=False) for inode in range(10_000)]
    infected = [judged(inode, rule=inode % 10) for inode in range(10_000, 10_500)]
    assert first_trip(breaker, clean + infected) == (0, Tripped.NO)


def test_ten_thousand_clean_files_first_do_not_blind_it() -> None:
    """A machine that starts reads many files within a minute: the rule that goes wrong after them is still seen."""
    breaker = Breaker()
    clean = [judged(inode, condemned=False) for inode in range(limits.BREAKER_FILES_TRACKED_MAX + 1_000)]
    assert first_trip(breaker, clean) == (0, Tripped.NO)
    bad = [judged(inode, rule=3) for inode in range(100_000, 101_000)]
    assert first_trip(breaker, bad) == (limits.BREAKER_RULE_FILES_MAX, Tripped.RULE)


def test_one_file_written_anew_for_ever_does_not_blind_it() -> None:
    """Nor does an attacker who rewrites one condemned file until the window is full."""
    breaker = Breaker()
    noise = [judged(1, rule=9, old=False)] * (limits.BREAKER_FILES_TRACKED_MAX + 10)
    assert first_trip(breaker, noise) == (0, Tripped.NO)
    assert first_trip(breaker, [judged(inode, rule=3) for inode in range(2, 100)]) == (OLD_MAX, Tripped.RELEASE)


def test_noise_of_new_files_does_not_push_clean_old_ones_out() -> None:
    breaker = Breaker()
    first_trip(breaker, [judged(inode, condemned=False) for inode in range(1_000)])
    first_trip(breaker, [judged(5_000 + n, rule=9, old=False) for n in range(limits.BREAKER_FILES_TRACKED_MAX)])
    assert first_trip(breaker, [judged(inode) for inode in range(2_000, 2_020)]) == (0, Tripped.NO)


def test_three_vital_files_convict() -> None:
    breaker = Breaker()
    vital = [judged(inode, vital=True, old=False) for inode in range(limits.BREAKER_VITAL_FILES_MAX)]
    assert first_trip(breaker, vital) == (limits.BREAKER_VITAL_FILES_MAX, Tripped.RELEASE)


def test_the_window_forgets() -> None:
    breaker = Breaker()
    for number in range(10 * OLD_MAX):
        now_ms = number * (WINDOW // (OLD_MAX - 1) + 1)
        assert breaker.judge(judged(number), now_ms) is Tripped.NO


def test_old_bad_files_at_a_quiet_moment_convict_nobody() -> None:
    """Clean files are judged once and then are silent: they count although it was long ago."""
    breaker = Breaker()
    for inode in range(100, 200):
        breaker.judged_clean((1, inode), 0)
    assert first_trip(breaker, [judged(inode) for inode in range(30)], now_ms=50 * WINDOW) == (0, Tripped.NO)


def test_a_conviction_stands_until_it_is_reset() -> None:
    breaker = Breaker()
    first_trip(breaker, [judged(inode) for inode in range(OLD_MAX)])
    assert breaker.judge(judged(1, condemned=False), 100 * WINDOW) is Tripped.NO
    assert breaker.spares(1)
    breaker.reset()
    assert not breaker.spares(1)
    assert breaker.judge(judged(999), 100 * WINDOW) is Tripped.NO


def test_what_another_gate_has_tripped_holds_and_closes_with_the_same_word() -> None:
    breaker = Breaker()
    breaker.restore(Conviction(rules=frozenset({4})))
    assert breaker.spares(4)
    assert not breaker.spares(5)
    breaker.restore(Conviction(whole_release=True))
    breaker.restore(NOT_CONVICTED)
    assert breaker.spares(5), "nothing that is told closes a breaker"
    assert breaker.judge(judged(1, vital=True), 0) is Tripped.NO
    breaker.reset()
    assert not breaker.spares(4)


def test_it_tells_each_trip_once() -> None:
    breaker = Breaker()
    told = [breaker.judge(judged(inode), 0) for inode in range(100)]
    assert told.count(Tripped.RELEASE) == 1
    assert told.count(Tripped.RULE) == 0


JUDGEMENTS = st.lists(
    st.tuples(
        st.builds(
            Judgement,
            key=st.tuples(st.just(1), st.integers(0, 60)),
            rule=st.integers(0, 3),
            condemned=st.booleans(),
            vital=st.just(value=False),
            older_than_release=st.booleans(),
        ),
        st.integers(0, WINDOW // 4),
    ),
    max_size=200,
)


@given(judgements=JUDGEMENTS)
def test_only_enough_distinct_old_files_ever_convict(judgements: list[tuple[Judgement, int]]) -> None:
    breaker = Breaker()
    now = 0
    seen: list[tuple[int, Judgement]] = []
    for judgement, wait in judgements:
        now += wait
        seen.append((now, judgement))
        if breaker.judge(judgement, now) is Tripped.RELEASE:
            recent = [one for at, one in seen if at >= now - WINDOW and one.older_than_release]
            condemned = {one.key for one in recent if one.condemned}
            assert len(condemned) >= OLD_MAX
            assert 100 * len(condemned) >= limits.BREAKER_OLD_SHARE_PERCENT * len({one.key for one in recent})


@given(judgements=JUDGEMENTS)
def test_without_a_condemned_old_file_nothing_convicts(judgements: list[tuple[Judgement, int]]) -> None:
    breaker = Breaker()
    now = 0
    for judgement, wait in judgements:
        now += wait
        if not (judgement.condemned and judgement.older_than_release):
            assert breaker.judge(judgement, now) is not Tripped.RELEASE


def test_many_threads_may_note_clean_files_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate's threads do so without a lock: the table stays bounded and none of them fails."""
    monkeypatch.setattr(limits, "BREAKER_FILES_TRACKED_MAX", 3)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    breaker = Breaker()
    failures: list[BaseException] = []

    def note(seed: int) -> None:
        try:
            for number in range(3_000):
                breaker.judged_clean((seed, number % 50), number)
                if number % 7 == 0:
                    breaker._old.forget_before(number - 2)
        except BaseException as failure:  # noqa: BLE001 - whatever it is, it would have ended the gate
            failures.append(failure)

    threads = [threading.Thread(target=note, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert failures == []
    assert len(breaker._old) <= 3 + len(threads)
