"""A frame is decoded exactly, or refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.errors import FrameRefused
from ringfence.model.limits import FRAME_BODY_BYTES_MAX
from ringfence.wire.frames import FRAME_VERSION, HEADER, Frame, decode_frame, encode_frame, unpack_exact


@given(st.integers(0, 65_535), st.binary(max_size=300))
def test_a_frame_comes_back(frame_type: int, body: bytes) -> None:
    assert decode_frame(encode_frame(frame_type, body)) == Frame(frame_type, body)


def test_the_layout_is_the_documented_one() -> None:
    assert encode_frame(2, b"abc") == b"\x00\x01\x00\x02\x00\x00\x00\x03abc"


@given(st.binary(max_size=64))
def test_any_bytes_are_refused_or_are_exactly_one_frame(message: bytes) -> None:
    try:
        frame = decode_frame(message)
    except FrameRefused:
        frame = None
    assert frame is None or encode_frame(frame.type, frame.body) == message


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        (b"", "shorter"),
        (HEADER.pack(FRAME_VERSION, 2, 0)[:-1], "shorter"),
        (HEADER.pack(FRAME_VERSION + 1, 2, 0), "version"),
        (HEADER.pack(FRAME_VERSION, 2, 1), "says 1 bytes and has 0"),
        (HEADER.pack(FRAME_VERSION, 2, 0) + b"x", "says 0 bytes and has 1"),
        (HEADER.pack(FRAME_VERSION, 2, 2**32 - 1), "says 4294967295 bytes"),
    ],
)
def test_what_is_off_is_said(message: bytes, complaint: str) -> None:
    with pytest.raises(FrameRefused, match=complaint):
        decode_frame(message)


def test_a_body_past_the_bound_is_refused() -> None:
    assert len(encode_frame(2, bytes(FRAME_BODY_BYTES_MAX))) == HEADER.size + FRAME_BODY_BYTES_MAX
    with pytest.raises(FrameRefused, match="allowed"):
        encode_frame(2, bytes(FRAME_BODY_BYTES_MAX + 1))


def test_a_fixed_body_has_exactly_its_size() -> None:
    layout = struct.Struct(">IH")
    assert unpack_exact(layout, b"\x00\x00\x00\x01\x00\x02", "pair") == (1, 2)
    for body in (b"", bytes(5), bytes(7)):
        with pytest.raises(FrameRefused, match="pair has"):
            unpack_exact(layout, body, "pair")
