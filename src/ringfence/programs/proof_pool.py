"""The prover's workers: started, fed, measured, killed and replaced.

One thread, one loop.  A worker has one task at a time; its CPU, its resident memory and the wall clock are looked at
every `PROOF_LOOK_MS`.  A hung or dying worker never ends the proof: it is killed and what it worked on comes back.

A worker that somebody else killed (the kernel for want of memory, a person) says nothing about what it worked on: no
engine sends itself these signals.  Its job is done once more before anything is blamed.
"""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from ringfence.author.proof_jobs import Done, Feed, Job, Lost
from ringfence.author.proof_tasks import ANSWER, decode_answer, encode_task
from ringfence.host.channel import Channel, ChannelClosed, Received
from ringfence.host.worker_process import kill_worker, start_worker
from ringfence.model.errors import ContentRefused, FrameRefused, InternalError, KernelLacks
from ringfence.model.limits import (
    DEMAND_KILL_MS,
    FRAME_BODY_BYTES_MAX,
    PROOF_JOB_USES_MAX,
    PROOF_LOOK_MS,
    PROOF_RESIDENT_BYTES_MAX,
    PROOF_RESULT_BYTES_MAX,
    PROOF_START_WAIT_MS,
    PROOF_STARTS_MAX,
    PROOF_TASK_MS_MAX,
    PROOF_TASK_WAIT_MS,
)
from ringfence.wire import proof_frames

WORKER_MODULE: Final = "ringfence.programs.proof_worker"
WAY_OUT: Final = "run again; if it repeats, report it with the release's name"
CPU_CLOCK: Final = 2
"""The kernel's number for the CPU clock of a whole process, in the lowest bits of a clock's identifier."""

FROM_OUTSIDE: Final = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
"""Ends of a worker that are somebody else's doing."""


