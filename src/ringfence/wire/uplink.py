r"""What a host and its server say to each other, both ways: JSON, one line for each record.

    POST /uplink/v1/enrol     {"token":…,"facts":{…}}                      -> {"host_id":…,"credential":…}
    POST /uplink/v1/records   a head line, then one line for each record   -> {"accepted_through":N}

    {"format":1,"host_id":"<32 hex>","epoch":"<16 hex>","first_number":7,"count":2}
    {"type":"alert","number":7,"record":{…}}
    {"type":"lost","number":8,"record":{…}}

Rules of decoding, in the order of the code:

1. Sizes are looked at before anything is parsed.
2. msgspec parses a line into the one type that its tag names.
3. The values are within their bounds (the tables below): lengths, counts, ranges, words, hashes.
4. What was read is encoded again and must give the same bytes.  That one comparison refuses repeated and unknown keys,
   other spellings of numbers and text, white space, lone surrogates, and whatever else a lenient parser forgives.
5. Numbers rise from line to line.  A jump is a gap: something that the host has lost, which the server shows.

Every violation raises `UplinkRefused` with the line.  The courier encodes a record once, when it enters the spool, and
sends the same bytes however often it takes; (host, epoch, number) is the identity by which the server keeps one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from ringfence.model import limits
from ringfence.model.errors import UplinkRefused
from ringfence.model.records import (
    Alert,
    HostEvent,
    HostFacts,
    HostStatus,
    Lost,
    NumberedRecord,
    Record,
    RecordKey,
    SkippedFile,
)
from ringfence.model.verdict import Mode, UnknownReason
from ringfence.wire.fields import U64_MAX

UPLINK_FORMAT: Final = 1
ENROL_PATH: Final = "/uplink/v1/enrol"
RECORDS_PATH: Final = "/uplink/v1/records"
RECORDS_CONTENT_TYPE: Final = "application/x-ndjson"

_WAY_OUT: Final = "host and server must be of versions that fit; if they are, report this line as our bug"
_HOST_ID: Final = re.compile(r"[0-9a-f]{32}")
_EPOCH: Final = re.compile(r"[0-9a-f]{16}")
_CREDENTIAL: Final = re.compile(r"[0-9a-f]{64}")
_SHA256_OR_NOTHING: Final = re.compile(r"(?:[0-9a-f]{64})?")
_WORD: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_I63_MAX: Final = 2**63 - 1
_ESCAPED: Final = 4
"""Characters that one byte of the kernel may become: `\\xff`."""

TEXT_CHARACTERS_MAX: Final = {
    "path": limits.SIGHTING_PATH_BYTES_MAX * _ESCAPED,
    "executable": limits.SIGHTING_PATH_BYTES_MAX * _ESCAPED,
    "command_line": limits.PROCESS_COMMAND_LINE_BYTES_MAX * _ESCAPED,
    "name": limits.PROCESS_NAME_BYTES_MAX * _ESCAPED,
    "identifier": limits.RULE_IDENTIFIER_CHARACTERS_MAX,
    "pack": limits.NAME_CHARACTERS_MAX,
    "author": limits.RULE_TEXT_CHARACTERS_MAX,
    "description": limits.RULE_TEXT_CHARACTERS_MAX,
    "reference": limits.RULE_TEXT_CHARACTERS_MAX,
    "licence": limits.RULE_TEXT_CHARACTERS_MAX,
    "technique": limits.NAME_CHARACTERS_MAX,
    "rule": limits.RULE_IDENTIFIER_CHARACTERS_MAX,
    "pattern": limits.PATTERN_NAME_BYTES_MAX * _ESCAPED,
    "member": limits.MEMBER_PATH_BYTES_MAX * _ESCAPED,
    "subject": limits.EVENT_SUBJECT_BYTES_MAX * _ESCAPED,
    "detail": limits.EVENT_DETAIL_BYTES_MAX * _ESCAPED,
    "marks": limits.STATUS_MARK_BYTES_MAX * _ESCAPED,
    "role": limits.STATUS_NAME_BYTES_MAX * _ESCAPED,
    "state": limits.STATUS_NAME_BYTES_MAX * _ESCAPED,
    "token": limits.UPLINK_TOKEN_CHARACTERS_MAX,
    "host_name": limits.UPLINK_FACT_CHARACTERS_MAX,
    "machine_id": limits.UPLINK_FACT_CHARACTERS_MAX,
    "kernel": limits.UPLINK_FACT_CHARACTERS_MAX,
    "distribution": limits.UPLINK_FACT_CHARACTERS_MAX,
    "architecture": limits.UPLINK_FACT_CHARACTERS_MAX,
    "sensor_version": limits.UPLINK_FACT_CHARACTERS_MAX,
}
"""Field -> longest text.  A text field stands here or in `TEXT_PATTERNS`; a test holds that."""

TEXT_PATTERNS: Final = {
    "sha256": _SHA256_OR_NOTHING,
    "excerpt_hex": re.compile(rf"(?:[0-9a-f]{{2}}){{0,{limits.MATCH_EXCERPT_BYTES_MAX}}}"),
    "source": _WORD,
    "mode": re.compile("|".join(mode.name.lower() for mode in Mode)),
    "reason": re.compile("|".join(reason.name.lower() for reason in UnknownReason if reason)),
    "host_id": _HOST_ID,
    "epoch": _EPOCH,
    "credential": _CREDENTIAL,
}
"""Field -> what its text must fit as a whole."""

COUNTS_MAX: Final = {
    "rules": limits.FINDING_RULES_MAX,
    "matches": limits.FINDING_MATCHES_MAX,
    "ancestors": limits.SIGHTING_PROCESSES_MAX,
    "marks": limits.STATUS_MARKS_MAX,
    "processes": limits.STATUS_PROCESSES_MAX,
    "counters": limits.STATUS_COUNTERS_MAX,
}
"""Field -> most entries.  Every list stands here; a test holds that."""

INTEGERS_MAX: Final = {
    "device": U64_MAX,
    "inode": U64_MAX,
    "at_unix_ms": limits.JSON_INTEGER_MAX,
    "number": limits.JSON_INTEGER_MAX,
    "first_number": limits.JSON_INTEGER_MAX,
    "accepted_through": limits.JSON_INTEGER_MAX,
    "count": limits.JSON_INTEGER_MAX,
}
"""Field -> largest integer; 2**63 - 1 for the others.  None is below zero."""


@dataclass(frozen=True, slots=True)
class UplinkBatch:
    """One batch: records of one life of one host's spool, in rising order of their numbers, never none."""

    host_id: str
    epoch: str
    records: tuple[NumberedRecord, ...]


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """A host asks to be known."""

    token: str
    facts: HostFacts


