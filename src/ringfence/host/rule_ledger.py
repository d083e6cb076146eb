"""What the rules of a release cost and find on this host: one row of numbers for each, in memory that scanners share.

Made by the zygote before its first fork.  Scanners count matches; the appraiser notes times (`host/appraiser.py`); the
zygote adds faults and reads.  Fixed size, no lock: two scanners that count at the same instant may lose one.  Scanners
may be taken over, so that nothing is decided by these numbers; they are shown, and that is all.
"""

import mmap
import struct
from collections.abc import Iterable
from typing import Final

from ringfence.wire.rule_costs import RuleCost

_ROW: Final = struct.Struct("=QQQII")
"""matches, sampled nanoseconds, worst sample in nanoseconds, samples, faults."""

_U64: Final = 0xFFFF_FFFF_FFFF_FFFF
_U32: Final = 0xFFFF_FFFF


class RuleLedger:
    """Rows by the index of the rule in the manifest."""

    def __init__(self, rules: int) -> None:
        self.rules = rules
        self._page = mmap.mmap(-1, max(1, rules) * _ROW.size)

    def matched(self, rules: Iterable[int]) -> None:
        """These rules have matched a file."""
        for rule in rules:
            self._add(rule, matches=1)

    def sampled(self, rule: int, spent_ns: int) -> None:
        """A rule has taken so much processor time on one file."""
        self._add(rule, spent_ns=spent_ns, samples=1)

    def faulted(self, rule: int) -> None:
        """A rule was found guilty of a scanner's fault, or of taking too long."""
        self._add(rule, faults=1)

    def row(self, rule: int) -> RuleCost:
        """The numbers of one rule."""
        return RuleCost(rule, *_ROW.unpack_from(self._page, rule * _ROW.size))

    def top(self, count: int) -> tuple[RuleCost, ...]:
        """The `count` rules that take most time, then those that match most; rules without any number are left out."""
        rows = (self.row(rule) for rule in range(self.rules))
        told = [one for one in rows if one.matches or one.samples or one.faults]
        told.sort(key=lambda one: (-one.mean_ns, -one.matches, one.rule))
        return tuple(told[:count])

    def _add(self, rule: int, *, matches: int = 0, spent_ns: int = 0, samples: int = 0, faults: int = 0) -> None:
        if not 0 <= rule < self.rules:
            return
        had = _ROW.unpack_from(self._page, rule * _ROW.size)
        _ROW.pack_into(
            self._page,
            rule * _ROW.size,
            min(had[0] + matches, _U64),
            min(had[1] + spent_ns, _U64),
            max(had[2], min(spent_ns, _U64)),
            min(had[3] + samples, _U32),
            min(had[4] + faults, _U32),
        )
