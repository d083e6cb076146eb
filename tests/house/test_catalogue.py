"""The catalogue of messages keeps its own rules."""

import struct
from typing import Final

import pytest

from ringfence.model.errors import FrameRefused
from ringfence.wire import detections
from ringfence.wire.catalogue import MESSAGES

ANSWERS: Final = {message.number: message for message in MESSAGES if message.number % 2}

GATE_FRAME_BYTES_MAX: Final = 64
"""Room for a digest and a few numbers."""


def test_numbers_and_names_are_unique() -> None:
    assert len({message.number for message in MESSAGES}) == len(MESSAGES)
    assert len({message.name for message in MESSAGES}) == len(MESSAGES)


def test_an_odd_number_answers_the_even_one_before_it() -> None:
    requests = {message.number: message for message in MESSAGES if message.number % 2 == 0}
    assert [answer.name for number, answer in ANSWERS.items() if number - 1 not in requests] == []
    for number, answer in ANSWERS.items():
        request = requests[number - 1]
        assert (answer.sender, answer.receiver) == (request.receiver, request.sender), answer.name


def test_no_answer_hides_under_an_even_number() -> None:
    words = ("answer", "ack", "verdict", "spawned", "armed", "counts")
    assert [m.name for m in MESSAGES if m.number % 2 == 0 and m.name.endswith(words)] == []


def test_the_gate_is_sent_no_content() -> None:
    """Whoever speaks to a gate does so in frames of one size each; whoever reads content, in frames too small for it.

    The warden reads none itself, and its bit map of convicted rules needs room.
    """
    to_gates = [message for message in MESSAGES if "gate" in message.receiver.split()]
    assert {message.sender for message in to_gates} == {"scanner", "zygote", "warden", "courier", "replayer"}
    assert [message.name for message in to_gates if message.layout == "variable"] == []
    small = [message for message in to_gates if message.sender != "warden"]
    assert [message.name for message in small if struct.calcsize(message.layout) > GATE_FRAME_BYTES_MAX] == []


def test_the_acknowledgement_is_as_long_as_the_catalogue_says() -> None:
    """Its layout stands in another module of `wire/`."""
    (row,) = [message for message in MESSAGES if message.number == detections.SIGHTING_ACK]
    body = detections.encode_sighting_ack(detections.SightingAck(1, 2))
    assert len(body) == struct.calcsize(row.layout)
    for other in (body[:-1], body + b"x"):
        with pytest.raises(FrameRefused):
            detections.decode_sighting_ack(other)
