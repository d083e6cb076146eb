"""The table of clean SHA-256 digests that the gate writes and the scanners read.

A memory file of `KNOWN_HASH_SLOTS` direct-mapped slots of 32 bytes.  Only clean, deep verdicts get in; a new release
gets a new, empty table.  Scanners hold it read-only, so that a scanner that a hostile file has taken over cannot vouch
for other files by itself; it can only lie about the digest of the file in its hand.
"""

import mmap
import os
from typing import Final

from ringfence.model.limits import KNOWN_HASH_SLOTS

DIGEST_BYTES: Final = 32
TABLE_BYTES: Final = KNOWN_HASH_SLOTS * DIGEST_BYTES
_EMPTY: Final = bytes(DIGEST_BYTES)


def create() -> tuple[int, int]:
    """A new table: (descriptor to write, descriptor that can only read)."""
    writable = os.memfd_create("ringfence-known", os.MFD_CLOEXEC)
    os.ftruncate(writable, TABLE_BYTES)
    readable = os.open(f"/proc/self/fd/{writable}", os.O_RDONLY | os.O_CLOEXEC)
    return writable, readable


class KnownTable:
    """One mapping of the table."""

    def __init__(self, descriptor: int, *, writable: bool) -> None:
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        # populated at once: a page fault in the middle of a question costs more than the whole look-up
        self._slots = mmap.mmap(descriptor, TABLE_BYTES, mmap.MAP_SHARED | mmap.MAP_POPULATE, protection)

    def holds(self, digest: bytes) -> bool:
        """Whether the digest is known to be clean under the active release."""
        at = _slot(digest)
        return self._slots[at : at + DIGEST_BYTES] == digest != _EMPTY

    def add(self, digest: bytes) -> None:
        """Remember a clean digest; it may push another one out."""
        at = _slot(digest)
        self._slots[at : at + DIGEST_BYTES] = digest

    def close(self) -> None:
        """Unmap."""
        self._slots.close()


def _slot(digest: bytes) -> int:
    return int.from_bytes(digest[:4], "little") % KNOWN_HASH_SLOTS * DIGEST_BYTES
