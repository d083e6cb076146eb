"""A release, cut into the smallest parts that can be tried alone: each rule with the rules that it refers to.

1. A rule that reports is one unit.  It takes along, from its own pack, the rules that its condition names, at any
   distance; `(prefix*)` names every earlier rule that begins so; and every global rule, which speaks for all.
2. A unit is a release of its own, so that a worker compiles and scans it exactly as a host would (`subset`).
3. Its digest covers all that can change what comes of it: source, class of files, severity and action.  Where the
   digest is the same, an earlier result holds.

The texts are cut by the host's own reader of declarations (`detect/rule_outline.py`), never parsed anew.
"""

import dataclasses
import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from ringfence.detect.rule_outline import PackOutline, outline
from ringfence.detect.rule_text import RuleText, read_rule
from ringfence.model.release import Pack, Release, RuleEntry

_WORDS: Final = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"|/\*.*?\*/|//[^\n]*|[A-Za-z_][A-Za-z0-9_]*\*?", re.DOTALL)
_GLOBAL: Final = re.compile(r"\bglobal\b")


@dataclass(frozen=True, slots=True)
class RuleUnit:
    """One reporting rule with what it needs."""

    name: str
    pack: str
    path: str
    """Of its pack in the release."""

    line: int
    """Of its name, in its pack."""

    digest: str


@dataclass(frozen=True, slots=True)
class _Slice:
    """One rule of a pack as text."""

    name: str
    private: bool
    speaks_for_all: bool
    text: str
    line: int
    named: frozenset[str]
    """Rules of the pack that must be there for it."""


class UnitReader:
    """The units of one release."""

    def __init__(self, release: Release) -> None:
        """Cut every pack into its rules."""
        self.release = release
        self._entries = {entry.identifier: entry for entry in release.manifest.rules}
        self._outlines = {pack.entry.name: outline(pack.source) for pack in release.packs}
        self._slices = {
            pack.entry.name: _slices(pack.source, self._outlines[pack.entry.name]) for pack in release.packs
        }
        self._pack_of = {entry.identifier: entry.pack for entry in release.manifest.rules}

    def units(self) -> tuple[RuleUnit, ...]:
        """One for each rule that reports, in the order of the manifest."""
        found = {
            one.name: RuleUnit(one.name, pack.entry.name, pack.entry.path, one.line, self._digest(pack, one.name))
            for pack in self.release.packs
            for one in self._slices[pack.entry.name].values()
            if one.name in self._entries
        }
        return tuple(found[entry.identifier] for entry in self.release.manifest.rules if entry.identifier in found)

    def subset(self, names: Collection[str]) -> Release:
        """The release of only these rules and what they need; without self-tests."""
        wanted: dict[str, set[str]] = {}
        for name in names:
            wanted.setdefault(self._pack_of[name], set()).add(name)
        packs = []
        kept: list[RuleEntry] = []
        for pack in self.release.packs:
            if pack.entry.name not in wanted:
                continue
            source, reporting = self._cut(pack, wanted[pack.entry.name])
            data = source.encode(errors="surrogatepass")
            entry = dataclasses.replace(pack.entry, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
            packs.append(Pack(entry, source))
            kept += [self._entries[name] for name in reporting]
        manifest = dataclasses.replace(
            self.release.manifest,
            packs=tuple(pack.entry for pack in packs),
            rules=tuple(sorted(kept, key=lambda entry: entry.identifier)),
            self_tests=(),
        )
        return dataclasses.replace(self.release, manifest=manifest, packs=tuple(packs), samples=())

    def text(self, name: str) -> RuleText | None:
        """The rule read to its last character, or None where anything in it is odd."""
        one = self._slices[self._pack_of[name]].get(name)
        return None if one is None else read_rule(one.text, 0, len(one.text))

    def source(self, name: str) -> str:
        """The rule's own text."""
        one = self._slices[self._pack_of[name]].get(name)
        return "" if one is None else one.text

    def _cut(self, pack: Pack, names: Iterable[str]) -> tuple[str, list[str]]:
        """The source of these rules of a pack with what they need, and which of them report."""
        slices = self._slices[pack.entry.name]
        needed: set[str] = {one.name for one in slices.values() if one.speaks_for_all}
        waiting = [*needed, *(name for name in names if name in slices)]
        while waiting:
            name = waiting.pop()
            needed.add(name)
            waiting += [other for other in slices[name].named if other not in needed]
        chosen = [one for one in slices.values() if one.name in needed]
        body = "\n".join(one.text for one in chosen)
        modules = sorted(name for name in self._outlines[pack.entry.name].imports if name in body)
        source = "".join(f'import "{name}"\n' for name in modules) + body
        return source, [one.name for one in chosen if one.name in self._entries]

    def _digest(self, pack: Pack, name: str) -> str:
        source, reporting = self._cut(pack, [name])
        facts = [f"{other} {self._entries[other].action} {self._entries[other].severity}" for other in reporting]
        text = "\n".join((pack.entry.file_class, *facts, source))
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _slices(source: str, declared: PackOutline) -> dict[str, _Slice]:
    """The rules of a pack by name, in their order."""
    found: dict[str, _Slice] = {}
    ends = [*(rule.start for rule in declared.rules[1:]), len(source)]
    for rule, end in zip(declared.rules, ends, strict=True):
        text = source[rule.start : end].rstrip()
        words = {word for word in _WORDS.findall(text) if word[0] not in '"/'} - {rule.name}
        stems = {word[:-1] for word in words if word.endswith("*")}
        named = {name for name in found if name in words or any(name.startswith(stem) for stem in stems)}
        head = text.partition("{")[0]
        found[rule.name] = _Slice(
            rule.name, rule.private, bool(_GLOBAL.search(head)), text, rule.line, frozenset(named)
        )
    return found
