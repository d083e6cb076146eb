"""What a YARA source declares, without compiling it: imports, rules, and how much of a file each rule must see.

A large file is scanned in parts.  A part is not a file: `filesize` is wrong in it, `$a at 0` means something else, and
`not $b` may only be true because `$b` lies in another part.  So each rule has a scope, and a match outside of its scope
is not believed:

1. `WHOLE_FILE`: the condition mentions `filesize`, excludes (`not`, `none`, `for all`), or bounds a count from above.
2. `FILE_START`: it mentions positions (`at`, `in`, `uint16(…)`, `@a`, `entrypoint`) or a module: true at the start.
3. `ANY_PART`: it only asks for patterns to be there.
4. A rule that refers to another rule has at least that rule's scope.

It also says which *inputs* each rule reads: imported modules and external variables that its condition names.

This is a reader of words, not a parser: where it errs, the engine's compiler refuses the source, and `detect/yara.py`
refuses a source in which the engine finds other rules than this reader.
"""

import re
from dataclasses import dataclass, replace
from enum import IntEnum, unique
from itertools import pairwise
from typing import Final

from ringfence.model.release import YARA_VARIABLES


@unique
class RuleScope(IntEnum):
    """How much of a file a rule must see for its match to count."""

    ANY_PART = 0
    FILE_START = 1
    WHOLE_FILE = 2


@dataclass(frozen=True, slots=True)
class DeclaredRule:
    """One rule as its source declares it."""

    name: str
    private: bool
    scope: RuleScope
    line: int
    """Line of its name, from 1."""

    start: int
    """Offset of its first word: `rule`, or the marks before it."""

    inputs: frozenset[str] = frozenset()
    """Modules and external variables that its own condition names; what follows a dot is a module's field."""


@dataclass(frozen=True, slots=True)
class PackOutline:
    """What one source declares."""

    imports: frozenset[str]
    rules: tuple[DeclaredRule, ...]


_TOKEN: Final = re.compile(
    r"""
    (?P<comment> //[^\n]*+ | /\*.*?(?:\*/|\Z) )
  | (?P<text>    "(?:[^"\\\n]|\\.)*+"? )
  | (?P<bytes>   =\s*+\{ (?: /\*.*?(?:\*/|\Z) | //[^\n]*+ | [^}] )*+ \}? )
  | (?P<regex>   /(?:[^/\\\n]|\\.)*+/?[is]* )
  | (?P<mark>    [<>=!]= | [<>{}:.-] )
  | (?P<word>    [$@\#!]?[A-Za-z_][A-Za-z0-9_]*+ | [@\#!$] )
    """,
    re.VERBOSE | re.DOTALL,
)
"""Every alternative also takes what is never closed, to its end, so that reading stays linear on nonsense."""

_MARK_WORDS: Final = frozenset({"private", "global"})
_WHOLE_FILE_WORDS: Final = frozenset({"filesize", "not", "none"})
_POSITION_WORDS: Final = frozenset({"at", "in", "entrypoint"})
_POSITION_READER: Final = re.compile(r"[@!].*|u?int(8|16|32|64)(be)?\Z|float(32|64)(be)?\Z")
_SHRINKING_MARKS: Final = frozenset({"<", "<=", "==", "!=", "-"})
_GROWING_MARKS: Final = frozenset({">", ">="})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    offset: int


def outline(source: str) -> PackOutline:
    """Read the declarations of `source`.  Never raises: nonsense in, few or no rules out."""
    tokens = [
        _Token(str(found.lastgroup), found.group(), found.start())
        for found in _TOKEN.finditer(source)
        if found.lastgroup != "comment"
    ]
    imports = {
        after.text[1:-1]
        for word, after in pairwise(tokens)
        if word.text == "import" and word.kind == "word" and after.kind == "text"
    }
    return PackOutline(frozenset(imports), _with_references(_rules(source, tokens, frozenset(imports))))


def _rules(source: str, tokens: list[_Token], modules: frozenset[str]) -> list[tuple[DeclaredRule, frozenset[str]]]:
    """Each declared rule with the words of its condition."""
    starts = [
        place
        for place, token in enumerate(tokens[:-1])
        if token.text == "rule" and token.kind == "word" and tokens[place + 1].kind == "word"
    ]
    found: list[tuple[DeclaredRule, frozenset[str]]] = []
    line, counted = 1, 0
    for place, end in zip(starts, [*starts[1:], len(tokens)], strict=False):
        name = tokens[place + 1]
        line += source.count("\n", counted, name.offset)
        counted = name.offset
        condition = _condition(tokens[place:end])
        first = place
        while first and place - first < len(_MARK_WORDS) and tokens[first - 1].text in _MARK_WORDS:
            first -= 1
        private = "private" in {token.text for token in tokens[first:place]}
        words = frozenset(token.text for token in condition if token.kind == "word")
        inputs = _inputs(condition, modules)
        rule = DeclaredRule(name.text, private, _scope(condition, modules), line, tokens[first].offset, inputs)
        found.append((rule, words))
    return found


def _inputs(condition: list[_Token], modules: frozenset[str]) -> frozenset[str]:
    """Which modules and external variables the condition names."""
    named = {
        token.text
        for before, token in pairwise([_Token("mark", "", 0), *condition])
        if token.kind == "word" and before.text != "."
    }
    return frozenset(named & (modules | YARA_VARIABLES))


def _condition(tokens: list[_Token]) -> list[_Token]:
    """The tokens after the last `condition:`; the marks of the next rule (`private`, `global`) do no harm."""
    for place in range(len(tokens) - 2, -1, -1):
        if tokens[place].text == "condition" and tokens[place + 1].text == ":":
            return tokens[place + 2 :]
    return tokens


def _scope(condition: list[_Token], modules: frozenset[str]) -> RuleScope:
    """The scope of one condition, other rules aside."""
    words = {token.text for token in condition if token.kind == "word"}
    if words & _WHOLE_FILE_WORDS or _excludes(condition):
        return RuleScope.WHOLE_FILE
    if words & (_POSITION_WORDS | modules) or any(_POSITION_READER.match(word) for word in words):
        return RuleScope.FILE_START
    return RuleScope.ANY_PART


def _excludes(condition: list[_Token]) -> bool:
    """Whether more bytes could make the condition false: `for all`, or a count that may only be small."""
    counts = any(token.kind == "word" and token.text.startswith("#") for token in condition)
    for before, token in pairwise(condition):
        if before.text == "for" and token.text == "all":
            return True
        if counts and token.kind == "mark":
            if token.text in _SHRINKING_MARKS:
                return True
            if token.text in _GROWING_MARKS and not before.text.startswith("#"):
                return True
    return False


def _with_references(rules: list[tuple[DeclaredRule, frozenset[str]]]) -> tuple[DeclaredRule, ...]:
    """Rule 4.  A YARA rule refers only to rules declared before it, so one pass is enough."""
    scopes: dict[str, RuleScope] = {}
    done: list[DeclaredRule] = []
    for rule, words in rules:
        scope = max([rule.scope, *(scopes[word] for word in words if word in scopes)])
        scopes[rule.name] = scope
        done.append(replace(rule, scope=scope))
    return tuple(done)
