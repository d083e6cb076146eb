"""The files of this Debian machine that belong to packages, and a scan of them.

`python -m tests.content.debian_files` scans every one of them with the starter content, as `test_starter.py` does with
a sample, and prints each match.
"""

import stat
import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from ringfence.detect.yara import CompiledContent, compile_release
from ringfence.model.records import RuleAction
from ringfence.programs.starter_content import starter_release
from ringfence.wire.release import decode_release

DPKG_LISTS: Final = Path("/var/lib/dpkg/info")
READ_BYTES_MAX: Final = 32 << 20
CHUNK_FILES: Final = 400
TIMEOUT_S: Final = 60

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


def matches(names: Sequence[str]) -> list[tuple[str, str, RuleAction]]:
    """(file, rule, action) of every match, and ("file", "incomplete", ...) where the scan did not end.  Two workers."""
    chunks = [names[at : at + CHUNK_FILES] for at in range(0, len(names), CHUNK_FILES)]
    with ProcessPoolExecutor(2) as pool:
        return [one for found in pool.map(_scan, chunks) for one in found]


def _is_regular(name: str) -> bool:
    try:
        return stat.S_ISREG(Path(name).lstat().st_mode)
    except (OSError, ValueError):
        return False


def _scan(names: Sequence[str]) -> list[tuple[str, str, RuleAction]]:
    if not _CONTENT:
        _CONTENT.append(compile_release(decode_release(starter_release())))
    content = _CONTENT[0]
    scanner = content.scanner(TIMEOUT_S)
    found = []
    for name in names:
        with Path(name).open("rb") as stream:
            findings = scanner.scan(stream.read(READ_BYTES_MAX))
        found += [(name, content.rules[index].identifier, content.rules[index].action) for index in findings.rules]
        if not findings.complete:
            found.append((name, "incomplete", RuleAction.BLOCK))
    return found


if __name__ == "__main__":
    every = package_files()
    hits = matches(every)
    for hit in hits:
        sys.stdout.write(" ".join(hit) + "\n")
    sys.stdout.write(f"{len(every)} files, {len(hits)} matches\n")
    sys.exit(any(action is RuleAction.BLOCK for _, _, action in hits))