@dataclass(frozen=True, slots=True)
class EnrolAnswer:
    """What a host is known by from now on."""

    host_id: str
    credential: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Everything of this host and epoch up to this number is stored, or known as a gap."""

    accepted_through: int


class _AlertLine(msgspec.Struct, tag_field="type", tag="alert", forbid_unknown_fields=True, frozen=True):
    number: int
    record: Alert


class _SkippedLine(msgspec.Struct, tag_field="type", tag="skipped", forbid_unknown_fields=True, frozen=True):
    number: int
    record: SkippedFile


class _LostLine(msgspec.Struct, tag_field="type", tag="lost", forbid_unknown_fields=True, frozen=True):
    number: int
    record: Lost


class _EventLine(msgspec.Struct, tag_field="type", tag="event", forbid_unknown_fields=True, frozen=True):
    number: int
    record: HostEvent


class _StatusLine(msgspec.Struct, tag_field="type", tag="status", forbid_unknown_fields=True, frozen=True):
    number: int
    record: HostStatus


class _Head(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    format: int
    host_id: str
    epoch: str
    first_number: int
    count: int


_Line = _AlertLine | _SkippedLine | _LostLine | _EventLine | _StatusLine
_Value = TypeVar("_Value")

_ENCODER: Final = msgspec.json.Encoder()
_LINE: Final = msgspec.json.Decoder(_Line)
_HEAD: Final = msgspec.json.Decoder(_Head)
_ENROL_REQUEST: Final = msgspec.json.Decoder(EnrolRequest)
_ENROL_ANSWER: Final = msgspec.json.Decoder(EnrolAnswer)
_ACCEPTED: Final = msgspec.json.Decoder(Accepted)


def encode_record(number: int, record: Record) -> bytes:
    """The line of one record, without its end.  Raises UplinkRefused when a value is out of bounds."""
    line: _Line
    match record:
        case Alert():
            line = _AlertLine(number, record)
        case SkippedFile():
            line = _SkippedLine(number, record)
        case Lost():
            line = _LostLine(number, record)
        case HostEvent():
            line = _EventLine(number, record)
        case HostStatus():
            line = _StatusLine(number, record)
    _check_line(line, "the record")
    return _encoded(line, "the record", limits.UPLINK_RECORD_BYTES_MAX)


def decode_record(data: bytes, *, place: str = "the record") -> tuple[int, Record]:
    """Number and record of one line without its end.  Raises UplinkRefused, calling the line `place`."""
    line = _decoded(_LINE, data, place, limits.UPLINK_RECORD_BYTES_MAX)
    _check_line(line, place)
    return line.number, line.record


def encode_batch_lines(host_id: str, epoch: str, first_number: int, lines: Sequence[bytes]) -> bytes:
    """A batch of lines that `encode_record` has made.  Raises UplinkRefused when it is too large."""
    head = _Head(UPLINK_FORMAT, host_id, epoch, first_number, len(lines))
    _check_head(head)
    body = b"\n".join([_encoded(head, "the head", limits.UPLINK_HEAD_BYTES_MAX), *lines, b""])
    if len(body) > limits.UPLINK_BODY_BYTES_MAX:
        raise _refused("the batch", f"has {len(body)} bytes where {limits.UPLINK_BODY_BYTES_MAX} are allowed")
    return body


def encode_batch(host_id: str, epoch: str, records: Sequence[NumberedRecord]) -> bytes:
    """A batch of records, which are all of `epoch` and not none.  Raises UplinkRefused."""
    if any(record.key.epoch != epoch for record in records):
        raise _refused("the batch", "holds records of several epochs")
    lines = [encode_record(numbered.key.number, numbered.record) for numbered in records]
    return encode_batch_lines(host_id, epoch, records[0].key.number if records else 0, lines)


def decode_batch(data: bytes) -> UplinkBatch:
    """The batch in `data`.  Raises UplinkRefused."""
    if len(data) > limits.UPLINK_BODY_BYTES_MAX:
        raise _refused("the batch", f"has more than {limits.UPLINK_BODY_BYTES_MAX} bytes")
    if data.count(b"\n") > limits.UPLINK_RECORDS_MAX + 1:
        raise _refused("the batch", f"has more than {limits.UPLINK_RECORDS_MAX} records")
    first, *lines = data.split(b"\n")
    if not lines or lines.pop():
        raise _refused("the batch", "does not end with the end of a line")
    head = _decoded(_HEAD, first, "line 1", limits.UPLINK_HEAD_BYTES_MAX)
    _check_head(head)
    if head.count != len(lines):
        raise _refused("line 1", f"announces {head.count} records where there are {len(lines)}")
    records: list[NumberedRecord] = []
    for index, line in enumerate(lines, start=2):
        number, record = decode_record(line, place=f"line {index}")
        if records and number <= records[-1].key.number:
            raise _refused(f"line {index}", "has a number that does not rise")
        records.append(NumberedRecord(RecordKey(head.epoch, number), record))
    if records[0].key.number != head.first_number:
        raise _refused("line 2", f"has another number than the head's {head.first_number}")
    return UplinkBatch(head.host_id, head.epoch, tuple(records))


def encode_accepted(answer: Accepted) -> bytes:
    """The answer to a batch."""
    return _encoded(answer, "the answer", limits.UPLINK_ANSWER_BYTES_MAX)


def decode_accepted(data: bytes) -> Accepted:
    """The answer to a batch.  Raises UplinkRefused."""
    return _decoded(_ACCEPTED, data, "the answer", limits.UPLINK_ANSWER_BYTES_MAX)


def encode_enrol_request(request: EnrolRequest) -> bytes:
    """The request to enrol.  Raises UplinkRefused when a fact is out of bounds."""
    _check(request, "the request")
    return _encoded(request, "the request", limits.UPLINK_ENROLMENT_BYTES_MAX)


def decode_enrol_request(data: bytes) -> EnrolRequest:
    """The request to enrol.  Raises UplinkRefused."""
    return _decoded(_ENROL_REQUEST, data, "the request", limits.UPLINK_ENROLMENT_BYTES_MAX)


def encode_enrol_answer(answer: EnrolAnswer) -> bytes:
    """The answer to a request to enrol."""
    return _encoded(answer, "the answer", limits.UPLINK_ANSWER_BYTES_MAX)


def decode_enrol_answer(data: bytes) -> EnrolAnswer:
    """The answer to a request to enrol.  Raises UplinkRefused."""
    return _decoded(_ENROL_ANSWER, data, "the answer", limits.UPLINK_ANSWER_BYTES_MAX)


def _encoded(value: object, place: str, bytes_max: int) -> bytes:
    try:
        data = _ENCODER.encode(value)
    except UnicodeEncodeError:
        raise _refused(place, "holds a lone surrogate") from None
    if len(data) > bytes_max:
        raise _refused(place, f"has {len(data)} bytes where {bytes_max} are allowed")
    return data


def _decoded(decoder: msgspec.json.Decoder[_Value], data: bytes, place: str, bytes_max: int) -> _Value:
    """Steps 1 to 4 for one document."""
    if len(data) > bytes_max:  # (1)
        raise _refused(place, f"has {len(data)} bytes where {bytes_max} are allowed")
    try:
        value = decoder.decode(data)  # (2)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(place, f"is no such document: {error}") from None
    if is_dataclass(value):
        _check(value, place)  # (3); lines and heads are checked by whoever asked for them
    if _encoded(value, place, bytes_max) != data:  # (4)
        raise _refused(place, "is not spelt as we spell it")
    return value


def _check_line(line: _Line, place: str) -> None:
    _check_value("number", line.number, place)
    if line.number == 0:
        raise _refused(place, "has the number 0; the first is 1")
    _check(line.record, place)


def _check_head(head: _Head) -> None:
    if head.format != UPLINK_FORMAT:
        raise _refused("line 1", f"has format {head.format}; this version speaks {UPLINK_FORMAT}")
    for name in ("host_id", "epoch", "first_number", "count"):
        _check_value(name, getattr(head, name), "line 1")
    if not 1 <= head.count <= limits.UPLINK_RECORDS_MAX:
        raise _refused("line 1", f"announces {head.count} records, which is not between 1 and the most allowed")


def _check(value: object, place: str) -> None:
    """Step 3 for every field of a frozen value, however deep: the depth is that of our types."""
    for field in fields(value):  # type: ignore[arg-type]  # only ever called with our dataclasses
        _check_value(field.name, getattr(value, field.name), place)


def _check_value(name: str, value: object, place: str) -> None:
    if isinstance(value, tuple):
        if len(value) > COUNTS_MAX[name]:
            raise _refused(place, f"holds {len(value)} {name} where {COUNTS_MAX[name]} are allowed")
        for entry in value:
            _check_value(name, entry, place)
    elif isinstance(value, StrEnum | bool) or value is None:
        return
    elif isinstance(value, str):
        _check_text(name, value, place)
    elif isinstance(value, int):
        if not 0 <= value <= INTEGERS_MAX.get(name, _I63_MAX):
            raise _refused(place, f"holds a {name} that is out of range")
    else:
        _check(value, place)


def _check_text(name: str, text: str, place: str) -> None:
    pattern = TEXT_PATTERNS.get(name)
    if pattern is not None:
        if not pattern.fullmatch(text):
            raise _refused(place, f"holds a {name} that does not fit {pattern.pattern[:80]}")
    elif len(text) > TEXT_CHARACTERS_MAX[name]:
        raise _refused(place, f"holds a {name} of {len(text)} characters where {TEXT_CHARACTERS_MAX[name]} are allowed")


def _refused(place: str, what: str) -> UplinkRefused:
    return UplinkRefused(f"{place} {what}", _WAY_OUT)
