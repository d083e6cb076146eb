"""Which numbered records of a host are new, and which are missing.  Pure: the database is elsewhere.

A host numbers the records of one epoch 1, 2, 3 …; the server sees them at least once, mostly in order.  For one epoch:

1. A number above everything seen is new; the numbers it jumps over become a gap.
2. A number inside a gap is new as well: it arrived late, and the gap shrinks or splits.
3. Every other number has been stored before and is ignored.

Example: seen through 4, then 7 and 8 arrive: 7 and 8 are new, 5-6 is a gap.  Then 4, 5, 8 arrive: 5 is new, 6 is a gap.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from ringfence.model.limits import HOST_GAPS_MAX


@dataclass(frozen=True, slots=True, order=True)
class Gap:
    """The numbers `first` to `last`, both included, have not been seen."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise ValueError(f"a gap from {self.first} to {self.last} is none")


@dataclass(frozen=True, slots=True)
class Seen:
    """What has been seen of one epoch: every number up to `through`, except those in `gaps` (ascending, apart)."""

    through: int = 0
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Admission:
    """The numbers to store, in the order given, and what has been seen afterwards."""

    new_numbers: tuple[int, ...]
    seen: Seen


def admit(seen: Seen, numbers: Iterable[int]) -> Admission:
    """Decide which of `numbers` (each at least 1) are new.  A number given twice is new once."""
    new_numbers: list[int] = []
    through, gaps = seen.through, list(seen.gaps)
    for number in numbers:
        if number < 1:
            raise ValueError(f"records are numbered from 1, not {number}")
        if number > through:
            if number > through + 1:
                gaps.append(Gap(through + 1, number - 1))
            through = number
        elif not _fill(gaps, number):
            continue
        new_numbers.append(number)
    return Admission(tuple(new_numbers), Seen(through, _bounded(gaps)))


def _fill(gaps: list[Gap], number: int) -> bool:
    """Take `number` out of the gap that holds it.  Returns whether there was one."""
    place = bisect_left(gaps, number, key=lambda gap: gap.last)
    if place == len(gaps) or gaps[place].first > number:
        return False
    gap = gaps[place]
    rest = [Gap(gap.first, number - 1)] if gap.first < number else []
    if number < gap.last:
        rest.append(Gap(number + 1, gap.last))
    gaps[place : place + 1] = rest
    return True


def _bounded(gaps: list[Gap]) -> tuple[Gap, ...]:
    """At most `HOST_GAPS_MAX` gaps: past it the oldest two become one, which also covers what lies between them.

    The numbers between them have been stored, so one of them that is sent again meets the database's unique key.
    """
    while len(gaps) > HOST_GAPS_MAX:
        gaps[:2] = [Gap(gaps[0].first, gaps[1].last)]
    return tuple(gaps)
