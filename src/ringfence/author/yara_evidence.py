"""How little must be in a file for a rule to match: the weakest way for its condition to be true.

1. `or` is as weak as its weakest side, `and` as strong as all its sides together, `not` and `none` are no evidence.
2. `any of` is as weak as the weakest pattern, `2 of` as the two weakest, `all of` as all together.
3. A pattern counts its fixed bytes (`author/pattern_strength.py`), a digest everything, another rule what it counts.
4. Sizes count nothing, nor do the first bytes of an ordinary kind of file (`ORDINARY`): all of its files have them.

Evidence is no proof: the goodware of the prover has the last word.  But a rule that refuses files on next to nothing is
refused before anybody has to be lucky in the choice of goodware.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ringfence.author.pattern_strength import strength, weakest
from ringfence.author.yara_condition import Node
from ringfence.author.yara_file import FilePattern, FileRule
from ringfence.author.yara_source import unescaped
from ringfence.detect.file_type import MAGICS

CERTAIN: Final = 64
"""Evidence of a digest, or of something that is never true."""

ORDINARY: Final = (
    *(magic for magic, _ in MAGICS),
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"OggS", b"ID3", b"BM", b"II*\0", b"MM\0*", b"\0asm", b"SQLi"),
    *(b"<?xm", b"<?ph", b"<htm", b"<HTM", b"<!DO", b"<!do", b"%!PS", b"#!/", b"Rar!", b"7z\xbc\xaf", b"ustar", b"MSCF"),
)
"""How files of ordinary kinds begin."""

_EQUAL: Final = frozenset(("==", "matches", "contains", "icontains", "startswith", "istartswith", "endswith"))
_MORE: Final = frozenset((">", ">=", "=="))
_READER: Final = re.compile(r"u?int(8|16|32|64)(be)?")
_NUMBER: Final = re.compile(r"0x[0-9A-Fa-f]{1,16}|[0-9][0-9_]{0,18}")
_START: Final = frozenset(("0", "0x0", "0x00"))


@dataclass(frozen=True, slots=True)
class WeakSpot:
    """An alternative through which a rule may match on too little; `pattern` is "" for a part of the condition."""

    start: int
    evidence: int
    pattern: str


class Evidence:
    """The evidence of one rule; `others` are the evidences of the rules that it may refer to."""

    def __init__(self, rule: FileRule, others: Mapping[str, int], worthless: frozenset[str] = frozenset()) -> None:
        """`worthless`: names of patterns that are no evidence whatever their length, such as a popular domain."""
        self._patterns = {one.name: one for one in rule.patterns}
        self._strengths = {one.name: 0 if one.name in worthless else strength(one) for one in rule.patterns}
        self._anonymous = [0 if one.name in worthless else strength(one) for one in rule.patterns if one.name == "$"]
        self._others = others
        self._condition = rule.condition

    @property
    def total(self) -> int:
        """The evidence of the weakest way to match."""
        return CERTAIN if self._condition is None else self._of(self._condition)

    @property
    def looks(self) -> bool:
        """Whether the rule looks at anything but sizes and the kind of the file, and wants to see it there.

        A comparison with a field of a module, or with bytes that are not the first, is looking, however little it is;
        of bytes even to find something else there.
        """
        if self._condition is None or self.total:
            return True
        waiting = [self._condition]
        while waiting:
            node = waiting.pop()
            if node.kind in ("pattern", "count", "offset", "length", "set", "index", "field") or (
                node.kind == "name" and node.value in self._others
            ):
                return True
            if node.kind == "not":
                waiting += [one for one in node.walk() if _reads(one)]
            elif _reads(node):
                if node.children[1].value not in _START:
                    return True
            else:
                waiting += node.children
        return False

    def weak_spots(self, least: int) -> tuple[WeakSpot, ...]:
        """The alternatives with less evidence than `least`."""
        if self._condition is None:
            return ()
        return tuple(dict.fromkeys(self._weak(self._condition, 0, least)))

    def _weak(self, node: Node, beside: int, least: int) -> Iterator[WeakSpot]:
        """Weak alternatives below `node`, which always comes together with evidence of `beside`."""
        own = self._of(node)
        if beside + own >= least:
            return
        if node.kind == "or":
            for child in node.children:
                yield from self._weak(child, beside, least)
            return
        if node.kind == "and":
            parts = [self._of(child) for child in node.children]
            branching = [place for place, child in enumerate(node.children) if child.kind in ("or", "of", "and")]
            for place in branching:
                rest = beside + sum(parts) - parts[place]
                yield from self._weak(node.children[place], rest, least)
            if not branching:
                yield WeakSpot(node.start, beside + own, "")
            return
        if node.kind == "of" and (patterns := self._in_set(node.children[1])) and self._is_any(node):
            for one in patterns:
                if beside + self._strengths[one.name] < least:
                    yield WeakSpot(one.start, beside + self._strengths[one.name], one.name)
            return
        yield WeakSpot(node.start, beside + own, node.value if node.kind == "pattern" else "")

    @staticmethod
    def _is_any(node: Node) -> bool:
        return node.value in ("any", "1")

    def _of(self, node: Node) -> int:
        """The evidence that `node` is true."""
        match node.kind:
            case "or":
                return min(self._of(child) for child in node.children)
            case "and":
                return min(CERTAIN, sum(self._of(child) for child in node.children))
            case "pattern":
                return self._strengths.get(node.value, 0)
            case "at" | "in":
                return self._of(node.children[0]) + 1 if self._of(node.children[0]) else 0
            case "of":
                return self._of_set(node.value, self._set_strengths(node.children[1]))
            case "for_of":
                return self._of_set(node.value, self._set_strengths(node.children[1]))
            case "for_in":
                return 0 if node.value == "none" else self._of(node.children[2])
            case "with":
                return self._of(node.children[-1])
            case "compare":
                return self._of_comparison(node)
            case "name":
                return CERTAIN if node.value == "false" else self._others.get(node.value, 0)
            case "call" | "field" | "index":
                return 1 if _module_of(node) not in ("math", "time", "") else 0
        return 0

    @staticmethod
    def _of_set(quantifier: str, strengths: list[int]) -> int:
        """Rule 2."""
        if quantifier == "none" or not strengths:
            return 0
        if quantifier == "all":
            return min(CERTAIN, sum(strengths))
        if quantifier.endswith("%") and quantifier[:-1].isdecimal():
            count = max(1, -(-len(strengths) * int(quantifier[:-1]) // 100))
        else:
            count = int(quantifier) if quantifier.isdecimal() else 1
        return min(CERTAIN, weakest(strengths, count)) if count else 0

    def _set_strengths(self, items: Node) -> list[int]:
        """The strengths of what a set holds: patterns, rules, or conditions."""
        if items.value == "them":
            return [one for name, one in self._strengths.items() if name != "$"] + self._anonymous
        found: list[int] = []
        for item in items.children:
            if item.kind == "pattern":
                found += [self._strengths[one.name] for one in self._matching(item.value)]
            elif item.kind == "name" and item.value.endswith("*"):
                found += [one for name, one in self._others.items() if name.startswith(item.value[:-1])]
            else:
                found.append(self._of(item))
        return found

    def _in_set(self, items: Node) -> list[FilePattern]:
        """The patterns of a set that holds nothing else."""
        if items.value == "them":
            return list(self._patterns.values())
        if any(item.kind != "pattern" for item in items.children):
            return []
        return [one for item in items.children for one in self._matching(item.value)]

    def _matching(self, name: str) -> list[FilePattern]:
        if name.endswith("*"):
            return [one for one in self._patterns.values() if one.name.startswith(name[:-1])]
        return [self._patterns[name]] if name in self._patterns else []

    def _of_comparison(self, node: Node) -> int:
        """`#a > 3`, `uint32(16) == 0x…`, `hash.md5(0, filesize) == "…"`, `pe.x == "…"`."""
        left, right = node.children
        if right.kind in ("count", "call") and left.kind in ("number", "text"):
            left, right = right, left
        if left.kind in ("count", "in") and left.value.startswith("#"):
            least = int(right.value) if right.kind == "number" and right.value.isdecimal() else 1
            wants = node.value == ">" or (node.value in _MORE and least > 0)
            return self._strengths.get(f"${left.value[1:]}", 0) if wants else 0
        if node.value not in _EQUAL:
            return 0
        if _reads(left):
            return _of_bytes(left, right.value) if right.kind == "number" else 0
        module = "" if left.kind == "name" else _module_of(left)
        if module == "hash" and right.kind == "text":
            return CERTAIN
        if right.kind == "text":
            return len(set(unescaped(right.value[1:-1]).lower())) if module else 0
        if right.kind == "regex":
            return strength(FilePattern("$", "regex", right.value, (), 0, 0)) if module else 0
        return 2 if right.kind == "number" and module not in ("math", "time", "") else 0


def _reads(node: Node) -> bool:
    """Whether `node` is `uint32(…)` or one of its kin."""
    return node.kind == "call" and len(node.children) > 1 and _READER.fullmatch(node.children[0].value) is not None


def _of_bytes(read: Node, number: str) -> int:
    """The evidence of `uint32(16) == 0x…`: all its bytes, unless a whole kind of files begins with them."""
    found = _READER.fullmatch(read.children[0].value)
    width = int(found[1]) // 8 if found else 0
    if read.children[1].value not in _START:
        return width
    if not _NUMBER.fullmatch(number):
        return 0
    value = int(number, 0) if number.startswith("0x") else int(number.replace("_", ""))
    order: Literal["big", "little"] = "big" if found and found[2] else "little"
    first = (value % (1 << 8 * width)).to_bytes(width, order)
    ordinary = any(first.startswith(magic) or magic.startswith(first) for magic in ORDINARY)
    return 0 if ordinary else width


def _module_of(node: Node) -> str:
    """The module that a field, index or call leads back to, or ""."""
    while node.kind in ("field", "index", "call") and node.children:
        node = node.children[0]
    return node.value if node.kind == "name" else ""
