"""No room on the disk, no inodes, no descriptors, no memory: the host goes on, protected, and loses nothing it owes."""

import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from tests.support.live_sensor import BAD, alive

from faults.outcome import Case, NotHeldError
from faults.stage import PATIENCE_S, Scene, Stage

SMALL_BYTES: Final = 24 << 20
SMALL_INODES: Final = 400
GATE_SPARE: Final = 64
"""Descriptors that a gate which takes over has left: its scanners' sockets and a few questions."""

FILES: Final = 12
CGROUP_SPARE_BYTES: Final = 8 << 20
V1: Final = Path("/sys/fs/cgroup/memory")
V2: Final = Path("/sys/fs/cgroup")


@contextmanager
def _small_file_system(stage: Stage) -> Iterator[Path]:
    """A small file system of its own, on which the sensor's state comes to lie."""
    place = stage.home / "small"
    place.mkdir()
    words = ("-t", "tmpfs", "-o", f"size={SMALL_BYTES},nr_inodes={SMALL_INODES},mode=755", "ringfence-faults")
    subprocess.run(["mount", *words, str(place)], check=True)
    before = tempfile.tempdir
    tempfile.tempdir = str(place)
    try:
        yield place
    finally:
        tempfile.tempdir = before
        subprocess.run(["umount", "-l", str(place)], check=True)
        place.rmdir()


def disk_full(stage: Stage, case: Case) -> str:
    """The state's file system takes not one byte more."""
    with _small_file_system(stage) as place, stage.scene(case) as scene:
        ballast = place / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(b"\0")
        return _starved(scene, ballast.unlink, "not a byte was left")


def inodes_gone(stage: Stage, case: Case) -> str:
    """The state's file system takes not one file more."""
    with _small_file_system(stage) as place, stage.scene(case) as scene:
        many = place / "many"
        many.mkdir()
        made = 0
        with contextlib.suppress(OSError):
            while True:
                (many / str(made)).touch()
                made += 1
        return _starved(scene, partial(shutil.rmtree, many), f"{made} files took the last inodes")


def _starved(scene: Scene, relieve: Callable[[], None], what: str) -> str:
    """Bad files are refused without room, the courier may die, and what is owed comes when there is room again."""
    began = time.monotonic()
    for _ in range(FILES):
        scene.case.need("bad files are refused without room", holds=scene.refuses())
    (courier,) = scene.live.pids("courier")
    scene.live.signal(courier, 9)
    scene.until(lambda: scene.live.pids("courier") not in ([], [courier]), "another courier starts without room")
    seconds = scene.protected_again(began)
    relieve()
    bad = scene.live.fresh(BAD)
    scene.case.need("a bad file is refused afterwards", holds=scene.open(bad))
    scene.until(lambda: str(bad) in scene.arrived(), "alerts arrive once there is room")
    return f"{what}: {FILES} bad files refused all the same, first after {seconds:.2f} s; told once there was room"


def descriptors_gone(stage: Stage, case: Case) -> str:
    """The warden may open nothing more while it has to start others; a gate has few left when it takes over."""
    with stage.scene(case) as scene:
        began = time.monotonic()
        kept = {}
        for role, spare in (("warden", 0), ("standby", GATE_SPARE)):
            (pid,) = scene.live.pids(role)
            kept[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            used = max(int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir()) + 1
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + spare, kept[pid][1]))
        for role in ("gate", "courier"):
            for pid in scene.live.pids(role):
                scene.live.signal(pid, 9)
        for _ in range(FILES):
            scene.case.need("harmless files are read", holds=not scene.open(scene.live.fresh()))
        for pid, limit in kept.items():
            if alive(pid):
                with contextlib.suppress(OSError):  # it may be another's by now
                    resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
        seconds = scene.protected_again(began)
        scene.until(lambda: bool(scene.live.pids("courier")) and bool(scene.live.pids("standby")), "all are back")
        return f"a warden without descriptors, a gate with {GATE_SPARE}; bad files refused again after {seconds:.2f} s"


def memory_gone(stage: Stage, case: Case) -> str:
    """The sensor's processes stand in a memory cgroup that leaves them next to nothing."""
    with _cgroup() as group, stage.scene(case) as scene:
        scene.may_observe = True  # the kernel may choose the gate, again and again
        scene.may_be_refused = True  # the kernel refuses by itself what it has no memory to open
        began = time.monotonic()
        for process in scene.live.processes():
            with contextlib.suppress(OSError):
                (group / "cgroup.procs").write_text(str(process.pid))
        limit = group / ("memory.limit_in_bytes" if _is_v1() else "memory.max")
        with contextlib.suppress(OSError):  # it cannot be below what is in use
            limit.write_text(str(_used(group) + CGROUP_SPARE_BYTES))
        killed = _kill_some(scene, group)
        limit.write_text("-1" if _is_v1() else "max")
        scene.start_again_if_dead()
        if scene.live.status().mode.name != "ENFORCE":
            return f"the kernel ended {killed} processes, gates again and again: the host observes, its work goes on"
        seconds = scene.protected_again(began)
        return f"the kernel ended {killed} processes of the sensor; bad files refused again after {seconds:.2f} s"


def _kill_some(scene: Scene, group: Path) -> int:
    """Big files make the scanners want memory until the kernel has ended some process, or the patience is over."""
    until = time.monotonic() + 8
    while time.monotonic() < until and _killed(group) < 2:  # noqa: PLR2004 - one may be chance
        path = scene.live.tree / "big"
        path.write_bytes(os.urandom(12 << 20))
        scene.open(path)
        path.unlink()
    scene.case.need("the kernel has ended a process", holds=_killed(group) > 0)
    return _killed(group)


@contextmanager
def _cgroup() -> Iterator[Path]:
    """A memory cgroup; removed once it is empty."""
    root = V1 if _is_v1() else V2
    if not _is_v1() and "memory" not in (V2 / "cgroup.subtree_control").read_text().split():
        raise NotHeldError("this machine gives us no memory cgroup")
    group = root / f"ringfence-faults-{os.getpid()}"
    group.mkdir()
    try:
        yield group
    finally:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                group.rmdir()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)


def _is_v1() -> bool:
    return (V1 / "memory.limit_in_bytes").exists() or (V1 / "cgroup.procs").exists()


def _used(group: Path) -> int:
    return int((group / ("memory.usage_in_bytes" if _is_v1() else "memory.current")).read_text())


def _killed(group: Path) -> int:
    """How many processes the kernel has ended for want of memory."""
    events = group / ("memory.oom_control" if _is_v1() else "memory.events")
    for line in events.read_text().splitlines():
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return 0