@dataclass(slots=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    channel: Channel
    deadline_ms: int
    ready: bool = False
    job: Job | None = None
    cpu_ms: int = 0
    """CPU when the job began."""


class ProofPool:
    """Workers over one release in one engine.  Use as a context manager: leaving it kills them all."""

    def __init__(self, release: int, programs: int, workers: int, python: str = sys.executable) -> None:
        """`release` and `programs` are memory files and stay the caller's.  `python` runs the workers."""
        self._files = (release, programs)
        self._count = workers
        self._python = python
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._again: list[Job] = []
        """Jobs of workers that were killed from outside."""

        self.engine_version = ""
        self.build = ""
        self.contract_sha256 = ""
        self.replaced = 0

    def __enter__(self) -> Self:
        """Start the workers; they load while the caller begins."""
        for _ in range(self._count):
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        """Kill what is left."""
        for worker in list(self._workers):
            self._end(worker)
        self._selector.close()

    @property
    def worker_pids(self) -> tuple[int, ...]:
        """Process numbers of the living workers."""
        return tuple(worker.process.pid for worker in self._workers)

    def run(self, feed: Feed) -> Iterator[Done]:
        """Do every job of `feed`, also those that are added meanwhile."""
        while True:
            feed.jobs.extendleft(self._again)
            self._again.clear()
            self._give(feed)
            if not feed.jobs and not self._again and not any(worker.job for worker in self._workers):
                return
            yield from self._collect()

    def wait_ready(self) -> None:
        """Wait until a worker has said who it is.  Raises InternalError when none does."""
        while not self.build:
            for _ in self._collect():  # pragma: no cover - nothing was given to anybody
                pass

    def _give(self, feed: Feed) -> None:
        """Give jobs to idle workers."""
        for worker in list(self._workers):
            if not worker.ready or worker.job is not None:
                continue
            others = len(self._workers) > 1
            if (job := feed.next(worker.process.pid, others=others)) is not None:
                self._send(worker, job)

    def _send(self, worker: _Worker, job: Job) -> None:
        worker.job = job
        worker.cpu_ms = _cpu_ms(worker.process.pid)
        worker.deadline_ms = _now_ms() + PROOF_TASK_WAIT_MS
        files = (job.prepare(job),) if job.prepare is not None else ()
        try:
            document = memory_file(encode_task(job.task))
            files = (document, *files)
            with suppress(OSError, ChannelClosed):  # its end arrives as an event
                worker.channel.send(proof_frames.PROOF_TASK, b"", files)
        finally:
            for file in files:
                os.close(file)

    def _collect(self) -> Iterator[Done]:
        """Wait for answers for at most `PROOF_LOOK_MS`, and look after the bounds."""
        for key, _ in self._selector.select(PROOF_LOOK_MS / 1000):
            worker: _Worker = key.data
            try:
                if (received := worker.channel.receive(wait=False)) is not None:
                    yield from self._hear(worker, received)
            except (ChannelClosed, FrameRefused, ContentRefused) as error:
                yield from self._lose(worker, self._why(worker, error))
        for worker in list(self._workers):
            if (lost := self._over(worker)) is not None:
                yield from self._lose(worker, lost)

    def _hear(self, worker: _Worker, received: Received) -> Iterator[Done]:
        """One frame of a worker.  Raises FrameRefused or ContentRefused for one that does not fit."""
        frame, files = received.frame, received.descriptors
        try:
            if frame.type == proof_frames.PROOF_FAILED and not worker.ready:
                code, what, way_out = proof_frames.decode_failed(frame.body)
                raise KernelLacks(what, way_out) if code == KernelLacks.code else InternalError(what, way_out)
            if frame.type == proof_frames.PROOF_READY and not worker.ready:
                self.build, self.engine_version, self.contract_sha256 = proof_frames.decode_ready(frame.body)
                worker.ready = True
                self._failed_starts = 0
                return
            job = worker.job
            if job is None or frame.type not in (proof_frames.PROOF_ANSWER, proof_frames.PROOF_FAILED):
                raise FrameRefused(f"frame {frame.type} was not due", "the worker is replaced")
            cpu_ms = _cpu_ms(worker.process.pid) - worker.cpu_ms
            if frame.type == proof_frames.PROOF_FAILED:
                _, what, _ = proof_frames.decode_failed(frame.body)
                worker.job = None
                yield Done(job, Lost("prove/load", what, refused=True), cpu_ms, worker.process.pid)
                return
            if len(files) != 1:
                raise FrameRefused("an answer without its file", "the worker is replaced")
            answer = decode_answer(job.task.kind, _read(files[0]))
            worker.job = None
            yield Done(job, answer, cpu_ms, worker.process.pid)
        finally:
            for file in files:
                os.close(file)

    def _over(self, worker: _Worker) -> Lost | None:
        """Whether a worker is over a bound."""
        now_ms = _now_ms()
        if not worker.ready:
            return Lost("prove/hang", "the worker did not start") if now_ms > worker.deadline_ms else None
        job = worker.job
        if job is None:
            return None
        resident_max = job.resident_bytes_max or PROOF_RESIDENT_BYTES_MAX
        if (resident := _resident_bytes(worker.process.pid)) > resident_max:
            return Lost("prove/memory", f"takes more than {resident_max >> 20} MiB of memory ({resident >> 20} MiB)")
        if _cpu_ms(worker.process.pid) - worker.cpu_ms > PROOF_TASK_MS_MAX:
            return Lost("prove/hang", f"takes more than {PROOF_TASK_MS_MAX // 1000} s of CPU")
        if now_ms > worker.deadline_ms:
            return Lost("prove/hang", f"does not end within {PROOF_TASK_WAIT_MS // 1000} s")
        return None

    def _why(self, worker: _Worker, error: Exception) -> Lost | None:
        """Why the channel of a worker is no longer good; None where its job is to be done again."""
        if not isinstance(error, ChannelClosed):
            return Lost("prove/babble", f"the worker's answer does not fit: {error}")
        with suppress(subprocess.TimeoutExpired):
            worker.process.wait(DEMAND_KILL_MS / 1000)
        status, job = worker.process.returncode, worker.job
        if status in FROM_OUTSIDE and job is not None:
            job.uses += 1
            if job.uses < PROOF_JOB_USES_MAX:
                return None
        how = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
        return Lost("prove/engine-died", f"the engine's process died of it ({how})")

    def _lose(self, worker: _Worker, lost: Lost | None) -> Iterator[Done]:
        """Kill `worker`, give its job back, start another.  Raises InternalError when none of them starts."""
        job = worker.job
        cpu_ms = 0 if job is None else max(0, _cpu_ms(worker.process.pid) - worker.cpu_ms)
        was_ready = worker.ready
        self._end(worker)
        if not was_ready:
            self._failed_starts += 1
            if self._failed_starts > PROOF_STARTS_MAX:
                why = lost.text if lost is not None else "it is killed"
                raise InternalError(f"no worker starts with {self._python}: {why}", WAY_OUT)
        self.replaced += 1
        self._start()
        if job is not None and lost is None:
            self._again.append(job)
        elif job is not None and lost is not None:
            yield Done(job, lost, cpu_ms, worker.process.pid)

    def _start(self) -> None:
        process, ours = start_worker(self._python, WORKER_MODULE)
        worker = _Worker(process, ours, _now_ms() + PROOF_START_WAIT_MS)
        self._workers.append(worker)
        self._selector.register(ours.fileno(), selectors.EVENT_READ, worker)
        with suppress(OSError, ChannelClosed):  # its end arrives as an event
            ours.send(proof_frames.PROOF_START, b"", self._files)

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self._selector.unregister(worker.channel.fileno())
        worker.channel.close()
        kill_worker(worker.process)


def memory_file_of(parts: Sequence[bytes]) -> int:
    """A memory file with these parts, each behind its length."""
    return memory_file(proof_frames.encode_parts(parts))


def memory_file(data: bytes) -> int:
    """A memory file with `data`; the caller's to close."""
    descriptor = os.memfd_create("proof", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def _read(file: int) -> bytes:
    """A worker's answer; a file that is too large or shrinks is one that does not fit."""
    size = os.fstat(file).st_size
    if size > PROOF_RESULT_BYTES_MAX:
        raise ContentRefused(f"has {size} bytes, more than the {PROOF_RESULT_BYTES_MAX} allowed", WAY_OUT, file=ANSWER)
    data = bytearray()
    while len(data) < size and (piece := os.pread(file, min(FRAME_BODY_BYTES_MAX, size - len(data)), len(data))):
        data += piece
    return bytes(data)


def _cpu_ms(pid: int) -> int:
    """CPU that a process has taken; 0 when it is gone."""
    try:
        return int(time.clock_gettime((~pid << 3) | CPU_CLOCK) * 1000)
    except OSError:
        return 0


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
