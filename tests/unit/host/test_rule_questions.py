"""Operators who ask for the ledger: answered together, and not kept waiting by a zygote that says nothing."""

from pathlib import Path
from typing import cast

import pytest

from ringfence.decide.warden_messages import Kind, Process, Stage
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.children import Children, Setting
from ringfence.host.disabled_rules import DisabledRules
from ringfence.host.rule_questions import RuleQuestions
from ringfence.model.limits import QUESTION_DEADLINE_MS
from ringfence.wire import catalogue

BODY = catalogue.RULES_BODY.pack(5)


class Told:
    """Stands in for the children: keeps what the zygote is told."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, bytes]] = []
        self.by_serial = {7: object()}

    def tell(self, _: object, frame_type: int, body: bytes = b"") -> None:
        self.frames.append((frame_type, body))


ZYGOTE = Process(7, Kind.ZYGOTE, Stage.READY, 0, 1)


def ask(questions: RuleQuestions, told: Told, zygote: Process | None = ZYGOTE) -> Channel:
    operator, ours = Channel.pair()
    questions.ask(ours, BODY, zygote, cast("Children", told), 1_000)
    return operator


def test_the_question_goes_to_the_zygote_and_its_answer_to_everybody_who_waits() -> None:
    questions, told = RuleQuestions(), Told()
    operators = [ask(questions, told) for _ in range(2)]
    assert told.frames == [(catalogue.RULES, BODY)] * 2
    questions.answered(b"the ledger")
    for operator in operators:
        received = operator.receive(wait=False)
        assert received is not None
        assert (received.frame.type, received.frame.body) == (catalogue.RULES_ANSWER, b"the ledger")
        operator.close()


def test_without_a_zygote_and_past_the_deadline_nobody_waits() -> None:
    questions, told = RuleQuestions(), Told()
    alone = ask(questions, told, None)
    with pytest.raises(ChannelClosed):
        alone.receive(wait=False)
    waiting = ask(questions, told)
    questions.expire(1_000 + QUESTION_DEADLINE_MS)
    assert waiting.receive(wait=False) is None
    questions.expire(1_001 + QUESTION_DEADLINE_MS)
    with pytest.raises(ChannelClosed):
        waiting.receive(wait=False)
    for operator in (alone, waiting):
        operator.close()


def test_the_stand_in_tells_as_the_children_do(tmp_path: Path) -> None:
    setting = Setting((), strict=False, fail_closed=(), spool="", identity="", long_known_ms=0)
    real = Children(setting, {}, DisabledRules(tmp_path))
    assert callable(real.tell)
    for end in real.findings:
        end.close()
