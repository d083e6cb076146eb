"""Every module says what it is for, and every public class and function of the product what it promises."""

import ast
from collections.abc import Iterator

from tests.house.sources import python_files, relative, tree_of


def test_every_module_has_a_docstring() -> None:
    silent = [
        relative(p)
        for p in python_files("src/", "tests/", "tools/", "bench/", "faults/", "vm/")
        if not ast.get_docstring(tree_of(p))
    ]
    assert silent == []


def test_every_public_class_and_function_of_the_product_has_a_docstring() -> None:
    silent = []
    for path in python_files("src/"):
        for name, node in _public(tree_of(path), ""):
            if not ast.get_docstring(node):
                silent.append(f"{relative(path)}: {name}")
    assert silent == []


def _public(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Public definitions of a module and, one level down, of its public classes."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or child.name.startswith("_"):
            continue
        yield prefix + child.name, child
        if isinstance(child, ast.ClassDef):
            yield from _public(child, f"{child.name}.")
