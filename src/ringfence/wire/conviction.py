"""A conviction in frames and on disk: one byte for the whole release, one bit for each rule.  Fixed layouts only.

The record on disk names its release by SHA-256, so that it holds for that release alone, whenever it comes back.
"""

import struct
from typing import Final

from ringfence.model.conviction import Conviction
from ringfence.model.errors import FrameRefused
from ringfence.model.limits import RULES_MAX

RULE_MAP_BYTES: Final = RULES_MAX // 8
RECORD: Final = struct.Struct(f">8s32sB7x{RULE_MAP_BYTES}s")
"""magic, SHA-256 of the release, 1 when the whole release is convicted, bit map of the rules."""

_MAGIC: Final = b"rfbreak1"
_WAY_OUT: Final = "it is left aside: the breaker begins anew"


def encode_rules(rules: frozenset[int]) -> bytes:
    """The bit map of rule indexes.  Raises FrameRefused for one beyond `RULES_MAX`."""
    marked = bytearray(RULE_MAP_BYTES)
    for rule in rules:
        if not 0 <= rule < RULES_MAX:
            raise FrameRefused(f"rule {rule} is convicted; a release has at most {RULES_MAX}", _WAY_OUT)
        marked[rule >> 3] |= 1 << (rule & 7)
    return bytes(marked)


def decode_conviction(whole_release: int, rule_map: bytes) -> Conviction:
    """The conviction in a byte and a bit map.  Raises FrameRefused."""
    if whole_release not in (0, 1):
        raise FrameRefused(f"{whole_release} says neither that a release is convicted nor that it is not", _WAY_OUT)
    bits = int.from_bytes(rule_map, "little")
    return Conviction(bool(whole_release), frozenset(rule for rule in range(bits.bit_length()) if bits >> rule & 1))


def encode_record(sha256: str, conviction: Conviction) -> bytes:
    """What is kept on disk."""
    rules = encode_rules(conviction.rules)
    return RECORD.pack(_MAGIC, bytes.fromhex(sha256), conviction.whole_release, rules)


def decode_record(data: bytes) -> tuple[str, Conviction]:
    """SHA-256 of the release and its conviction.  Raises FrameRefused for what `encode_record` did not write."""
    if len(data) != RECORD.size:
        raise FrameRefused(f"the breaker's record has {len(data)} bytes, {RECORD.size} expected", _WAY_OUT)
    magic, digest, whole_release, rule_map = RECORD.unpack(data)
    if magic != _MAGIC:
        raise FrameRefused("the breaker's record is none", _WAY_OUT)
    found = digest.hex(), decode_conviction(whole_release, rule_map)
    if encode_record(*found) != data:
        raise FrameRefused("the breaker's record has bytes that mean nothing", _WAY_OUT)
    return found
