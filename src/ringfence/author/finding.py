"""What a check has to say about content, with the exact place: the one form of every check on the author's side.

1. A place is a file below the content directory, a line and a column, both from 1.  What concerns a whole file stands
   at 1:1.  Columns count characters, as editors do.
2. The order is file, line, column, code, rule, text: the same content always gives the same list.
3. `code` is stable and has a row in `author/codes.py`.  `rule` is "" where the finding is about no single rule.
4. An error that nobody has waived refuses the content.  Warnings and notes never do.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Final

CODE: Final = re.compile(r"[a-z]+/[a-z0-9]+(?:-[a-z0-9]+)*")
"""The form of a code: what it is about, and what is wrong."""


@unique
class Level(StrEnum):
    """How much a finding weighs; the words are those of SARIF."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has to say."""

    file: str
    line: int
    column: int
    code: str
    level: Level
    rule: str
    text: str
    waived_by: str = ""
    """SHA-256 of the waiver that excuses it, or ""."""

    @property
    def sort_key(self) -> tuple[str, int, int, str, str, str]:
        """Rule 2."""
        return self.file, self.line, self.column, self.code, self.rule, self.text

    @property
    def refuses(self) -> bool:
        """Rule 4."""
        return self.level is Level.ERROR and not self.waived_by


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """`findings` in their order, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: finding.sort_key))


def finding_line(finding: Finding) -> str:
    """`file:line:column: code: text`, as editors and terminals understand it.

    The text may come from content: whoever prints it to a terminal makes its control characters visible first.
    """
    waived = f" (waived by {finding.waived_by[:12]})" if finding.waived_by else ""
    weight = "" if finding.level is Level.ERROR else f"{finding.level}: "
    place = f"{finding.file}:{finding.line}:{finding.column}"
    return f"{place}: {finding.code}: {weight}{finding.text}{waived}"


def finding_facts(finding: Finding) -> dict[str, str | int]:
    """The finding as a JSON object."""
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "code": finding.code,
        "level": finding.level.value,
        "rule": finding.rule,
        "text": finding.text,
        "waived_by": finding.waived_by,
    }


def place_of(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of the character at `offset` in `text`."""
    offset = min(max(offset, 0), len(text))
    begin = text.rfind("\n", 0, offset) + 1
    return text.count("\n", 0, offset) + 1, offset - begin + 1
