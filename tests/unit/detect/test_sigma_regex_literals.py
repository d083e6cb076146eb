"""What every match must contain: right for each construct, and never wrong."""

import random
import string
from typing import Final

import pytest
from tests.unit.detect.sigma_cases import EVENT_WORDS, REGEXES

from ringfence.detect.events import text_of
from ringfence.detect.sigma.regex_literals import best_clause, required_texts
from ringfence.model.detection import folded
from ringfence.wire.detection_pattern import compile_expression

ATOMS: Final = (
    *"abskSK-=/ ",
    ".",
    "é",
    "\u017f",
    r"\.",
    r"\\",
    r"\d",
    r"\b",
    r"\t",
    r"\x61",
    r"\pL",
    r"\Qa.b\E",
    "[ab]",
    "[^]x]",
    "[]b]",
    "[[:space:]a]",
    r"[\]b]",
    "^",
    "$",
    "{",
    "(?i)",
)
REPEATS: Final = ("", "", "", "", "?", "*", "+", "{0}", "{1}", "{2,}", "{0,2}", "+?", "??")


@pytest.mark.parametrize(
    ("pattern", "clauses"),
    [
        ("abc", [["abc"]]),
        ("a.c", [["a"], ["c"]]),
        ("ab?c", [["a"], ["c"]]),
        ("ab*c", [["a"], ["c"]]),
        ("ab+c", [["ab"], ["c"]]),
        ("ab{0,3}c", [["a"], ["c"]]),
        ("ab{2}c", [["ab"], ["c"]]),
        ("(abc)?d", [["d"]]),
        ("(?:abc)+d", [["abc"], ["d"]]),
        ("ab|cd", [["ab", "cd"]]),
        ("ab|c*", []),
        ("ab|", []),
        ("x(ab|cd|ef)y", [["x"], ["ab", "cd", "ef"], ["y"]]),
        ("(?i)ABC", [["abc"]]),
        (r"c:\\windows\.exe", [["c:\\windows.exe"]]),
        ("[abc]d", [["d"]]),
        ("[[:alpha:]]foo", [["foo"]]),
        ("[]a]foo", [["foo"]]),
        (r"[\]]foo", [["foo"]]),
        (r"\x41foo", []),
        (r"\Qa]\E", []),
        ("naïve", [["na"], ["ve"]]),
        ("(?P<name>ab)", [["ab"]]),
        ("(?i:ab)c", [["ab"], ["c"]]),
        ("{x}", [["x}"]]),
        ("a(?i)*b", []),
        ("a(?i)b", [["a"], ["b"]]),
        ("(" * 300 + "a" + ")" * 300, []),
    ],
)
def test_each_construct(pattern: str, clauses: list[list[str]]) -> None:
    compile_expression(pattern)
    assert [sorted(clause) for clause in required_texts(pattern)] == clauses


def test_the_best_clause_is_that_whose_shortest_text_is_longest() -> None:
    assert best_clause([frozenset({"abc", "d"}), frozenset({"ef"})]) == frozenset({"ef"})
    assert best_clause([]) is None


def test_no_match_ever_lacks_what_is_required() -> None:
    """Expressions and texts by chance: RE2 says what matches, and every clause must be there."""
    checked = 0
    for seed in range(6_000):
        chance = random.Random(seed)
        pattern = chance.choice(REGEXES) if seed % 8 == 0 else _expression(chance, 0)
        try:
            search = compile_expression(pattern).search
        except ValueError:
            assert required_texts(pattern) is not None  # never raises either
            continue
        clauses = required_texts(pattern)
        for _ in range(12):
            text = text_of("".join(chance.choice((*EVENT_WORDS, *"aAbBsSkK-=/ .\u017f\u212a\\é")) for _ in range(8)))
            if search(text) is not None:
                checked += bool(clauses)
                missing = [clause for clause in clauses if not any(one in folded(text) for one in clause)]
                assert missing == [], f"seed {seed}: {pattern!a} matches {text!a}"
    assert checked > 2_000


def test_garbage_is_read_without_an_error() -> None:
    for seed in range(3_000):
        chance = random.Random(seed)
        pattern = "".join(chance.choice(string.printable + "([{\\|)]}") for _ in range(chance.randint(0, 20)))
        assert isinstance(required_texts(pattern), list)


def _expression(chance: random.Random, depth: int) -> str:
    parts = []
    for _ in range(chance.randint(1, 5)):
        if depth < 3 and chance.random() < 0.3:
            inner = "|".join(_expression(chance, depth + 1) for _ in range(chance.randint(1, 3)))
            atom = chance.choice(("(", "(?:", "(?i:", "(?P<n>")) + inner + ")"
        else:
            atom = chance.choice(ATOMS)
        parts.append(atom + chance.choice(REPEATS))
    return "".join(parts)
