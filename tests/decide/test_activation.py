"""The rules of the activation machine, one script each."""

from typing import get_args

from ringfence.decide import activation_messages as messages


def test_no_message_is_both_told_and_said() -> None:
    assert set(get_args(messages.Event)).isdisjoint(get_args(messages.Command))
