"""What a run finds: cases with what they say, and the four figures that must hold over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ringfence.model.limits import QUESTION_DEADLINE_MS, QUESTION_GRACE_MS

OPEN_MS_MAX: Final = QUESTION_DEADLINE_MS + QUESTION_GRACE_MS
"""The promise: no open waits longer, whatever is killed or stopped."""

PROTECTED_AGAIN_S_MAX: Final = 10.0
"""Within this a host must be protected again after a fault."""


class NotHeldError(Exception):
    """What a case claims does not hold."""


@dataclass(slots=True)
class Figures:
    """What is counted in a case, and over all of them.  Lower is better for each but `opens` and `alerts`."""

    opens: int = 0
    worst_open_ms: float = 0.0
    opens_past_deadline: int = 0
    starved: int = 0
    """Waits that were long because the machine had no processor for the opener itself; they do not count above."""

    alerts: int = 0
    acknowledged_lost: int = 0
    wrong_convictions: int = 0
    worst_protected_again_s: float = 0.0

    def add(self, other: "Figures") -> None:
        """Take the figures of a part into the whole."""
        for name in ("opens", "opens_past_deadline", "starved", "alerts", "acknowledged_lost", "wrong_convictions"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.worst_open_ms = max(self.worst_open_ms, other.worst_open_ms)
        self.worst_protected_again_s = max(self.worst_protected_again_s, other.worst_protected_again_s)

    def opened(self, waited_ms: float, starved_ms: float = 0.0) -> None:
        """One open; `starved_ms` of its wait are the machine's, not ours."""
        self.opens += 1
        self.worst_open_ms = max(self.worst_open_ms, waited_ms)
        if waited_ms - starved_ms > OPEN_MS_MAX:
            self.opens_past_deadline += 1
        elif waited_ms > OPEN_MS_MAX:
            self.starved += 1

    def protected_again(self, seconds: float) -> None:
        """A fault's end."""
        self.worst_protected_again_s = max(self.worst_protected_again_s, seconds)

    def complaints(self) -> list[str]:
        """Which figures do not hold."""
        found = []
        if self.opens_past_deadline:
            found.append(f"{self.opens_past_deadline} opens waited longer than {OPEN_MS_MAX} ms")
        if self.acknowledged_lost:
            found.append(f"{self.acknowledged_lost} acknowledged alerts were lost")
        if self.wrong_convictions:
            found.append(f"{self.wrong_convictions} wrong convictions")
        if self.worst_protected_again_s > PROTECTED_AGAIN_S_MAX:
            found.append(f"protected again only after {self.worst_protected_again_s:.1f} s")
        return found


@dataclass(slots=True)
class Case:
    """One case and what became of it.  `damage`: what happened with the protection off, where that was shown."""

    name: str
    passed: bool = False
    detail: str = ""
    damage: str = ""
    seconds: float = 0.0
    figures: Figures = field(default_factory=Figures)

    def need(self, claim: str, *, holds: bool) -> None:
        """Raise NotHeldError unless the claim holds."""
        if not holds:
            raise NotHeldError(claim)


def as_json(cases: Sequence[Case]) -> dict[str, Any]:
    """The report for machines."""
    total = total_of(cases)
    return {
        "opens_past_deadline": total.opens_past_deadline,
        "acknowledged_lost": total.acknowledged_lost,
        "wrong_convictions": total.wrong_convictions,
        "worst_protected_again_s": round(total.worst_protected_again_s, 3),
        "opens": total.opens,
        "worst_open_ms": round(total.worst_open_ms, 1),
        "starved_opens": total.starved,
        "alerts": total.alerts,
        "cases": [
            {
                "name": case.name,
                "passed": case.passed,
                "detail": case.detail,
                "damage": case.damage,
                "seconds": round(case.seconds, 1),
                "worst_open_ms": round(case.figures.worst_open_ms, 1),
                "protected_again_s": round(case.figures.worst_protected_again_s, 3),
            }
            for case in cases
        ],
    }


def total_of(cases: Sequence[Case]) -> Figures:
    """The figures over all cases."""
    total = Figures()
    for case in cases:
        total.add(case.figures)
    return total


def table_of(cases: Sequence[Case]) -> str:
    """The report for people."""
    width = max([len(case.name) for case in cases], default=4)
    lines = [f"{'case':<{width}}  {'':4}  {'opens':>6}  {'worst':>8}  {'again':>7}  what was seen", ""]
    for case in cases:
        figures = case.figures
        worst = f"{figures.worst_open_ms:.0f} ms" if figures.opens else "-"
        again = f"{figures.worst_protected_again_s:.2f} s" if figures.worst_protected_again_s else "-"
        word = "ok" if case.passed else "FAIL"
        opens = str(figures.opens) if figures.opens else "-"
        lines.append(f"{case.name:<{width}}  {word:<4}  {opens:>6}  {worst:>8}  {again:>7}  {case.detail}")
        if case.damage:
            lines.append(f"{'':<{width}}  {'':4}  {'':>6}  {'':>8}  {'':>7}  unprotected: {case.damage}")
    total = total_of(cases)
    failed = sum(not case.passed for case in cases)
    worst = f"{total.worst_open_ms:.0f} ms"
    lines += [
        "",
        f"opens past {OPEN_MS_MAX} ms: {total.opens_past_deadline} of {total.opens}, the longest {worst}",
        f"opens that waited so long for a processor, not for us: {total.starved}",
        f"acknowledged alerts lost: {total.acknowledged_lost} of {total.alerts}",
        f"wrong convictions: {total.wrong_convictions}",
        f"protected again after at most {total.worst_protected_again_s:.2f} s",
        f"{len(cases) - failed} of {len(cases)} cases passed",
    ]
    return "\n".join(lines)
