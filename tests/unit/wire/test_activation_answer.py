"""The warden's answer about its releases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model.errors import FrameRefused
from ringfence.wire.activation_answer import ActivationAnswer, decode_activation_answer, encode_activation_answer
from ringfence.wire.catalogue import SHADOW_COUNTERS, SHADOW_PATH_BYTES

NUMBERS = st.integers(0, 2**64 - 1)
ANSWERS = st.builds(
    ActivationAnswer,
    error=st.binary(max_size=200),
    unkept=st.booleans(),
    off=st.booleans(),
    ready=st.booleans(),
    stage_ms=NUMBERS,
    damaged=NUMBERS,
    counts=st.tuples(*[NUMBERS] * len(SHADOW_COUNTERS)),
    worst_path=st.binary(max_size=SHADOW_PATH_BYTES).map(lambda path: path.replace(b"\0", b"/")),
    record=st.binary(max_size=2_000),
)


@given(ANSWERS)
def test_it_is_read_as_it_was_written(answer: ActivationAnswer) -> None:
    assert decode_activation_answer(encode_activation_answer(answer)) == answer


@given(ANSWERS, st.data())
def test_what_is_cut_or_flipped_is_refused_or_read(answer: ActivationAnswer, data: st.DataObject) -> None:
    body = bytearray(encode_activation_answer(answer))
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read = decode_activation_answer(bytes(body[: data.draw(st.integers(0, len(body)))]))
    except FrameRefused:
        return
    assert decode_activation_answer(encode_activation_answer(read)) == read


def test_an_answer_that_no_frame_holds_is_refused() -> None:
    answer = ActivationAnswer(b"", False, False, True, 0, 0, (0,) * len(SHADOW_COUNTERS), b"", bytes(61_440))
    with pytest.raises(FrameRefused):
        encode_activation_answer(answer)
