"""The contract of a sensor build: canonical JSON <-> `model.contract.SensorContract`.

A contract is made by a build from its code, never by hand: its `build` is a version and the beginning of the digest of
that and all the rest, and a contract that was changed afterwards is refused.  Two builds that supply something else
never have the same name.
"""

import hashlib
import re
from dataclasses import replace
from itertools import pairwise
from typing import Final

from ringfence.model.contract import CONTRACT_FORMAT, EventField, EventType, FieldKind, SensorContract
from ringfence.model.limits import (
    CONTRACT_BYTES_MAX,
    CONTRACT_EVENT_FIELDS_MAX,
    CONTRACT_TYPES_ENTRIES_MAX,
    CONTRACT_WORDS_MAX,
    JSON_INTEGER_MAX,
    NAME_CHARACTERS_MAX,
)
from ringfence.wire import canonical
from ringfence.wire.canonical import Fields, JsonValue
from ringfence.wire.manifest import EVENT_FIELD, EVENT_TYPE

FINGERPRINT_DIGITS: Final = 12
"""Digits of the digest that a build's name ends in: enough that no two builds of a fleet are the same by chance."""

BUILD: Final = re.compile(rf"[0-9A-Za-z.-]{{1,{NAME_CHARACTERS_MAX}}}\+[0-9a-f]{{{FINGERPRINT_DIGITS}}}")
VERSION: Final = re.compile(rf"[0-9A-Za-z.+-]{{1,{NAME_CHARACTERS_MAX}}}")
WORD: Final = re.compile(rf"[a-z][a-z0-9_-]{{0,{NAME_CHARACTERS_MAX - 1}}}")
LIMIT: Final = re.compile(rf"[A-Z][A-Z0-9_]{{0,{NAME_CHARACTERS_MAX - 1}}}")

_TOP: Final = frozenset({"format"} | set(SensorContract.__dataclass_fields__))
_EVENT: Final = frozenset({"name", "arity", "fields"})
_FIELD: Final = frozenset({"name", "kind"})
_LIMIT: Final = frozenset({"name", "value"})


def named(version: str, contract: SensorContract) -> SensorContract:
    """`contract` under the name that a build of `version` with exactly these inputs has."""
    return replace(contract, build=f"{version}+{_fingerprint(version, contract)}")


def contract_digest(contract: SensorContract) -> str:
    """What a contract is known by in a proof."""
    return hashlib.sha256(encode_contract(contract)).hexdigest()


def encode_contract(contract: SensorContract) -> bytes:
    """The canonical bytes of `contract`."""
    return canonical.encode(_value(contract))


def decode_contract(data: bytes, file: str) -> SensorContract:
    """Read a contract, which is called `file` in errors.  Raises ContentRefused with the place of what is off."""
    top = Fields(canonical.decode(data, file=file, bytes_max=CONTRACT_BYTES_MAX), _TOP, file=file)
    top.integer("format", CONTRACT_FORMAT, CONTRACT_FORMAT)
    contract = SensorContract(
        build=top.word("build", BUILD),
        engine=top.word("engine", WORD),
        engine_version=top.word("engine_version", VERSION),
        release_format=top.integer("release_format", 1, JSON_INTEGER_MAX),
        detection_format=top.integer("detection_format", 0, JSON_INTEGER_MAX),
        yara_modules=_words(top, "yara_modules"),
        yara_variables=_words(top, "yara_variables"),
        file_classes=_words(top, "file_classes"),
        events=_events(top),
        limits=tuple(
            (row.word("name", LIMIT), row.integer("value", 0, JSON_INTEGER_MAX))
            for row in top.rows("limits", CONTRACT_WORDS_MAX, _LIMIT)
        ),
    )
    _check_rising(top, "limits", [name for name, _ in contract.limits])
    version, _, fingerprint = contract.build.partition("+")
    if fingerprint != _fingerprint(version, contract):
        top.refuse("build", "does not fit what the contract says: it was changed after it was made")
    return contract


def _events(top: Fields) -> tuple[EventType, ...]:
    events = []
    for row in top.rows("events", CONTRACT_TYPES_ENTRIES_MAX, _EVENT):
        fields = tuple(
            EventField(field.word("name", EVENT_FIELD), field.choice("kind", FieldKind))
            for field in row.rows("fields", CONTRACT_EVENT_FIELDS_MAX, _FIELD)
        )
        _check_rising(row, "fields", [field.name for field in fields])
        event = EventType(row.word("name", EVENT_TYPE), fields)
        if row.integer("arity", 0, CONTRACT_EVENT_FIELDS_MAX) != event.arity:
            row.refuse("arity", f"is not the number of its fields, {event.arity}")
        events.append(event)
    _check_rising(top, "events", [event.name for event in events])
    return tuple(events)


def _words(top: Fields, name: str) -> tuple[str, ...]:
    words = []
    for word in top.items(name, CONTRACT_WORDS_MAX):
        if not isinstance(word, str) or not WORD.fullmatch(word):
            top.refuse(name, f"may hold only words that fit {WORD.pattern}")
        words.append(word)
    _check_rising(top, name, words)
    return tuple(words)


def _check_rising(row: Fields, name: str, keys: list[str]) -> None:
    if any(before >= after for before, after in pairwise(keys)):
        row.refuse(name, "must be sorted and without repetition")


def _fingerprint(version: str, contract: SensorContract) -> str:
    return hashlib.sha256(canonical.encode(_value(replace(contract, build=version)))).hexdigest()[:FINGERPRINT_DIGITS]


def _value(contract: SensorContract) -> JsonValue:
    return {
        "format": CONTRACT_FORMAT,
        "build": contract.build,
        "engine": contract.engine,
        "engine_version": contract.engine_version,
        "release_format": contract.release_format,
        "detection_format": contract.detection_format,
        "yara_modules": list(contract.yara_modules),
        "yara_variables": list(contract.yara_variables),
        "file_classes": list(contract.file_classes),
        "events": [
            {
                "name": event.name,
                "arity": event.arity,
                "fields": [{"name": field.name, "kind": field.kind} for field in event.fields],
            }
            for event in contract.events
        ],
        "limits": [{"name": name, "value": value} for name, value in contract.limits],
    }
