"""A disk that forgets what was not synced, tears what was being written, is full at times, and flips bits on demand.

Fair game, because real disks do it: at a loss of power any prefix of the bytes written since the last sync survives,
and any of those bytes may be another; a sync may fail, and what was written before it is then gone.  Not fair: losing
or changing synced bytes, unless a test asks for flipped bits.
"""

import random
from dataclasses import dataclass, field

from ringfence.model.errors import DiskFull


class Crash(BaseException):
    """The process has died at this very operation.  A BaseException: nothing of ours may catch it."""


@dataclass(slots=True)
class _File:
    data: bytes
    synced_bytes: int


@dataclass(slots=True)
class SimulatedStorage:
    """The `Storage` of `host/durable.py` in memory."""

    random: random.Random
    full: bool = False
    fuse: int = -1
    """Operations until the process dies; below zero: it lives."""

    files: dict[str, _File] = field(default_factory=dict)
    damaged: bool = False
    """Whether a bit of synced data was ever flipped."""

    torn: bool = False
    """Whether unsynced bytes were ever changed."""

    def names(self) -> tuple[str, ...]:
        """The files, in the order of their names."""
        return tuple(sorted(self.files))

    def read(self, name: str, offset: int = 0) -> bytes:
        """The bytes of a file from `offset` to its end."""
        return self.files[name].data[offset:] if name in self.files else b""

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a file."""
        file = self.files[name]
        if self._burns():
            file.data += data[: self.random.randrange(len(data) + 1)]
            raise Crash
        self._write()
        file.data += data

    def sync(self, name: str) -> None:
        """Make a file certain, or take back what was appended."""
        file = self.files[name]
        if self._burns():
            raise Crash
        if self.full and self.random.random() < 0.5 and file.synced_bytes < len(file.data):
            file.data = file.data[: file.synced_bytes]
            raise DiskFull("sync failed", "wait")
        file.synced_bytes = len(file.data)

    def replace(self, name: str, data: bytes) -> None:
        """Make a file that holds exactly `data`: the old or the new, whenever the process dies."""
        burns = self._burns()
        if burns and self.random.random() < 0.5:
            raise Crash
        self._write()
        self.files[name] = _File(data, len(data))
        if burns:
            raise Crash

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self._burns():
            raise Crash
        self.files.pop(name, None)

    def lose_power(self) -> None:
        """Keep what was synced; of the rest a prefix, perhaps with other bytes."""
        for file in self.files.values():
            rest = bytearray(file.data[file.synced_bytes :])
            del rest[self.random.randrange(len(rest) + 1) :]
            if rest and self.random.random() < 0.3:
                self.torn = True
                start = self.random.randrange(len(rest))
                rest[start:] = bytes(len(rest) - start)
            file.data = file.data[: file.synced_bytes] + bytes(rest)
            file.synced_bytes = len(file.data)

    def flip_a_bit(self) -> None:
        """Change one bit of some file."""
        name = self.random.choice(sorted(self.files))
        data = bytearray(self.files[name].data)
        if data:
            data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            self.files[name].data = bytes(data)
            self.damaged = True

    def _write(self) -> None:
        if self.full:
            raise DiskFull("no space", "wait")

    def _burns(self) -> bool:
        self.fuse -= 1
        return self.fuse == -1
