"""The report for people: one line for each work, one column for each subject, and the further figures below."""

from collections.abc import Iterable, Sequence
from typing import Final

from bench.figures import SUBJECTS, Figure, Row, label_of
from bench.works import RATIO_WORKS

GOALS: Final = {
    ("unpack", "ringfence"): 1.10,
    ("read_again", "ringfence"): 1.05,
    ("exec_again", "ringfence"): 1.05,
    ("compile", "ringfence"): 1.05,
    ("new_files", "ringfence"): 1.05,
    ("database", "ringfence"): 1.5,
    ("exec_first", "starter"): 1.8,
    ("unpack_then_read", "imported"): 3.0,
    ("unpack_then_read_known", "ringfence"): 1.8,
}
"""Highest ratio that we want, by work and either the content or `ringfence` for both."""

TITLES: Final = {
    "starter": "ringfence, starter",
    "imported": "ringfence, imported",
    "clamav": "ClamAV on access",
    "floor": "kernel's floor",
}
CELL: Final = 24
NEAR: Final = 10
FAR: Final = 100


def table_of(rows: Sequence[Row], figures: Iterable[Figure]) -> str:
    """The whole report as text."""
    by_key = {(row.work, label_of((row.subject, row.content))): row for row in rows}
    columns = [label_of(subject) for subject in SUBJECTS if any(key[1] == label_of(subject) for key in by_key)]
    lines = ["Time as a multiple of unprotected: median [lowest-highest] of the pairs. ! is above our goal.", ""]
    lines.append(f"{'work':<24}{'unprotected':>12}" + "".join(f"{TITLES[column]:>{CELL}}" for column in columns))
    for work in RATIO_WORKS:
        present = {column: by_key[work, column] for column in columns if (work, column) in by_key}
        if present:
            base = max(present.values(), key=lambda row: row.count).unprotected_s
            cells = "".join(f"{_cell(present.get(column), column):>{CELL}}" for column in columns)
            lines.append(f"{work:<24}{base * 1e3:>9.0f} ms{cells}")
    lines += ["", *_notes(rows), "", f"{'figure':<52}{'value':>12}  unit"]
    lines += [f"{figure.figure:<52}{figure.value:>12.2f}  {figure.unit}" for figure in figures]
    return "\n".join(lines)


def goal_of(work: str, column: str) -> float | None:
    """The highest ratio that we want of a work under one of our contents."""
    if column not in ("starter", "imported"):
        return None
    return GOALS.get((work, column), GOALS.get((work, "ringfence")))


def _cell(row: Row | None, column: str) -> str:
    """One ratio with its spread."""
    if row is None:
        return "-"
    goal = goal_of(row.work, column)
    mark = "!" if goal is not None and row.ratio > goal else " "
    fewer = "*" if row.count < row.full_count else " "
    return f"{_number(row.ratio)} [{_number(row.lowest)}-{_number(row.highest)}]{mark}{fewer}"


def _number(ratio: float) -> str:
    """Two places for what is near one, none for what is far from it."""
    places = 2 if ratio < NEAR else 1 if ratio < FAR else 0
    return f"{ratio:,.{places}f}"


def _notes(rows: Sequence[Row]) -> list[str]:
    """What a reader must know about single rows."""
    notes = []
    fewer = [row for row in rows if row.count < row.full_count]
    for subject in sorted({row.subject for row in fewer}):
        works = [f"{row.work} {row.count:,} of {row.full_count:,}" for row in fewer if row.subject == subject]
        notes.append(
            f"* {subject} with fewer operations on both sides of its pairs, its times scaled: {', '.join(works)}"
        )
    notes += [
        f"wrong: {row.subject} ({row.content}) refused {row.refused} harmless operations of {row.work}"
        for row in rows
        if row.refused
    ]
    pairs = sorted({row.runs for row in rows})
    return [*notes, f"pairs: {', '.join(map(str, pairs))}"] if rows else notes
