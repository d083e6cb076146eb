"""`python -m bench`: measure, print the table, write build/bench.json.  `--help` lists the options."""

import argparse
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Final

from bench import clamav
from bench.figures import (
    SUBJECTS,
    Figure,
    Row,
    SubjectKey,
    added_time_figures,
    as_json,
    gathered,
    label_of,
    latency_figures,
    rows_of,
)
from bench.ground import MAKERS, make_home, remove_home
from bench.materials import make_materials
from bench.pack import PackFailedError, build_release
from bench.processes import adopt_orphans
from bench.progress import Progress
from bench.run import UNITS, Contender, Outcome, Plan, run
from bench.subjects import Floor, Place, Ringfence, Subject, SubjectFailedError
from bench.table import table_of
from bench.works import FULL, SESSIONS, SMALLER, WORKS, Sizes

MINUTES_MAX: Final = 24
NEEDS: Final = ("gcc", "tar", "setpriv", "mount", "umount")
EXIT_INCOMPLETE: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


def arguments_of(words: list[str]) -> argparse.Namespace:
    """Decode the command line."""
    labels = [label_of(subject) for subject in SUBJECTS]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure what protection costs, as multiples of the unprotected machine.  Needs root.",
    )
    parser.add_argument("--only", default="", metavar="WORK,…", help=f"only these works: {', '.join(WORKS)}")
    parser.add_argument("--subjects", default=",".join(labels), metavar="NAME,…", help=f"of {', '.join(labels)}")
    parser.add_argument("--pairs", type=int, default=5, help="pairs for each work and subject (default 5)")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to see that it works")
    parser.add_argument("--file-system", choices=sorted(MAKERS), default="ext4", help="of the ground (default ext4)")
    parser.add_argument("--minutes", type=float, default=MINUTES_MAX, help="start no pair that would end later")
    parser.add_argument("--output", type=Path, default=Path("build/bench.json"), help="where the JSON goes")
    parser.add_argument(
        "--imported-release", type=Path, help="measure this release as `imported`, not a generated pack"
    )
    asked = parser.parse_args(words)
    asked.works = _named(parser, "--only", asked.only, WORKS) or list(WORKS)
    asked.labels = _named(parser, "--subjects", asked.subjects, labels)
    return asked


def _named(parser: argparse.ArgumentParser, option: str, text: str, known: list[str] | tuple[str, ...]) -> list[str]:
    """The words of a comma-separated option, checked."""
    chosen = [word for word in text.split(",") if word]
    for word in chosen:
        if word not in known:
            parser.error(f"{option}: there is no {word}; there are {', '.join(known)}")
    return chosen


def main(words: list[str]) -> int:
    """Run the bench.  Returns 0 when everything asked for was measured, 1 when a subject failed."""
    asked = arguments_of(words)
    missing = [need for need in NEEDS if shutil.which(need) is None]
    if os.geteuid() != 0 or missing:
        print(f"bench: needs {'root' if not missing else 'the commands ' + ', '.join(missing)}", file=sys.stderr)
        return EXIT_USAGE
    for ending in (signal.SIGTERM, signal.SIGINT):  # also where a shell's background has them ignored
        signal.signal(ending, _interrupt)
    adopt_orphans()
    home, outcome = make_home(), Outcome()
    try:
        contenders = contenders_of(asked, home, outcome)
        measure(asked, home, contenders, outcome)
    except KeyboardInterrupt:
        print("bench: interrupted; everything is unmounted and removed", file=sys.stderr)
        print(report(asked, outcome)[0])
        return EXIT_INTERRUPTED
    finally:
        remove_home(home)
    text, rows, figures = report(asked, outcome)
    print(text)
    write_reports(asked.output, rows, figures, outcome)
    print(f"\nwritten: {asked.output}")
    return EXIT_INCOMPLETE if outcome.complaints else 0


def contenders_of(asked: argparse.Namespace, home: Path, outcome: Outcome) -> tuple[Contender, ...]:
    """The subjects that can take part; what keeps one from it becomes a complaint."""
    found = []
    for key in SUBJECTS:
        if label_of(key) not in asked.labels:
            continue
        try:
            found.append(_contender(key, asked, home))
        except (SubjectFailedError, PackFailedError) as reason:
            outcome.complaints.append(f"{' '.join(key)} is left out: {reason}")
    return tuple(found)


def _contender(key: SubjectKey, asked: argparse.Namespace, home: Path) -> Contender:
    """Prepare one subject.  Raises `SubjectFailedError` or `PackFailedError`."""
    full = FULL.divided(10) if asked.quick else FULL
    if key[0] == "floor":
        return Contender(key, Floor, full)
    if key[0] == "clamav":
        if not clamav.available():
            clamav.install()
        clamav.prepare(home)
        return Contender(key, clamav.Clamav, SMALLER.divided(10) if asked.quick else SMALLER)
    command = Path(sys.executable).parent / "ringfence"
    release = (asked.imported_release or build_release(command, home)) if key[1] == "imported" else None

    def make(place: Place) -> Subject:
        return Ringfence(place, command, key[1], release)

    return Contender(key, make, full)


def measure(asked: argparse.Namespace, home: Path, contenders: tuple[Contender, ...], outcome: Outcome) -> None:
    """Make the materials and run all pairs."""
    sides = asked.pairs * len(contenders) * len(SESSIONS) * 2
    with Progress(sides) as progress:
        counts = archive_counts([contender.sizes for contender in contenders])
        materials = make_materials(home, counts)
        plan = Plan(home, materials, contenders, tuple(asked.works), asked.pairs, asked.file_system, asked.minutes * 60)
        run(plan, outcome, progress)


def archive_counts(sizes: list[Sizes]) -> dict[str, set[int]]:
    """Which archives are needed, in which numbers of files."""
    fresh = {number for size in sizes for number in (size.unpack, size.unpack_read)}
    return {"tree": {size.read for size in sizes}, "fresh": fresh}


def report(asked: argparse.Namespace, outcome: Outcome) -> tuple[str, list[Row], list[Figure]]:
    """The table with complaints below, its rows and its figures."""
    full = FULL.divided(10) if asked.quick else FULL
    rows = rows_of(outcome.pairs, {work: full.of(work) for work in WORKS})
    figures = [*latency_figures(outcome.pairs), *added_time_figures(outcome.pairs), *gathered(outcome.noted, UNITS)]
    complaints = "".join(f"\nincomplete: {complaint}" for complaint in outcome.complaints)
    return table_of(rows, figures) + complaints, rows, figures


def write_reports(path: Path, rows: list[Row], figures: list[Figure], outcome: Outcome) -> None:
    """Write the report's list, and beside it every single pair."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(rows, figures), indent=1) + "\n")
    single = [
        {
            "work": pair.work,
            "subject": pair.subject[0],
            "content": pair.subject[1],
            "unprotected_s": pair.unprotected.seconds,
            "protected_s": pair.protected.seconds,
            "count": pair.protected.count,
            "refused": pair.protected.refused,
        }
        for pair in outcome.pairs
    ]
    path.with_name(f"{path.stem}-pairs.json").write_text(json.dumps(single, indent=1) + "\n")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End the bench with everything undone; a second signal does not disturb the undoing."""
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
