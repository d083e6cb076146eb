"""Shadow in the gate: live questions are mirrored, recent ones replayed, and two scanners asked about each.

One thread, which nobody ever waits for.  It sleeps until the warden begins a trial.  Then the threads that answer the
kernel leave a duplicate of each descriptor here *after* they have answered (`offer`), in a queue that drops and
counts when it is full; while the queue is empty the thread has files opened by a process that may do nothing else
(`programs/replayer.py`): vital ones, those asked about lately, and slowly all of the protected places, so that
a quiet host has evidence too.  No thread of the gate ever opens a file.

For each file it asks a scanner of the active release and one of the candidate, both at idle priority and neither the
gate's own, and `decide/shadow.py` counts what the two say.  Whatever hangs there hangs this thread alone, for a bounded
time.
"""

import os
import select
import stat
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from ringfence.decide.gate import Question
from ringfence.decide.shadow import Comparison
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.quick_calls import close
from ringfence.host.shadow_seat import Seat
from ringfence.host.vital import PATHS as VITAL_PATHS
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.wire import catalogue
from ringfence.wire.frames import unpack_exact


class Mirrored(NamedTuple):
    """One file to compare, with a descriptor of ours."""

    descriptor: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Trial:
    """What the warden sends to begin with: the candidate's number, and three channels that are ours now."""

    release: int
    old_before_ns: int
    """Wall time: a file that has not changed since is long known."""

    candidate: Channel
    active: Channel
    replayer: Channel


class _Stage:
    """One trial at work."""

    def __init__(self, trial: Trial, comparison: Comparison, gate_id: int, paths: tuple[bytes, ...]) -> None:
        self.trial = trial
        self.comparison = comparison
        self.candidate = Seat(trial.candidate, gate_id, 0)
        self.active = Seat(trial.active, gate_id, 0)
        self.paths = deque(paths)
        self.asked = False
        """The replayer has a path and has not answered."""

        self.walking = False
        """What it was asked for is the next file of its walk."""

        self.walked_ms = 0

        self.is_over = False

    def close(self) -> None:
        self.candidate.close()
        self.active.close()
        self.trial.replayer.close()


