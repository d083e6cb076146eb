"""The operator's mode on disk: what the start of the sensor said, and what `ringfence host mode` said since."""

import struct
from typing import Final

from ringfence.model.errors import FrameRefused
from ringfence.model.verdict import Mode

RECORD: Final = struct.Struct(">8sBB")
"""magic, mode of the start, mode that was said since."""

_MAGIC: Final = b"rfmode01"
_WAY_OUT: Final = "it is left aside: the mode of the start holds"


def encode_mode(given: Mode, said: Mode) -> bytes:
    """What is kept on disk."""
    return RECORD.pack(_MAGIC, given, said)


def decode_mode(data: bytes) -> tuple[Mode, Mode]:
    """Mode of the start, and mode said since.  Raises FrameRefused for what `encode_mode` did not write."""
    if len(data) != RECORD.size or not data.startswith(_MAGIC):
        raise FrameRefused("the record of the mode is none", _WAY_OUT)
    _, given, said = RECORD.unpack(data)
    try:
        return Mode(given), Mode(said)
    except ValueError:
        raise FrameRefused("the record of the mode names one that does not exist", _WAY_OUT) from None
