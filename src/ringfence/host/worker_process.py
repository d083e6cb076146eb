"""The process of a worker in a pool: started with one channel, as a module of its own; killed without a word."""

import signal
import subprocess
from contextlib import suppress

from ringfence.host.channel import Channel
from ringfence.model.limits import DEMAND_KILL_MS


def start_worker(python: str, module: str) -> "tuple[subprocess.Popen[bytes], Channel]":
    """Start `module` with the interpreter `python`, and our end of its channel.  Raises OSError."""
    ours, theirs = Channel.pair()
    try:
        process = subprocess.Popen(
            [python, "-I", "-m", module, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return process, ours


def kill_worker(process: "subprocess.Popen[bytes]") -> None:
    """Kill a worker and reap it, if it can be reaped."""
    process.send_signal(signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):  # it waits in the kernel for a disk that does not answer: let it be
        process.wait(DEMAND_KILL_MS / 1000)
