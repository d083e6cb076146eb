"""The witness of a rule: patterns of which at least one must match wherever the rule's condition is true.

A file in which no pattern of the witness matches needs no look at the rule.  What is concluded here must be *sound*: a
witness that is too large costs time, one that is too small hides malware.  So a condition is cut at `or`, `and` and
brackets, and each operand must have one of these forms as a whole; any other form requires nothing:

1. `$a`, `$a at …`, `$a in (…)` require `$a`.
2. `#a`, `#a > 3`, `#a in (…) >= 1` and their mirror images require `$a`, if the count cannot be zero.
3. `any of`, `all of` and `3 of`, over `them` or a list of patterns, also with `at` and `in`: of n patterns of which m
   must match, any n - m + 1 contain one that matches.  The best are taken.
4. The name of an earlier rule of the same pack requires what that rule requires.
5. `x and y` requires what x or y does, whichever is the better; `x or y` what either does, and nothing if one of them
   requires nothing.  `not`, `defined`, `none`, `for` and comparisons require nothing.  A condition that binds names
   (`with`) is not looked at.
6. `uint16(0) == 0x5A4D` requires itself: it is copied like a pattern, and the engine reads it.  So do the calls of the
   module `pe` in `_PE_CALLS`, which say nothing about other files (a test holds that).  No other first bytes: those of
   ELF files and scripts are everywhere on a Linux host.
7. A witness is only worth something if its patterns are rare (`detect/pattern_rarity.py`).  That changes no finding.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ringfence.detect.pattern_rarity import rarity
from ringfence.detect.rule_text import RuleText
from ringfence.model.limits import (
    CONDITION_DEPTH_MAX,
    CONDITION_WORDS_MAX,
    RULE_PATTERNS_MAX,
    WITNESS_BYTES_MAX,
    WITNESS_BYTES_MIN,
    WITNESS_PATTERNS_MAX,
)


@dataclass(frozen=True, slots=True)
class Witness:
    """Patterns of which one must match."""

    declarations: frozenset[str]
    """All that decides whether a pattern matches stands in its declaration, so names are left out."""

    rarity: int
    """Of the poorest of them."""

    is_program: bool = False
    """Or else the file begins as a Windows program does: `PROGRAM_TEST` is true."""

    @property
    def worth(self) -> tuple[bool, bool, int, int]:
        """Greater is better: rare enough, no more than patterns, rarer, and fewer."""
        return is_rare(self), not self.is_program, min(self.rarity, WITNESS_BYTES_MAX), -len(self.declarations)


PROGRAM_TEST: Final = "uint16(0) == 0x5A4D"

_PROGRAM: Final = Witness(frozenset(), WITNESS_BYTES_MAX, is_program=True)


def witness_of(rule: RuleText, earlier: Mapping[str, Witness]) -> Witness | None:
    """The witness of `rule`, or None.  `earlier`: those of the rules before it in its pack."""
    if "with" in rule.condition or len(rule.condition) > CONDITION_WORDS_MAX or len(rule.patterns) > RULE_PATTERNS_MAX:
        return None
    closing = _closing(rule.condition)
    if closing is None:
        return None
    return _Condition(rule, earlier, closing).alternatives(0, len(rule.condition), 0)


def is_rare(witness: Witness) -> bool:
    """Rule 7 of the module."""
    return witness.rarity >= WITNESS_BYTES_MIN


_COUNTS: Final = re.compile(r"0|[1-9][0-9]{0,5}")
_PLACE_WORD: Final = re.compile(r"[A-Za-z_@!\#0-9(][A-Za-z_0-9]*|[-+*.,)\[\]]|\.\.")
_NO_PLACE: Final = frozenset("and or not defined of for at in matches contains startswith endswith".split())
_PE_CALLS: Final = re.compile(
    r"""uint16\ \(\ 0\ \)\ ==\ 0x5[aA]4[dD]
      | pe\ \.\ (?: is_pe
          | imphash\ \(\ \)\ ==\ "[^"\\]*"
          | exports\ \(\ "[^"\\]*"\ \)
          | imports\ \(\ "[^"\\]*"(?:\ ,\ "[^"\\]*")?\ \) )""",
    re.VERBOSE,
)
_MIRRORED: Final[Mapping[str, str]] = {"<": ">", "<=": ">=", "==": "=="}
_COUNT_MIN: Final[Mapping[str, int]] = {">": 0, ">=": 1, "==": 1}
"""Operator between a count and a number -> the smallest number for which the count cannot be zero."""


def _closing(words: Sequence[str]) -> dict[int, int] | None:
    """Place of each opening bracket -> place of the one that closes it, or None where they do not fit."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for place, word in enumerate(words):
        if word in ("(", "["):
            opened.append(place)
        elif word in (")", "]"):
            if not opened or words[opened[-1]] + word not in ("()", "[]"):
                return None
            pairs[opened.pop()] = place
    return None if opened else pairs


