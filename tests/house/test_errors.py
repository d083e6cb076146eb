"""The error tree: codes are unique, statuses are documented, the drawing in the docstring is the tree."""

import inspect
import re

from tests.house.sources import ROOT, python_files, relative, text_of

from ringfence.model import errors


def _raised() -> list[type[errors.RingfenceError]]:
    classes = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    return [c for c in classes if issubclass(c, errors.RingfenceError) and not c.__subclasses__()]


def test_codes_are_unique() -> None:
    codes = [error.code for error in _raised()]
    assert len(set(codes)) == len(codes)


def test_every_error_is_in_the_drawing_with_its_status() -> None:
    drawing = errors.__doc__ or ""
    for error in _raised():
        assert re.search(rf"{error.__name__}\s+{error.exit_status}\b", drawing), error.__name__


def test_every_code_is_documented() -> None:
    document = (ROOT / "docs" / "exit-status.md").read_text(encoding="utf-8")
    assert [error.code for error in _raised() if f"`{error.code}`" not in document] == []


def test_an_error_tells_what_happened_and_the_way_out() -> None:
    error = errors.PathRefused("/srv/data does not exist", "create it, or name another directory")
    assert error.operator_text() == (
        "ringfence: error path-refused: /srv/data does not exist\n  way out: create it, or name another directory"
    )


def test_a_content_refusal_names_file_and_position() -> None:
    error = errors.ContentRefused("no closing brace", "correct the rule", file="web.yar", position="line 7")
    assert str(error) == "web.yar:line 7: no closing brace"


def test_every_error_of_the_tree_is_raised_somewhere() -> None:
    source = "\n".join(text_of(p) for p in python_files("src/") if relative(p) != "src/ringfence/model/errors.py")
    assert [e.__name__ for e in _raised() if not re.search(rf"\b{e.__name__}\(", source)] == []
