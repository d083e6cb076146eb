"""The gate's end of one scanner: send a descriptor, wait for the verdict no longer than the budget.

The kernel keeps the deadline (`SO_RCVTIMEO`, `SO_SNDTIMEO`): no timer, no poll.  A late answer to an earlier job is
dropped by its number.
"""

import os
import socket
import struct
import time
from typing import Final, NamedTuple

from ringfence.decide.gate import ScanVerdict
from ringfence.model.limits import LATE_ANSWERS_MAX, QUESTION_DEADLINE_MS
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire import catalogue
from ringfence.wire.frames import FRAME_VERSION, HEADER

_SCAN_HEADER: Final = HEADER.pack(FRAME_VERSION, catalogue.SCAN, catalogue.SCAN_BODY.size)
_VERDICT_HEADER: Final = HEADER.pack(FRAME_VERSION, catalogue.VERDICT, catalogue.VERDICT_BODY.size)
_VERDICT_BYTES: Final = len(_VERDICT_HEADER) + catalogue.VERDICT_BODY.size
_OUTCOMES: Final = {int(one): one for one in Outcome}
_REASONS: Final = {int(one): one for one in UnknownReason}
_DESCRIPTOR: Final = struct.Struct("=i")
_CLEAN: Final = int(Outcome.CLEAN)


class ScannerFault(Exception):
    """No verdict from this scanner; it must be replaced."""

    def __init__(self, reason: UnknownReason) -> None:
        super().__init__(reason.name)
        self.reason = reason


class Answered(NamedTuple):
    """A decoded VERDICT frame."""

    job: int
    verdict: ScanVerdict
    flags: int
    digest: bytes


class ScannerLink:
    """One scanner's socket.  Used by one thread at a time."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._descriptor = end.fileno()
        self._budget_ms = 0
        self.limit_wait(QUESTION_DEADLINE_MS)

    def __del__(self) -> None:
        """The last thread has let go of it: only now may its descriptor's number be given to something else."""
        self._socket.close()

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._descriptor

    def close(self) -> None:
        """Let the scanner go; it ends when it sees this."""
        self._socket.close()

    def limit_wait(self, budget_ms: int) -> None:
        """Set the longest wait of `ask`."""
        if budget_ms == self._budget_ms:
            return
        wait = struct.pack("ll", budget_ms // 1000, budget_ms % 1000 * 1000)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
        self._budget_ms = budget_ms

    def send(self, job: int, descriptor: int, size_bytes: int, purpose: int) -> None:
        """Hand the file over.  Raises ScannerFault."""
        frame = _SCAN_HEADER + catalogue.SCAN_BODY.pack(job, size_bytes, purpose)
        passed = ((socket.SOL_SOCKET, socket.SCM_RIGHTS, _DESCRIPTOR.pack(descriptor)),)
        try:
            self._socket.sendmsg((frame,), passed, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            raise ScannerFault(UnknownReason.DEADLINE_PASSED) from None
        except OSError:
            raise ScannerFault(UnknownReason.SCANNER_DIED) from None

    def receive(self) -> Answered:
        """The next verdict.  Raises ScannerFault."""
        try:
            message = os.read(self._descriptor, _VERDICT_BYTES + 1)
        except BlockingIOError:
            raise ScannerFault(UnknownReason.DEADLINE_PASSED) from None
        except OSError:
            raise ScannerFault(UnknownReason.SCANNER_DIED) from None
        return _decode(message)

    def receive_now(self) -> Answered | None:
        """The next verdict if it is there already.  Raises ScannerFault."""
        try:
            message = self._socket.recv(_VERDICT_BYTES + 1, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            raise ScannerFault(UnknownReason.SCANNER_DIED) from None
        return _decode(message)

    def ask(self, job: int, descriptor: int, size_bytes: int) -> Answered:
        """Scan while somebody waits.  Raises ScannerFault.

        The budget of `limit_wait` holds for all of it: answers to other jobs, sent slowly, do not stretch it.
        """
        deadline_ns = time.monotonic_ns() + self._budget_ms * 1_000_000
        self.send(job, descriptor, size_bytes, catalogue.PURPOSE_SYNCHRONOUS)
        answered = self.receive()
        for _ in range(LATE_ANSWERS_MAX):
            if answered.job == job:
                return answered
            left_ms = (deadline_ns - time.monotonic_ns()) // 1_000_000
            if left_ms <= 0:
                raise ScannerFault(UnknownReason.DEADLINE_PASSED)
            self.limit_wait(left_ms)
            answered = self.receive()
        raise ScannerFault(UnknownReason.SCANNER_GARBAGE)


_CLEAN_VERDICTS: Final = {
    flags: ScanVerdict(
        Outcome.CLEAN,
        UnknownReason.NONE,
        catalogue.NO_RULE,
        vouched=False,
        deep=flags & catalogue.FLAG_DEEP != 0,
        partial=flags & catalogue.FLAG_PARTIAL != 0,
    )
    for flags in range(catalogue.FLAG_KNOWN << 1)
    if not flags & catalogue.FLAG_VOUCHED
}
"""The common case, made once: flags -> verdict."""


def _decode(message: bytes) -> Answered:
    if not message:
        raise ScannerFault(UnknownReason.SCANNER_DIED)
    if len(message) != _VERDICT_BYTES or not message.startswith(_VERDICT_HEADER):
        raise ScannerFault(UnknownReason.SCANNER_GARBAGE)
    job, outcome_number, reason_number, flags, rule, digest = catalogue.VERDICT_BODY.unpack_from(message, HEADER.size)
    if outcome_number == _CLEAN and not reason_number and (clean := _CLEAN_VERDICTS.get(flags)) is not None:
        return Answered(job, clean, flags, digest)
    outcome = _OUTCOMES.get(outcome_number)
    reason = _REASONS.get(reason_number)
    if outcome is None or reason is None or (outcome is Outcome.UNKNOWN) == (reason is UnknownReason.NONE):
        raise ScannerFault(UnknownReason.SCANNER_GARBAGE)
    verdict = ScanVerdict(
        outcome,
        reason,
        rule,
        flags & catalogue.FLAG_VOUCHED != 0,
        flags & catalogue.FLAG_DEEP != 0,
        flags & catalogue.FLAG_PARTIAL != 0,
    )
    return Answered(job, verdict, flags, digest)
