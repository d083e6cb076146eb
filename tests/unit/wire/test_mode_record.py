"""The record of the mode: every pair of modes, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.errors import FrameRefused
from ringfence.model.verdict import Mode
from ringfence.wire.mode_record import decode_mode, encode_mode


@given(st.sampled_from(Mode), st.sampled_from(Mode))
def test_it_is_read_as_it_was_written(given_mode: Mode, said: Mode) -> None:
    assert decode_mode(encode_mode(given_mode, said)) == (given_mode, said)


@given(st.binary(max_size=20))
def test_what_is_read_was_written_so(data: bytes) -> None:
    try:
        modes = decode_mode(data)
    except FrameRefused:
        return
    assert encode_mode(*modes) == data


@pytest.mark.parametrize("place", range(10))
def test_no_flipped_bit_becomes_a_mode_that_does_not_exist(place: int) -> None:
    data = bytearray(encode_mode(Mode.ENFORCE, Mode.OBSERVE))
    data[place] ^= 0x40
    with pytest.raises(FrameRefused):
        decode_mode(bytes(data))
