"""What is said about a fault of a scanner: the question to the zygote, its result for the warden, the host's record.

Fixed layouts only: the warden, which is root, decodes the result.  Names are padded with zeros, and every name is one
that a release may have; a path is the kernel's bytes, cut from the front, and nothing that anybody opens.
"""

import struct
from dataclasses import dataclass
from typing import Final

from ringfence.model.errors import FrameRefused
from ringfence.model.fault import Attribution, FaultKind, Finding, RuleName
from ringfence.model.limits import (
    DISABLED_RULES_MAX,
    EXAMINATION_GUILTY_RULES_MAX,
    EXAMINATION_TESTS_MAX,
    NAME_CHARACTERS_MAX,
    RULE_IDENTIFIER_CHARACTERS_MAX,
)
from ringfence.model.verdict import UnknownReason
from ringfence.wire.fields import member, require, require_range
from ringfence.wire.frames import unpack_exact

PATH_BYTES: Final = 256
_NAME: Final = f"{NAME_CHARACTERS_MAX}s{RULE_IDENTIFIER_CHARACTERS_MAX}s"
EXAMINE_BODY: Final = struct.Struct(f">QQBB6x{PATH_BYTES}s")
"""job, size of the file, purpose of its scan, what became of the scanner, path for a person."""

EXAMINED_BODY: Final = struct.Struct(">QB7x")
"""job, finding."""

_RULE: Final = struct.Struct(f">{_NAME}")
_RESULT: Final = struct.Struct(f">QBBBxIQ32s{PATH_BYTES}s")
RESULT_BODY: Final = struct.Struct(f"{_RESULT.format}{EXAMINATION_GUILTY_RULES_MAX * _RULE.size}s")
"""job, finding, kind of fault, number of guilty rules, trials, size and SHA-256 of the file, path; then the rules."""

_RECORD: Final = struct.Struct(">8s32sI4x")
RECORD_BYTES: Final = _RECORD.size + DISABLED_RULES_MAX * _RULE.size
_MAGIC: Final = b"rfleave1"
APPRAISE: Final = 3
"""Purpose of a question: nothing has happened, the rules are to be timed on this file."""

_NO_KIND: Final = 0
_WAY_OUT: Final = "it is left aside; the release is used whole"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A file on which a scanner came to harm."""

    job: int
    size_bytes: int
    purpose: int
    reason: UnknownReason
    path: bytes


@dataclass(frozen=True, slots=True)
class Examined:
    """The result of an examination.  `sha256` is all zeros where the file was not held whole."""

    job: int
    size_bytes: int
    sha256: bytes
    path: bytes
    attribution: Attribution


def encode_suspicion(one: Suspicion) -> bytes:
    """The body of an `EXAMINE` frame."""
    return EXAMINE_BODY.pack(one.job, one.size_bytes, one.purpose, one.reason, one.path[-PATH_BYTES:])


def decode_suspicion(body: bytes) -> Suspicion:
    """The question in `body`.  Raises FrameRefused."""
    job, size_bytes, purpose, reason, path = unpack_exact(EXAMINE_BODY, body, "examine")
    require(int(purpose) in (1, 2, APPRAISE), f"{purpose!r} is no purpose of a scan")
    return Suspicion(int(job), int(size_bytes), int(purpose), member(UnknownReason, int(reason)), _text(bytes(path)))


def encode_examined(one: Examined) -> bytes:
    """The body of a `GUILT` frame."""
    found = one.attribution
    head = _RESULT.pack(
        one.job,
        found.finding,
        found.kind or _NO_KIND,
        len(found.rules),
        found.trials,
        one.size_bytes,
        one.sha256,
        one.path[-PATH_BYTES:],
    )
    return (head + _rules(found.rules)).ljust(RESULT_BODY.size, b"\0")


def decode_examined(body: bytes) -> Examined:
    """The result in `body`.  Raises FrameRefused for anything that `encode_examined` would not write."""
    require(len(body) == RESULT_BODY.size, f"a result of {len(body)} bytes, {RESULT_BODY.size} expected")
    job, finding, kind, count, trials, size_bytes, sha256, path = _RESULT.unpack_from(body)
    require_range("guilty rules", count, EXAMINATION_GUILTY_RULES_MAX)
    require_range("trials", trials, EXAMINATION_TESTS_MAX + 1)
    rules = _read_rules(body, _RESULT.size, count)
    what = member(Finding, finding)
    why = member(FaultKind, kind) if kind != _NO_KIND else None
    require((what in (Finding.RULES, Finding.TOO_MANY)) == bool(rules), "the rules do not go with the finding")
    found = Examined(job, size_bytes, sha256, _text(path), Attribution(what, why, rules, trials))
    require(encode_examined(found) == body, "a result has bytes that mean nothing")
    return found


def encode_record(sha256: str, rules: frozenset[RuleName]) -> bytes:
    """What is kept on disk for one release.  Raises FrameRefused for more than `DISABLED_RULES_MAX`."""
    require_range("rules that are left out", len(rules), DISABLED_RULES_MAX)
    head = _RECORD.pack(_MAGIC, bytes.fromhex(sha256), len(rules))
    return (head + _rules(tuple(sorted(rules)))).ljust(RECORD_BYTES, b"\0")


def decode_record(data: bytes) -> tuple[str, frozenset[RuleName]]:
    """SHA-256 of the release, and its rules that are left out.  Raises FrameRefused."""
    if len(data) != RECORD_BYTES:
        raise FrameRefused(f"a record of rules has {len(data)} bytes, {RECORD_BYTES} expected", _WAY_OUT)
    magic, digest, count = _RECORD.unpack_from(data)
    if magic != _MAGIC or count > DISABLED_RULES_MAX:
        raise FrameRefused("a record of rules is none", _WAY_OUT)
    found = digest.hex(), frozenset(_read_rules(data, _RECORD.size, count))
    if encode_record(*found) != data:
        raise FrameRefused("a record of rules has bytes that mean nothing", _WAY_OUT)
    return found


def _rules(rules: tuple[RuleName, ...]) -> bytes:
    return b"".join(_RULE.pack(rule.pack.encode(), rule.rule.encode()) for rule in rules)


def _read_rules(data: bytes, offset: int, count: int) -> tuple[RuleName, ...]:
    names = (_RULE.unpack_from(data, offset + place * _RULE.size) for place in range(count))
    return tuple(RuleName(_word(pack, _PACK), _word(rule, _IDENTIFIER)) for pack, rule in names)


def _text(padded: bytes) -> bytes:
    return padded.rstrip(b"\0")


_PACK: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789_-")
_IDENTIFIER: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
"""What names of packs and rules are made of (`wire/manifest.py`): the warden prints them, and reads no expressions."""


def _word(padded: bytes, letters: frozenset[int]) -> str:
    word = _text(padded)
    require(bool(word) and letters.issuperset(word), f"{word!r} is no name")
    return word.decode("ascii")
