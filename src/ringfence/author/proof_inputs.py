"""Adversarial inputs: the same for everybody, and for each rule those that hurt it most.

For everybody (`GENERAL`): zeros, one byte, one-letter text, chance with a seed, dense words, programs.  For a rule:

1. *Own*: what its patterns match, one after the other, repeated.  Every pattern hits, thousands of times.
2. *Near*: the same, each without its last byte.  Every search begins and none ends.
3. What its condition asks for at a place (`uint16(0) == 0x5A4D`, `$a at 4`) is planted there, so that a slow part does
   not hide behind a cheap test.
4. Sizes: small, the largest that a host scans while somebody waits, and those around each `filesize` of the condition.

Everything is a function of the rule's text and `INPUTS_VERSION`: the same probes on every machine.
"""

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ringfence.author.pattern_sample import sample_of
from ringfence.detect.file_type import MAGICS
from ringfence.detect.rule_text import RuleText
from ringfence.model.limits import (
    PROOF_CLASSES_ENTRIES_MAX,
    PROOF_OWN_SIZES_ENTRIES_MAX,
    PROOF_OWN_TEXT_BYTES_MAX,
    READ_PIECE_BYTES,
    RULE_PROBE_SMALL_BYTES,
    SYNC_SCAN_BYTES_MAX,
)

INPUTS_VERSION: Final = 1
"""Rises when an input changes: earlier results are then no longer believed."""

