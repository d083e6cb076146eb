"""The documents name only what exists, and name what must be named."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.house.sources import (
    ROOT,
    SOURCE,
    documents,
    python_files,
    relative,
    repository_files,
    text_of,
    tree_of,
)

from ringfence.programs.cli import COMMANDS

TOP_FOLDERS: Final = ("src", "tests", "tools", "docs", "content", "bench", "faults", "vm", ".ci")
LAYER_FOLDERS: Final = ("programs", "host", "control", "author", "decide", "trust", "detect", "wire", "model")
MADE_LATER: Final = ("build/", "playground/", "node_modules/", ".venv/")
"""Made by make: named by the documents, not in the repository."""

PROMISE_TESTS_MIN: Final = 2
CODE_SPAN: Final = re.compile(r"`([^`\n]+)`")
CODE_BLOCK: Final = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK: Final = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def test_every_path_named_exists() -> None:
    missing = [
        f"{relative(document)}: {span}"
        for document in documents()
        for span in _spans(document)
        for path in _paths_in(span)
        if not _exists(path)
    ]
    assert missing == []


def test_decisions_are_numbered_once_and_carry_their_number() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [path.name[:4] for path in decisions] == [f"{number:04}" for number in range(len(decisions))]
    titles = [text_of(path).splitlines()[0] for path in decisions[1:]]
    assert [title[:6] for title in titles] == [f"# {path.name[:4]}" for path in decisions[1:]]


def test_every_document_named_by_the_code_exists() -> None:
    missing = [
        f"{relative(path)}: {name}"
        for path in python_files("src/", "tests/", "tools/", "bench/", "faults/", "vm/")
        for name in re.findall(r"docs/[a-z0-9/-]+\.md", text_of(path))
        if not (ROOT / name).is_file()
    ]
    assert missing == []


def test_every_link_leads_somewhere() -> None:
    broken = [
        f"{relative(document)}: {target}"
        for document in documents()
        for target in LINK.findall(text_of(document))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    unknown = [
        f"{relative(document)}: make {word}"
        for document in documents()
        for span in _spans(document)
        for line in span.splitlines()
        if (found := re.match(r"make ((?:[a-z-]+ ?)+)", line))
        for word in found.group(1).split()
        if word not in targets
    ]
    assert unknown == []


def test_every_command_named_exists_with_its_options() -> None:
    wrong = [
        f"{relative(document)}: {line}: {problem}"
        for document in documents()
        for span in _spans(document)
        for line in span.replace("\\\n", " ").splitlines()
        if line.startswith("ringfence ")
        for problem in _problems_of(line)
    ]
    assert wrong == []


def test_the_readme_names_every_command() -> None:
    readme = text_of(ROOT / "README.md")
    assert [name for name in COMMANDS if f"`ringfence {name}`" not in readme] == []


def test_every_command_has_its_module() -> None:
    missing = [name for name, (module, _) in COMMANDS.items() if not (ROOT / "src" / _file_of(module)).is_file()]
    assert missing == []


def test_every_target_of_the_makefile_says_what_it_is_for() -> None:
    makefile = text_of(ROOT / "Makefile")
    phony = re.findall(r"^\.PHONY: ([a-z-]+)$", makefile, re.MULTILINE)
    assert {"up", "demo", "test", "check", "bench", "faults", "test-vm", "clean", "help"} <= set(phony)
    assert [name for name in phony if not re.search(rf"^{name}:.*## \S", makefile, re.MULTILINE)] == []


def test_every_promise_names_tests_that_exist() -> None:
    """Each that is kept, even in part, names several; a name leads to a test function of that file, spelled in full."""
    promises = re.split(r"^## ", text_of(ROOT / "docs" / "promises.md"), flags=re.MULTILINE)[1:]
    assert [section.split(".")[0] for section in promises] == [str(number) for number in range(1, 9)]
    for section in promises:
        named = re.findall(r"^- `(\S+)`$", section, re.MULTILINE)
        kept = "State: kept" in section or "State: in part" in section
        assert len(set(named)) == len(named)
        assert len(named) >= PROMISE_TESTS_MIN if kept else named == [], section.splitlines()[0]
        assert section.count("`tests/") == len(named), "a test is named in the list, and nowhere else"
        assert [name for name in named if not _is_test(name)] == []


def _is_test(name: str) -> bool:
    """Whether `file::function` is a test at the top of a file of tests."""
    file, _, function = name.partition("::")
    path = ROOT / file
    known = {one.name for one in tree_of(path).body if isinstance(one, ast.FunctionDef)} if path.is_file() else set()
    return path.name.startswith("test_") and function.startswith("test_") and function in known


def _spans(document: Path) -> Iterator[str]:
    """Code spans and code blocks of a document."""
    text = text_of(document)
    yield from CODE_BLOCK.findall(text)
    yield from CODE_SPAN.findall(CODE_BLOCK.sub("", text))


def _paths_in(span: str) -> Iterator[str]:
    for word in re.findall(r"[\w./*-]+", span):
        first = word.split("/")[0]
        if "/" in word and first in TOP_FOLDERS + LAYER_FOLDERS and not word.startswith("/"):
            yield word.rstrip(".")


def _exists(path: str) -> bool:
    if path.startswith(MADE_LATER):
        return True
    if any((base / path.rstrip("/")).exists() for base in (ROOT, SOURCE)):
        return True
    return "*" in path and any(relative(one).startswith(path.split("*", maxsplit=1)[0]) for one in repository_files())


def _problems_of(line: str) -> Iterator[str]:
    """What is wrong with a command line that a document shows."""
    words = shlex.split(line, comments=True)[1:]
    if words[:1] in (["--version"], ["COMMAND"]) or not words:
        return
    name = next((n for count in (2, 1) if (n := " ".join(words[:count])) in COMMANDS), None)
    if name is None:
        yield "no such command"
        return
    known = _options_of(ROOT / "src" / _file_of(COMMANDS[name][0]))
    for word in words:
        if word.startswith("--") and (option := word.split("=")[0]) not in known:
            yield f"no option {option}"


def _options_of(module: Path) -> set[str]:
    """Options of a command: parameters of its function, and literal `--names` in its file."""
    if not module.is_file():
        return set()
    found = set(re.findall(r"--[a-z][a-z-]*", text_of(module))) | {"--help"}
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.FunctionDef) and node.name == "command":
            arguments = [*node.args.args, *node.args.kwonlyargs]
            found |= {"--" + argument.arg.replace("_", "-") for argument in arguments}
    return found


def _file_of(module: str) -> str:
    return module.replace(".", "/") + ".py"
