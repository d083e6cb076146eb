"""A function over 70 lines or a file over 500 is a reason to stop and think; the exceptions are listed with theirs."""

from typing import Final

from tests.house.sources import functions_of, python_files, relative, text_of, tree_of

FUNCTION_LINES_MAX: Final = 70
FILE_LINES_MAX: Final = 500

LONG_FILES: Final[dict[str, str]] = {
    "src/ringfence/model/limits.py": "one table of every bound, each with its reason; splitting it would hide some",
}
LONG_FUNCTIONS: Final[dict[str, str]] = {}
"""`path:function` -> why it is long."""

FOLDERS: Final = ("src/", "tests/", "tools/", "bench/", "faults/", "vm/")


def test_no_file_is_too_long() -> None:
    long = {relative(p): n for p in python_files(*FOLDERS) if (n := text_of(p).count("\n")) > FILE_LINES_MAX}
    assert {name: lines for name, lines in long.items() if name not in LONG_FILES} == {}


def test_no_function_is_too_long() -> None:
    long = {}
    for path in python_files(*FOLDERS):
        for function in functions_of(tree_of(path)):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                long[f"{relative(path)}:{function.name}"] = lines
    assert {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS} == {}


def test_every_listed_exception_still_exists() -> None:
    names = {relative(path) for path in python_files(*FOLDERS)}
    assert set(LONG_FILES) <= names
    assert {name.split(":")[0] for name in LONG_FUNCTIONS} <= names
