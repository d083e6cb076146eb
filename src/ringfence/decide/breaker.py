"""The breaker of promise 8: a bad detection cannot stop the machine.

It watches what the active release condemns and decides, in this order:

1. `BREAKER_VITAL_FILES_MAX` distinct vital or vouched files condemned: the release is convicted.
2. In the window, at least `BREAKER_OLD_FILES_MAX` distinct files that are *older than the release's activation* were
   condemned, and they are at least `BREAKER_OLD_SHARE_PERCENT` of all old files judged: the release is convicted.
   Only old files count, because they are what a machine runs on, and because an attacker can make any number of new
   ones: dropping a hundred test files must not switch the protection off.
3. In the window one rule condemned `BREAKER_RULE_FILES_MAX` distinct files: that rule alone goes to observe.

A convicted release stays in observe until another release or the operator's word.  Time is monotonic milliseconds.
"""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum, unique

from ringfence.decide.verdict_cache import FileKey
from ringfence.model import limits


@unique
class Tripped(IntEnum):
    """What a judgement did to the breaker."""

    NO = 0
    RULE = 1
    RELEASE = 2


@dataclass(frozen=True, slots=True)
class Judgement:
    """One file judged by the active release."""

    key: FileKey
    rule: int
    condemned: bool
    vital: bool
    older_than_release: bool


class Breaker:
    """State of the breaker for one release."""

    def __init__(self) -> None:
        self.release_tripped = False
        self._rules_tripped: set[int] = set()
        self._vital: set[FileKey] = set()
        self._window: deque[tuple[int, Judgement]] = deque()

    def spares(self, rule: int) -> bool:
        """Whether what this rule condemns goes on."""
        return self.release_tripped or rule in self._rules_tripped

    def judge(self, judgement: Judgement, now_ms: int) -> Tripped:
        """Record a judgement; says whether it trips something now."""
        if not judgement.condemned and not judgement.older_than_release:
            return Tripped.NO
        self._forget_before(now_ms - limits.BREAKER_WINDOW_MS)
        if len(self._window) < limits.BREAKER_FILES_TRACKED_MAX:
            self._window.append((now_ms, judgement))
        if not judgement.condemned or self.release_tripped:
            return Tripped.NO
        if judgement.vital:
            self._vital.add(judgement.key)
        if len(self._vital) >= limits.BREAKER_VITAL_FILES_MAX or self._condemns_what_was_here():
            self.release_tripped = True
            return Tripped.RELEASE
        if judgement.rule not in self._rules_tripped and self._files_of(judgement.rule) >= limits.BREAKER_RULE_FILES_MAX:
            self._rules_tripped.add(judgement.rule)
            return Tripped.RULE
        return Tripped.NO

    def reset(self) -> None:
        """The operator's word, or another release."""
        self.release_tripped = False
        self._rules_tripped.clear()
        self._vital.clear()
        self._window.clear()

    def _forget_before(self, oldest_ms: int) -> None:
        while self._window and self._window[0][0] < oldest_ms:
            self._window.popleft()

    def _condemns_what_was_here(self) -> bool:
        judged = {one.key for _, one in self._window if one.older_than_release}
        condemned = {one.key for _, one in self._window if one.older_than_release and one.condemned}
        if len(condemned) < limits.BREAKER_OLD_FILES_MAX:
            return False
        return len(condemned) * 100 >= len(judged) * limits.BREAKER_OLD_SHARE_PERCENT

    def _files_of(self, rule: int) -> int:
        return len({one.key for _, one in self._window if one.condemned and one.rule == rule})
