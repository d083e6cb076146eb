"""The files of this Debian machine that belong to packages, and a scan of them with all that is packed in them.

`python -m tests.content.debian_files` scans every one of them with the starter content, as `test_starter.py` does with
a sample, and prints each match and how much it looked at.
"""

import os
import stat
import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ringfence.decide.inspection import inspect_whole
from ringfence.detect.byte_source import CalledBytes
from ringfence.detect.file_type import FileClass
from ringfence.detect.findings import ScanFindings
from ringfence.detect.yara import CompiledContent, ContentScanner, View, compile_release
from ringfence.model.records import RuleAction
from ringfence.model.verdict import UnknownReason
from ringfence.programs.starter_content import starter_release
from ringfence.wire.release import decode_release

DPKG_LISTS: Final = Path("/var/lib/dpkg/info")
CHUNK_FILES: Final = 400
TIMEOUT_S: Final = 60

INCOMPLETE: Final = "incomplete"
BOUNDED: Final = frozenset({UnknownReason.ARCHIVE_BOUND, UnknownReason.FILE_TOO_LARGE})
"""Why the host, too, would not look into all of a file: nothing is refused for that."""

Match = tuple[str, str, RuleAction]
"""File, rule, action."""

_CONTENT: list[CompiledContent] = []
"""The compiled content of this worker process."""


def package_files() -> list[str]:
    """Regular files that packages own, each once, in the order of their names."""
    names: set[str] = set()
    for package in DPKG_LISTS.glob("*.list"):
        names.update(package.read_text(encoding="utf-8", errors="surrogateescape").splitlines())
    return sorted(name for name in names if _is_regular(name))


def sample_of(names: Sequence[str], one_in: int) -> list[str]:
    """One in `one_in` files of each directory and suffix, at least one: the same each time."""
    strata: dict[tuple[str, str], list[str]] = {}
    for name in names:
        path = Path(name)
        strata.setdefault((str(path.parent), path.suffix), []).append(name)
    return [
        name
        for group in strata.values()
        for name in sorted(group, key=lambda name: zlib.crc32(name.encode(errors="surrogateescape")))[
            : max(len(group) // one_in, int(len(group) >= one_in // 4))
        ]
    ]


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was found in some files, and how much was looked at."""

    files: int = 0
    members: int = 0
    """Pieces of what is packed in the files."""

    matches: tuple[Match, ...] = ()
    """A scan that did not end counts as a match of `INCOMPLETE` that blocks."""

    unopened: tuple[str, ...] = ()
    """Files of which a part could not be opened: encrypted, damaged, or over a bound of the host's."""

    def __add__(self, other: "Scanned") -> "Scanned":
        """Both together."""
        return Scanned(
            self.files + other.files,
            self.members + other.members,
            self.matches + other.matches,
            self.unopened + other.unopened,
        )

    @property
    def blocked(self) -> list[Match]:
        """The matches that would refuse a file."""
        return [match for match in self.matches if match[2] is RuleAction.BLOCK]

    def summary(self) -> str:
        """One line for a person."""
        return (
            f"{self.files} files and {self.members} pieces of what they hold, {len(self.matches)} matches,"
            f" {len(self.unopened)} files not opened to their end"
        )


def scan(names: Sequence[str]) -> Scanned:
    """Scan files as the host does in full: each file, and all that is packed in it.  Two workers."""
    chunks = [names[at : at + CHUNK_FILES] for at in range(0, len(names), CHUNK_FILES)]
    with ProcessPoolExecutor(2) as pool:
        return sum(pool.map(_scan, chunks), Scanned())


def _is_regular(name: str) -> bool:
    try:
        return stat.S_ISREG(Path(name).lstat().st_mode)
    except (OSError, ValueError):
        return False


class _CountingEngine:
    """The engine, and how often it was given a member."""

    def __init__(self, scanner: ContentScanner) -> None:
        self._scanner = scanner
        self.members = 0

    def scan(
        self, data: bytes, member: str = "", view: View = View.WHOLE, kind: FileClass | None = None
    ) -> ScanFindings:
        """Scan some bytes."""
        self.members += bool(member)
        return self._scanner.scan(data, member, view, kind)

    def join(self, parts: list[ScanFindings]) -> ScanFindings:
        """Findings of several parts as one."""
        return self._scanner.join(parts)


def _scan(names: Sequence[str]) -> Scanned:
    if not _CONTENT:
        _CONTENT.append(compile_release(decode_release(starter_release())))
    content = _CONTENT[0]
    engine = _CountingEngine(content.scanner(TIMEOUT_S))
    matches: list[Match] = []
    unopened = []
    for name in names:
        with Path(name).open("rb") as file:
            source = CalledBytes(partial(os.pread, file.fileno()), os.fstat(file.fileno()).st_size)
            inspection = inspect_whole(engine, source)
        findings = inspection.findings
        matches += [(name, content.rules[index].identifier, content.rules[index].action) for index in findings.rules]
        if findings.missing in BOUNDED:
            unopened.append(f"{name}: {', '.join(str(gap) for gap in inspection.gaps) or findings.missing.name}")
        elif findings.missing is not UnknownReason.NONE:
            matches.append((name, INCOMPLETE, RuleAction.BLOCK))
    return Scanned(len(names), engine.members, tuple(matches), tuple(unopened))


if __name__ == "__main__":
    every = scan(package_files())
    for hit in every.matches:
        sys.stdout.write(" ".join(hit) + "\n")
    for line in every.unopened:
        sys.stdout.write(f"not opened: {line}\n")
    sys.stdout.write(every.summary() + "\n")
    sys.exit(bool(every.blocked))
