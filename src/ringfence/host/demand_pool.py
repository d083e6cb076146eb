"""Workers that scan on demand: started, fed with descriptors, timed, killed and replaced.

One thread, one loop.  Each worker holds at most `DEMAND_PENDING_MAX` files and answers in order; the first of them is
the one that it works on, and only that one's deadline runs.  A worker that dies, hangs or breaks the protocol is killed
and replaced; the file that it worked on is answered as not scanned, the others go to its successor.
"""

import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Self

from ringfence.host.channel import Channel, ChannelClosed, Received
from ringfence.host.tree_walk import FoundFile
from ringfence.host.worker_process import kill_worker, start_worker
from ringfence.model.errors import ContentRefused, FrameRefused, InternalError, KernelLacks, RingfenceError
from ringfence.model.limits import (
    DEMAND_DEADLINE_MS,
    DEMAND_DEADLINE_MS_PER_MIB,
    DEMAND_LOOK_MS,
    DEMAND_PENDING_MAX,
    DEMAND_START_MS,
)
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire import demand

WORKER_MODULE: Final = "ringfence.programs.scan_worker"
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Scanned:
    """One file and what a worker said about it."""

    file: FoundFile
    result: demand.DemandResult


@dataclass(slots=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    channel: Channel
    deadline_ms: int
    ready: bool = False
    pending: deque[tuple[int, FoundFile]] = field(default_factory=deque)


class DemandPool:
    """A fixed number of workers over one release.  Use as a context manager: leaving it kills them all."""

    def __init__(self, release_descriptor: int, workers: int, deadline_ms: int = DEMAND_DEADLINE_MS) -> None:
        """`release_descriptor` stays the caller's; each worker reads it from its start, with pread."""
        self._release = release_descriptor
        self._deadline_ms = deadline_ms
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._again: deque[FoundFile] = deque()
        self._job = 0
        self._count = workers
        self.replaced = 0
        self.release: demand.DemandReady | None = None

    def __enter__(self) -> Self:
        """Start the workers; they load while the caller begins."""
        for _ in range(self._count):
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill what is left and close what is open."""
        for worker in list(self._workers):
            self._end(worker)
        self._selector.close()

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process numbers of the living workers."""
        return tuple(worker.process.pid for worker in self._workers)

    def scan(
        self, files: Iterator[FoundFile], tick: Callable[[], None] = lambda: None
    ) -> Generator[Scanned, None, None]:
        """Scan `files`, taking the next one only when a worker has room; results come in the order of their ends.

        Descriptors are closed here.  `tick` runs at least four times a second.  Raises the error with which a worker
        could not start.
        """
        more = True
        try:
            while True:
                more = self._feed(files, more=more)
                if not more and not self._again and not any(worker.pending for worker in self._workers):
                    return
                yield from self._collect()
                tick()
        finally:
            for worker in self._workers:
                for _, file in worker.pending:
                    os.close(file.descriptor)
                worker.pending.clear()
            for file in self._again:
                os.close(file.descriptor)
            self._again.clear()

    def _feed(self, files: Iterator[FoundFile], *, more: bool) -> bool:
        """Give files to workers with room, the emptiest first; False when there are none left."""
        for room in range(DEMAND_PENDING_MAX):
            for worker in self._workers:
                if not worker.ready or len(worker.pending) > room:
                    continue
                if self._again:
                    self._give(worker, self._again.popleft())
                elif more:
                    file = next(files, None)
                    if file is None:
                        more = False
                    else:
                        self._give(worker, file)
        return more

    def _give(self, worker: _Worker, file: FoundFile) -> None:
        self._job += 1
        worker.pending.append((self._job, file))
        if len(worker.pending) == 1:
            self._time(worker)
        body = demand.SCAN_BODY.pack(self._job, file.size_bytes)
        with suppress(OSError, ChannelClosed):  # its end arrives as an event, with this file among its pending ones
            worker.channel.send(demand.DEMAND_SCAN, body, (file.descriptor,))

    def _time(self, worker: _Worker) -> None:
        """Let the deadline of the worker's first file run from now."""
        size_bytes = worker.pending[0][1].size_bytes if worker.pending else 0
        worker.deadline_ms = _now_ms() + self._deadline_ms + size_bytes // _MIB * DEMAND_DEADLINE_MS_PER_MIB

    def _collect(self) -> Iterator[Scanned]:
        """Wait for answers, for at most `DEMAND_LOOK_MS`, and look after the deadlines."""
        for key, _ in self._selector.select(timeout=DEMAND_LOOK_MS / 1000):
            worker: _Worker = key.data
            try:
                received = worker.channel.receive(wait=False)
                if received is not None and (scanned := self._answer(worker, received)) is not None:
                    yield scanned
            except (ChannelClosed, FrameRefused):
                yield from self._replace(worker, UnknownReason.SCANNER_DIED)
        now_ms = _now_ms()
        for worker in list(self._workers):
            if (worker.pending or not worker.ready) and now_ms > worker.deadline_ms:
                yield from self._replace(worker, UnknownReason.DEADLINE_PASSED)

    def _answer(self, worker: _Worker, received: Received) -> Scanned | None:
        """Take one frame of a worker.  Raises FrameRefused for one that is not due."""
        for descriptor in received.descriptors:
            os.close(descriptor)
        frame = received.frame
        if frame.type == demand.DEMAND_FAILED and not worker.ready:
            raise _start_error(*demand.decode_failed(frame.body))
        if frame.type == demand.DEMAND_READY and not worker.ready:
            self.release = demand.decode_ready(frame.body)
            worker.ready = True
            return None
        if frame.type != demand.DEMAND_RESULT or not worker.pending:
            raise FrameRefused(f"frame {frame.type} was not due", "the worker is replaced")
        result = demand.decode_result(frame.body)
        job, file = worker.pending[0]
        if result.job != job:
            raise FrameRefused(f"job {result.job} was answered, {job} was due", "the worker is replaced")
        worker.pending.popleft()
        self._time(worker)
        os.close(file.descriptor)
        return Scanned(file, result)

    def _replace(self, worker: _Worker, reason: UnknownReason) -> Iterator[Scanned]:
        """Kill `worker`, answer for the file it worked on, and start another.  Raises when it never became ready."""
        if not worker.ready:
            self._end(worker)
            raise InternalError(
                "a scan worker ended before it was ready", "run again; if it repeats, report it with the release's name"
            )
        if worker.pending:
            job, file = worker.pending.popleft()
            os.close(file.descriptor)
            yield Scanned(
                file,
                demand.DemandResult(job, 0, Outcome.UNKNOWN, reason, False, "", (), (), ()),
            )
        self._again.extend(file for _, file in worker.pending)
        worker.pending.clear()
        self._end(worker)
        self.replaced += 1
        self._start()

    def _start(self) -> None:
        process, ours = start_worker(sys.executable, WORKER_MODULE)
        worker = _Worker(process, ours, _now_ms() + DEMAND_START_MS)
        self._workers.append(worker)
        self._selector.register(ours.fileno(), selectors.EVENT_READ, worker)
        with suppress(OSError, ChannelClosed):  # its end arrives as an event
            ours.send(demand.DEMAND_START, b"", (self._release,))

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.channel.fileno())
        worker.channel.close()
        kill_worker(worker.process)


def _start_error(code: str, what: str, way_out: str) -> RingfenceError:
    """The error with which a worker could not start, as the worker named it."""
    for kind in (ContentRefused, KernelLacks):
        if code == kind.code:
            return kind(what, way_out)
    return InternalError(what, way_out)


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
