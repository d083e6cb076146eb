"""What the breaker has tripped for one release: it holds until another release or the operator's word."""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Conviction:
    """Whether the whole release only observes, and the indexes of the rules that do so alone."""

    whole_release: bool = False
    rules: frozenset[int] = frozenset()

    def with_release(self) -> "Conviction":
        """The same, and the whole release."""
        return replace(self, whole_release=True)

    def with_rule(self, rule: int) -> "Conviction":
        """The same, and this rule."""
        return replace(self, rules=self.rules | {rule})


NOT_CONVICTED: Final = Conviction()
