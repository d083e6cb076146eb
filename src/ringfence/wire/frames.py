"""The frame between processes: one `SOCK_SEQPACKET` message with a header and a body that is decoded exactly.

    version u16 | type u16 | length u32 | body (length bytes)          network byte order

Rules, in code order: the message is at least a header; the version is ours; the length is what is there, no byte more
or less; the type is in the catalogue (`wire/catalogue.py`).  Whoever breaks one is killed by its peer.
"""

import struct
from dataclasses import dataclass
from typing import Final

from ringfence.model.errors import FrameRefused
from ringfence.model.limits import FRAME_BODY_BYTES_MAX

FRAME_VERSION: Final = 1
HEADER: Final = struct.Struct(">HHI")
WAY_OUT: Final = "the process that sent it is replaced; if this repeats, report it with the host's events"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message: its type number in the catalogue and its undecoded body."""

    type: int
    body: bytes


def encode_frame(frame_type: int, body: bytes) -> bytes:
    """The bytes of one message.  Raises FrameRefused when the body is over `FRAME_BODY_BYTES_MAX`."""
    if len(body) > FRAME_BODY_BYTES_MAX:
        raise FrameRefused(
            f"a frame of type {frame_type} has {len(body)} bytes, {FRAME_BODY_BYTES_MAX} allowed", WAY_OUT
        )
    return HEADER.pack(FRAME_VERSION, frame_type, len(body)) + body


def decode_frame(message: bytes) -> Frame:
    """The frame in one message.  Raises FrameRefused with what is wrong."""
    if len(message) < HEADER.size:
        raise FrameRefused(f"a message of {len(message)} bytes is shorter than a frame's header", WAY_OUT)
    version, frame_type, length = HEADER.unpack_from(message)
    if version != FRAME_VERSION:
        raise FrameRefused(f"a frame of version {version}, only {FRAME_VERSION} is known", WAY_OUT)
    if length != len(message) - HEADER.size:
        raise FrameRefused(f"a frame says {length} bytes and has {len(message) - HEADER.size}", WAY_OUT)
    return Frame(frame_type, message[HEADER.size :])


def unpack_exact(layout: struct.Struct, body: bytes, name: str) -> tuple[int | bytes, ...]:
    """Decode a fixed-layout body.  Raises FrameRefused when the size differs."""
    if len(body) != layout.size:
        raise FrameRefused(f"{name} has {len(body)} bytes, {layout.size} expected", WAY_OUT)
    return layout.unpack(body)
