"""One scanner's socket against scanners that lie, die, babble and dawdle."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.host.gate_world import FakeScanner, verdict

from ringfence.host.scanner_link import Answered, ScannerFault, _decode
from ringfence.model import limits
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire import catalogue
from ringfence.wire.frames import HEADER

JOB = 41


@pytest.fixture
def scanner() -> Iterator[FakeScanner]:
    scanner = FakeScanner()
    yield scanner
    scanner.close()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def fault_of(scanner: FakeScanner, file: int) -> UnknownReason:
    with pytest.raises(ScannerFault) as caught:
        scanner.link.ask(JOB, file, 7)
    return caught.value.reason


def test_a_verdict_comes_back_with_everything_in_it(scanner: FakeScanner, file: int) -> None:
    flags = catalogue.FLAG_VOUCHED | catalogue.FLAG_PARTIAL | catalogue.FLAG_DIGEST
    scanner.end.send(verdict(JOB, Outcome.MALICIOUS, flags=flags, digest=b"d" * 32, rule=12))
    answered = scanner.link.ask(JOB, file, 7)
    assert (answered.job, answered.digest, answered.flags) == (JOB, b"d" * 32, flags)
    assert (answered.verdict.outcome, answered.verdict.rule) == (Outcome.MALICIOUS, 12)
    assert (answered.verdict.vouched, answered.verdict.partial, answered.verdict.deep) == (True, True, False)


def test_the_scanner_gets_the_very_file(scanner: FakeScanner, file: int) -> None:
    scanner.link.send(JOB, file, 7, catalogue.PURPOSE_SYNCHRONOUS)
    message, (passed,), _, _ = socket.recv_fds(scanner.end, 256, 4)
    assert os.pread(passed, 100, 0) == b"content"
    os.close(passed)
    assert catalogue.SCAN_BODY.unpack_from(message, HEADER.size) == (JOB, 7, catalogue.PURPOSE_SYNCHRONOUS)


def test_late_answers_to_earlier_jobs_are_dropped(scanner: FakeScanner, file: int) -> None:
    for job in (JOB - 2, JOB - 1, JOB):
        scanner.answer(job, Outcome.MALICIOUS if job < JOB else Outcome.CLEAN)
    assert scanner.link.ask(JOB, file, 7).verdict.outcome is Outcome.CLEAN


def test_answers_to_nothing_are_garbage(scanner: FakeScanner, file: int) -> None:
    for job in range(JOB + 1, JOB + 20):
        scanner.answer(job)
    assert fault_of(scanner, file) is UnknownReason.SCANNER_GARBAGE


def test_no_answer_is_the_deadline(scanner: FakeScanner, file: int) -> None:
    scanner.link.limit_wait(30)
    assert fault_of(scanner, file) is UnknownReason.DEADLINE_PASSED


def test_dawdling_with_answers_to_other_jobs_does_not_stretch_the_deadline(scanner: FakeScanner, file: int) -> None:
    """A scanner that a file has taken over must not hold the asker, nor get the gate killed for it."""
    over = threading.Event()

    def dawdle() -> None:
        for job in range(3):
            if over.wait(0.3):
                return
            scanner.answer(job)

    thread = threading.Thread(target=dawdle)
    thread.start()
    scanner.link.limit_wait(400)
    reason = fault_of(scanner, file)
    over.set()
    thread.join()
    assert reason is UnknownReason.DEADLINE_PASSED


def test_death_is_told_apart_from_silence(scanner: FakeScanner, file: int) -> None:
    scanner.end.close()
    assert fault_of(scanner, file) is UnknownReason.SCANNER_DIED


def test_death_with_the_file_in_hand(scanner: FakeScanner, file: int) -> None:
    def die() -> None:
        scanner.take()
        scanner.end.close()

    thread = threading.Thread(target=die)
    thread.start()
    assert fault_of(scanner, file) is UnknownReason.SCANNER_DIED
    thread.join()


def test_a_scanner_that_reads_nothing_fills_its_socket_and_is_given_up(scanner: FakeScanner, file: int) -> None:
    scanner.link.limit_wait(20)
    with pytest.raises(ScannerFault) as caught:  # noqa: PT012 - which of the sends is refused is the kernel's business
        for job in range(100_000):
            scanner.link.send(job, file, 7, catalogue.PURPOSE_AHEAD)
    assert caught.value.reason is UnknownReason.DEADLINE_PASSED


GARBAGE = [
    b"\x00",
    verdict(JOB)[:-1],
    verdict(JOB) + b"\x00",
    b"\xff" * len(verdict(JOB)),
    verdict(JOB, 0),
    verdict(JOB, 5),
    verdict(JOB, Outcome.CLEAN, UnknownReason.ENGINE_PANIC),
    verdict(JOB, Outcome.UNKNOWN, UnknownReason.NONE),
    verdict(JOB, Outcome.UNKNOWN, 200),
    b"\x00\x02" + verdict(JOB)[2:],
    verdict(JOB)[:2] + b"\x00\x05" + verdict(JOB)[4:],
    verdict(JOB)[:4] + b"\x00\x00\x00\x00" + verdict(JOB)[8:],
    b"x" * 60_000,
]


@pytest.mark.parametrize("message", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage(scanner: FakeScanner, file: int, message: bytes) -> None:
    scanner.end.send(message)
    assert fault_of(scanner, file) is UnknownReason.SCANNER_GARBAGE


@given(message=st.one_of(st.binary(max_size=80), st.binary(min_size=56, max_size=56)))
def test_any_bytes_are_a_verdict_or_a_fault(message: bytes) -> None:
    try:
        answered = _decode(message)
    except ScannerFault:
        return
    assert isinstance(answered, Answered)
    assert len(message) == len(verdict(0))


@given(position=st.integers(0, len(verdict(JOB)) - 1), value=st.integers(0, 255))
def test_a_flipped_byte_never_makes_an_outcome_without_its_reason(position: int, value: int) -> None:
    message = bytearray(verdict(JOB, Outcome.UNKNOWN, UnknownReason.ENGINE_TIMEOUT))
    message[position] = value
    try:
        answered = _decode(bytes(message))
    except ScannerFault:
        return
    unknown = answered.verdict.outcome is Outcome.UNKNOWN
    assert unknown == (answered.verdict.reason is not UnknownReason.NONE)


def test_the_default_wait_is_the_deadline(scanner: FakeScanner) -> None:
    assert scanner.link._budget_ms == limits.QUESTION_DEADLINE_MS
