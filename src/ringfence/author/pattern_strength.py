"""How much of a pattern is fixed: the different bytes that every match of it must hold.

1. A pattern is as strong as its weakest alternative.  What may be left out, or stands for many bytes, counts nothing.
2. Of each run of fixed bytes its *different* ones count, and folded to one case: zeros in a row are everywhere.
3. A text that ordinary files are full of (`COMMON`) counts nothing.  As a part of an expression it does count.

A regular expression is read by its grammar as far as that is needed: groups, alternatives, sets and repetitions.
"""

import re
from collections.abc import Iterable
from typing import Final

from ringfence.author.yara_file import FilePattern
from ringfence.author.yara_source import unescaped
from ringfence.detect.pattern_rarity import COMMON
from ringfence.model.limits import RULE_CONDITION_DEPTH_MAX

_HEX_UNIT: Final = re.compile(
    r"""
    (?P<skip> /\*.*?\*/ | //[^\n]*+ | [ \t\r\n]++ ) | (?P<open> \( ) | (?P<shut> \) ) | (?P<either> \| )
  | (?P<fixed> [0-9A-Fa-f]{2} ) | (?P<other> \[[^\]]*+\]? | ~?.. | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_REGEX_UNIT: Final = re.compile(
    r"""
    (?P<open> \((?:\?[a-z-]*:)? ) | (?P<shut> \) ) | (?P<either> \| )
  | (?P<repeat> [?*+]\?? | \{[0-9,]*+\}\?? )
  | (?P<fixed> \\x[0-9A-Fa-f]{2} | \\[^A-Za-z0-9] | \\[nrtfa] | [^\\\[.^$()|?*+] )
  | (?P<other> \[\^?\]?(?:\\.|[^\]\\])*+(?:\]|\Z) | \\. | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "a": "\a"}

Part = list[str | int]
"""A sequence: characters that are fixed, and the strengths of groups; 0 breaks a run."""


def strength(pattern: FilePattern) -> int:
    """Different fixed bytes in every match of `pattern`."""
    if pattern.kind == "text":
        text = unescaped(pattern.value[1:-1]).lower()
        return 0 if text.strip() in COMMON else _of_run(text)
    if pattern.kind == "hex":
        return _of_units(_HEX_UNIT, pattern.value[1:-1])
    return _of_units(_REGEX_UNIT, pattern.value[1 : pattern.value.rindex("/")])


def alternatives(pattern: FilePattern) -> int:
    """The most alternatives that one place of the pattern has."""
    if pattern.kind == "text":
        return 1
    is_hex = pattern.kind == "hex"
    text = pattern.value[1:-1] if is_hex else pattern.value[1 : pattern.value.rindex("/")]
    counts, most = [1], 1
    for found in (_HEX_UNIT if is_hex else _REGEX_UNIT).finditer(text):
        kind = found.lastgroup
        if kind == "open":
            counts.append(1)
        elif kind == "shut" and len(counts) > 1:
            counts.pop()
        elif kind == "either":
            counts[-1] += 1
            most = max(most, counts[-1])
    return most


def variants(pattern: FilePattern) -> int:
    """How many patterns the engine makes of this one: each XOR key, each encoding, each shift of base64."""
    count = 0
    keys = 1
    for modifier in pattern.modifiers:
        if modifier.name == "xor":
            keys = _keys(modifier.argument)
        count += {"wide": 1, "ascii": 1, "base64": 3, "base64wide": 3}.get(modifier.name, 0)
    return max(count, 1) * keys


def _keys(argument: str) -> int:
    """How many keys `xor(argument)` stands for."""
    if not argument:
        return 256
    numbers = [int(word, 0) for word in argument.split("-") if re.fullmatch(r"0x[0-9A-Fa-f]+|[0-9]+", word)]
    return abs(numbers[-1] - numbers[0]) + 1 if numbers else 256


def _of_units(unit_of: re.Pattern[str], text: str) -> int:
    """Rule 1, with a stack of groups: each is a list of alternatives, the last of which is being read."""
    groups: list[list[Part]] = [[[]]]
    for found in unit_of.finditer(text):
        part = groups[-1][-1]
        match found.lastgroup:
            case "fixed":
                part.append(_character(found.group() if unit_of is _REGEX_UNIT else f"\\x{found.group()}"))
            case "other":
                part.append(0)
            case "repeat" if part and not _repeats_at_least_once(found.group()):
                part[-1] = 0
            case "open" if len(groups) <= RULE_CONDITION_DEPTH_MAX:
                groups.append([[]])
            case "shut" if len(groups) > 1:
                inner = min(_of_part(one) for one in groups.pop())
                groups[-1][-1].append(inner)
            case "either":
                groups[-1].append([])
    return min(_of_part(one) for one in groups[0])


def _repeats_at_least_once(mark: str) -> bool:
    return mark.startswith("+") or (mark.startswith("{") and re.match(r"\{0*[1-9]", mark) is not None)


def _of_part(part: Part) -> int:
    """Rule 2: the strengths of the runs and groups of one sequence together."""
    total = 0
    run: list[str] = []
    for item in [*part, 0]:
        if isinstance(item, str):
            run.append(item)
        else:
            total += _of_run("".join(run)) + item
            run = []
    return total


def _of_run(text: str) -> int:
    """Rule 2."""
    return len(set(text.lower()))


def _character(unit: str) -> str:
    if unit.startswith("\\x"):
        return bytes.fromhex(unit[2:]).decode("latin-1")
    return _ESCAPES.get(unit[1:], unit[1:]) if unit.startswith("\\") else unit


def weakest(strengths: Iterable[int], count: int) -> int:
    """The `count` smallest of `strengths` together."""
    return sum(sorted(strengths)[:count])
