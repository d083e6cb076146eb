"""Frames between a prover and its workers.

Documents and files travel as memory files beside the frames; see `author/proof_tasks.py` for what is in them.  The
protocol is the same in every build that can be an older engine of a proof: a change needs a new number for START.
"""

import struct
from collections.abc import Sequence
from typing import Final

from ringfence.model.limits import DEMAND_TEXT_BYTES_MAX
from ringfence.wire.demand import decode_failed, encode_failed
from ringfence.wire.fields import Reader, joined, require, string

PROOF_START: Final = 75
"""With the release, and the programs to be probes."""

PROOF_READY: Final = 76
PROOF_TASK: Final = 77
"""With the task, and its files where it has some."""

PROOF_ANSWER: Final = 78
"""With the answer."""

PROOF_FAILED: Final = 79

_LENGTH: Final = struct.Struct(">Q")

__all__ = [
    "PROOF_ANSWER",
    "PROOF_FAILED",
    "PROOF_READY",
    "PROOF_START",
    "PROOF_TASK",
    "decode_failed",
    "decode_parts",
    "decode_ready",
    "encode_failed",
    "encode_parts",
    "encode_ready",
]


def encode_ready(build: str, engine_version: str, contract_sha256: str) -> bytes:
    """The body of a `PROOF_READY` frame."""
    return joined([part for text in (build, engine_version, contract_sha256) for part in string(text.encode())])


def decode_ready(body: bytes) -> tuple[str, str, str]:
    """Build, version of the engine and digest of the contract in `body`.  Raises FrameRefused."""
    reader = Reader(body)
    build, version, digest = (
        reader.string(DEMAND_TEXT_BYTES_MAX).decode("ascii", "backslashreplace") for _ in range(3)
    )
    reader.end()
    return build, version, digest


def encode_parts(parts: Sequence[bytes]) -> bytes:
    """Several byte strings as one, each behind its length."""
    return b"".join(piece for part in parts for piece in (_LENGTH.pack(len(part)), part))


def decode_parts(data: bytes) -> tuple[bytes, ...]:
    """The byte strings in `data`.  Raises FrameRefused."""
    parts = []
    offset = 0
    while offset < len(data):
        require(offset + _LENGTH.size <= len(data), "a part without its length")
        (length,) = _LENGTH.unpack_from(data, offset)
        offset += _LENGTH.size
        require(length <= len(data) - offset, "a part that is longer than what is there")
        parts.append(data[offset : offset + length])
        offset += length
    return tuple(parts)
