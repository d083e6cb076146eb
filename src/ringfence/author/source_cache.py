"""Files of rules that were read before are not read again: what one declares is remembered by the digest of its text.

Reading 9,000 rules takes a minute, and an author changes one of them.  What is remembered is checked field by field
when it comes back (`author/proof_cache.py`, rule 3); whatever is odd about it is as if it were not there.
"""

import hashlib
from contextlib import suppress
from dataclasses import asdict, fields
from importlib.metadata import version
from typing import Final, cast

from ringfence.author.proof_cache import ProofCache, key_of
from ringfence.author.yara_source import MetaValue, PatternText, SourceReader, SourceRule
from ringfence.model.errors import ContentRefused
from ringfence.wire.canonical import JsonValue

READER_VERSION: Final = 1
"""Rises when `author/yara_source.py` reads anything else out of the same text."""

_RULE: Final = frozenset(field.name for field in fields(SourceRule)) - {"file"}
_PATTERN: Final = frozenset(field.name for field in fields(PatternText))


class RememberingReader(SourceReader):
    """A reader of files of rules that knows those that it has read before, in this process or an earlier one."""

    def __init__(self, cache: ProofCache) -> None:
        """The parser is made when the first unknown file comes."""
        self._cache = cache
        self._reader: SourceReader | None = None
        self.remembered = 0
        """Files that were not read again."""

    def read(self, text: str, file: str) -> tuple[SourceRule, ...]:
        """As SourceReader.read."""
        sha256 = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        key = key_of("source", str(READER_VERSION), version("plyara"), sha256)
        known = _rules(self._cache.get(key), file)
        if known is not None:
            self.remembered += 1
            return known
        self._reader = self._reader or SourceReader()
        rules = self._reader.read(text, file)
        with suppress(ContentRefused):  # a number that JSON cannot hold
            self._cache.put(key, [_facts(rule) for rule in rules])
        return rules


def _facts(rule: SourceRule) -> JsonValue:
    facts = asdict(rule)
    del facts["file"]
    facts["tags"], facts["terms"] = list(rule.tags), list(rule.terms)
    facts["metadata"] = [[key, value] for key, value in rule.metadata]
    facts["modules"] = sorted(rule.modules)
    facts["patterns"] = [
        {"name": one.name, "kind": one.kind, "value": one.value, "modifiers": sorted(one.modifiers)}
        for one in rule.patterns
    ]
    return cast("JsonValue", facts)


def _rules(value: JsonValue, file: str) -> tuple[SourceRule, ...] | None:
    """The rules that were remembered, or None for anything that is none."""
    if not isinstance(value, list):
        return None
    try:
        return tuple(_rule(row, file) for row in value)
    except _OddError:
        return None


class _OddError(Exception):
    """What was remembered is not of its form; never leaves this module."""


def _rule(row: JsonValue, file: str) -> SourceRule:
    facts = _object(row, _RULE)
    line = facts["line"]
    if not isinstance(line, int) or isinstance(line, bool) or line < 0:
        raise _OddError
    return SourceRule(
        identifier=_text(facts["identifier"]),
        file=file,
        line=line,
        private=_flag(facts["private"]),
        is_global=_flag(facts["is_global"]),
        tags=_texts(facts["tags"]),
        metadata=tuple(_pair(pair) for pair in _list(facts["metadata"])),
        patterns=tuple(_pattern(one) for one in _list(facts["patterns"])),
        terms=_texts(facts["terms"]),
        modules=frozenset(_texts(facts["modules"])),
        raw_patterns=_text(facts["raw_patterns"]),
        raw_condition=_text(facts["raw_condition"]),
    )


def _pattern(value: JsonValue) -> PatternText:
    facts = _object(value, _PATTERN)
    name, kind, written = _text(facts["name"]), _text(facts["kind"]), _text(facts["value"])
    return PatternText(name, kind, written, frozenset(_texts(facts["modifiers"])))


def _pair(value: JsonValue) -> tuple[str, MetaValue]:
    match value:
        case [str(key), str() | bool() | int() as said]:
            return key, said
    raise _OddError


def _object(value: JsonValue, names: frozenset[str]) -> dict[str, JsonValue]:
    if not isinstance(value, dict) or value.keys() != names:
        raise _OddError
    return value


def _list(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list):
        raise _OddError
    return value


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise _OddError
    return value


def _texts(value: JsonValue) -> tuple[str, ...]:
    return tuple(_text(one) for one in _list(value))


def _flag(value: JsonValue) -> bool:
    if not isinstance(value, bool):
        raise _OddError
    return value
