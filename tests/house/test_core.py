"""What import-linter cannot see: the core neither opens a file nor asks for the time through a built-in."""

import ast
from typing import Final

from tests.house.sources import python_files, relative, tree_of

CORE: Final = tuple(f"src/ringfence/{layer}/" for layer in ("model", "wire", "trust", "detect", "decide"))
BUILT_IN: Final = ("open", "print", "input", "breakpoint", "exec", "eval", "compile", "__import__", "id", "hash")
"""`id` and `hash` differ from run to run: a decision must not depend on them."""

METHODS: Final = ("now", "utcnow", "today", "fromtimestamp")
MUTABLE: Final[dict[str, str]] = {
    "GateCounters": "counts in place: one per question would cost more than the question",
}
"""Dataclass of the core that is not frozen -> why."""

VERDICTS: Final = "src/ringfence/model/verdict.py"


def test_the_core_calls_nothing_that_reaches_outside() -> None:
    reached = [
        f"{relative(path)}:{node.lineno}: {name}"
        for path in python_files(*CORE)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and (name := _forbidden(node.func))
    ]
    assert reached == []


def test_nothing_of_the_product_checks_input_with_assert() -> None:
    asserted = [
        f"{relative(path)}:{node.lineno}"
        for path in python_files("src/")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Assert)
    ]
    assert asserted == []


def test_no_verdict_has_a_truth_value_of_its_own() -> None:
    defined = [
        node.name
        for path in python_files(VERDICTS)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and node.name == "__bool__"
    ]
    assert defined == []


def test_values_of_the_core_are_frozen() -> None:
    loose = [
        f"{relative(path)}: {node.name}"
        for path in python_files("src/ringfence/model/", "src/ringfence/wire/")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and node.name not in MUTABLE
        if any(_is_loose(decorator) for decorator in node.decorator_list)
    ]
    assert loose == []


def _forbidden(called: ast.expr) -> str:
    if isinstance(called, ast.Name) and called.id in BUILT_IN:
        return called.id
    if isinstance(called, ast.Attribute) and called.attr in METHODS:
        return called.attr
    return ""


def _is_loose(decorator: ast.expr) -> bool:
    """A dataclass decorator without `frozen=True` and `slots=True`."""
    if isinstance(decorator, ast.Name):
        return decorator.id == "dataclass"
    if not (
        isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "dataclass"
    ):
        return False
    said = {
        word.arg for word in decorator.keywords if isinstance(word.value, ast.Constant) and word.value.value is True
    }
    return not {"frozen", "slots"} <= said
