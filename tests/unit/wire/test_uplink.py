"""The uplink's JSON: what is encoded comes back, and no other spelling of it is accepted."""

import dataclasses
import json
import typing
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.wire.record_examples import ALERT, RULE, facts
from tests.unit.wire.record_examples import records as any_record

from ringfence.model import limits, records
from ringfence.model.errors import UplinkRefused
from ringfence.model.records import (
    FileReference,
    Lost,
    NumberedRecord,
    PatternMatch,
    ProcessReference,
    RecordKey,
)
from ringfence.wire import uplink
from ringfence.wire.fields import U64_MAX

HOST = "0123456789abcdef" * 2
EPOCH = "feedfacecafebeef"
LOST = Lost(5, "gate", 2)
slow = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


def batch(*numbered: tuple[int, records.Record]) -> bytes:
    return uplink.encode_batch(HOST, EPOCH, [NumberedRecord(RecordKey(EPOCH, n), record) for n, record in numbered])


@given(record=any_record, number=st.integers(1, limits.JSON_INTEGER_MAX))
@slow
def test_a_record_comes_back(record: records.Record, number: int) -> None:
    line = uplink.encode_record(number, record)
    assert b"\n" not in line
    assert uplink.decode_record(line) == (number, record)


@given(found=st.lists(any_record, min_size=1, max_size=5), steps=st.lists(st.integers(1, 9), min_size=5, max_size=5))
@slow
def test_a_batch_comes_back_with_its_gaps(found: list[records.Record], steps: list[int]) -> None:
    numbers = [sum(steps[: index + 1]) for index in range(len(found))]
    numbered = tuple(NumberedRecord(RecordKey(EPOCH, n), r) for n, r in zip(numbers, found, strict=True))
    data = uplink.encode_batch(HOST, EPOCH, numbered)
    assert uplink.decode_batch(data) == uplink.UplinkBatch(HOST, EPOCH, numbered)


@given(data=st.data(), record=any_record)
@slow
def test_a_damaged_batch_is_refused_or_says_another_thing_exactly(data: st.DataObject, record: records.Record) -> None:
    body = bytearray(batch((1, LOST), (2, record)))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = uplink.decode_batch(bytes(body))
    except UplinkRefused:
        return
    assert uplink.encode_batch(found.host_id, found.epoch, found.records) == bytes(body)


@given(noise=st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    for decode in (
        uplink.decode_batch,
        uplink.decode_record,
        uplink.decode_accepted,
        uplink.decode_enrol_request,
        uplink.decode_enrol_answer,
    ):
        with pytest.raises(UplinkRefused):
            decode(noise)


LINE = uplink.encode_record(7, LOST).decode()


@pytest.mark.parametrize(
    "line",
    [
        LINE.replace('"count":2', '"count":2,"count":2'),
        LINE.replace('"count":2', '"count":2,"more":1'),
        LINE.replace('"count":2', '"count":2.0'),
        LINE.replace('"count":2', '"count":2e0'),
        LINE.replace('"count":2', '"count":NaN'),
        LINE.replace('"count":2', '"count":"2"'),
        LINE.replace('"count":2', '"count":true'),
        LINE.replace('"count":2', '"count":-2'),
        LINE.replace('"count":2', '"count":9007199254740992'),
        LINE.replace('"count":2', '"count":' + "9" * 5_000),
        LINE.replace('"count":2', '"count":' + "[" * 100_000),
        LINE.replace('"count":2', '"x":' + "[" * 100_000),
        LINE.replace('"source":"gate"', '"source":"\\ud800"'),
        LINE.replace('"source":"gate"', '"source":"\\u0067ate"'),
        LINE.replace('"source":"gate"', '"source":"Gate"'),
        LINE.replace('"source":"gate"', '"source":""'),
        LINE.replace('"type":"lost"', '"type":"lost","type":"lost"'),
        LINE.replace('"type":"lost"', '"type":"gone"'),
        LINE.replace('"type":"lost",', ""),
        LINE.replace('"number":7', '"number":0'),
        LINE.replace(",", ", ", 1),
        LINE + " ",
        LINE + "{}",
        "\ufeff" + LINE,
        LINE[:-1],
        "null",
        "",
    ],
)
def test_another_spelling_is_refused(line: str) -> None:
    assert line != LINE
    with pytest.raises(UplinkRefused):
        uplink.decode_record(line.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(UplinkRefused):
        uplink.decode_record(LINE.encode().replace(b"gate", b"g\xffte"))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body.replace(b'"format":1', b'"format":2'),
        lambda body: body.replace(b'"count":2}', b'"count":3}', 1),
        lambda body: body.replace(b'"first_number":4', b'"first_number":3'),
        lambda body: body.replace(b'"number":5', b'"number":4'),
        lambda body: body.replace(b'"number":5', b'"number":3'),
        lambda body: body.replace(HOST.encode(), HOST.upper().encode()),
        lambda body: body.replace(EPOCH.encode(), b"feed"),
        lambda body: body[:-1],
        lambda body: body + b"\n",
        lambda body: b"\n" + body,
        lambda body: body.split(b"\n")[0] + b"\n",
        lambda _: b"",
        lambda _: b"\n" * 5_000,
        lambda _: b" " * (limits.UPLINK_BODY_BYTES_MAX + 1),
    ],
)
def test_a_batch_that_does_not_hold_together_is_refused(change: Callable[[bytes], bytes]) -> None:
    body = batch((4, LOST), (5, ALERT))
    changed = change(body)
    assert changed != body
    with pytest.raises(UplinkRefused):
        uplink.decode_batch(changed)


