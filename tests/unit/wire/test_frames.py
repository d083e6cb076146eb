"""The frame: decoded exactly or refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.wire.frames import FRAME_VERSION, HEADER, Frame, decode_frame, encode_frame, unpack_exact


@given(frame_type=st.integers(0, 0xFFFF), body=st.binary(max_size=300))
def test_what_is_encoded_is_decoded(frame_type: int, body: bytes) -> None:
    assert decode_frame(encode_frame(frame_type, body)) == Frame(frame_type, body)


@given(message=st.binary(max_size=64))
def test_any_bytes_are_a_frame_that_encodes_to_them_or_are_refused(message: bytes) -> None:
    try:
        frame = decode_frame(message)
    except FrameRefused:
        return
    assert encode_frame(frame.type, frame.body) == message


@given(body=st.binary(max_size=40), position=st.integers(0, 7), value=st.integers(0, 255))
def test_a_changed_header_never_passes_as_another_length(body: bytes, position: int, value: int) -> None:
    message = bytearray(encode_frame(6, body))
    changed = message[position] != value
    message[position] = value
    try:
        frame = decode_frame(bytes(message))
    except FrameRefused:
        assert changed
        return
    assert frame.body == body
    assert not changed or frame.type != 6


@given(body=st.binary(min_size=1, max_size=40), cut=st.integers(1, 47))
def test_a_cut_frame_is_refused(body: bytes, cut: int) -> None:
    message = encode_frame(6, body)
    with pytest.raises(FrameRefused):
        decode_frame(message[: max(0, len(message) - cut)])


def test_one_byte_more_is_refused() -> None:
    with pytest.raises(FrameRefused, match="says 4 bytes and has 5"):
        decode_frame(encode_frame(6, b"body") + b"x")


def test_another_version_is_refused() -> None:
    with pytest.raises(FrameRefused, match="version 2"):
        decode_frame(HEADER.pack(FRAME_VERSION + 1, 6, 0))


def test_the_bound_of_a_body() -> None:
    largest = b"x" * limits.FRAME_BODY_BYTES_MAX
    assert decode_frame(encode_frame(6, largest)).body == largest
    with pytest.raises(FrameRefused, match=str(limits.FRAME_BODY_BYTES_MAX)):
        encode_frame(6, largest + b"x")


def test_the_header_is_eight_bytes_in_network_order() -> None:
    assert encode_frame(0x0203, b"ab") == b"\x00\x01\x02\x03\x00\x00\x00\x02ab"


@given(body=st.binary(max_size=12))
def test_a_fixed_layout_takes_exactly_its_size(body: bytes) -> None:
    layout = struct.Struct(">IHH")
    if len(body) == layout.size:
        assert layout.pack(*unpack_exact(layout, body, "this")) == body
    else:
        with pytest.raises(FrameRefused, match="8 expected"):
            unpack_exact(layout, body, "this")
