"""The gate's memory of files: bounded, never wrong about a version, never unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.decide.verdict_cache import FileKey, FileLook, Remembered, VerdictCache
from ringfence.model.verdict import Outcome

ENTRIES_MAX = 8
KEYS = st.tuples(st.just(1), st.integers(0, 20))
LOOKS = st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 2))
KNOWN_OUTCOMES = st.sampled_from([Outcome.CLEAN, Outcome.SUSPICIOUS, Outcome.MALICIOUS])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("remember"), KEYS, LOOKS, KNOWN_OUTCOMES),
        st.tuples(st.just("recall"), KEYS, LOOKS, KNOWN_OUTCOMES),
        st.tuples(st.just("forget"), KEYS, LOOKS, KNOWN_OUTCOMES),
    ),
    max_size=120,
)


def remembered(look: FileLook = (1, 1, 1), outcome: Outcome = Outcome.CLEAN) -> Remembered:
    return Remembered(look, outcome, rule=7, deep=True)


def test_what_was_remembered_comes_back() -> None:
    cache = VerdictCache(ENTRIES_MAX)
    cache.remember((1, 2), remembered())
    assert cache.recall((1, 2), (1, 1, 1)) == remembered()
    assert cache.recall((1, 3), (1, 1, 1)) is None


@pytest.mark.parametrize("look", [(2, 1, 1), (1, 2, 1), (1, 1, 2)])
def test_another_version_of_the_file_is_not_known(look: FileLook) -> None:
    cache = VerdictCache(ENTRIES_MAX)
    cache.remember((1, 2), remembered((1, 1, 1)))
    assert cache.recall((1, 2), look) is None


def test_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(ValueError, match="never remembered"):
        VerdictCache(ENTRIES_MAX).remember((1, 2), remembered(outcome=Outcome.UNKNOWN))


def test_what_is_asked_again_survives_what_is_not() -> None:
    cache = VerdictCache(ENTRIES_MAX)
    cache.remember((1, 0), remembered())
    for inode in range(1, 100):
        cache.remember((1, inode), remembered())
        assert cache.recall((1, 0), (1, 1, 1)) is not None
    assert cache.recall((1, 1), (1, 1, 1)) is None


def test_clear_forgets_both_generations() -> None:
    cache = VerdictCache(ENTRIES_MAX)
    for inode in range(ENTRIES_MAX):
        cache.remember((1, inode), remembered())
    cache.clear()
    assert len(cache) == 0
    assert [cache.recall((1, inode), (1, 1, 1)) for inode in range(ENTRIES_MAX)] == [None] * ENTRIES_MAX


@given(acts=ACTS)
def test_it_is_bounded_and_answers_only_the_last_verdict_of_that_very_version(
    acts: list[tuple[str, FileKey, FileLook, Outcome]],
) -> None:
    cache = VerdictCache(ENTRIES_MAX)
    truth: dict[FileKey, Remembered] = {}
    for act, key, look, outcome in acts:
        if act == "remember":
            truth[key] = remembered(look, outcome)
            cache.remember(key, truth[key])
        elif act == "forget":
            truth.pop(key, None)
            cache.forget(key)
        else:
            known = cache.recall(key, look)
            assert known is None or (known == truth.get(key) and known.look == look)
        assert len(cache) <= ENTRIES_MAX


@given(entries_max=st.integers(0, 40), count=st.integers(0, 200))
def test_the_bound_holds_for_every_size(entries_max: int, count: int) -> None:
    cache = VerdictCache(entries_max)
    for inode in range(count):
        cache.remember((1, inode), remembered())
        assert len(cache) <= max(2, entries_max)
