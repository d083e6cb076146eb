"""Every bound of the system lives in `model/limits.py`, with its unit in its name and its reason beneath it."""

import ast
import re
from typing import Final

from tests.house.sources import SOURCE, python_files, relative, text_of, tree_of

UNITS: Final = ("MS", "S", "DAYS", "BYTES", "KIB", "MIB", "MAX", "MIN", "COUNT", "PERCENT", "RATIO", "DEPTH", "PER")
"""A word of a limit's name is one of these, or a plural noun: the things that are counted."""

REASON_WORDS_MIN: Final = 4

BOUND_WORDS: Final = frozenset(
    "MAX MIN LIMIT TIMEOUT DEADLINE INTERVAL AFTER WINDOW RETRY RETRIES ATTEMPTS ROWS GRACE PATIENCE BUDGET".split()
)
"""A numeric constant with one of these words in its name is a bound.  Sizes of formats, modes and units are not."""

REPRESENTATION_WORDS: Final = frozenset("DIGITS INTEGER BYTE PLANE".split())
"""The largest value that a representation can hold is a fact, not a bound of ours."""

NOT_LIMITS: Final[dict[str, str]] = {
    "wire/": "widths of a format that peers agreed on: a decoder's bound is part of the format",
    "host/kernel.py": "numbers of the kernel's interface",
    "host/syscalls.py": "numbers of the kernel's interface",
    "host/seccomp.py": "numbers of the kernel's interface",
    "host/landlock.py": "numbers of the kernel's interface",
    "host/fanotify.py": "numbers of the kernel's interface",
}
"""Path (or folder) below `src/ringfence` -> why its numeric constants are no limits."""


def test_every_limit_names_its_unit() -> None:
    unitless = [name for name, _ in _limits() if not _has_unit(name)]
    assert unitless == []


def test_every_limit_has_its_reason() -> None:
    silent = [name for name, reason in _limits() if len(reason.split()) < REASON_WORDS_MIN]
    assert silent == []


def test_every_limit_is_used() -> None:
    elsewhere = "\n".join(
        text_of(path) for path in python_files("src/", "tests/", "bench/") if path.name != "limits.py"
    )
    own = text_of(SOURCE / "model" / "limits.py")
    unused = [name for name, _ in _limits() if not re.search(rf"\b{name}\b", elsewhere) and own.count(name) == 1]
    assert unused == []


def test_no_bound_hides_elsewhere() -> None:
    stray = []
    for path in python_files("src/"):
        below = path.relative_to(SOURCE).as_posix()
        if below == "model/limits.py" or below.startswith(tuple(NOT_LIMITS)):
            continue
        stray += [f"{relative(path)}: {name}" for name in _numeric_constants(tree_of(path))]
    assert stray == []


def _limits() -> list[tuple[str, str]]:
    """(name, docstring) of every constant of `model/limits.py`."""
    found = []
    body = tree_of(SOURCE / "model" / "limits.py").body
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            said = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            reason = str(following.value.value) if said else ""  # type: ignore[attr-defined]
            found.append((node.target.id, reason))
    return found


def _has_unit(name: str) -> bool:
    words = name.split("_")
    return any(word in UNITS or (word.endswith("S") and len(word) > len("MS")) for word in words)


def _numeric_constants(tree: ast.Module) -> list[str]:
    """Module-level upper-case names of bounds that are given a number, or a sum or product of numbers."""
    names = []
    for node in tree.body:
        target, value = _assignment(node)
        words = set((target or "").split("_"))
        if target is None or value is None or not target.isupper() or BOUND_WORDS.isdisjoint(words):
            continue
        if _is_number(value) and REPRESENTATION_WORDS.isdisjoint(words):
            names.append(target)
    return names


def _assignment(node: ast.stmt) -> tuple[str | None, ast.expr | None]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id, node.value
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id, node.value
    return None, None


def _is_number(value: ast.expr) -> bool:
    if isinstance(value, ast.BinOp):
        return _is_number(value.left) and _is_number(value.right)
    return (
        isinstance(value, ast.Constant) and isinstance(value.value, int | float) and not isinstance(value.value, bool)
    )
