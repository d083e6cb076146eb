"""The catalogue of messages keeps its own rules."""

from typing import Final

from ringfence.wire.catalogue import MESSAGES

ANSWERS: Final = {message.number: message for message in MESSAGES if message.number % 2}


def test_numbers_and_names_are_unique() -> None:
    assert len({message.number for message in MESSAGES}) == len(MESSAGES)
    assert len({message.name for message in MESSAGES}) == len(MESSAGES)


def test_an_odd_number_answers_the_even_one_before_it() -> None:
    requests = {message.number: message for message in MESSAGES if message.number % 2 == 0}
    assert [answer.name for number, answer in ANSWERS.items() if number - 1 not in requests] == []
    for number, answer in ANSWERS.items():
        request = requests[number - 1]
        assert (answer.sender, answer.receiver) == (request.receiver, request.sender), answer.name


def test_no_answer_hides_under_an_even_number() -> None:
    words = ("answer", "ack", "verdict", "spawned", "armed", "counts")
    assert [m.name for m in MESSAGES if m.number % 2 == 0 and m.name.endswith(words)] == []


def test_the_gate_is_sent_no_content() -> None:
    variable = [m.name for m in MESSAGES if m.receiver == "gate" and m.layout == "variable" and m.sender == "scanner"]
    assert variable == []
