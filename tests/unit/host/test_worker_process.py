"""The process of a worker: it gets its end of the channel, and ends when it is killed."""

import signal
import sys

import pytest

from ringfence.host.channel import ChannelClosed
from ringfence.host.worker_process import kill_worker, start_worker


def test_a_killed_worker_is_reaped_and_its_channel_ends() -> None:
    process, channel = start_worker(sys.executable, "ringfence.programs.scan_worker")
    kill_worker(process)
    assert process.returncode == -signal.SIGKILL
    with pytest.raises(ChannelClosed):
        channel.receive()
    channel.close()


def test_an_interpreter_that_is_not_there_is_told_of() -> None:
    with pytest.raises(FileNotFoundError):
        start_worker("/nowhere/python3", "ringfence.programs.scan_worker")
