"""Patches between releases: small, exact, bounded, and refused when they are hostile."""

import random

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.synthetic_pack import release_of, synthetic_rules

from ringfence.model import limits
from ringfence.model.errors import ContentRefused
from ringfence.wire.patch import apply_patch, make_patch, packed, tar_of, zstd_version
from ringfence.wire.release import COMPRESSION_LEVEL, decode_release

YESTERDAY = synthetic_rules(6_000, seed=1)
OLD = release_of(YESTERDAY, version=1)


def test_a_daily_change_is_less_than_a_hundredth_of_the_whole() -> None:
    """Nine rules of thousands change: three new, three other, three gone."""
    chance = random.Random(2)
    today = list(YESTERDAY)
    for place in chance.sample(range(len(today)), 3):
        today[place] = synthetic_rules(1, seed=1_000 + place, first=place)[0]
    for place in sorted(chance.sample(range(len(today)), 3), reverse=True):
        del today[place]
    today += synthetic_rules(3, seed=3, first=90_000)
    new = release_of(today, version=2)
    patch = make_patch(tar_of(OLD), tar_of(new))
    assert len(patch) <= len(new) // 100, f"{len(patch)} of {len(new)} bytes"
    tar = apply_patch(tar_of(OLD), patch, len(tar_of(new)))
    assert packed(tar, COMPRESSION_LEVEL) == new
    assert decode_release(new).manifest.version == 2


def test_a_release_is_packed_again_to_the_same_file() -> None:
    assert packed(tar_of(OLD), COMPRESSION_LEVEL) == OLD
    assert zstd_version().count(".") == 2


SMALL_OLD = bytes(range(256)) * 40
SMALL_NEW = SMALL_OLD[:5_000] + b"something new" + SMALL_OLD[5_000:]
PATCH = make_patch(SMALL_OLD, SMALL_NEW)


def test_a_patch_against_another_release_does_not_apply() -> None:
    with pytest.raises(ContentRefused, match="patch"):
        apply_patch(SMALL_OLD[1:] + b"!", PATCH, len(SMALL_NEW))


@pytest.mark.parametrize("size", [0, 1, len(SMALL_NEW) - 1, len(SMALL_NEW) + 1, limits.RELEASE_UNPACKED_BYTES_MAX + 1])
def test_a_patch_that_gives_another_length_than_was_signed_is_refused(size: int) -> None:
    with pytest.raises(ContentRefused, match="does not promise"):
        apply_patch(SMALL_OLD, PATCH, size)


def test_a_bomb_is_refused_before_it_unpacks() -> None:
    bomb = zstandard.ZstdCompressor(write_checksum=True).compress(bytes(200_000_000))
    with pytest.raises(ContentRefused, match="does not promise"):
        apply_patch(SMALL_OLD, bomb, len(SMALL_NEW))


def test_a_patch_over_its_bound_is_refused() -> None:
    with pytest.raises(ContentRefused, match="more than the"):
        apply_patch(SMALL_OLD, bytes(limits.PATCH_BYTES_MAX + 1), len(SMALL_NEW))


def test_a_frame_without_its_size_or_checksum_is_refused() -> None:
    for plain in (
        zstandard.ZstdCompressor(write_checksum=False).compress(SMALL_NEW),
        zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(SMALL_NEW),
    ):
        with pytest.raises(ContentRefused, match="does not promise"):
            apply_patch(SMALL_OLD, plain, len(SMALL_NEW))


@settings(max_examples=300)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_patch_gives_the_signed_bytes_or_nothing_of_another_length(at: int, byte: int) -> None:
    hostile = bytearray(PATCH)
    hostile[at % len(hostile)] = byte
    try:
        found = apply_patch(SMALL_OLD, bytes(hostile), len(SMALL_NEW))
    except ContentRefused:
        return
    assert len(found) == len(SMALL_NEW)


@given(st.binary(max_size=400))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(ContentRefused):
        apply_patch(SMALL_OLD, noise, len(SMALL_NEW))
    with pytest.raises(ContentRefused):
        tar_of(noise)
