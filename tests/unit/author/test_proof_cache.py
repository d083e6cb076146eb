"""What a prover remembers survives kill -9, and nothing that is damaged is believed."""

import os
from pathlib import Path

import pytest

from ringfence.author.proof_cache import FILE_NAME, ProofCache, key_of
from ringfence.model.limits import PROOF_CACHE_BYTES_MAX
from ringfence.wire.canonical import JsonValue

VALUES: dict[str, JsonValue] = {
    key_of("one"): {"cpu_us": 12, "probe": "zeros"},
    key_of("two"): [1, "two", None],
    key_of("three"): True,
}


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A cache with three results."""
    with ProofCache(tmp_path) as cache:
        for key, value in VALUES.items():
            cache.put(key, value)
    return tmp_path


def remembered(directory: Path) -> dict[str, JsonValue]:
    """What another prover finds."""
    with ProofCache(directory) as cache:
        return {key: value for key in VALUES if (value := cache.get(key)) is not None}


def test_results_come_back(filled: Path) -> None:
    assert remembered(filled) == VALUES


def test_what_was_written_before_a_kill_is_there(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        cache = ProofCache(tmp_path)
        cache.__enter__()
        for key, value in VALUES.items():
            cache.put(key, value)
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert remembered(tmp_path) == VALUES


def test_the_later_of_two_results_counts(filled: Path) -> None:
    with ProofCache(filled) as cache:
        cache.put(key_of("one"), 7)
    assert remembered(filled)[key_of("one")] == 7


def test_no_flipped_bit_changes_a_result(filled: Path) -> None:
    file = filled / FILE_NAME
    whole = file.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x04
        file.write_bytes(bytes(damaged))
        found = remembered(filled)
        assert all(found[key] == VALUES[key] for key in found)
        assert len(found) >= len(VALUES) - 2


def test_a_torn_line_spoils_no_other(filled: Path) -> None:
    file = filled / FILE_NAME
    file.write_bytes(file.read_bytes()[:-20])
    with ProofCache(filled) as cache:
        assert cache.damaged == 1
        cache.put(key_of("four"), 4)
    with ProofCache(filled) as cache:
        assert cache.get(key_of("four")) == 4
        assert cache.get(key_of("one")) == VALUES[key_of("one")]
        assert cache.get(key_of("three")) is None


def test_a_cache_that_is_too_large_begins_anew(filled: Path) -> None:
    os.truncate(filled / FILE_NAME, PROOF_CACHE_BYTES_MAX + 1)
    assert remembered(filled) == {}
    assert (filled / FILE_NAME).stat().st_size == 0


def test_a_cache_that_cannot_be_used_is_none(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with ProofCache(tmp_path) as cache:
        assert not cache.usable
        cache.put(key_of("one"), 1)
        assert cache.get(key_of("one")) == 1
    with ProofCache(None) as cache:
        assert not cache.usable


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / FILE_NAME).symlink_to(target)
    with ProofCache(tmp_path / "cache") as cache:
        cache.put(key_of("one"), 1)
    assert target.read_text() == "precious"


def test_keys_are_of_all_their_parts_in_order() -> None:
    assert len({key_of("a", "b"), key_of("b", "a"), key_of("a"), key_of("a", "b", "c")}) == 4
