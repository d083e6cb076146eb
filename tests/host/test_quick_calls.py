"""Short system calls without giving up the interpreter lock: the same answers as the slow ones give."""

import os
from pathlib import Path

from ringfence.host import quick_calls


def test_what_cannot_be_leased_may_be_written(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    os.close(directory)
    assert not quick_calls.nobody_writes(directory)


def test_a_message_is_written_whole_or_refused() -> None:
    reading, writing = os.pipe()
    assert quick_calls.write(writing, b"\x00eight\x00b")
    assert os.read(reading, 100) == b"\x00eight\x00b"
    assert quick_calls.close(writing) == 0
    assert not quick_calls.write(writing, b"to nobody")
    assert quick_calls.close(writing) == -1
    os.close(reading)
