"""Files on their way to be examined: each once, one at a time, few at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.decide.strikes import Pair
from ringfence.host.channel import Channel
from ringfence.host.suspects import Suspects
from ringfence.model.fault import Finding
from ringfence.model.limits import APPRAISAL_INTERVAL_MS, SUSPECTS_MAX
from ringfence.model.verdict import UnknownReason
from ringfence.wire import catalogue
from ringfence.wire.attribution import APPRAISE, decode_suspicion

DIED = UnknownReason.SCANNER_DIED


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "suspect"
    path.write_bytes(b"x" * 42)
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    """A gate's end and a zygote's."""
    gate, zygote = Channel.pair()
    yield gate, zygote
    gate.close()
    zygote.close()


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def pair(number: int) -> Pair:
    return (1, number), (5, 6, 42)


def test_a_file_is_sent_once_with_what_is_known_of_it(file: int, ends: tuple[Channel, Channel]) -> None:
    suspects, (gate, zygote) = Suspects(), ends
    suspects.note(pair(1), file, 7, 1, DIED)
    suspects.note(pair(1), file, 8, 1, DIED)
    suspects.send(gate)
    received = zygote.receive(wait=False)
    assert received is not None
    assert received.frame.type == catalogue.EXAMINE
    said = decode_suspicion(received.frame.body)
    assert (said.job, said.size_bytes, said.purpose, said.reason) == (7, 42, 1, DIED)
    assert said.path.endswith(b"/suspect")
    (descriptor,) = received.descriptors
    assert os.pread(descriptor, 100, 0) == b"x" * 42
    os.close(descriptor)
    suspects.answered(Finding.NOT_REPRODUCED)
    suspects.send(gate)
    assert zygote.receive(wait=False) is None


def test_a_file_about_which_nothing_was_found_out_may_come_again(file: int, ends: tuple[Channel, Channel]) -> None:
    suspects, (gate, zygote) = Suspects(), ends
    for finding in (Finding.GAVE_UP, Finding.NO_RULE, Finding.RULES):
        suspects.note(pair(1), file, 7, 1, DIED)
        suspects.send(gate)
        suspects.answered(finding)
    for _ in range(2):
        received = zygote.receive(wait=False)
        assert received is not None
        os.close(received.descriptors[0])
    assert zygote.receive(wait=False) is None


def test_the_next_one_waits_for_the_answer(file: int, ends: tuple[Channel, Channel]) -> None:
    suspects, (gate, zygote) = Suspects(), ends
    for number in (1, 2):
        suspects.note(pair(number), file, number, 2, DIED)
    suspects.send(gate)
    suspects.send(gate)
    assert len(suspects) == 1
    suspects.answered(Finding.RULES)
    suspects.send(gate)
    assert len(suspects) == 0
    for job in (1, 2):
        received = zygote.receive(wait=False)
        assert received is not None
        assert decode_suspicion(received.frame.body).job == job
        os.close(received.descriptors[0])


def test_no_more_wait_than_may(file: int) -> None:
    suspects = Suspects()
    before = descriptors()
    for number in range(SUSPECTS_MAX + 5):
        suspects.note(pair(number), file, number, 1, DIED)
    assert len(suspects) == SUSPECTS_MAX
    suspects.new_zygote(forget=True)
    assert len(suspects) == 0
    assert descriptors() == before


def test_what_no_rule_can_have_done_is_not_examined(file: int) -> None:
    suspects = Suspects()
    for reason in UnknownReason:
        suspects.note(pair(int(reason)), file, 1, 1, reason)
    assert len(suspects) == 4


def test_a_file_is_sampled_now_and_then_and_not_beside_a_suspect(file: int, ends: tuple[Channel, Channel]) -> None:
    suspects, (gate, zygote) = Suspects(), ends
    suspects.sample(pair(1), file, 1_000)
    suspects.sample(pair(2), file, 1_001)
    assert len(suspects) == 1
    suspects.send(gate)
    suspects.answered(Finding.APPRAISED)
    received = zygote.receive(wait=False)
    assert received is not None
    assert decode_suspicion(received.frame.body).purpose == APPRAISE
    os.close(received.descriptors[0])
    suspects.note(pair(3), file, 7, 1, DIED)
    suspects.sample(pair(4), file, 1_000 + APPRAISAL_INTERVAL_MS)
    assert len(suspects) == 1
    suspects.new_zygote(forget=True)
    suspects.sample(pair(4), file, 1_000 + APPRAISAL_INTERVAL_MS)
    assert len(suspects) == 1
    suspects.new_zygote(forget=True)


def test_a_zygote_that_is_gone_loses_one_file_and_nothing_else(file: int, ends: tuple[Channel, Channel]) -> None:
    suspects, (gate, zygote) = Suspects(), ends
    suspects.note(pair(1), file, 1, 1, DIED)
    suspects.note(pair(2), file, 2, 1, DIED)
    zygote.close()
    suspects.send(gate)
    suspects.new_zygote(forget=False)
    other, fresh = Channel.pair()
    suspects.send(other)
    received = fresh.receive(wait=False)
    assert received is not None
    assert decode_suspicion(received.frame.body).job == 2
    os.close(received.descriptors[0])
    other.close()
    fresh.close()