class Shadow:
    """The thread's state.  `offer` is called from any thread, `begin` and `end` from the gate's main thread."""

    def __init__(self, gate_id: int, vital_files: frozenset[tuple[int, int]]) -> None:
        self._gate_id = gate_id
        self._vital_files = vital_files
        self._queue: deque[Mirrored] = deque()
        self._stage: _Stage | None = None
        self._next: _Stage | None = None
        self._changing = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._recent: deque[bytes] = deque(maxlen=limits.SHADOW_RECENT_FILES_MAX)
        self.every_mask = 0
        """Of the scans whose number has none of these bits, the file's path is remembered."""

        self.is_on = False
        """Whether questions are to be offered: the one thing that an answering thread looks at."""

    def remember(self, descriptor: int) -> None:
        """A file that has just been scanned: a trial that comes later looks at it again.  Never raises."""
        try:
            path = os.readlink(f"/proc/self/fd/{descriptor}".encode())
        except OSError:
            return
        if len(path) <= limits.SIGHTING_PATH_BYTES_MAX:
            self._recent.append(path)
        if len(self._recent) == limits.SHADOW_RECENT_FILES_MAX:
            self.every_mask = limits.SHADOW_RECENT_EVERY_FILES - 1  # a busy host: a sample will do

    def offer(self, descriptor: int, question: Question) -> None:
        """A question that has been answered.  Never blocks, never raises."""
        stage = self._stage
        if stage is None or not question.regular or not question.look[2] or question.own:
            return
        if stage.comparison.knows(question.key, question.look):
            return
        if len(self._queue) >= limits.SHADOW_QUEUE_FILES_MAX:
            stage.comparison.counts.dropped += 1
            return
        try:
            self._queue.append(Mirrored(os.dup(descriptor), replayed=False))
        except OSError:
            stage.comparison.counts.dropped += 1

    def begin(self, trial: Trial) -> None:
        """Compare with this candidate from now on; what is known of the same one stays known."""
        with self._changing:
            before = self._next or self._stage
            same = before is not None and before.trial.release == trial.release
            comparison = before.comparison if same and before is not None else Comparison()
            vital = (path.encode() for path in VITAL_PATHS)
            paths = tuple(dict.fromkeys((*vital, *reversed(self._recent))))
            self._change(_Stage(trial, comparison, self._gate_id, paths))
        self.is_on = True

    def end(self) -> None:
        """Stop comparing."""
        self.is_on = False
        with self._changing:
            self._change(None)

    def _change(self, following: _Stage | None) -> None:
        if self._next is not None:
            self._next.close()  # the thread has not even seen it
        if self._stage is not None:
            self._stage.is_over = True
        self._next = following
        os.eventfd_write(self._wake, 1)

    def report(self) -> tuple[int, tuple[int, ...], bytes] | None:
        """Candidate, counts, and the path of the worst block; None while nothing is compared."""
        stage = self._stage
        if stage is None or stage.is_over:
            return None
        return stage.trial.release, stage.comparison.counts.values(), stage.comparison.worst

    def run(self) -> None:
        """Work for ever."""
        while True:
            self.turn()

    def turn(self) -> None:
        """One round: take over what the warden wants, then compare one file."""
        stage = self._take_over()
        if stage is None:
            self._sleep(None)
            return
        if stage.candidate.is_gone or stage.active.is_gone:
            self._drop_queue()
            self._sleep(limits.SHADOW_LOOK_MS)  # the warden brings another zygote, or ends the trial
            return
        filled = stage.active.is_filled(limits.SHADOW_LOOK_MS) and stage.candidate.is_filled(limits.SHADOW_LOOK_MS)
        if filled and (mirrored := self._next_file(stage)) is not None:
            try:
                self._compare(stage, mirrored)
            except OSError:
                pass  # the file itself cannot be looked at
            finally:
                close(mirrored.descriptor)

    def _take_over(self) -> _Stage | None:
        """The trial that holds now."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            pass
        stage = self._stage
        if stage is not None and not stage.is_over:
            return stage
        with self._changing:
            self._stage, self._next = self._next, None
        if stage is not None:
            stage.close()
            self._drop_queue()
        return self._stage

    def _sleep(self, wait_ms: int | None) -> None:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        poll.poll(wait_ms)

    def _drop_queue(self) -> None:
        while self._queue:
            close(self._queue.popleft().descriptor)

    def _next_file(self, stage: _Stage) -> Mirrored | None:
        """A live one first; else one that the replayer has opened."""
        if self._queue:
            return self._queue.popleft()
        try:
            if not stage.asked:
                self._ask_replayer(stage)
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            if stage.asked:
                poll.register(stage.trial.replayer, select.POLLIN)
            poll.poll(limits.SHADOW_POLL_MS)
            received = stage.trial.replayer.receive(wait=False) if stage.asked else None
        except (ChannelClosed, FrameRefused):
            stage.asked = True  # no replayer any more: live questions must do, and nobody answers
            return None
        if received is None:
            return None
        stage.asked = False
        if stage.walking and not received.descriptors:
            stage.comparison.counts.exhausted = 1
        if received.frame.type != catalogue.REPLAYED or len(received.descriptors) != 1:
            for descriptor in received.descriptors:
                close(descriptor)
            return None
        return Mirrored(received.descriptors[0], replayed=True)

    def _ask_replayer(self, stage: _Stage) -> None:
        """For the files that were asked about lately, then, slowly, for all that lie below the protected places."""
        stage.walking = not stage.paths
        if stage.paths:
            stage.asked = stage.trial.replayer.try_send(catalogue.REPLAY, stage.paths.popleft())
        elif not stage.comparison.counts.exhausted and now_ms() - stage.walked_ms >= limits.SHADOW_POLL_MS:
            stage.walked_ms = now_ms()
            stage.asked = stage.trial.replayer.try_send(catalogue.REPLAY, b"")

    def _compare(self, stage: _Stage, mirrored: Mirrored) -> None:
        """Ask both, and count what they say if the file has stayed what it was."""
        file = mirrored.descriptor
        seen = os.fstat(file)
        key, look = (seen.st_dev, seen.st_ino), (seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size)
        comparison = stage.comparison
        if not stat.S_ISREG(seen.st_mode) or not seen.st_size or comparison.knows(key, look):
            return
        candidate = stage.candidate.ask(file, seen.st_size, lambda: stage.is_over)
        active = stage.active.ask(file, seen.st_size, lambda: stage.is_over)
        after = os.fstat(file)
        if stage.is_over or (after.st_mtime_ns, after.st_ctime_ns, after.st_size) != look:
            return
        severity = comparison.compared(
            key, look, active, candidate,
            vital=key in self._vital_files, old=seen.st_ctime_ns < stage.trial.old_before_ns,
            replayed=mirrored.replayed,
        )
        if severity:
            path = os.readlink(f"/proc/self/fd/{file}".encode())
            comparison.worst = path[: limits.SHADOW_PATH_BYTES_MAX]


def decode_trial(body: bytes, descriptors: tuple[int, ...]) -> Trial:
    """The warden's word to begin.  Raises FrameRefused."""
    release, old_before_ns = unpack_exact(catalogue.SHADOW_BODY, body, "shadow")
    candidate, active, replayer = (Channel.adopt(one) for one in descriptors)
    return Trial(int(release), int(old_before_ns), candidate, active, replayer)


def now_ms() -> int:
    """Monotonic milliseconds."""
    return time.monotonic_ns() // 1_000_000
