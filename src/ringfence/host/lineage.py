"""The asker of a question and its ancestors, read from /proc while the asker is still waiting.

Only on the slow path (a detection).  Every value is bounded bytes as the kernel gave them; nothing here interprets
them.
"""

import os
from dataclasses import replace

from ringfence.model.limits import (
    PROC_STAT_BYTES_MAX,
    PROCESS_COMMAND_LINE_BYTES_MAX,
    PROCESS_NAME_BYTES_MAX,
    SIGHTING_PATH_BYTES_MAX,
    SIGHTING_PROCESSES_MAX,
)
from ringfence.wire.detections import SeenProcess, cut


def lineage(pid: int) -> tuple[SeenProcess, ...]:
    """The process `pid` first, then its parents, at most `SIGHTING_PROCESSES_MAX`.  Never raises."""
    found: list[SeenProcess] = []
    while pid > 0 and len(found) < SIGHTING_PROCESSES_MAX:
        one = _read(pid)
        if one is None:
            break
        ancestor, pid = one
        found.append(ancestor)
    return tuple(found)


def with_executables(processes: tuple[SeenProcess, ...]) -> tuple[SeenProcess, ...]:
    """The same processes with their executables' paths, as far as this thread may see them.

    Two steps, because no thread of the gate may do both: one may open files of /proc and is kept from the links by
    Landlock, the others may read links and open nothing.
    """
    return tuple(replace(one, executable=_executable(one.pid)) for one in processes)


def _executable(pid: int) -> bytes:
    try:
        return cut(os.readlink(f"/proc/{pid}/exe".encode()), SIGHTING_PATH_BYTES_MAX)
    except OSError:
        return b""


def _read(pid: int) -> tuple[SeenProcess, int] | None:
    stat = _contents(f"/proc/{pid}/stat", PROC_STAT_BYTES_MAX)
    name_begin, name_end = stat.find(b"("), stat.rfind(b")")
    if name_begin < 0 or name_end < name_begin:
        return None
    fields = stat[name_end + 2 :].split()
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
        parent, start_ticks = int(fields[1]), int(fields[19])
    except (OSError, IndexError, ValueError):
        return None
    command_line = _contents(f"/proc/{pid}/cmdline", PROCESS_COMMAND_LINE_BYTES_MAX).rstrip(b"\0").replace(b"\0", b" ")
    seen = SeenProcess(
        pid=pid,
        start_ticks=start_ticks,
        uid=uid,
        name=cut(stat[name_begin + 1 : name_end], PROCESS_NAME_BYTES_MAX),
        executable=b"",
        command_line=command_line,
    )
    return seen, parent


def _contents(path: str, bytes_max: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, bytes_max)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
