"""What the house tests read: the repository's files and their syntax trees, each read once."""

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "ringfence"
GENERATED: Final = ("package-lock.json", "constraints.txt", "LICENSE")
"""Files whose text is not ours."""


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that is in git, or would be at the next `git add`, and still exists."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = sorted({name for name in listing.stdout.decode().split("\0") if name})
    return tuple(path for name in names if (path := ROOT / name).is_file())


def python_files(*folders: str) -> tuple[Path, ...]:
    """The Python files of the repository below any of `folders`."""
    return tuple(p for p in repository_files() if p.suffix == ".py" and relative(p).startswith(folders))


def documents() -> tuple[Path, ...]:
    """The Markdown documents of the repository."""
    return tuple(path for path in repository_files() if path.suffix == ".md")


def relative(path: Path) -> str:
    """`path` as the repository names it."""
    return path.relative_to(ROOT).as_posix()


@cache
def text_of(path: Path) -> str:
    """The text of a file, "" for one that is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(text_of(path), filename=str(path))


def functions_of(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function of the tree, nested ones and methods too."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
