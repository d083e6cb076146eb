"""Rules for the tests themselves: each source file has one, each asserts something, none is skipped quietly."""

import ast
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

from tests.house.sources import ROOT, SOURCE, functions_of, python_files, relative, text_of, tree_of

TESTED_ELSEWHERE: Final[dict[str, str]] = {
    "model/records.py": "values without behaviour: every codec test builds them",
    "model/verdict.py": "values without behaviour: every codec test builds them",
    "model/limits.py": "held by tests/house/test_limits.py",
    "model/update.py": "values without behaviour: tests/unit/wire/test_update_memory.py builds them",
    "model/errors.py": "held by tests/house/test_errors.py",
    "control/migrations/env.py": "run by every start; held by tests/unit/control/test_migrate.py",
    "control/migrations/versions/r0001_first_schema.py": "as above: its tables are compared with the schema's",
    "host/courier_fetcher.py": "half of every real updater: tests/host/test_updater.py",
    "host/children.py": "the warden's hands: run for real by tests/host/test_kill_and_stop.py",
    "host/warden_updates.py": "run for real by tests/programs/test_content_journey.py",
    "host/warden_notes.py": "as above, and by tests/host/test_release_change.py",
    "host/warden_status.py": "as above: each live test reads the status",
    "wire/catalogue.py": "held by tests/house/test_catalogue.py",
    "control/console/": "pages, met as a person meets them: tests/browser",
    "control/migrations/": "run at every start of a server in tests/control",
    "programs/": "wiring, run as processes by tests/host, tests/control and tests/programs",
}
"""Source file or folder below `src/ringfence` -> why there is no `test_<name>.py` for it."""

QUIET_WORDS: Final = ("skip", "skipif", "xfail", "importorskip")
MAY_SKIP: Final = "tests/support/machine.py"
REAL_MACHINES: Final = frozenset({"tests.support.live_sensor", "tests.support.protected_machine"})
TWO_TESTS: Final = """
from tests.support import machine

def lacks():
    raise machine.NotProvable("the kernel is too small")

def test_that_needs():
    machine.PROBES["a feature"] = lacks
    machine.kernel_requires("a feature")

def test_that_fails():
    assert not "anything"
"""
CHECKING_NAMES: Final = ("assert", "check", "expect", "raises", "warns", "fail")
"""A call of something so named is an assertion: a helper that asserts, or pytest's own."""


def test_every_source_file_has_a_test() -> None:
    """A source file has a test file of its name, or a test imports it, or it is listed with its reason."""
    names = {path.name for path in python_files("tests/")}
    imported = {module for path in python_files("tests/") for module in _imports(tree_of(path))}
    untested = []
    for path in python_files("src/"):
        below = path.relative_to(SOURCE).as_posix()
        module = "ringfence." + below.removesuffix(".py").replace("/", ".")
        if path.name == "__init__.py" or module in imported or below.startswith(tuple(TESTED_ELSEWHERE)):
            continue
        if f"test_{path.stem}.py" not in names:
            untested.append(below)
    assert untested == []


def test_every_listed_exception_still_exists() -> None:
    assert [name for name in TESTED_ELSEWHERE if not (SOURCE / name).exists()] == []


def test_every_test_asserts_something() -> None:
    empty = [
        f"{relative(path)}: {function.name}"
        for path in python_files("tests/")
        for function in functions_of(tree_of(path))
        if function.name.startswith("test_") and not _asserts(function, _asserting_helpers())
    ]
    assert empty == []


def test_only_the_machine_helper_may_skip() -> None:
    quiet = [
        f"{relative(path)}:{node.lineno}"
        for path in python_files("tests/")
        if relative(path) != MAY_SKIP
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute) and node.attr in QUIET_WORDS and _is_pytest(node.value)
    ]
    assert quiet == []


def test_every_test_of_the_real_kernel_names_what_it_needs() -> None:
    """Where the kernel lacks it, such a test must end as not provable, by name, and not as an error."""
    silent = [
        relative(path)
        for path in python_files("tests/")
        if path.name.startswith("test_")
        and not REAL_MACHINES.isdisjoint(_imports(tree_of(path)))
        and "tests.support.machine.kernel_requires" not in _imports(tree_of(path))
    ]
    assert silent == []


def test_the_last_lines_of_a_run_name_what_this_machine_cannot_prove(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text(TWO_TESTS)
    words = [
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        "-c",
        os.devnull,
        str(tmp_path),
    ]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    *before, last = run.stdout.strip().splitlines()
    assert "1 failed, 1 skipped" in before[-1]
    assert last.startswith("not provable here: ")
    assert last.endswith("test_two.py::test_that_needs: a feature: the kernel is too small")


def test_no_test_sleeps() -> None:
    asleep = [
        f"{relative(path)}:{node.lineno}"
        for path in python_files("tests/")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and _is_sleep(node.func)
        and "# pace:" not in _line(path_text=text_of(path), at=node.lineno)
    ]
    assert asleep == []


def _imports(tree: ast.Module) -> set[str]:
    """Dotted names that a file imports, and the same with each imported name appended."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@cache
def _asserting_helpers() -> frozenset[str]:
    """Names of functions below `tests/` that assert, directly or through one that does."""
    functions = [
        f for path in python_files("tests/") for f in functions_of(tree_of(path)) if not f.name.startswith("test_")
    ]
    names: frozenset[str] = frozenset()
    while True:
        more = frozenset(function.name for function in functions if _asserts(function, names))
        if more == names:
            return names
        names = more


def _asserts(function: ast.AST, helpers: frozenset[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = _called(node.func)
            if called in helpers or any(word in called.lower() for word in CHECKING_NAMES):
                return True
    return False


def _called(called: ast.expr) -> str:
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else ""


def _is_pytest(value: ast.expr) -> bool:
    if isinstance(value, ast.Attribute):
        return value.attr == "mark" and _is_pytest(value.value)
    return isinstance(value, ast.Name) and value.id == "pytest"


def _is_sleep(called: ast.expr) -> bool:
    """`time.sleep` or a bare `sleep`.  A poll with a deadline says `# pace: ...` on its line."""
    if isinstance(called, ast.Attribute):
        return called.attr == "sleep" and isinstance(called.value, ast.Name) and called.value.id in ("time", "asyncio")
    return isinstance(called, ast.Name) and called.id == "sleep"


def _line(*, path_text: str, at: int) -> str:
    return path_text.splitlines()[at - 1]
