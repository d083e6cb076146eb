"""Refusals are counted per key, within a window, and in bounded memory."""

from ringfence.control.refusal_limit import RefusalLimit
from ringfence.model.limits import REFUSAL_KEYS_MAX


def test_a_key_is_refused_after_its_share_and_again_welcome_after_the_window() -> None:
    limit = RefusalLimit(most=2, window_ms=100)
    for now in (0, 10):
        assert not limit.is_exceeded("a", now)
        limit.count("a", now)
    assert [limit.is_exceeded("a", now) for now in (20, 99, 100)] == [True, True, False]
    assert not limit.is_exceeded("b", 20)


def test_memory_is_bounded() -> None:
    limit = RefusalLimit(most=1, window_ms=100)
    for number in range(REFUSAL_KEYS_MAX + 1):
        limit.count(str(number), 0)
    assert not limit.is_exceeded("0", 0)
    assert limit.is_exceeded(str(REFUSAL_KEYS_MAX), 0)
    assert len(limit._refusals) == REFUSAL_KEYS_MAX
