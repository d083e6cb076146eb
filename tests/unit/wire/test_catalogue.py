"""The catalogue of messages: one number each, layouts that are what they say, bounds that hold."""

import struct

import pytest

from ringfence.model import limits
from ringfence.wire import catalogue
from ringfence.wire.catalogue import GATE_COUNTERS, MESSAGES, GateCounters, Message

FIXED = [message for message in MESSAGES if message.layout not in ("", "variable")]
BY_NAME = {message.name: message for message in MESSAGES}


def test_numbers_and_names_are_unique_and_fit_the_header() -> None:
    assert len({message.number for message in MESSAGES}) == len(MESSAGES)
    assert len(BY_NAME) == len(MESSAGES)
    assert all(0 < message.number <= 0xFFFF for message in MESSAGES)


@pytest.mark.parametrize("message", [one for one in MESSAGES if one.number % 2], ids=lambda one: one.name)
def test_an_odd_number_answers_the_request_before_it(message: Message) -> None:
    (request,) = [one for one in MESSAGES if one.number == message.number - 1]
    assert (request.sender, request.receiver) == (message.receiver, message.sender)


@pytest.mark.parametrize("message", FIXED, ids=lambda one: one.name)
def test_fixed_layouts_are_in_network_order_and_within_the_bound(message: Message) -> None:
    assert message.layout.startswith(">")
    assert 0 < struct.calcsize(message.layout) <= limits.FRAME_BODY_BYTES_MAX


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one.name)
def test_every_row_is_complete(message: Message) -> None:
    assert message.sender != message.receiver
    assert message.meaning.endswith(".")
    assert 0 <= message.descriptors <= limits.FRAME_DESCRIPTORS_MAX


def test_the_sizes_that_two_processes_agreed_on() -> None:
    sizes = {
        catalogue.SCAN_BODY: 24,
        catalogue.VERDICT_BODY: 48,
        catalogue.SPAWN_BODY: 20,
        catalogue.SPAWNED_BODY: 8,
        catalogue.KILL_BODY: 4,
        catalogue.READY_BODY: 112,
        catalogue.MODE_BODY: 4,
        catalogue.BREAKER_BODY: 16,
        catalogue.USE_ZYGOTE_BODY: 24 + 2048,
        catalogue.CONVICT_BODY: 16 + 2048,
        catalogue.COUNTS_BODY: 8 * len(GATE_COUNTERS),
    }
    assert {layout.format: layout.size for layout in sizes} == {layout.format: size for layout, size in sizes.items()}


def test_flags_are_single_bits_and_different() -> None:
    flags = [
        catalogue.FLAG_VOUCHED,
        catalogue.FLAG_DIGEST,
        catalogue.FLAG_DEEP,
        catalogue.FLAG_PARTIAL,
        catalogue.FLAG_KNOWN,
    ]
    assert sum(flags) == 0b11111
    assert all(flag.bit_count() == 1 for flag in flags)


def test_counters_travel_in_the_order_of_their_names() -> None:
    counters = GateCounters()
    for number, name in enumerate(GATE_COUNTERS, start=1):
        setattr(counters, name, number)
    packed = catalogue.COUNTS_BODY.pack(*counters.values())
    assert catalogue.COUNTS_BODY.unpack(packed) == tuple(range(1, len(GATE_COUNTERS) + 1))


def test_an_all_zero_verdict_is_not_clean() -> None:
    _, outcome, *_ = catalogue.VERDICT_BODY.unpack(bytes(catalogue.VERDICT_BODY.size))
    assert outcome == 0  # no member of Outcome has this value