class _Condition:
    """One condition.  Stretches of it are given by the places where they begin and end."""

    __slots__ = ("closing", "earlier", "patterns", "words")

    def __init__(self, rule: RuleText, earlier: Mapping[str, Witness], closing: Mapping[int, int]) -> None:
        self.words = rule.condition
        self.earlier = earlier
        self.closing = closing
        self.patterns = [
            (pattern.name, Witness(frozenset((pattern.declaration,)), rarity(pattern))) for pattern in rule.patterns
        ]

    def alternatives(self, start: int, end: int, depth: int) -> Witness | None:
        """Rule 5 for `or`."""
        if depth > CONDITION_DEPTH_MAX:
            return None
        found: list[Witness] = []
        for branch in self._cut(start, end, "or"):
            parts = [self._operand(*part, depth) for part in self._cut(*branch, "and")]
            best = max((part for part in parts if part), key=lambda part: part.worth, default=None)
            if best is None:
                return None
            found.append(best)
        return _one_of(found)

    def _cut(self, start: int, end: int, word: str) -> list[tuple[int, int]]:
        """The stretches between each `word` that stands outside of brackets."""
        parts = []
        place = begin = start
        while place < end:
            if self.words[place] == word:
                parts.append((begin, place))
                begin = place + 1
            place = self.closing.get(place, place) + 1
        return [*parts, (begin, end)]

    def _operand(self, start: int, end: int, depth: int) -> Witness | None:
        """What one operand of `and` requires, by its form."""
        if start >= end:
            return None
        words = self.words
        first = words[start]
        if first == "(" and self.closing[start] == end - 1:
            return self.alternatives(start + 1, end - 1, depth + 1)
        if end - start == 1 and first in self.earlier:
            return self.earlier[first]
        if first.startswith("$"):
            return self._named(first) if self._is_place(start + 1, end) else None
        if first.startswith("#"):
            return self._counted(start, end)
        if end - start == 3 and words[start + 2].startswith("#") and words[start + 1] in _MIRRORED:  # noqa: PLR2004
            return self._at_least(words[start + 2], _MIRRORED[words[start + 1]], first)
        if end - start > 2 and words[start + 1] == "of":  # noqa: PLR2004
            return self._some_of(start, end)
        if first in ("uint16", "pe") and _PE_CALLS.fullmatch(" ".join(words[start:end])):
            return _PROGRAM
        return None

    def _is_place(self, start: int, end: int) -> bool:
        """Whether the stretch is empty, `at` and an offset, or `in` and a range in brackets: it only narrows."""
        if start == end:
            return True
        if self.words[start] == "in":
            return start + 1 < end and self.words[start + 1] == "(" and self.closing[start + 1] == end - 1
        rest = self.words[start + 1 : end]
        return (
            self.words[start] == "at"
            and bool(rest)
            and all(_PLACE_WORD.fullmatch(word) and word not in _NO_PLACE for word in rest)
        )

    def _named(self, name: str) -> Witness | None:
        """The pattern `name`; a pattern without a name cannot be meant."""
        return next((witness for own, witness in self.patterns if own == name != "$"), None)

    def _counted(self, start: int, end: int) -> Witness | None:
        """Rule 2, the count first."""
        words = self.words
        place = start + 1
        if place < end and words[place] == "in":
            if place + 1 >= end or words[place + 1] != "(":
                return None
            place = self.closing[place + 1] + 1
        if place == end:
            return self._named("$" + words[start][1:])
        return self._at_least(words[start], words[place], words[place + 1]) if end - place == 2 else None  # noqa: PLR2004

    def _at_least(self, count: str, operator: str, number: str) -> Witness | None:
        """The pattern of `count`, if `count operator number` says that it matched."""
        least = _COUNT_MIN.get(operator)
        if least is None or not _COUNTS.fullmatch(number) or int(number) < least:
            return None
        return self._named("$" + count[1:])

    def _some_of(self, start: int, end: int) -> Witness | None:
        """Rule 3."""
        words = self.words
        if words[start + 2] == "them":
            members: list[Witness] | None = [witness for _, witness in self.patterns]
            place = start + 3
        elif words[start + 2] == "(":
            place = self.closing[start + 2] + 1
            members = self._members(words[start + 3 : place - 1])
        else:
            return None
        if not members or not self._is_place(place, end):
            return None
        if words[start] == "all":
            needed = len(members)
        elif words[start] == "any":
            needed = 1
        elif _COUNTS.fullmatch(words[start]):
            needed = int(words[start])
        else:
            return None
        if not 1 <= needed <= len(members):
            return None
        members.sort(key=lambda member: member.worth, reverse=True)
        return _one_of(members[: len(members) - needed + 1])

    def _members(self, words: Sequence[str]) -> list[Witness] | None:
        """The patterns that a list names, each as often as it does; None where it names anything else."""
        members: list[Witness] = []
        for item in " ".join(words).split(" , "):
            name, star, rest = item.partition(" *")
            if rest or not name.startswith("$") or " " in name or len(members) > WITNESS_PATTERNS_MAX:
                return None
            fitting = [
                witness for own, witness in self.patterns if (own.startswith(name) if star else own == name != "$")
            ]
            if not fitting:
                return None
            members += fitting
        return members


def _one_of(several: Sequence[Witness]) -> Witness | None:
    """The witness for: one of `several` holds."""
    if len(several) == 1:
        return several[0]
    declarations = frozenset(declaration for one in several for declaration in one.declarations)
    if len(declarations) > WITNESS_PATTERNS_MAX:
        return None
    return Witness(declarations, min(one.rarity for one in several), any(one.is_program for one in several))
