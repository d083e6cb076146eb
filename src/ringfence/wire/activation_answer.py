"""The warden's answer to `ringfence host why` and its kin: what is not on the disk, and the record that is.

The record travels as the bytes that `wire/activation_record.py` wrote, so that a command that finds no warden reads the
same from the disk.
"""

import struct
from dataclasses import dataclass
from typing import Final

from ringfence.model.errors import FrameRefused
from ringfence.model.limits import FAILURE_BYTES_MAX, FRAME_BODY_BYTES_MAX
from ringfence.wire.catalogue import SHADOW_COUNTERS, SHADOW_PATH_BYTES
from ringfence.wire.fields import require

_HEAD: Final = struct.Struct(f">BBBxHQQ{len(SHADOW_COUNTERS)}Q{SHADOW_PATH_BYTES}s")
"""1 when the record cannot be written, 1 when the boot guard has switched the sensor off, 1 when what runs answers,
bytes of the error, milliseconds of the candidate in its stage, files found damaged, counts of the shadow, path of its
worst new block."""


@dataclass(frozen=True, slots=True)
class ActivationAnswer:
    """What the running warden adds to its record."""

    error: bytes
    """Why what was wanted is not done, as in a FAILED frame; b"": it is."""

    unkept: bool
    off: bool
    ready: bool
    """What runs answers the kernel's questions."""

    stage_ms: int
    damaged: int
    counts: tuple[int, ...]
    """In the order of `SHADOW_COUNTERS`."""

    worst_path: bytes
    record: bytes


def encode_activation_answer(answer: ActivationAnswer) -> bytes:
    """The body of an `ACTIVATION_ANSWER` frame."""
    error = answer.error[:FAILURE_BYTES_MAX]
    head = _HEAD.pack(
        answer.unkept, answer.off, answer.ready, len(error), answer.stage_ms, answer.damaged, *answer.counts,
        answer.worst_path,
    )
    body = head + error + answer.record
    require(len(body) <= FRAME_BODY_BYTES_MAX, f"an answer of {len(body)} bytes")
    return body


def decode_activation_answer(body: bytes) -> ActivationAnswer:
    """The answer in `body`.  Raises FrameRefused."""
    if len(body) < _HEAD.size:
        raise FrameRefused(f"an answer of {len(body)} bytes", "look whether warden and command are of one version")
    unkept, off, ready, length, stage_ms, damaged, *counts, path = _HEAD.unpack_from(body)
    require(max(unkept, off, ready) <= 1, "a flag that is neither 0 nor 1")
    require(length <= min(FAILURE_BYTES_MAX, len(body) - _HEAD.size), "an error that is longer than the answer")
    begin = _HEAD.size + length
    return ActivationAnswer(
        error=body[_HEAD.size : begin],
        unkept=bool(unkept),
        off=bool(off),
        ready=bool(ready),
        stage_ms=stage_ms,
        damaged=damaged,
        counts=tuple(counts),
        worst_path=path.rstrip(b"\0"),
        record=body[begin:],
    )
