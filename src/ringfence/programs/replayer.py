"""Opens files for the gate's shadow while a release is on trial: those of the paths that the gate names, and, for an
empty name, the next one of a walk through the protected places.

It reads nothing of them, and it may reach nothing but the protected places.  The gate itself never opens a file: what
waits for a dead disk inside an open(2) must not be a process that the kernel waits for.
"""

import os
import signal
import stat
from collections.abc import Iterator
from typing import Final

from ringfence.host import processes, sandbox
from ringfence.host.channel import Channel
from ringfence.host.child import Arguments, run_child
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.wire import catalogue
from ringfence.wire.frames import WAY_OUT

_OPEN: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
NICENESS: Final = 10
"""Nobody waits for it."""


def walk(places: tuple[str, ...]) -> Iterator[str]:
    """Every regular file below the places, directory by directory, on the places' own file systems."""
    for place in places:
        pending = [place]
        try:
            device = os.stat(place).st_dev
        except OSError:
            continue
        while pending:
            directory = pending.pop()
            try:
                with os.scandir(directory) as entries:
                    for entry in entries:
                        if entry.is_file(follow_symlinks=False):
                            yield entry.path
                        elif len(pending) < limits.REPLAY_DIRECTORIES_FILES_MAX and _leads_on(entry, device):
                            pending.append(entry.path)
            except OSError:
                continue  # it is gone, or it is one that may not be looked into


def _leads_on(entry: "os.DirEntry[str]", device: int) -> bool:
    """Whether it is a directory of the same file system."""
    return entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_dev == device


def opened(path: bytes | str) -> int | None:
    """A descriptor of a regular file; None for everything else."""
    try:
        descriptor = os.open(path, _OPEN)
    except (OSError, ValueError):
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def serve(gate: Channel, places: tuple[str, ...]) -> None:
    """Answer until the gate is gone."""
    files = walk(places)
    while (received := gate.receive()) is not None:
        if received.frame.type != catalogue.REPLAY or received.descriptors:
            raise FrameRefused(f"the gate sent a frame of type {received.frame.type} to the replayer", WAY_OUT)
        path: bytes | str | None = received.frame.body or next(files, None)
        descriptor = None
        while path is not None and (descriptor := opened(path)) is None and not received.frame.body:
            path = next(files, None)
        if descriptor is None:
            gate.send(catalogue.REPLAYED, b"")
            continue
        gate.send(catalogue.REPLAYED, b"", (descriptor,))
        os.close(descriptor)


def main(arguments: Arguments, warden: Channel) -> None:
    """Drop, and serve."""
    del warden
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gate = Channel.adopt(arguments.number("gate-fd"))
    places = tuple(arguments.every("place"))
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    sandbox.enter(processes.replayer(places))
    serve(gate, places)


if __name__ == "__main__":
    run_child(main)
