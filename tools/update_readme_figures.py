"""Fill the README's figures from the last bench.

    python tools/update_readme_figures.py [--bench build/bench.json] [--readme README.md]

Replaces what stands between the two markers in the README.  The file and its figures come from `make bench`; where
there is no such file nothing is changed.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BEGIN: Final = "<!-- figures: made by `make bench docs`, do not edit -->"
END: Final = "<!-- end of figures -->"

WORKS: Final = {
    "unpack": "unpack 10,000 small files",
    "read_first": "read them, first time",
    "read_again": "read them again",
    "unpack_then_read": "unpack, then read",
    "unpack_then_read_known": "the same, contents known",
    "exec_first": "run 500 programs, first time",
    "exec_again": "run them again",
    "compile": "compile 100 C files",
    "new_files": "write and read 2,000 new files",
    "database": "reopen a file 10,000 times while it is written",
}
"""Work of the bench -> what it does, in the README's order."""

COLUMNS: Final = (
    (("ringfence", "starter"), "Ringfence, starter content"),
    (("ringfence", "imported"), "Ringfence, 2,000 imported rules"),
    (("clamav", "generated"), "ClamAV on access"),
    (("floor", "none"), "kernel's floor"),
)
"""(subject, content) -> the column's title."""


class BenchRefusedError(Exception):
    """The file is not what the bench writes; `str(error)` says why."""


def figures_block(entries: object) -> str:
    """The text between the markers for the decoded JSON of the bench; raises BenchRefusedError."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BenchRefusedError("the bench's file is not a list of objects")
    ratios = {(e["work"], (e["subject"], e["content"])): e for e in entries if "work" in e}
    columns = [(key, title) for key, title in COLUMNS if any(subject == key for _, subject in ratios)]
    lines = ["Times as multiples of the unprotected machine (1.00 costs nothing), median of the pairs:", ""]
    lines.append("| work | " + " | ".join(title for _, title in columns) + " |")
    lines.append("| --- |" + " --: |" * len(columns))
    for work, title in WORKS.items():
        cells = [ratios.get((work, key)) for key, _ in columns]
        if any(cells):
            shown = (f"{cell['ratio']:.2f}" if cell else "" for cell in cells)
            lines.append(f"| {title} | " + " | ".join(shown) + " |")
    lines += ["", "| figure | value | unit |", "| --- | --: | --- |"]
    lines += [
        f"| {str(entry['figure']).replace('_', ' ')} | {entry['value']:,.2f} | {entry['unit']} |"
        for entry in entries
        if "figure" in entry
    ]
    return "\n".join(lines)


def replaced(readme: str, block: str) -> str:
    """`readme` with `block` between its markers; raises BenchRefusedError where a marker is missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchRefusedError("the README has lost its markers for figures")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Update the README; returns the exit status."""
    parser = argparse.ArgumentParser(description="Fill the README's figures from the last bench.")
    parser.add_argument("--bench", type=Path, default=ROOT / "build" / "bench.json")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    asked = parser.parse_args(arguments)
    if not asked.bench.is_file():
        print(f"no figures at {asked.bench}: `make bench` measures them")
        return 0
    try:
        block = figures_block(json.loads(asked.bench.read_text(encoding="utf-8")))
        text = replaced(asked.readme.read_text(encoding="utf-8"), block)
    except (BenchRefusedError, ValueError, KeyError) as error:
        sys.stderr.write(f"update_readme_figures: {error}\n  way out: run `make bench` again\n")
        return 1
    asked.readme.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
