"""What prover and workers say to each other: exact, bounded, and clean of what a rule's text can hold."""

import json
from typing import Any

import pytest

from ringfence.author.proof_tasks import (
    Agreed,
    Agreement,
    Answer,
    Loaded,
    ProbeCost,
    ScannedFiles,
    Task,
    TaskKind,
    Tried,
    Trouble,
    cleaned,
    decode_answer,
    decode_task,
    encode_answer,
    encode_task,
)
from ringfence.author.sigma_recorded import Replayed, RuleTally
from ringfence.model.errors import ContentRefused
from ringfence.wire import canonical

TROUBLE = Trouble("prove/slow", "Rule", "231 ms on zeros", "yara/a.yar", 3)
ANSWERS: dict[TaskKind, Answer] = {
    TaskKind.LOAD: Loaded(10, 20, 3, 4, (TROUBLE,)),
    TaskKind.ALONE: Tried((ProbeCost("Rule", "zeros", 7, ()),), (TROUBLE,)),
    TaskKind.WHOLE: Tried((ProbeCost("zeros", "zeros", 7, (1, 2)),), ()),
    TaskKind.AGREE: Agreed((Agreement("Rule", (1, 5), ""), Agreement("Other", (), "Rule"))),
    TaskKind.EVENTS: Tried((ProbeCost("0-0", "hostile events", 7, ()),), (TROUBLE,)),
    TaskKind.SCAN: ScannedFiles(9, 8, 1, 7, (0, 3, 1, 3), (1,), 2, crowded=True),
    TaskKind.RECORDED: Replayed(9, 270, (1,), (RuleTally(0, 3, 2, 8), RuleTally(1, 0, 0, 4))),
}


@pytest.mark.parametrize("kind", TaskKind)
def test_every_answer_comes_back(kind: TaskKind) -> None:
    assert decode_answer(kind, encode_answer(ANSWERS[kind])) == ANSWERS[kind]


def test_a_task_comes_back() -> None:
    task = Task(TaskKind.SCAN, ("One", "Two"), (1, 0, 7))
    assert decode_task(encode_task(task)) == task


@pytest.mark.parametrize("kind", TaskKind)
@pytest.mark.parametrize("other", TaskKind)
def test_an_answer_fits_its_own_task_only(kind: TaskKind, other: TaskKind) -> None:
    if {kind, other} <= {TaskKind.ALONE, TaskKind.WHOLE, TaskKind.EVENTS} or kind is other:
        return
    with pytest.raises(ContentRefused):
        decode_answer(other, encode_answer(ANSWERS[kind]))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (TaskKind.SCAN, {"hits": [1]}),
        (TaskKind.SCAN, {"hits": [-1, 0]}),
        (TaskKind.SCAN, {"hits": [True, False]}),
        (TaskKind.SCAN, {"hits": [0] * 20_000}),
        (TaskKind.SCAN, {"crowded": 1}),
        (TaskKind.SCAN, {"more": 1}),
        (TaskKind.LOAD, {"troubles": [{"code": "x"}]}),
        (TaskKind.LOAD, {"compile_cpu_ms": -5}),
        (TaskKind.AGREE, {"rules": [{"rule": "\x1b[2J", "found": [], "plain_differs": ""}]}),
        (TaskKind.AGREE, {"rules": [{"rule": "a", "found": list(range(17)), "plain_differs": ""}]}),
        (TaskKind.ALONE, {"costs": [{"name": "a" * 129, "probe": "", "cpu_us": 1, "found": []}]}),
    ],
)
def test_what_a_worker_may_not_say_is_refused(kind: TaskKind, change: dict[str, Any]) -> None:
    document = json.loads(encode_answer(ANSWERS[kind])) | change
    with pytest.raises(ContentRefused):
        decode_answer(kind, canonical.encode(document))


@pytest.mark.parametrize("kind", TaskKind)
def test_no_cut_answer_is_believed(kind: TaskKind) -> None:
    whole = encode_answer(ANSWERS[kind])
    for length in range(len(whole)):
        with pytest.raises(ContentRefused):
            decode_answer(kind, whole[:length])


def test_a_hostile_text_arrives_as_a_harmless_one() -> None:
    hostile = Trouble("prove/load", "R\x1b]0;x\x07", "\x1b[2J\u202e" + "x" * 5_000 + "\n<script>", "a\nb")
    answer = decode_answer(TaskKind.ALONE, encode_answer(Tried((), (hostile,))))
    assert isinstance(answer, Tried)
    trouble = answer.troubles[0]
    assert trouble.text.startswith("\\x1b[2J\\u202exxx")
    assert trouble.rule == "R\\x1b]0;x\\x07"
    assert trouble.file == "a\\nb"
    assert len(trouble.text) <= 512


def test_cleaning_cuts_to_a_length_and_leaves_good_text_alone() -> None:
    assert cleaned("d\u00e9tecte") == "d\u00e9tecte"
    assert cleaned("x" * 9, 8) == "x" * 7 + "…"
    assert len(cleaned("\x00" * 9, 8)) == 8
