"""One scanner of one zygote, asked about files that nobody waits for, and what became of each of them.

It runs at idle priority, so that the clock on the wall says nothing about the release: a busy machine makes it late on
any file.  Its own processor time does.  What ended it is the zygote's word: whoever kills it from outside has convicted
nobody.
"""

import os
import select
import socket
import time
from collections.abc import Callable
from typing import Final

from ringfence.decide.shadow import Heard, Spoken, heard
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.processor_time import processor_ns
from ringfence.host.scanner_link import Answered, ScannerFault, ScannerLink
from ringfence.host.scanner_slots import is_crash
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.model.verdict import UnknownReason
from ringfence.wire import catalogue
from ringfence.wire.catalogue import FLAG_VOUCHED, PURPOSE_SHADOW
from ringfence.wire.frames import WAY_OUT, unpack_exact

_STARVED: Final = Spoken(Heard.STARVED)
_NANOSECONDS: Final = 1_000_000
_JOBS: Final = 0xFFFF << 48
"""Jobs of the shadow are numbered from here: none has the number of a job of the gate's own scanners."""


class Seat:
    """The scanner, or the wish for one."""

    def __init__(self, zygote: Channel, gate_id: int, number: int) -> None:
        self._zygote = zygote
        self._gate_id = gate_id
        self._number = number
        self._link: ScannerLink | None = None
        self._pending: ScannerLink | None = None
        self._pid = 0
        self._job = _JOBS
        self._ended: dict[int, int] = {}
        """Wait status of scanners that have ended by themselves, by pid."""

        self.is_gone = False
        """The zygote itself is gone: there will be no other scanner."""

    def is_filled(self, wait_ms: int) -> bool:
        """Whether a scanner is there, after asking for one and waiting for it."""
        if self._link is None and self._pending is None:
            self._spawn()
        self._hear(wait_ms if self._link is None else 0)
        return self._link is not None

    def ask(self, file: int, size_bytes: int, is_over: Callable[[], bool]) -> Spoken:
        """What this scanner says about a file; `is_over`: the trial has ended meanwhile."""
        link, pid = self._link, self._pid
        if link is None:
            return _STARVED
        self._job += 1
        before_ns = processor_ns(pid)
        try:
            link.limit_wait(limits.SHADOW_LOOK_MS)
            link.send(self._job, file, size_bytes, PURPOSE_SHADOW)
            answered = self._answer(link, pid, before_ns, is_over)
        except ScannerFault as fault:
            return self._failed(pid, fault.reason)
        if isinstance(answered, Heard):
            self.dismiss()
            return Spoken(answered)
        verdict = answered.verdict
        used_ns = max(0, processor_ns(pid) - before_ns)
        return Spoken(heard(verdict.outcome), used_ns, verdict.rule, bool(answered.flags & FLAG_VOUCHED))

    def _answer(
        self, link: ScannerLink, pid: int, before_ns: int, is_over: Callable[[], bool]
    ) -> Answered | Heard:
        """The verdict, or why none is waited for any longer.  Raises ScannerFault."""
        limit_ns = time.monotonic_ns() + limits.SHADOW_SCAN_MS_MAX * _NANOSECONDS
        while True:
            try:
                answered = link.receive()
            except ScannerFault as fault:
                if fault.reason is not UnknownReason.DEADLINE_PASSED:
                    raise
                if processor_ns(pid) - before_ns >= limits.QUESTION_DEADLINE_MS * _NANOSECONDS:
                    return Heard.BURNT
                if is_over() or time.monotonic_ns() >= limit_ns:
                    return Heard.STARVED
            else:
                if answered.job == self._job:
                    return answered

    def _failed(self, pid: int, reason: UnknownReason) -> Spoken:
        """It has died or babbled: the zygote knows whether it did so by itself."""
        self._link = None
        if reason is UnknownReason.SCANNER_GARBAGE:
            self.dismiss()
            return Spoken(Heard.DIED)
        limit_ns = time.monotonic_ns() + limits.SHADOW_END_MS * _NANOSECONDS
        while pid not in self._ended and not self.is_gone and time.monotonic_ns() < limit_ns:
            self._hear(limits.SHADOW_LOOK_MS)
        return Spoken(Heard.DIED) if is_crash(self._ended.pop(pid, 0)) else _STARVED

    def dismiss(self) -> None:
        """Have the scanner killed: another takes its place."""
        self._link = self._pending = None
        try:
            self._zygote.try_send(catalogue.KILL, catalogue.KILL_BODY.pack(self._number))
        except ChannelClosed:
            self.is_gone = True

    def close(self) -> None:
        """Let go of the zygote, which ends the scanner."""
        self._link = self._pending = None
        self._zygote.close()

    def _spawn(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        body = catalogue.SPAWN_BODY.pack(self._number, -1, 1, self._gate_id)
        try:
            sent = self._zygote.try_send(catalogue.SPAWN, body, (theirs.fileno(),))
        except ChannelClosed:
            sent, self.is_gone = False, True
        theirs.close()
        if sent:
            self._pending = ScannerLink(ours)
        else:
            ours.close()

    def _hear(self, wait_ms: int) -> None:
        """Take what the zygote says."""
        poll = select.poll()
        poll.register(self._zygote, select.POLLIN)
        poll.poll(wait_ms)
        try:
            for _ in range(limits.FRAMES_PER_TURN_MAX):
                if (received := self._zygote.receive(wait=False)) is None:
                    return
                for descriptor in received.descriptors:
                    os.close(descriptor)
                self._heard(received.frame.type, received.frame.body)
        except (ChannelClosed, FrameRefused):
            self.is_gone = True
            self._link = self._pending = None

    def _heard(self, frame_type: int, body: bytes) -> None:
        if frame_type == catalogue.SPAWNED:
            _, pid = unpack_exact(catalogue.SPAWNED_BODY, body, "spawned")
            self._link, self._pending, self._pid = self._pending, None, int(pid)
        elif frame_type == catalogue.SCANNER_ENDED:
            _, pid, status = unpack_exact(catalogue.SCANNER_ENDED_BODY, body, "scanner_ended")
            self._ended = {int(pid): int(status)}
            if int(pid) == self._pid:
                self._link = None
        else:
            raise FrameRefused(f"a zygote sent a frame of type {frame_type} to the shadow", WAY_OUT)
