"""What the engine's own compiler says about a file of rules: its errors and warnings, as findings.

The compiler may crash, hang or eat memory on what it is given, so a child with limits asks it.  A child that dies or is
late convicts the file; the file's rules are then asked one by one, to name the one that does it.

1. Errors are findings.  So are the warnings that mean slow, always or never true (`SERIOUS`); the rest stay warnings.
2. Limits: processor time and memory of one file, and a wall clock for a compiler that waits instead of working.
"""

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

import yara_x

from ringfence.author.asked_child import AskedChild
from ringfence.author.finding import Finding, Level
from ringfence.author.lint_yara import LintedFile
from ringfence.author.probe import compiler_of_rules
from ringfence.author.yara_source import first_line
from ringfence.model.limits import (
    LINT_COMPILE_BYTES_MAX,
    LINT_COMPILE_CPU_S,
    LINT_COMPILE_WAIT_S,
    LINT_WARNINGS_ENTRIES_MAX,
    RULE_TEXT_CHARACTERS_MAX,
)

SERIOUS: Final[dict[str, str]] = {
    "slow_pattern": "yara/slow-pattern",
    "potentially_slow_loop": "yara/slow-loop",
    "too_many_iterations": "yara/too-many-iterations",
    "invariant_expr": "yara/invariant",
    "unsatisfiable_expr": "yara/unsatisfiable",
}
"""Warnings of the compiler that refuse a rule -> our codes."""

ERRORS: Final[dict[str, str]] = {
    "E001": "yara/syntax",
    "E009": "yara/unknown-name",
    "E010": "yara/module",
    "E012": "yara/duplicate-rule",
    "E014": "yara/expression",
    "E022": "yara/unused-pattern",
    "E025": "yara/unknown-name",
    "E044": "yara/include",
}
"""Errors of the compiler that have a code of their own; all others are `yara/refused`."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What the compiler said at one place; `code` is the engine's."""

    code: str
    is_error: bool
    line: int
    column: int
    text: str


class EngineChild(AskedChild):
    """Holds the child.  Use as a context manager."""

    def __init__(self) -> None:
        super().__init__(_serve)

    def findings(self, file: LintedFile) -> list[Finding]:
        """What the compiler says about `file`."""
        answer = self._ask(file.text)
        if not isinstance(answer, str):
            return [_finding(file, one) for one in answer]
        for rule in file.parsed.rules:
            imports = "".join(f'import "{one.text}"\n' for one in file.parsed.imports)
            reason = self._ask(imports + file.text[rule.start : rule.end])
            if isinstance(reason, str):
                return [file.at(rule.name_start, "yara/compile-cost", reason, rule=rule.name)]
        return [file.at(0, "yara/compile-cost", answer)]

    def _ask(self, source: str) -> Sequence[Diagnostic] | str:
        """The child's answer, or why there is none."""
        try:
            return [Diagnostic(*row) for row in self.exchange(source, LINT_COMPILE_WAIT_S)]
        except TimeoutError:
            return f"the compiler did not finish within {LINT_COMPILE_WAIT_S} s"
        except (EOFError, OSError):
            return f"the compiler died of it: more than {LINT_COMPILE_CPU_S} s of processor time, or too much memory"


def _finding(file: LintedFile, one: Diagnostic) -> Finding:
    """A diagnostic under our code, with the rule in which it stands."""
    code = ERRORS.get(one.code, "yara/refused") if one.is_error else SERIOUS.get(one.code, "yara/engine-warning")
    level = Level.ERROR if one.is_error or one.code in SERIOUS else Level.WARNING
    lines = file.text.split("\n")
    offset = sum(len(line) + 1 for line in lines[: one.line - 1]) + one.column - 1
    rule = next((rule.name for rule in file.parsed.rules if rule.start <= offset < rule.end), "")
    return Finding(file.name, max(one.line, 1), max(one.column, 1), code, level, rule, f"{one.text} [{one.code}]")


def _serve(pipe: Connection) -> None:
    """The child: answers until the parent goes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # a panic of the engine would print its own lines
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (LINT_COMPILE_BYTES_MAX, LINT_COMPILE_BYTES_MAX))
    while True:
        try:
            source = pipe.recv()
        except EOFError:
            return
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + LINT_COMPILE_CPU_S
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        pipe.send(diagnostics_of(source))


def diagnostics_of(source: str) -> list[tuple[str, bool, int, int, str]]:
    """Errors and warnings of the compiler, in this process."""
    compiler = compiler_of_rules()
    compiler.max_warnings(LINT_WARNINGS_ENTRIES_MAX)
    failure = ""
    try:
        compiler.add_source(source)
    except yara_x.CompileError as error:
        failure = first_line(error)
    except BaseException as error:
        if type(error).__name__ != "PanicException" and not isinstance(error, (ValueError, TypeError)):
            raise
        return [("panic", True, 1, 1, f"the engine failed: {first_line(error)}")]
    found = [_row(one, is_error=True) for one in compiler.errors()]
    found += [_row(one, is_error=False) for one in compiler.warnings()]
    return found or ([("E", True, 1, 1, failure)] if failure else [])


def _row(one: dict[str, Any], *, is_error: bool) -> tuple[str, bool, int, int, str]:
    labels = [str(label.get("text", "")) for label in one.get("labels", ())]
    title = str(one.get("title", ""))
    text = f"{title}: {labels[0]}" if labels and labels[0] else title
    return (
        str(one.get("code", "")),
        is_error,
        int(one.get("line") or 1),
        int(one.get("column") or 1),
        " ".join(text.split())[:RULE_TEXT_CHARACTERS_MAX],
    )
