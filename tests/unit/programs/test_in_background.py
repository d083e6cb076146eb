"""Work in the background gives its result, or raises its failure, to whoever asks for it."""

import threading

import pytest

from ringfence.model.errors import PathRefused
from ringfence.programs.in_background import InBackground


def test_it_begins_at_once_and_its_result_is_waited_for() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def work() -> int:
        begun.set()
        may_end.wait()
        return 7

    background = InBackground(work)
    begun.wait()
    may_end.set()
    assert background.result() == 7
    assert background.result() == 7


def test_its_failure_is_raised_where_the_result_is_wanted() -> None:
    def work() -> int:
        raise PathRefused("it is gone", "look elsewhere")

    background = InBackground(work)
    for _ in range(2):
        with pytest.raises(PathRefused, match="it is gone"):
            background.result()
