"""What the works work on: archives, programs, C sources, small files; made once before any clock runs.

Everything lies outside the protected mount until a work's own preparation copies it there.
"""

import subprocess
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from bench.chance import seeded
from bench.corpus import NOUNS, corpus, small_files, write_archive

HERE: Final = Path(__file__).parent
WORKLOADS: Final = ("read_files", "spawn_programs", "write_files", "database_file", "floor")
PROGRAM_SHAPES: Final = 10
SMALL_BYTES: Final = 4_096
BUILD_SECONDS_MAX: Final = 120
PROBE: Final = b"X5O!P%@AP[4" + b"\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
"""The industry's harmless test file, in pieces so that no scanner stumbles over this source."""

SOURCE_HEAD: Final = (
    '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <errno.h>\n#include "common.h"\n\n'
)
COMMON_HEADER: Final = (
    "#ifndef COMMON_H\n#define COMMON_H\n#include <stddef.h>\n"
    "struct record { size_t length; int kind; char name[32]; struct record *next; };\n"
    "int report(const char *what, int value);\n#endif\n"
)


@dataclass(frozen=True, slots=True)
class Materials:
    """Paths of everything that was made.  `archives` are by (name, number of files)."""

    home: Path
    archives: dict[tuple[str, int], Path]

    def program(self, name: str) -> str:
        """Path of a compiled workload."""
        return str(self.home / name)


def build_workloads(home: Path) -> None:
    """Compile the C workloads and the floor into `home`."""
    for name in WORKLOADS:
        _compile(["-O2", "-pthread", "-o", str(home / name), str(HERE / f"{name}.c")])


def make_materials(home: Path, counts: dict[str, set[int]]) -> Materials:
    """Make one archive for each corpus name and number of files in `counts`, and the shapes of programs."""
    build_workloads(home)
    archives = {}
    for seed, (name, sizes) in enumerate(sorted(counts.items()), start=11):
        if not sizes:
            continue
        files = list(corpus(seed, max(sizes)))
        for size in sorted(sizes):
            path = home / f"{name}-{size}.tar"
            write_archive(path, islice(iter(files), size))
            archives[name, size] = path
    (home / "common.h").write_text(COMMON_HEADER)
    for shape in range(PROGRAM_SHAPES):
        source = home / f"shape-{shape}.c"
        source.write_text(c_source(900 + shape, 4 + 12 * shape) + "int main(void) { return f_0(0, 0) > 1; }\n")
        _compile(["-O1", f"-I{home}", "-o", str(home / f"shape-{shape}"), str(source)])
    return Materials(home, archives)


def _compile(words: list[str]) -> None:
    """Run gcc, bounded."""
    subprocess.run(["gcc", *words], check=True, timeout=BUILD_SECONDS_MAX)


def c_source(seed: int, functions: int) -> str:
    """A C file of `functions` functions with loops, calls and library calls.  Compiles without a warning."""
    chance = seeded(seed)
    parts = [SOURCE_HEAD]
    for index in range(functions):
        noun, factor, limit = f"{chance.choice(NOUNS)}_text", chance.randrange(3, 97), chance.randrange(100, 999)
        parts.append(
            f"/* Sums the {noun} of some length. */\n"
            f"int f_{index}(size_t length, const char *{noun}) {{\n"
            f"    int sum = {chance.randrange(64)};\n"
            f"    for (size_t i = 0; i < length; i++) {{\n"
            f"        sum += {noun}[i] * {factor};\n"
            f"        if (sum > {limit}) sum -= (int)strlen({noun});\n"
            f"    }}\n"
            f'    if (length > {limit}) printf("{noun}: %d of %zu (%d)\\n", sum, length, errno);\n'
            f"    return length ? sum : 0;\n}}\n\n"
        )
    return "".join(parts)


def lay_programs(home: Path, target: Path, count: int) -> list[str]:
    """Put `count` programs into `target`, each with bytes of its own at its end.  Returns their paths."""
    target.mkdir()
    shapes = [(home / f"shape-{shape}").read_bytes() for shape in range(PROGRAM_SHAPES)]
    paths = []
    for number in range(count):
        path = target / f"program-{number:04d}"
        path.write_bytes(shapes[number % PROGRAM_SHAPES] + b"build %08d\n" % number)
        path.chmod(0o755)
        paths.append(str(path))
    return paths


def lay_sources(target: Path, count: int) -> None:
    """Put `count` C files and their common header into `target`."""
    target.mkdir()
    (target / "common.h").write_text(COMMON_HEADER)
    for number in range(count):
        (target / f"unit_{number:03d}.c").write_text(c_source(number, 4))


def lay_small_files(target: Path, count: int) -> list[str]:
    """Put `count` different files of 4 KiB into `target`.  Returns their paths."""
    target.mkdir()
    paths = []
    for file in small_files(77, count, SMALL_BYTES):
        path = target / file.path
        path.write_bytes(file.content)
        paths.append(str(path))
    return paths
