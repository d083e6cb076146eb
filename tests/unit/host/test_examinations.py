"""The zygote's side of examinations: one at a time, with what the dead scanner was at; a dead examiner is an answer."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.detect.detect_releases import pack_of, release_of

from ringfence.detect.yara import compile_release
from ringfence.host.channel import Channel
from ringfence.host.examinations import Examinations
from ringfence.host.executing import ExecutingMark
from ringfence.host.rule_ledger import RuleLedger
from ringfence.model.errors import FrameRefused
from ringfence.model.fault import Finding
from ringfence.model.release import Release
from ringfence.model.verdict import UnknownReason
from ringfence.wire import catalogue
from ringfence.wire.attribution import Suspicion, decode_examined, encode_suspicion

BODY = encode_suspicion(Suspicion(7, 3, 1, UnknownReason.SCANNER_DIED, b"/a/file"))
RELEASE = release_of(pack_of("one", 'rule a { strings: $a = "AAAA" condition: $a }'))


class World:
    """A zygote's examinations with a gate and a warden, whose release cannot be loaded: the examiner dies of it."""

    def __init__(self) -> None:
        self.gate, self.gates_end = Channel.pair()
        self.warden, self.wardens_end = Channel.pair()
        self.one = Examinations(compile_release(RELEASE), self._load, frozenset(), self.wardens_end, RuleLedger(1))

    def _load(self) -> Release:
        os._exit(9)

    def ask(self, path: Path, body: bytes = BODY) -> None:
        path.write_bytes(b"abc")
        self.one.ask(self.gates_end, body, os.open(path, os.O_RDONLY), lambda: None)

    def close(self) -> None:
        for end in (self.gate, self.gates_end, self.warden, self.wardens_end):
            end.close()


@pytest.fixture
def world() -> Iterator[World]:
    one = World()
    yield one
    one.close()


def test_an_examiner_that_dies_has_given_up(world: World, tmp_path: Path) -> None:
    world.ask(tmp_path / "file")
    os.wait()
    world.one.hear()
    told = world.warden.receive(wait=False)
    assert told is not None
    assert told.frame.type == catalogue.GUILT
    found = decode_examined(told.frame.body)
    assert (found.job, found.path, found.attribution.finding) == (7, b"/a/file", Finding.GAVE_UP)
    answered = world.gate.receive(wait=False)
    assert answered is not None
    assert answered.frame.type == catalogue.EXAMINED
    world.ask(tmp_path / "file")
    assert world.one._running is not None, "the next one is begun"
    os.wait()
    world.one.hear()


def test_a_second_question_before_the_answer_and_nonsense_are_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(FrameRefused):
        world.ask(tmp_path / "file", BODY[:-1])
    assert world.one.channel is None
    world.ask(tmp_path / "file")
    with pytest.raises(FrameRefused):
        world.ask(tmp_path / "file")
    os.wait()
    world.one.hear()


def test_the_last_words_of_a_scanner_that_was_between_two_groups_are_none(world: World) -> None:
    mark = ExecutingMark()
    mark.take(5)
    mark.end(0)
    world.one.scanner_gone(mark)
    mark = ExecutingMark()
    mark.take(6)
    mark.begin(0)
    world.one.scanner_gone(mark)
    assert world.one._last_words == {6: 0}