def test_an_empty_batch_and_one_of_two_epochs_are_never_made() -> None:
    with pytest.raises(UplinkRefused):
        uplink.encode_batch(HOST, EPOCH, [])
    with pytest.raises(UplinkRefused):
        uplink.encode_batch(HOST, EPOCH, [NumberedRecord(RecordKey("0" * 16, 1), LOST)])


@pytest.mark.parametrize(
    "change",
    [
        {"rules": (RULE,) * 17},
        {"at_unix_ms": -1},
        {"at_unix_ms": 2**53},
        {"file": dataclasses.replace(ALERT.file, sha256="AB" * 32)},
        {"file": dataclasses.replace(ALERT.file, path="x" * 16_385)},
        {"file": dataclasses.replace(ALERT.file, path="\ud800")},
        {"file": dataclasses.replace(ALERT.file, inode=U64_MAX + 1)},
        {"matches": (dataclasses.replace(ALERT.matches[0], excerpt_hex="abc"),)},
    ],
)
def test_a_record_out_of_bounds_is_not_even_encoded(change: dict[str, Any]) -> None:
    with pytest.raises(UplinkRefused):
        uplink.encode_record(1, dataclasses.replace(ALERT, **change))


def test_the_largest_alert_fits_a_line_and_a_batch() -> None:
    def worst(characters: int) -> str:
        return "\x01" * characters

    byte = limits.SIGHTING_PATH_BYTES_MAX
    process = ProcessReference(
        2**32, 2**63 - 1, 2**32, worst(64), worst(byte), worst(limits.PROCESS_COMMAND_LINE_BYTES_MAX)
    )
    prose = "😀" * limits.RULE_TEXT_CHARACTERS_MAX
    rule = dataclasses.replace(RULE, author=prose, description=prose, reference=prose, licence=prose)
    match = PatternMatch(
        "r" * 128,
        worst(limits.PATTERN_NAME_BYTES_MAX),
        2**63 - 1,
        2**32,
        "ab" * limits.MATCH_EXCERPT_BYTES_MAX,
        worst(limits.MEMBER_PATH_BYTES_MAX),
    )
    largest = dataclasses.replace(
        ALERT,
        file=FileReference(worst(byte), 2**63 - 1, "ab" * 32, 2**32, U64_MAX, U64_MAX),
        rules=(rule,) * limits.FINDING_RULES_MAX,
        matches=(match,) * limits.FINDING_MATCHES_MAX,
        process=process,
        ancestors=(process,) * (limits.SIGHTING_PROCESSES_MAX - 1),
    )
    line = uplink.encode_record(limits.JSON_INTEGER_MAX, largest)
    found = uplink.decode_batch(uplink.encode_batch_lines(HOST, EPOCH, limits.JSON_INTEGER_MAX, [line]))
    assert found.records[0].record == largest


@given(fact=facts)
def test_enrolment_comes_back(fact: records.HostFacts) -> None:
    request = uplink.EnrolRequest("token", fact)
    assert uplink.decode_enrol_request(uplink.encode_enrol_request(request)) == request
    body = uplink.encode_enrol_request(request)
    with pytest.raises(UplinkRefused):
        uplink.decode_enrol_request(body[:-1] + b',"more":1}')


def test_answers_come_back() -> None:
    answer = uplink.EnrolAnswer(HOST, "ab" * 32)
    assert uplink.decode_enrol_answer(uplink.encode_enrol_answer(answer)) == answer
    accepted = uplink.Accepted(12)
    assert uplink.encode_accepted(accepted) == b'{"accepted_through":12}'
    assert uplink.decode_accepted(uplink.encode_accepted(accepted)) == accepted
    for bad in (b'{"accepted_through":-1}', b'{"accepted_through":1.0}', b'{"host_id":"x","credential":"y"}'):
        with pytest.raises(UplinkRefused):
            uplink.decode_accepted(bad)
    with pytest.raises(UplinkRefused):
        uplink.decode_enrol_answer(json.dumps({"host_id": HOST, "credential": "AB" * 32}).encode())


def test_every_field_of_every_record_has_its_bound() -> None:
    found = [
        value
        for module in (records, uplink)
        for value in vars(module).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value) and value is not uplink.UplinkBatch
    ]
    for kind in found:
        for name, annotation in typing.get_type_hints(kind).items():
            if typing.get_origin(annotation) is tuple:
                assert name in uplink.COUNTS_MAX, f"{kind.__name__}.{name}"
            if annotation is str or annotation == tuple[str, ...]:
                assert name in uplink.TEXT_CHARACTERS_MAX or name in uplink.TEXT_PATTERNS, f"{kind.__name__}.{name}"
