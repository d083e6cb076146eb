"""The table of codes holds every code that the author's side gives, and no other."""

import ast
from typing import Final

from tests.house.sources import python_files, relative, tree_of

from ringfence.author.codes import CODES
from ringfence.author.finding import CODE

SUBJECTS: Final = frozenset({"contract", "indicator", "prove", "sigma", "source", "waiver", "yara"})
"""What a code may be about."""


def codes_in_the_code() -> set[str]:
    """Literals that are codes, anywhere in `author/` and the programs but in the tables."""
    found = set()
    for path in python_files("src/"):
        below = relative(path).removeprefix("src/ringfence/")
        if not below.startswith(("author/", "programs/")) or below.endswith("codes.py"):
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                found |= {node.value} if node.value.split("/")[0] in SUBJECTS else set()
    return found


def test_every_code_is_in_the_table_and_is_given() -> None:
    assert codes_in_the_code() == set(CODES)


def test_every_code_has_its_form_and_a_sentence() -> None:
    for code, meaning in CODES.items():
        assert CODE.fullmatch(code), code
        assert code.split("/")[0] in SUBJECTS, code
        assert meaning.endswith("."), code
        assert len(meaning.split()) > 4, code
