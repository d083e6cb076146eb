"""`detect/file_type.py`: one class per file, decided by its first bytes alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.detect.file_type import CLASSIFY_HEAD_BYTES, CONTAINERS, MAGICS, FileClass, classify


@pytest.mark.parametrize(("magic", "kind"), MAGICS)
def test_every_magic_is_recognised_alone_and_followed_by_anything(magic: bytes, kind: FileClass) -> None:
    """The prefix decides, not what follows."""
    assert classify(magic) is kind
    assert classify(magic + b"\xff" * 1000) is kind


def test_no_magic_begins_with_another() -> None:
    """Otherwise the order of the table would decide, and a pack could miss its files."""
    for magic, _ in MAGICS:
        assert [other for other, _ in MAGICS if magic.startswith(other)] == [magic]


def test_tar_is_seen_at_its_offset_only() -> None:
    """`ustar` counts at offset 257."""
    assert classify(b"a" * 257 + b"ustar\x00" + b"0" * 249) is FileClass.TAR
    assert classify(b"a" * 256 + b"ustar\x00" + b"0" * 250) is FileClass.OTHER
    assert CLASSIFY_HEAD_BYTES >= 257 + 5


def test_empty_and_short_heads_are_other() -> None:
    """Nothing is read past the end."""
    assert classify(b"") is FileClass.OTHER
    assert classify(b"\x7fEL") is FileClass.OTHER


@given(st.binary(max_size=600), st.binary(max_size=64))
def test_the_head_is_enough(head: bytes, rest: bytes) -> None:
    """Classifying the head and the whole file is the same thing, and `ANY` is never an answer."""
    data = head + rest
    assert classify(data[:CLASSIFY_HEAD_BYTES]) is classify(data)
    assert classify(data) is not FileClass.ANY


def test_containers_are_what_archives_opens() -> None:
    """Program files and documents are no containers."""
    assert FileClass.ELF not in CONTAINERS
    assert FileClass.ZIP in CONTAINERS
