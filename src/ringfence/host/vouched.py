"""Digests that the package manager vouches for: a file with such content is never blocked by a rule (promise 8).

dpkg records MD5.  That is good enough here and nowhere else: to abuse it, an attacker would have to make malware whose
MD5 equals that of an *existing* package file, a second preimage, which nobody can do; collisions do not help.  Where
there is no dpkg database, nothing is vouched for and only the list in `host/vital.py` protects.
"""

import os
from bisect import bisect_left
from typing import Final

from ringfence.model.limits import VOUCHED_FILES_MAX

DPKG_INFO: Final = "/var/lib/dpkg/info"
DIGEST_BYTES: Final = 16


class VouchedDigests:
    """A sorted, packed table of MD5 digests: 16 bytes a file, shared by every scanner after the fork."""

    def __init__(self, digests: set[bytes]) -> None:
        self._packed = b"".join(sorted(digests))
        self._rows = range(len(digests))

    def __len__(self) -> int:
        """How many digests."""
        return len(self._rows)

    def holds(self, digest: bytes) -> bool:
        """Whether a package on this machine has a file with this MD5 digest (16 bytes)."""
        at = bisect_left(self._rows, digest, key=self._row)
        return at < len(self._rows) and self._row(at) == digest

    def _row(self, number: int) -> bytes:
        return self._packed[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]


def from_dpkg(directory: str = DPKG_INFO) -> VouchedDigests:
    """Every digest of every installed package.  Without a database the table is empty; malformed lines are ignored."""
    digests: set[bytes] = set()
    try:
        names = [entry.path for entry in os.scandir(directory) if entry.name.endswith(".md5sums")]
    except OSError:
        return VouchedDigests(digests)
    for name in names:
        if len(digests) >= VOUCHED_FILES_MAX:
            break
        try:
            with open(name, "rb") as file:
                _add(file.read(), digests)
        except OSError:
            continue
    return VouchedDigests(digests)


def _add(text: bytes, digests: set[bytes]) -> None:
    for line in text.splitlines():
        if len(line) > 2 * DIGEST_BYTES and line[32:33] == b" ":
            try:
                digests.add(bytes.fromhex(line[:32].decode("ascii")))
            except ValueError:
                continue
