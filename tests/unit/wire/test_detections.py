"""Frame bodies for the courier: what is encoded comes back, and nothing else is accepted."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.wire import detection_examples as examples
from tests.unit.wire.detection_examples import SIGHTING

from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.model.records import AlertResponse
from ringfence.model.verdict import Mode, Outcome, UnknownReason
from ringfence.wire import catalogue, detections, sensor_reports
from ringfence.wire.detections import Findings, FoundPattern, SeenFile, SeenProcess
from ringfence.wire.fields import U32_MAX, U64_MAX
from ringfence.wire.sensor_reports import SeenCounter, SeenProcessStatus, SeenRelease, StatusReport

Codec = tuple[st.SearchStrategy[Any], Callable[[Any], bytes], Callable[[bytes], Any]]

CODECS: dict[int, Codec] = {
    detections.SIGHTING: (examples.sightings(), detections.encode_sighting, detections.decode_sighting),
    detections.SIGHTING_ACK: (examples.acks, detections.encode_sighting_ack, detections.decode_sighting_ack),
    detections.FINDINGS: (examples.findings, detections.encode_findings, detections.decode_findings),
    detections.STATUS_REPORT: (
        examples.status_reports,
        sensor_reports.encode_status_report,
        sensor_reports.decode_status_report,
    ),
    detections.SENSOR_EVENT: (
        examples.events,
        sensor_reports.encode_sensor_event,
        sensor_reports.decode_sensor_event,
    ),
    detections.GATE_SOCKET: (
        examples.gate_sockets,
        sensor_reports.encode_gate_socket,
        sensor_reports.decode_gate_socket,
    ),
    detections.RULE_TABLE: (
        examples.table_notices,
        sensor_reports.encode_rule_table_notice,
        sensor_reports.decode_rule_table_notice,
    ),
}
each_message = pytest.mark.parametrize("message", CODECS)
thorough = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@each_message
@given(data=st.data())
@thorough
def test_what_is_encoded_comes_back(message: int, data: st.DataObject) -> None:
    values, encode, decode = CODECS[message]
    value = data.draw(values)
    body = encode(value)
    assert len(body) <= limits.FRAME_BODY_BYTES_MAX
    assert decode(body) == value


@each_message
@given(data=st.data())
@thorough
def test_a_damaged_body_is_refused_or_is_another_exact_body(message: int, data: st.DataObject) -> None:
    values, encode, decode = CODECS[message]
    body = bytearray(encode(data.draw(values)))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        value = decode(bytes(body))
    except FrameRefused:
        return
    assert encode(value) == bytes(body)


@each_message
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_one_byte_more_or_less_is_refused(message: int, data: st.DataObject) -> None:
    values, encode, decode = CODECS[message]
    body = encode(data.draw(values))
    with pytest.raises(FrameRefused):
        decode(body + b"\0")
    with pytest.raises(FrameRefused):
        decode(body[: data.draw(st.integers(0, len(body) - 1))])


@each_message
@given(body=st.binary(max_size=200))
def test_noise_is_refused_and_never_crashes(message: int, body: bytes) -> None:
    _, encode, decode = CODECS[message]
    try:
        value = decode(body)
    except FrameRefused:
        return
    assert encode(value) == body


def test_the_largest_sighting_fits_a_frame() -> None:
    process = SeenProcess(
        U32_MAX,
        U64_MAX,
        U32_MAX,
        b"n" * limits.PROCESS_NAME_BYTES_MAX,
        b"e" * limits.SIGHTING_PATH_BYTES_MAX,
        b"c" * limits.PROCESS_COMMAND_LINE_BYTES_MAX,
    )
    largest = dataclasses.replace(
        SIGHTING,
        file=SeenFile(b"p" * limits.SIGHTING_PATH_BYTES_MAX, U64_MAX, U64_MAX, U64_MAX, U32_MAX),
        processes=(process,) * limits.SIGHTING_PROCESSES_MAX,
    )
    assert len(detections.encode_sighting(largest)) <= limits.FRAME_BODY_BYTES_MAX


def test_the_largest_findings_and_status_fit_a_frame() -> None:
    pattern = FoundPattern(
        0,
        b"p" * limits.PATTERN_NAME_BYTES_MAX,
        U64_MAX,
        U32_MAX,
        b"x" * limits.MATCH_EXCERPT_BYTES_MAX,
        b"m" * limits.MEMBER_PATH_BYTES_MAX,
    )
    rules = tuple(range(limits.FINDING_RULES_MAX))
    findings = Findings(1, 1, 0, bytes(32), rules, (pattern,) * limits.FINDING_MATCHES_MAX)
    assert len(detections.encode_findings(findings)) <= limits.FRAME_BODY_BYTES_MAX
    name = b"n" * limits.STATUS_NAME_BYTES_MAX
    status = StatusReport(
        U64_MAX,
        Mode.OBSERVE,
        SeenRelease(U32_MAX - 1, b"n" * limits.NAME_CHARACTERS_MAX, U64_MAX, bytes(32)),
        (b"/" * limits.STATUS_MARK_BYTES_MAX,) * limits.STATUS_MARKS_MAX,
        (SeenProcessStatus(name, U32_MAX, U32_MAX, name, U64_MAX, U32_MAX),) * limits.STATUS_PROCESSES_MAX,
        (SeenCounter(name, U64_MAX),) * limits.STATUS_COUNTERS_MAX,
    )
    assert len(sensor_reports.encode_status_report(status)) <= limits.FRAME_BODY_BYTES_MAX


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": Outcome.CLEAN},
        {"outcome": Outcome.UNKNOWN},
        {"reason": UnknownReason.DEADLINE_PASSED},
        {"response": None},
        {"top_rule": None},
        {"number": 0},
        {"oldest_kept": 4},
        {"oldest_kept": 0},
        {"gate_id": -1},
        {"gate_id": U64_MAX + 1},
        {"processes": SIGHTING.processes * 9},
    ],
    ids=str,
)
def test_a_sighting_that_cannot_exist_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FrameRefused):
        dataclasses.replace(SIGHTING, **change)


def test_a_file_without_verdict_may_be_refused_or_go_on() -> None:
    skipped = {"outcome": Outcome.UNKNOWN, "reason": UnknownReason.QUEUE_FULL, "top_rule": None}
    for response in (None, AlertResponse.BLOCKED):
        sighting = dataclasses.replace(SIGHTING, response=response, **skipped)  # type: ignore[arg-type]
        assert detections.decode_sighting(detections.encode_sighting(sighting)) == sighting


def test_an_all_zero_body_is_never_a_value() -> None:
    for message, (_, encode, decode) in CODECS.items():
        if message in (detections.SIGHTING_ACK, detections.GATE_SOCKET, detections.RULE_TABLE):
            continue
        for length in range(200):
            with pytest.raises(FrameRefused):
                encode(decode(bytes(length)))


def test_numbers_are_those_of_the_catalogue() -> None:
    listed = {message.number: message.name for message in catalogue.MESSAGES}
    names = {number: name for number, name in listed.items() if 40 <= number < 54}
    assert set(names) == set(CODECS)
    for number, name in names.items():
        assert getattr(detections, name.upper()) == number


def test_cut_keeps_short_strings() -> None:
    assert detections.cut(b"abc", 3) == b"abc"
    assert detections.cut(b"abcd", 3) == b"abc"
