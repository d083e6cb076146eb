"""The breaker of promise 8: a bad detection cannot stop the machine.

It watches what the active release condemns and decides, in this order:

1. `BREAKER_VITAL_FILES_MAX` distinct vital or vouched files condemned: the release is convicted.
2. In the window, at least `BREAKER_OLD_FILES_MAX` distinct files that are *older than the release's activation* were
   condemned, and they are at least `BREAKER_OLD_SHARE_PERCENT` of all old files judged since then: the release is
   convicted.  Clean ones count however long ago, because they are judged once and silent afterwards: eight old web
   shells, read at a quiet moment, must not switch the protection off.  Only old files count, because they are what a
   machine runs on, and because an attacker can make any number of new ones: dropping a hundred test files must not
   switch the protection off either.
3. In the window one rule condemned `BREAKER_RULE_FILES_MAX` distinct files: that rule alone goes to observe.

A convicted release stays in observe until another release or the operator's word.  The warden keeps what has tripped
and gives it to each gate that starts (`restore`).  Time is monotonic milliseconds.

Each kind of count has a bound of its own and counts a file once, however often it is judged: neither ten thousand clean
files nor an attacker who writes one file for ever can fill the room that the next condemned file needs.
"""

import math
from collections.abc import Iterator
from enum import IntEnum, unique
from typing import Generic, NamedTuple, TypeVar

from ringfence.decide.verdict_cache import FileKey
from ringfence.model import limits
from ringfence.model.conviction import Conviction


@unique
class Tripped(IntEnum):
    """What a judgement did to the breaker."""

    NO = 0
    RULE = 1
    RELEASE = 2


class Judgement(NamedTuple):
    """One file judged by the active release."""

    key: FileKey
    rule: int
    condemned: bool
    vital: bool
    older_than_release: bool


Key = TypeVar("Key")


class _Recent(Generic[Key]):
    """What was seen within the window, each once, the latest last.  When it is full, the oldest goes.

    Several threads note clean files without a lock; a few entries more or fewer than the bound do not matter.
    """

    def __init__(self) -> None:
        self._seen_ms: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._seen_ms)

    def __contains__(self, key: Key) -> bool:
        return key in self._seen_ms

    def note(self, key: Key, now_ms: int) -> None:
        self._seen_ms.pop(key, None)
        if len(self._seen_ms) >= limits.BREAKER_FILES_TRACKED_MAX:
            self._drop_oldest()
        self._seen_ms[key] = now_ms

    def forget_before(self, oldest_ms: int) -> None:
        while self._oldest_ms() < oldest_ms and self._drop_oldest():
            pass

    def _oldest_ms(self) -> float:
        try:
            return next(iter(self._seen_ms.values()), math.inf)
        except RuntimeError:
            return math.inf

    def _drop_oldest(self) -> bool:
        """False when there was none, or another thread changed the table just now: then it drops one itself."""
        try:
            return self._seen_ms.pop(next(iter(self._seen_ms)), None) is not None
        except (StopIteration, RuntimeError):
            return False

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._seen_ms))  # in one step: another thread may change the table meanwhile

    def clear(self) -> None:
        self._seen_ms.clear()


class Breaker:
    """State of the breaker for one release."""

    def __init__(self) -> None:
        self.release_tripped = False
        self._rules_tripped: set[int] = set()
        self._vital: set[FileKey] = set()
        self._old: _Recent[FileKey] = _Recent()
        self._old_condemned: _Recent[FileKey] = _Recent()
        self._condemned: _Recent[tuple[int, FileKey]] = _Recent()

    def spares(self, rule: int) -> bool:
        """Whether what this rule condemns goes on."""
        return self.release_tripped or rule in self._rules_tripped

    def judged_clean(self, key: FileKey, now_ms: int) -> None:
        """A file older than the release was judged clean: the common case, and all that it needs."""
        if key not in self._old:  # old files count once and for good: nothing looks at when they were seen
            self._old.note(key, now_ms)

    def judge(self, judgement: Judgement, now_ms: int) -> Tripped:
        """Record a judgement; says whether it trips something now."""
        if not judgement.condemned and not judgement.older_than_release:
            return Tripped.NO
        for recent in (self._old_condemned, self._condemned):
            recent.forget_before(now_ms - limits.BREAKER_WINDOW_MS)
        self._note(judgement, now_ms)
        if not judgement.condemned or self.release_tripped:
            return Tripped.NO
        if judgement.vital:
            self._vital.add(judgement.key)
        if len(self._vital) >= limits.BREAKER_VITAL_FILES_MAX or self._condemns_what_was_here():
            self.release_tripped = True
            return Tripped.RELEASE
        rule = judgement.rule
        if rule not in self._rules_tripped and self._files_of(rule) >= limits.BREAKER_RULE_FILES_MAX:
            self._rules_tripped.add(rule)
            return Tripped.RULE
        return Tripped.NO

    def restore(self, conviction: Conviction) -> None:
        """What another gate, or this host before its last start, has tripped for this release holds here as well."""
        self.release_tripped = self.release_tripped or conviction.whole_release
        self._rules_tripped |= conviction.rules

    def reset(self) -> None:
        """The operator's word, or another release."""
        self.release_tripped = False
        self._rules_tripped.clear()
        self._vital.clear()
        for recent in (self._old, self._old_condemned, self._condemned):
            recent.clear()

    def _note(self, judgement: Judgement, now_ms: int) -> None:
        if judgement.older_than_release:
            self._old.note(judgement.key, now_ms)
        if judgement.condemned:
            self._condemned.note((judgement.rule, judgement.key), now_ms)
        if judgement.condemned and judgement.older_than_release:
            self._old_condemned.note(judgement.key, now_ms)

    def _condemns_what_was_here(self) -> bool:
        if len(self._old_condemned) < limits.BREAKER_OLD_FILES_MAX:
            return False
        return len(self._old_condemned) * 100 >= len(self._old) * limits.BREAKER_OLD_SHARE_PERCENT

    def _files_of(self, rule: int) -> int:
        return sum(one == rule for one, _ in self._condemned)
