"""What a prover remembers: results by the digest of everything that they depend on.

One file to which lines are appended: a checksum, a key, a value.

1. A line is written at once and whole, so that what was done before a kill -9 is not done again; after a power cut at
   most the last lines are missing.
2. A line that is damaged, cut off or too long is as if it were not there.  Of two with one key the later counts.
3. Nothing is trusted for its place: a key is a digest over rule, inputs, engine and limits (`key_of`), and the values
   are checked by whoever asked for them.  A value only ever saves work: it is the author's own earlier result.
4. A cache that cannot be read or written, and one over `PROOF_CACHE_BYTES_MAX`, begins anew or is not used; a proof
   never fails for it.
"""

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import Final, Self

from ringfence.model.errors import ContentRefused
from ringfence.model.limits import PROOF_CACHE_BYTES_MAX, PROOF_CACHE_LINE_BYTES_MAX
from ringfence.wire import canonical
from ringfence.wire.canonical import JsonValue

FILE_NAME: Final = "results"
CHECKSUM_CHARACTERS: Final = 16


def key_of(*parts: str) -> str:
    """A key over these parts, in this order."""
    return hashlib.sha256("\n".join(parts).encode(errors="surrogatepass")).hexdigest()[:32]


class ProofCache:
    """Remembered results.  Use as a context manager; without a directory it remembers nothing."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._values: dict[str, bytes] = {}
        self._file: int | None = None
        self.damaged = 0
        """Lines that could not be believed."""

    def __enter__(self) -> Self:
        """Read what is there."""
        if self._directory is None:
            return self
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            path = self._directory / FILE_NAME
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(path, flags, 0o600)
            if os.fstat(self._file).st_size > PROOF_CACHE_BYTES_MAX:
                os.ftruncate(self._file, 0)
            self._read(path.read_bytes())
        except OSError:
            self._close()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the disk have what was written."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.fdatasync(self._file)
        self._close()

    @property
    def usable(self) -> bool:
        """Whether results are kept at all."""
        return self._file is not None

    def get(self, key: str) -> JsonValue:
        """The value under `key`, or None."""
        line = self._values.get(key)
        return None if line is None else _decoded(line)

    def put(self, key: str, value: JsonValue) -> None:
        """Remember `value`."""
        body = canonical.encode({"key": key, "value": value})
        if len(body) > PROOF_CACHE_LINE_BYTES_MAX:
            return
        self._values[key] = body
        if self._file is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX)
                os.write(self._file, _checksum(body) + b" " + body + b"\n")
                fcntl.flock(self._file, fcntl.LOCK_UN)
            except OSError:
                self._close()

    def _read(self, data: bytes) -> None:
        if data and not data.endswith(b"\n") and self._file is not None:
            os.write(self._file, b"\n")  # whoever was killed in the middle of a line must not spoil the next one
        for line in data.split(b"\n"):
            checksum, _, body = line.partition(b" ")
            if not line:
                continue
            if len(body) > PROOF_CACHE_LINE_BYTES_MAX or checksum != _checksum(body):
                self.damaged += 1
            elif body.startswith(b'{"key":"') and len(body) > _KEY.stop:
                self._values[body[_KEY].decode("ascii", "replace")] = body

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file = None


_KEY: Final = slice(len('{"key":"'), len('{"key":"') + 32)


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:CHECKSUM_CHARACTERS].encode()


def _decoded(line: bytes) -> JsonValue:
    try:
        value = canonical.decode(line, file="the cache", bytes_max=PROOF_CACHE_LINE_BYTES_MAX)
    except ContentRefused:
        return None
    return value["value"] if isinstance(value, dict) and "value" in value else None