_NUMBER: Final = re.compile(r"(0x[0-9A-Fa-f]+|0o[0-7]+|[0-9][0-9_]*)(KB|MB)?")
_READERS: Final[Mapping[str, tuple[int, str]]] = {
    f"{sign}int{bits}{order}": (bits // 8, "big" if order else "little")
    for sign in ("u", "")
    for bits in (8, 16, 32)
    for order in ("", "be")
}
_UNITS: Final[Mapping[str, int]] = {"KB": 1 << 10, "MB": 1 << 20}


@dataclass(frozen=True, slots=True)
class Probe:
    """One input with a name that a person understands."""

    name: str
    data: bytes


def magic_of(file_class: str) -> bytes:
    """The first bytes that make a file one of this class; empty for "any" and "other"."""
    return next((magic for magic, owner in MAGICS if owner == file_class), b"")


@lru_cache(maxsize=PROOF_CLASSES_ENTRIES_MAX)
def general_probes(file_class: str) -> tuple[Probe, ...]:
    """The inputs that every rule of a class meets, small and large.  Kept for one class: they are 80 MiB."""
    magic = magic_of(file_class)
    return tuple(
        Probe(f"{name}, {_size(size)}", magic + body[: size - len(magic)])
        for name, body in _bodies()
        for size in (RULE_PROBE_SMALL_BYTES, SYNC_SCAN_BYTES_MAX)
    )


def own_probes(rule: RuleText, file_class: str) -> Iterator[Probe]:
    """The inputs made for one rule: small ones of each kind, then large ones of both kinds together."""
    samples = [sample for pattern in rule.patterns if (sample := sample_of(pattern))]
    own = b"\n".join(samples)[:PROOF_OWN_TEXT_BYTES_MAX]
    near = b"\n".join(sample[:-1] for sample in samples if len(sample) > 1)[:PROOF_OWN_TEXT_BYTES_MAX]
    planted = {0: magic_of(file_class)} | dict(_planted(rule))
    if not own and len(planted) == 1:
        return
    yield Probe("its own strings", _repeated(own + b"\n", RULE_PROBE_SMALL_BYTES, planted))
    if near:
        yield Probe("near misses of its strings", _repeated(near + b"\n", RULE_PROBE_SMALL_BYTES, planted))
    for size in _sizes(rule):
        text = own + b"\n" + near + b"\n"
        yield Probe(f"its own strings and near misses, {_size(size)}", _repeated(text, size, planted))


def own_sample(rule: RuleText, file_class: str) -> bytes:
    """A small file on which the rule probably hits: each of its patterns once."""
    text = b"\n".join(sample_of(pattern) for pattern in rule.patterns)[:PROOF_OWN_TEXT_BYTES_MAX]
    return _head({0: magic_of(file_class)} | dict(_planted(rule))) + b"\n" + text + b"\n"


def _bodies() -> Iterator[tuple[str, bytes]]:
    yield "zeros", bytes(SYNC_SCAN_BYTES_MAX)
    yield "one byte", b"a" * SYNC_SCAN_BYTES_MAX
    yield "one-letter text", b"a\n" * (SYNC_SCAN_BYTES_MAX // 2)
    yield "chance", _chance()
    yield "dense words", _dense()


@lru_cache(maxsize=PROOF_CLASSES_ENTRIES_MAX)
def _chance() -> bytes:
    return random.Random(INPUTS_VERSION).randbytes(SYNC_SCAN_BYTES_MAX)  # noqa: S311 - the same probes each time


@lru_cache(maxsize=PROOF_CLASSES_ENTRIES_MAX)
def _dense() -> bytes:
    chance = random.Random(INPUTS_VERSION)  # noqa: S311 - as above
    words = [b"eval(", b"http://", b"/bin/sh ", b"<?php ", b"x=x", b"MZ", b"function ", b"\r\n", b"AAAA", b"0x41,"]
    piece = b"".join(chance.choice(words) for _ in range(RULE_PROBE_SMALL_BYTES // 4))
    return _repeated(piece, SYNC_SCAN_BYTES_MAX, {})


def _planted(rule: RuleText) -> Iterator[tuple[int, bytes]]:
    """Rule 3: place and bytes."""
    words = rule.condition
    samples = {pattern.name: pattern for pattern in rule.patterns}
    for at in range(len(words)):
        match words[at : at + 6]:
            case [reader, "(", place, ")", "==", number] if reader in _READERS:
                width, order = _READERS[reader]
                where, value = _value(place), _value(number)
                if where is not None and value is not None and where < RULE_PROBE_SMALL_BYTES // 2:
                    yield where, _bytes(value, width, order)
            case [name, "at", place, *_] if name in samples and (where := _value(place)) is not None:
                if where < RULE_PROBE_SMALL_BYTES // 2:
                    yield where, sample_of(samples[name])


def _sizes(rule: RuleText) -> list[int]:
    """Rule 4, the small size aside."""
    found = {SYNC_SCAN_BYTES_MAX: None}
    words = rule.condition
    for at, word in enumerate(words):
        if word != "filesize":
            continue
        for near in (words[at + 2 : at + 3], words[max(at - 2, 0) : max(at - 1, 0)]):
            value = _value(near[0]) if near else None
            if value is not None and 1 < value < SYNC_SCAN_BYTES_MAX:
                found.update(dict.fromkeys((value - 1, value + 1)))
    return list(found)[:PROOF_OWN_SIZES_ENTRIES_MAX]


def _value(word: str) -> int | None:
    found = _NUMBER.fullmatch(word)
    if found is None:
        return None
    return int(found[1].replace("_", ""), 0 if found[1].startswith("0") and len(found[1]) > 1 else 10) * _UNITS.get(
        found[2] or "", 1
    )


def _bytes(value: int, width: int, order: str) -> bytes:
    return (value % (1 << 8 * width)).to_bytes(width, "big" if order == "big" else "little")


def _repeated(text: bytes, size: int, planted: Mapping[int, bytes]) -> bytes:
    """What is planted, then `text` again and again: one large copy, because thousands of these are made."""
    head = _head(planted)
    left = size - len(head)
    if left <= 0:
        return head[:size]
    piece = text * max(1, READ_PIECE_BYTES // len(text))
    return b"".join((head, *[piece] * (left // len(piece)), piece[: left % len(piece)]))


def _head(planted: Mapping[int, bytes]) -> bytes:
    """The shortest beginning in which everything stands at its place."""
    made = bytearray(max((at + len(data) for at, data in planted.items()), default=0))
    for at, data in planted.items():
        made[at : at + len(data)] = data
    return bytes(made)


def _size(size: int) -> str:
    if size % (1 << 20) == 0:
        return f"{size >> 20} MiB"
    return f"{size >> 10} KiB" if size % (1 << 10) == 0 else f"{size} bytes"
