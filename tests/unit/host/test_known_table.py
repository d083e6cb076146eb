"""The table of clean digests: one side writes, the other can only read, and a collision forgets instead of lying."""

import hashlib
import mmap
import os
from collections.abc import Iterator

import pytest

from ringfence.host import known_table
from ringfence.host.known_table import KnownTable
from ringfence.model.limits import KNOWN_HASH_SLOTS

DIGEST = hashlib.sha256(b"clean").digest()


@pytest.fixture
def descriptors() -> Iterator[tuple[int, int]]:
    """(to write, to read) of a new table."""
    pair = known_table.create()
    yield pair
    for descriptor in pair:
        os.close(descriptor)


def test_what_the_gate_adds_the_scanner_sees(descriptors: tuple[int, int]) -> None:
    gate = KnownTable(descriptors[0], writable=True)
    scanner = KnownTable(descriptors[1], writable=False)
    assert not scanner.holds(DIGEST)
    gate.add(DIGEST)
    assert scanner.holds(DIGEST)
    gate.close()
    scanner.close()


def test_a_scanner_cannot_write(descriptors: tuple[int, int]) -> None:
    scanner = KnownTable(descriptors[1], writable=False)
    with pytest.raises(TypeError):
        scanner.add(DIGEST)
    with pytest.raises(PermissionError):
        mmap.mmap(descriptors[1], known_table.TABLE_BYTES, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(descriptors[1], DIGEST)
    scanner.close()


def test_a_digest_in_the_same_slot_pushes_the_other_out(descriptors: tuple[int, int]) -> None:
    table = KnownTable(descriptors[0], writable=True)
    number = int.from_bytes(DIGEST[:4], "little")
    neighbour = ((number + KNOWN_HASH_SLOTS) % 2**32).to_bytes(4, "little") + bytes(28)
    table.add(DIGEST)
    assert not table.holds(neighbour)
    table.add(neighbour)
    assert (table.holds(DIGEST), table.holds(neighbour)) == (False, True)
    table.close()
