"""A channel's document: which releases it may get."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.errors import SignatureRefused
from ringfence.model.limits import SIGNED_RELEASES_RECORDS_MAX
from ringfence.wire import canonical
from ringfence.wire.rollout import Rollout, RolloutEntry, decode_rollout, encode_rollout

STABLE = Rollout("stable", (RolloutEntry("ab" * 32, 3), RolloutEntry("cd" * 32, 4)))


def test_a_rollout_comes_back_as_it_was_and_knows_its_newest() -> None:
    assert decode_rollout(encode_rollout(STABLE), channel="stable") == STABLE
    assert STABLE.newest == RolloutEntry("cd" * 32, 4)
    assert Rollout("stable", ()).newest is None


def test_a_rollout_of_another_channel_is_refused() -> None:
    with pytest.raises(SignatureRefused, match=r"rollouts/canary\.json:/channel"):
        decode_rollout(encode_rollout(STABLE), channel="canary")


@pytest.mark.parametrize(
    ("releases", "place"),
    [
        ([{"sha256": "ab" * 32, "version": 3}, {"sha256": "cd" * 32, "version": 3}], "/releases/1/version"),
        ([{"sha256": "ab" * 32, "version": 3}, {"sha256": "cd" * 32, "version": 2}], "/releases/1/version"),
        ([{"sha256": "AB" * 32, "version": 3}], "/releases/0/sha256"),
        ([{"sha256": "ab" * 32, "version": 0}], "/releases/0/version"),
        ([{"sha256": "ab" * 32}], "/releases/0"),
        ([{"sha256": "ab" * 32, "version": n + 1} for n in range(SIGNED_RELEASES_RECORDS_MAX + 1)], "/releases"),
        ("all", "/releases"),
    ],
)
def test_what_is_off_is_refused_with_its_place(releases: object, place: str) -> None:
    data = canonical.encode({"channel": "stable", "format": 1, "releases": releases})  # type: ignore[dict-item]
    with pytest.raises(SignatureRefused) as refused:
        decode_rollout(data, channel="stable")
    assert place in refused.value.what


@given(st.integers(0, 1_000), st.integers(0, 255))
def test_no_changed_byte_gives_another_spelling(at: int, byte: int) -> None:
    data = bytearray(encode_rollout(STABLE))
    data[at % len(data)] = byte
    try:
        found = decode_rollout(bytes(data), channel="stable")
    except SignatureRefused:
        return
    assert encode_rollout(found) == bytes(data)
