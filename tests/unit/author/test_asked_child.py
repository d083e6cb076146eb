"""A child that is asked: it answers, dies or hangs; the next question always gets an answer."""

import os
import signal
from multiprocessing.connection import Connection

import pytest

from ringfence.author.asked_child import AskedChild

PATIENCE_S = 60


def obey(pipe: Connection) -> None:
    """Answer with the pid, die or stop, as asked."""
    while True:
        try:
            word = pipe.recv()
        except EOFError:
            return
        if word == "die":
            os._exit(1)
        if word == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        pipe.send(os.getpid())


def test_one_child_answers_every_question() -> None:
    with AskedChild(obey) as child:
        first = child.exchange("pid", PATIENCE_S)
        assert first == child.exchange("pid", PATIENCE_S) != os.getpid()


def test_after_a_death_another_child_answers() -> None:
    with AskedChild(obey) as child:
        first = child.exchange("pid", PATIENCE_S)
        with pytest.raises(EOFError):
            child.exchange("die", PATIENCE_S)
        assert child.exchange("pid", PATIENCE_S) != first


def test_one_that_is_late_is_ended() -> None:
    with AskedChild(obey) as child:
        first = child.exchange("pid", PATIENCE_S)
        with pytest.raises(TimeoutError):
            child.exchange("stop", 0.1)
        with pytest.raises(ProcessLookupError):
            os.kill(first, 0)
        assert child.exchange("pid", PATIENCE_S) != first
