r"""Texts that every match of an RE2 expression must contain, read from the expression itself.

The answer is a list of *clauses*: of the texts in one clause at least one is in everything that matches.  No clause is
always a right answer; a wrong one would be a missed detection.  So what is not surely understood says nothing:

1. Only ASCII characters make texts; texts are folded, and so must be the value that they are looked for in.  Folding
   also joins what `(?i)` joins: the long s is an s, the Kelvin sign a k.
2. A character that may be left out (`?`, `*`, `{0,`) makes no text; one that may be repeated ends it.
3. Of alternatives, each must have a clause; those are then one clause.
4. `\x`, `\p`, `\Q`, octal numbers and what else takes further characters: the whole expression says nothing.

>>> [sorted(clause) for clause in required_texts(r"(?i)(nc|ncat)\s+-e[[:space:]]?/bin/")]
[['nc', 'ncat'], ['-e'], ['/bin/']]
"""

import re
from collections.abc import Iterable
from typing import Final

from ringfence.model.detection import folded
from ringfence.model.limits import DETECTION_RULE_DEPTH_MAX

Clause = frozenset[str]

_REPEAT: Final = re.compile(r"[*+?]\??|\{(?P<least>[0-9]+)(?:,[0-9]*)?\}\??")
_GROUP: Final = re.compile(r"\((?:\?P?<[A-Za-z0-9_]+>|\?(?P<flags>[imsU-]*)(?P<end>[:)]))?")
_PLAIN_ESCAPES: Final = frozenset("dDwWsSbBAzntrfvaC")
"""Escapes of one letter that stand for themselves alone."""


def required_texts(pattern: str) -> list[Clause]:
    """The clauses of `pattern`, which RE2 accepts."""
    reader = _Reader(pattern)
    try:
        found = reader.alternatives(0)
    except _NotUnderstood:
        return []
    return found if reader.at == len(pattern) else []


def best_clause(clauses: Iterable[Clause]) -> Clause | None:
    """The clause whose shortest text is longest."""
    return max(clauses, key=lambda clause: (min(map(len, clause)), -len(clause), sorted(clause)), default=None)


class _NotUnderstood(Exception):
    """Rule 4."""


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def alternatives(self, depth: int) -> list[Clause]:
        """What stands up to the end, or to the bracket that closes this group."""
        if depth > DETECTION_RULE_DEPTH_MAX:
            raise _NotUnderstood
        branches = [self._sequence(depth)]
        while self.pattern.startswith("|", self.at):
            self.at += 1
            branches.append(self._sequence(depth))
        if len(branches) == 1:
            return branches[0]
        chosen = [best_clause(branch) for branch in branches]
        united = [clause for clause in chosen if clause is not None]
        return [frozenset[str]().union(*united)] if len(united) == len(branches) else []

    def _sequence(self, depth: int) -> list[Clause]:
        clauses: list[Clause] = []
        run = ""
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            text, inside = self._item(depth)
            least, repeated = self._repeats()
            if text and least > 0:
                run += text
            if not text or repeated:
                clauses += _clause(run)
                run = ""
            if least > 0:
                clauses += inside
        return clauses + _clause(run)

    def _item(self, depth: int) -> tuple[str, list[Clause]]:
        """One character that stands for itself, or "" and the clauses of what stands here."""
        character = self.pattern[self.at]
        if character == "(":
            return "", self._group(depth)
        if character == "[":
            self._skip_class()
            return "", []
        if character == "\\":
            return self._escape(), []
        self.at += 1
        return (character if character.isascii() and character not in "^$.*+?{" else ""), []

    def _escape(self) -> str:
        following = self.pattern[self.at + 1 : self.at + 2]
        self.at += 2
        if following in _PLAIN_ESCAPES:
            return ""
        if not following or not following.isascii() or following.isalnum():
            raise _NotUnderstood
        return following

    def _group(self, depth: int) -> list[Clause]:
        opened = _GROUP.match(self.pattern, self.at)
        if opened is None or (opened.end() - self.at == 1 and self.pattern.startswith("(?", self.at)):
            raise _NotUnderstood
        self.at = opened.end()
        if opened["end"] == ")":
            if _REPEAT.match(self.pattern, self.at):
                raise _NotUnderstood  # RE2 repeats what stands before the flags
            return []
        inside = self.alternatives(depth + 1)
        if not self.pattern.startswith(")", self.at):
            raise _NotUnderstood
        self.at += 1
        return inside

    def _skip_class(self) -> None:
        """`[...]`: a bracket that comes first is a member, and `[:name:]` is a class in the class."""
        self.at += 2 if self.pattern.startswith("[^", self.at) else 1
        first = True
        while self.at < len(self.pattern) and (first or self.pattern[self.at] != "]"):
            first = False
            end = self.pattern.find(":]", self.at + 2) if self.pattern.startswith("[:", self.at) else -1
            if end >= 0:
                self.at = end + 2
            else:
                self.at += 2 if self.pattern[self.at] == "\\" else 1
        self.at += 1

    def _repeats(self) -> tuple[int, bool]:
        """How often at least what was just read must be there, and whether anything is said about it."""
        least = 1
        repeated = False
        while found := _REPEAT.match(self.pattern, self.at):
            self.at = found.end()
            repeated = True
            if found["least"] is not None:
                least = min(least, int(found["least"]))
            elif found[0][0] != "+":
                least = 0
        return least, repeated


def _clause(run: str) -> list[Clause]:
    return [frozenset({folded(run)})] if run else []
