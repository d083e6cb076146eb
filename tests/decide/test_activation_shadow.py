"""What the counts of a shadow say, at their edges; `test_activation.py` has what follows from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.decide.activation_messages import ShadowCounts
from ringfence.decide.activation_shadow import compared_of, harm_of, is_enough
from ringfence.model import limits
from ringfence.model.activation import Reason, printable

NUMBERS = st.integers(0, 10**6)
COUNTS = st.builds(ShadowCounts, *[NUMBERS] * 11)


def test_nothing_seen_is_neither_harm_nor_enough() -> None:
    assert harm_of(ShadowCounts()) is None
    assert not is_enough(ShadowCounts(), limits.SHADOW_MS_MAX)


@pytest.mark.parametrize(
    ("questions", "shadow_ms", "enough"),
    [
        (limits.SHADOW_QUESTIONS_MIN, limits.SHADOW_MS_MIN, True),
        (limits.SHADOW_QUESTIONS_MIN - 1, limits.SHADOW_MS_MIN, False),
        (limits.SHADOW_QUESTIONS_MIN, limits.SHADOW_MS_MIN - 1, False),
    ],
)
def test_both_time_and_comparisons_are_needed(questions: int, shadow_ms: int, *, enough: bool) -> None:
    assert is_enough(ShadowCounts(questions=questions), shadow_ms) is enough


@given(counts=COUNTS)
def test_every_harm_has_words_that_a_record_may_hold(counts: ShadowCounts) -> None:
    harm = harm_of(counts)
    assert harm is None or (harm[1] and printable(harm[1]) == harm[1])
    assert compared_of(counts) == counts.questions + counts.replayed


@given(counts=COUNTS)
def test_a_block_of_a_vital_file_outweighs_everything(counts: ShadowCounts) -> None:
    harm = harm_of(counts)
    assert (harm is not None and harm[0] is Reason.BLOCKED_VITAL) is (counts.vital_blocks > 0)
