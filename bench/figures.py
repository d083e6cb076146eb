"""From pairs of times to the rows and figures of the report.  Pure: no files, no clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.works import RATIO_WORKS, Measured

SUBJECTS: Final = (("ringfence", "starter"), ("ringfence", "imported"), ("clamav", "generated"), ("floor", "none"))
"""Subjects with their contents, in the table's order."""

MEMORY: Final = "memory_pss"
"""The figure of which the worst counts."""

SubjectKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Pair:
    """One work measured twice, one side right after the other."""

    work: str
    subject: SubjectKey
    unprotected: Measured
    protected: Measured

    @property
    def ratio(self) -> float:
        """How many times the unprotected time."""
        return self.protected.seconds / self.unprotected.seconds

    @property
    def added_us_per_file(self) -> float:
        """Time that protection adds to one operation, in µs."""
        return (self.protected.seconds - self.unprotected.seconds) / self.protected.count * 1e6


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report: a work under a subject.  Times are scaled to the full number of operations."""

    work: str
    subject: str
    content: str
    ratio: float
    median_s: float
    runs: int
    lowest: float
    highest: float
    unprotected_s: float
    count: int
    full_count: int
    refused: int


@dataclass(frozen=True, slots=True)
class Figure:
    """One further number with its unit."""

    figure: str
    value: float
    unit: str


def rows_of(pairs: Iterable[Pair], full_counts: Mapping[str, int]) -> list[Row]:
    """One row for each work and subject that was measured, in the report's order."""
    groups: dict[tuple[str, SubjectKey], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.work, pair.subject), []).append(pair)
    return [
        _row(groups[work, subject], full_counts.get(work, 0))
        for work in RATIO_WORKS
        for subject in SUBJECTS
        if (work, subject) in groups
    ]


def _row(group: Sequence[Pair], full_count: int) -> Row:
    """The row of all pairs of one work and subject."""
    ratios = [pair.ratio for pair in group]
    count = group[0].protected.count
    scale = full_count / count if full_count else 1.0
    subject, content = group[0].subject
    return Row(
        group[0].work,
        subject,
        content,
        median(ratios),
        median(pair.protected.seconds for pair in group) * scale,
        len(group),
        min(ratios),
        max(ratios),
        median(pair.unprotected.seconds for pair in group) * scale,
        count,
        full_count or count,
        max(pair.protected.refused for pair in group),
    )


def latency_figures(pairs: Iterable[Pair]) -> list[Figure]:
    """First scan, known hash and known file, from the passes over 4 KiB files."""
    groups: dict[tuple[str, SubjectKey], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.work, pair.subject), []).append(pair)
    found = []
    for subject in SUBJECTS:
        name = label_of(subject)
        if first := groups.get(("small_first", subject)):
            found.append(Figure(f"first_scan_4k_p50_{name}", median(p.protected.p50_us for p in first), "us"))
            found.append(Figure(f"first_scan_4k_p99_{name}", median(p.protected.p99_us for p in first), "us"))
        if again := groups.get(("small_again", subject)):
            ratio = median(pair.protected.p50_us / pair.unprotected.p50_us for pair in again)
            found.append(Figure(f"known_file_open_ratio_{name}", ratio, "ratio"))
        if known := groups.get(("small_known", subject)):
            found.append(Figure(f"known_hash_p50_{name}", median(p.protected.p50_us for p in known), "us"))
    return found


def added_time_figures(pairs: Iterable[Pair]) -> list[Figure]:
    """What a first read costs more than unprotected, per file, and how many times more with ClamAV than with us."""
    added: dict[SubjectKey, float] = {}
    measured = [pair for pair in pairs if pair.work == "read_first"]
    for subject in SUBJECTS:
        if mine := [pair.added_us_per_file for pair in measured if pair.subject == subject]:
            added[subject] = median(mine)
    found = [Figure(f"added_per_first_read_{label_of(subject)}", value, "us") for subject, value in added.items()]
    theirs, ours = added.get(("clamav", "generated")), added.get(("ringfence", "starter"))
    if theirs is not None and ours is not None and ours > 0:
        found.append(Figure("first_read_added_time_clamav_over_ringfence", theirs / ours, "ratio"))
    return found


def gathered(values: Mapping[tuple[str, SubjectKey], Sequence[float]], units: Mapping[str, str]) -> list[Figure]:
    """What was noted beside the pairs, (figure, subject) -> values: the worst of memory, the median of all else."""
    return [
        Figure(f"{figure}_{label_of(subject)}", (max if figure == MEMORY else median)(noted), units[figure])
        for (figure, subject), noted in sorted(values.items())
        if noted
    ]


def label_of(subject: SubjectKey) -> str:
    """A subject's name in a figure: `starter` and `imported` are Ringfence with that content."""
    name, content = subject
    return content if name == "ringfence" else name


def as_json(rows: Iterable[Row], figures: Iterable[Figure]) -> list[dict[str, object]]:
    """The report's list: rows first, then figures."""
    listed: list[dict[str, object]] = [
        {
            "work": row.work,
            "subject": row.subject,
            "content": row.content,
            "ratio": round(row.ratio, 4),
            "median_s": round(row.median_s, 6),
            "runs": row.runs,
        }
        for row in rows
    ]
    listed += [{"figure": figure.figure, "value": round(figure.value, 4), "unit": figure.unit} for figure in figures]
    return listed
