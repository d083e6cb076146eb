"""Files on which a scanner came to harm, on their way from the gate to the zygote that examines them.

Noted by the threads that answer, after the answer; sent by the main thread, one at a time.  Each version of a file is
examined once under a release.  Bounded: what finds no room is not examined, and three strikes keep it away from those
who wait all the same.
"""

import os
import threading
from collections import deque
from dataclasses import dataclass

from ringfence.decide.strikes import Pair
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.model import limits
from ringfence.model.fault import Finding
from ringfence.model.verdict import UnknownReason
from ringfence.wire import catalogue
from ringfence.wire.attribution import APPRAISE, PATH_BYTES, Suspicion, encode_suspicion

HARMED = frozenset(
    {
        UnknownReason.DEADLINE_PASSED,
        UnknownReason.SCANNER_DIED,
        UnknownReason.ENGINE_TIMEOUT,
        UnknownReason.ENGINE_PANIC,
    }
)
"""What becomes of a scanner that a rule may have done."""


@dataclass(frozen=True, slots=True)
class _Suspect:
    pair: Pair
    descriptor: int
    suspicion: Suspicion


class Suspects:
    """The queue of one gate."""

    def __init__(self) -> None:
        self._queue: deque[_Suspect] = deque()
        self._known: dict[Pair, None] = {}
        self._lock = threading.Lock()
        self._asked = False
        self._examined: Pair | None = None
        self._sample_due_ms = 0

    def __len__(self) -> int:
        """Files that wait to be sent."""
        return len(self._queue)

    def note(self, pair: Pair, descriptor: int, job: int, purpose: int, reason: UnknownReason) -> None:
        """A scanner was harmed with this file in its hand.  Never blocks and never raises."""
        if reason not in HARMED:
            return
        with self._lock:
            if pair in self._known or len(self._queue) >= limits.SUSPECTS_MAX:
                return
            if len(self._known) >= limits.SUSPECTS_KNOWN_ENTRIES_MAX:
                self._known.pop(next(iter(self._known)))
            self._known[pair] = None
            try:
                suspicion = Suspicion(job, pair[1][2], purpose, reason, _path_of(descriptor))
                self._queue.append(_Suspect(pair, os.dup(descriptor), suspicion))
            except OSError:
                pass  # no descriptor is left: it is not examined

    def sample(self, pair: Pair, descriptor: int, now_ms: int) -> None:
        """A file that nobody waits for: now and then the rules are timed on one, when nothing is being examined."""
        if now_ms < self._sample_due_ms or self._asked or self._queue or pair[1][2] > limits.SYNC_SCAN_BYTES_MAX:
            return
        self._sample_due_ms = now_ms + limits.APPRAISAL_INTERVAL_MS
        try:
            suspicion = Suspicion(0, pair[1][2], APPRAISE, UnknownReason.NONE, _path_of(descriptor))
            self._queue.append(_Suspect(pair, os.dup(descriptor), suspicion))
        except OSError:
            pass  # no descriptor is left: another time

    def send(self, zygote: Channel | None) -> None:
        """Ask for the next examination, if none is going on."""
        if self._asked or not self._queue or zygote is None:
            return
        suspect = self._queue.popleft()
        self._examined = suspect.pair
        try:
            self._asked = zygote.try_send(
                catalogue.EXAMINE, encode_suspicion(suspect.suspicion), (suspect.descriptor,)
            )
        except ChannelClosed:
            pass  # the slots notice that, too; the next zygote examines the next file
        finally:
            os.close(suspect.descriptor)

    def answered(self, finding: int) -> None:
        """The examination that was asked for is over; one that found nothing out may be begun again."""
        self._asked = False
        if finding == Finding.GAVE_UP and self._examined is not None:
            with self._lock:
                self._known.pop(self._examined, None)

    def new_zygote(self, *, forget: bool) -> None:
        """Another zygote will be asked.  `forget`: under another set of rules every file may be examined again."""
        with self._lock:
            self._asked = False
            if forget:
                self._known.clear()
                while self._queue:
                    os.close(self._queue.popleft().descriptor)


def _path_of(descriptor: int) -> bytes:
    """The end of the path, for a person."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}".encode())[-PATH_BYTES:]
    except OSError:
        return b""
