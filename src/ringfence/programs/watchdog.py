"""The process that watches the gates' beats: a stale beat is SIGKILL, and the kernel then frees everybody who waits.

It holds a pidfd and a page of shared memory for each gate, the standby's included, because a standby arms itself; and
nothing else: same uid as a gate that answers, no capability, no file.  It beats itself; the warden watches that.
"""

import os
import select
import signal

from ringfence.host import processes, sandbox
from ringfence.host.channel import Channel
from ringfence.host.child import Arguments, run_child
from ringfence.host.heartbeat import Beat
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.wire import catalogue
from ringfence.wire.frames import WAY_OUT

NICENESS = -11
"""Before the gate: it must be able to kill it on a busy machine."""

WATCHED_DESCRIPTORS = 2
"""With each order to watch: the gate's pidfd and its beat."""


def main(arguments: Arguments, warden: Channel) -> None:
    """Watch for ever."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    beat = Beat(arguments.number("beat-fd"))
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    sandbox.enter(processes.WATCHDOG)
    warden.send(catalogue.READY, catalogue.READY_PLAINLY)
    watched: list[tuple[int, Beat]] = []
    while True:
        beat.beat()
        poll = select.poll()
        poll.register(warden, select.POLLIN)
        for pidfd, _ in watched:
            poll.register(pidfd, select.POLLIN)
        poll.poll(limits.HEARTBEAT_INTERVAL_MS // 2)
        while (received := warden.receive(wait=False)) is not None:
            if received.frame.type != catalogue.WATCH or len(received.descriptors) != WATCHED_DESCRIPTORS:
                raise FrameRefused(f"the warden sent a frame of type {received.frame.type} to the watchdog", WAY_OUT)
            watched.append((received.descriptors[0], Beat(received.descriptors[1])))
            os.close(received.descriptors[1])
        watched = [one for one in watched if _lives(*one)]


def _lives(pidfd: int, beat: Beat) -> bool:
    """Kill a gate whose beat is stale; False once it is dead, and forgotten."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if poll.poll(0):
        os.close(pidfd)
        return False
    if beat.is_stale(limits.HEARTBEAT_STALE_MS):
        try:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # it died in this very moment, or it is a standby, still root, which the warden sees to
    return True


if __name__ == "__main__":
    run_child(main)
