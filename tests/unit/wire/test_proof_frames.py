"""Frames between a prover and its workers."""

import pytest

from ringfence.model.errors import FrameRefused
from ringfence.wire.proof_frames import decode_parts, decode_ready, encode_parts, encode_ready


def test_a_worker_says_who_it_is() -> None:
    assert decode_ready(encode_ready("0.1.0+a", "1.23.0", "c" * 64)) == ("0.1.0+a", "1.23.0", "c" * 64)
    assert decode_ready(encode_ready("", "unknown", "")) == ("", "unknown", "")


def test_a_worker_that_says_more_or_less_is_refused() -> None:
    body = encode_ready("0.1.0", "1.23.0", "")
    for other in (body + b"\0", *(body[:length] for length in range(len(body)))):
        with pytest.raises(FrameRefused):
            decode_ready(other)


@pytest.mark.parametrize("parts", [(), (b"",), (b"a", b"", b"bc")])
def test_parts_come_back(parts: tuple[bytes, ...]) -> None:
    assert decode_parts(encode_parts(parts)) == parts


@pytest.mark.parametrize("data", [b"\0", b"\0" * 7, b"\xff" * 8, encode_parts([b"abc"])[:-1]])
def test_parts_that_are_cut_are_refused(data: bytes) -> None:
    with pytest.raises(FrameRefused):
        decode_parts(data)
