"""An activation state that cannot exist cannot be made, and another package's baseline replaces the old one's."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ringfence.model import limits
from ringfence.model.activation import (
    ActivationState,
    Arrival,
    Candidate,
    Hold,
    How,
    Pin,
    Proven,
    Reason,
    Refusal,
    ReleaseKey,
    Stage,
    first_state,
    printable,
    rebased,
)
from ringfence.model.errors import InternalError


def key(number: int) -> ReleaseKey:
    return ReleaseKey(number, f"{number:064x}")


def proven(number: int, deaths: int = 0) -> Proven:
    return Proven(key(number), number, deaths, 5)


def tried(number: int, stage: Stage = Stage.COMPILING, *, owes_shadow: bool = True) -> Candidate:
    return Candidate(key(number), number, stage, 1, owes_shadow, by_operator=False, since_s=5)


def refusal(number: int) -> Refusal:
    return Refusal(key(number), number, Reason.CRASHED, "", 5)


FIRST = first_state(key(1), 5)
TWO = replace(FIRST, chain=(proven(2), *FIRST.chain), arrival=Arrival(key(2), How.TRIED, 5))

IMPOSSIBLE: list[Callable[[], object]] = [
    lambda: ReleaseKey(0, "0" * 64),
    lambda: ReleaseKey(limits.RELEASE_VERSION_MAX + 1, "0" * 64),
    lambda: ReleaseKey(1, "0" * 63),
    lambda: ReleaseKey(1, "A" * 64),
    lambda: Proven(key(1), -1, 0, 5),
    lambda: Proven(key(1), 0, limits.RELEASE_DEATHS_MAX + 1, 5),
    lambda: Proven(key(1), 0, 0, -1),
    lambda: replace(tried(2), attempts=0),
    lambda: replace(tried(2), attempts=limits.TRIAL_STARTS_MAX + 1),
    lambda: tried(2, Stage.SOAKING),
    lambda: tried(2, Stage.SHADOW, owes_shadow=False),
    lambda: Refusal(key(2), 2, Reason.CRASHED, "two\nlines", 5),
    lambda: Pin(key(2), "x" * (limits.ACTIVATION_TEXT_CHARACTERS_MAX + 1), 5),
    lambda: Hold("turned \u202e round", 5),
    lambda: Arrival(None, How.TRIED, 5),
    lambda: Arrival(key(2), How.GAVE_UP, 5),
    lambda: replace(FIRST, chain=()),
    lambda: replace(FIRST, chain=tuple(proven(n) for n in range(1, limits.GOOD_RELEASES_MAX + 2))),
    lambda: replace(FIRST, chain=(proven(1), *FIRST.chain)),
    lambda: replace(FIRST, refused=(refusal(1),)),
    lambda: replace(FIRST, refused=(refusal(2), refusal(2))),
    lambda: replace(FIRST, refused=tuple(refusal(n) for n in range(2, limits.REFUSED_RELEASES_MAX + 3))),
    lambda: replace(FIRST, candidate=tried(1)),
    lambda: replace(FIRST, candidate=tried(2), refused=(refusal(2),)),
    lambda: replace(FIRST, calm_steps=limits.FORGIVE_STEPS),
    lambda: replace(FIRST, forgotten_version=-1),
]


@pytest.mark.parametrize("number", range(len(IMPOSSIBLE)))
def test_what_cannot_be_cannot_be_made(number: int) -> None:
    with pytest.raises(InternalError):
        IMPOSSIBLE[number]()


def test_what_a_state_says() -> None:
    state = replace(TWO, candidate=tried(3), refused=(refusal(4),))
    assert state.baseline.release == key(1)
    assert state.find(key(2).sha256) == proven(2)
    assert state.find(key(3).sha256) is None
    assert state.refusal_of(key(4).sha256) == refusal(4)
    assert state.refusal_of(key(2).sha256) is None
    assert state.files == {key(2).sha256, key(3).sha256}
    assert key(2).label == "2 (000000000000)"


def test_the_same_package_changes_nothing() -> None:
    assert rebased(TWO, key(1), 9) is TWO


def test_another_package_brings_its_own_baseline() -> None:
    state = rebased(TWO, key(7), 9)
    assert [one.release for one in state.chain] == [key(2), key(7)]
    assert state.baseline.deaths == 0
    assert state.arrival == TWO.arrival
    assert rebased(FIRST, key(7), 9) == replace(first_state(key(7), 9), arrival=FIRST.arrival)


@pytest.mark.parametrize(
    "state",
    [
        TWO,
        replace(FIRST, refused=(refusal(2),)),
        replace(FIRST, candidate=tried(2)),
    ],
    ids=["was good", "was refused", "was tried"],
)
def test_whatever_was_known_of_the_new_baseline_is_forgotten(state: ActivationState) -> None:
    assert rebased(state, key(2), 9) == replace(first_state(key(2), 9), arrival=state.arrival)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("  two\n\twords ", "two words"),
        ("turned \u202e round", "turned ? round"),
        ("\x1b[31mred\x00", "?[31mred?"),
        ("\ud800", "?"),
        ("x" * 1_000, "x" * limits.ACTIVATION_TEXT_CHARACTERS_MAX),
    ],
)
def test_a_text_becomes_one_printable_line(text: str, line: str) -> None:
    assert printable(text) == line
    assert printable(line) == line
