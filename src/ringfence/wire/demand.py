"""Frame bodies between `ringfence scan` and its workers: bytes <-> values, exactly.

A worker reads hostile files and rules; the command may run as root.  So nothing but fixed layouts and bounded strings
comes back, and each result carries the texts of its rules: the command never reads the release itself.
"""

import struct
from dataclasses import dataclass
from typing import Final

from ringfence.model import limits
from ringfence.model.records import PatternMatch, RuleAction, RuleReference, Severity
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire.fields import U32_MAX, Reader, coded, joined, member, require, require_count, string

DEMAND_START: Final = 70
DEMAND_READY: Final = 71
DEMAND_SCAN: Final = 72
DEMAND_RESULT: Final = 73
DEMAND_FAILED: Final = 74

SCAN_BODY: Final = struct.Struct(">QQ")
"""job, size in bytes."""

_READY: Final = struct.Struct(">QI")
_RESULT: Final = struct.Struct(">QQBBBBB32sB")
_RULE: Final = struct.Struct(">BB")
_MATCH: Final = struct.Struct(">BQI")
_SHA256_BYTES: Final = 32
_CHANGED: Final = 1
_WITH_DIGEST: Final = 2

_SEVERITIES: Final = dict(enumerate(Severity, start=1))
_ACTIONS: Final = dict(enumerate(RuleAction, start=1))
_SEVERITY_CODE: Final = {severity: code for code, severity in _SEVERITIES.items()}
_ACTION_CODE: Final = {action: code for code, action in _ACTIONS.items()}


@dataclass(frozen=True, slots=True)
class DemandReady:
    """The release that a worker has loaded."""

    name: str
    version: int
    rules: int


@dataclass(frozen=True, slots=True)
class DemandResult:
    """What a worker found in one file.  `scanned_bytes` counts the file's own bytes."""

    job: int
    scanned_bytes: int
    outcome: Outcome
    missing: UnknownReason
    changed: bool
    """The file changed while it was read: what was found stands, what was not found proves little."""

    sha256: str
    """Of the whole file, or "" when nothing was found or it could not be read to its end."""

    rules: tuple[RuleReference, ...]
    matches: tuple[PatternMatch, ...]
    gaps: tuple[str, ...]
    """Places that were not looked into, with the reason, for a person."""


def encode_ready(ready: DemandReady) -> bytes:
    """The body of a `DEMAND_READY` frame."""
    return joined([_READY.pack(ready.version, ready.rules), *_text(ready.name)])


def decode_ready(body: bytes) -> DemandReady:
    """The release in `body`.  Raises FrameRefused."""
    reader = Reader(body)
    version, rules = reader.take(_READY)
    name = _read_text(reader)
    reader.end()
    return DemandReady(name, version, rules)


def encode_failed(code: str, what: str, way_out: str) -> bytes:
    """The body of a `DEMAND_FAILED` frame."""
    return joined([*_text(code), *_text(what), *_text(way_out)])


def decode_failed(body: bytes) -> tuple[str, str, str]:
    """Code, text and way out in `body`.  Raises FrameRefused."""
    reader = Reader(body)
    texts = (_read_text(reader), _read_text(reader), _read_text(reader))
    reader.end()
    return texts


def encode_result(result: DemandResult) -> bytes:
    """The body of a `DEMAND_RESULT` frame; texts are cut to their bounds."""
    digest = bytes.fromhex(result.sha256)
    parts = [
        _RESULT.pack(
            result.job,
            result.scanned_bytes,
            result.outcome,
            result.missing,
            len(result.rules),
            len(result.matches),
            len(result.gaps),
            digest or bytes(_SHA256_BYTES),
            (_WITH_DIGEST if digest else 0) | (_CHANGED if result.changed else 0),
        )
    ]
    place = {rule.identifier: number for number, rule in enumerate(result.rules)}
    for rule in result.rules:
        parts.append(_RULE.pack(_SEVERITY_CODE[rule.severity], _ACTION_CODE[rule.action]))
        texts = (
            rule.identifier,
            rule.pack,
            rule.author,
            rule.description,
            rule.technique,
            rule.reference,
            rule.licence,
        )
        parts += [part for text in texts for part in _text(text)]
    for match in result.matches:
        parts.append(_MATCH.pack(place[match.rule], match.offset_bytes, min(match.length_bytes, U32_MAX)))
        parts += [*_text(match.pattern), *string(bytes.fromhex(match.excerpt_hex)), *_text(match.member)]
    parts += [part for gap in result.gaps for part in _text(gap)]
    return joined(parts)


def decode_result(body: bytes) -> DemandResult:
    """The result in `body`.  Raises FrameRefused."""
    reader = Reader(body)
    job, scanned_bytes, outcome, missing, rule_count, match_count, gap_count, digest, flags = reader.take(_RESULT)
    require_count("rules", rule_count, limits.FINDING_RULES_MAX)
    require_count("matches", match_count, limits.FINDING_MATCHES_MAX)
    require_count("gaps", gap_count, limits.ARCHIVE_GAPS_MAX)
    require(flags <= _CHANGED | _WITH_DIGEST, "a flag is not assigned")
    rules = tuple(_read_rule(reader) for _ in range(rule_count))
    matches = tuple(_read_match(reader, rules) for _ in range(match_count))
    gaps = tuple(_read_text(reader) for _ in range(gap_count))
    reader.end()
    what, why = member(Outcome, outcome), member(UnknownReason, missing)
    require((what in (Outcome.MALICIOUS, Outcome.SUSPICIOUS)) == bool(rules), "the rules do not go with the outcome")
    require(
        (what is Outcome.UNKNOWN and why is not UnknownReason.NONE)
        or (what is Outcome.CLEAN and why is UnknownReason.NONE)
        or bool(rules),
        "the reason does not go with the outcome",
    )
    sha256 = digest.hex() if flags & _WITH_DIGEST else ""
    return DemandResult(job, scanned_bytes, what, why, bool(flags & _CHANGED), sha256, rules, matches, gaps)


def _read_rule(reader: Reader) -> RuleReference:
    severity, action = reader.take(_RULE)
    identifier, pack, author, description, technique, reference, licence = (_read_text(reader) for _ in range(7))
    return RuleReference(
        identifier,
        pack,
        author,
        description,
        coded(_SEVERITIES, severity),
        coded(_ACTIONS, action),
        technique,
        reference,
        licence,
    )


def _read_match(reader: Reader, rules: tuple[RuleReference, ...]) -> PatternMatch:
    rule, offset_bytes, length_bytes = reader.take(_MATCH)
    require(rule < len(rules), "a match names a rule that is not there")
    pattern = _read_text(reader)
    excerpt = reader.string(limits.MATCH_EXCERPT_BYTES_MAX)
    return PatternMatch(rules[rule].identifier, pattern, offset_bytes, length_bytes, excerpt.hex(), _read_text(reader))


def _text(text: str) -> list[bytes]:
    """A text on the wire, cut to its bound at a character."""
    data = text.encode("utf-8", "backslashreplace")[: limits.DEMAND_TEXT_BYTES_MAX]
    return string(data.decode("utf-8", "ignore").encode("utf-8"))


def _read_text(reader: Reader) -> str:
    """The next text; bytes that are no UTF-8 become escapes."""
    return reader.string(limits.DEMAND_TEXT_BYTES_MAX).decode("utf-8", "backslashreplace")
