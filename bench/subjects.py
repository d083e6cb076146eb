"""The subjects: what protects the ground while a work runs.  Each is started fresh and ended by its own ids.

A subject is never trusted: every wait has a limit, and `kill` frees whoever waits for its answers.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.materials import PROBE
from bench.processes import children_of, cpu_ns, end_all, family_of, pss_bytes, reap, start_of, wait_quiet
from bench.status import HostSnapshot, snapshot_of

READY_SECONDS_MAX: Final = 60
ENDING_SECONDS_MAX: Final = 15
CHECK_SECONDS_MAX: Final = 10
QUIET_SECONDS_MAX: Final = 20
POLL_SECONDS: Final = 0.005


class SubjectFailedError(Exception):
    """A subject did not start, did not answer or ended by itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a subject works: the bench's directory and the mount that is to be protected."""

    home: Path
    ground: Path

    @property
    def probe(self) -> Path:
        """The harmless test file that an enforcing subject must refuse."""
        return self.ground / "probe" / "test-file.txt"


class Subject:
    """A subject made of processes.  Subclasses say how to start it and when it is ready."""

    name = "none"
    content = "none"
    refuses_probe = True
    ending_signal = signal.SIGTERM

    def __init__(self, place: Place) -> None:
        self.place = place
        self.roots: list[subprocess.Popen[bytes]] = []
        self.identities: dict[int, int] = {}
        self.ready_s = 0.0

    def start(self) -> None:
        """Start and wait until it answers the kernel.  Raises `SubjectFailedError`."""
        raise NotImplementedError

    def spawn(self, words: list[str], log: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own that dies with the bench."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        self.roots.append(process)
        return process

    def await_that(self, reached: Callable[[], bool], log: Path, poll_s: float = POLL_SECONDS) -> None:
        """Wait until `reached`.  Raises `SubjectFailedError` with the log's end when it is late or a process ends."""
        limit = time.monotonic() + READY_SECONDS_MAX
        while not reached():
            ended = [process.args for process in self.roots if process.poll() is not None]
            if ended or time.monotonic() > limit:
                reason = "ended before it was ready" if ended else f"was not ready after {READY_SECONDS_MAX} s"
                raise SubjectFailedError(f"{self.name} {reason}: {tail_of(log)}")
            time.sleep(poll_s)
        self.remember()

    def members(self) -> list[int]:
        """Every living process of the subject."""
        return [pid for root in self.roots for pid in family_of(root.pid) if root.poll() is None]

    def remember(self) -> None:
        """Note who belongs to the subject, so that it can be ended even if its first process is gone."""
        for pid in self.members():
            self.identities.setdefault(pid, start_of(pid))

    def quiet(self) -> float:
        """Wait until the subject rests.  Returns the seconds waited."""
        return wait_quiet(self.members(), QUIET_SECONDS_MAX)

    def probe_refused(self) -> bool:
        """Whether reading the test file is refused just now."""
        words = [str(self.place.home / "read_files"), "0"]
        text = f"{self.place.probe}\n".encode()
        try:
            done = subprocess.run(words, input=text, capture_output=True, check=False, timeout=CHECK_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return False
        return b'"refused":1' in done.stdout

    def pss(self) -> int:
        """Memory of the subject's processes in bytes."""
        return pss_bytes(self.members())

    def host_snapshot(self) -> HostSnapshot | None:
        """Counters of the gate; only Ringfence has them."""
        return None

    def stop(self) -> None:
        """End the subject politely, then for certain."""
        self.remember()
        for root in reversed(self.roots):
            if root.poll() is None:
                root.send_signal(self.ending_signal)
                try:
                    root.wait(ENDING_SECONDS_MAX)
                except subprocess.TimeoutExpired:
                    break
        self.kill()

    def kill(self) -> None:
        """End every process of the subject at once.  Whoever waits for its answers goes on."""
        self.remember()
        for orphan in set(children_of(os.getpid())) - {root.pid for root in self.roots}:
            if orphan in self.identities:
                self.identities.update({pid: start_of(pid) for pid in family_of(orphan) if pid not in self.identities})
        end_all(self.identities)
        for root in self.roots:
            with contextlib.suppress(subprocess.TimeoutExpired):
                root.wait(ENDING_SECONDS_MAX)
        reap([pid for pid in self.identities if pid not in {root.pid for root in self.roots}])
        self.roots.clear()
        self.identities.clear()


class Floor(Subject):
    """The C loop that allows everything."""

    name = "floor"
    refuses_probe = False

    def start(self) -> None:
        """Arm the loop on the ground's file system."""
        log = fresh_log(self.place.home, "floor")
        begin = time.monotonic()
        self.spawn([str(self.place.home / "floor"), str(self.place.ground)], log)
        self.await_that(lambda: b"ready\n" in log.read_bytes(), log)
        self.ready_s = time.monotonic() - begin


class Ringfence(Subject):
    """This project: everything on one machine, enforcing, with a state directory of its own for each start."""

    name = "ringfence"
    ending_signal = signal.SIGINT

    def __init__(self, place: Place, command: Path, content: str, release: Path | None) -> None:
        super().__init__(place)
        self.command = command
        self.content = content
        self.release = release
        self.state = place.home / "ringfence-state"

    def start(self) -> None:
        """Start and wait for the line that is exactly `ready`."""
        shutil.rmtree(self.state, ignore_errors=True)
        log = fresh_log(self.place.home, "ringfence")
        words = [str(self.command), "up", "--state", str(self.state), "--protect", str(self.place.ground)]
        words += ["--mode", "enforce", "--listen", "127.0.0.1:0"]
        words += ["--content", str(self.release), "--allow-unproven"] if self.release else []
        begin = time.monotonic()
        self.spawn(words, log)
        self.await_that(lambda: b"ready" in log.read_bytes().splitlines(), log)
        self.ready_s = time.monotonic() - begin

    def host_snapshot(self) -> HostSnapshot | None:
        """What `ringfence host status` says, with the CPU time of the gate; None when it cannot be had."""
        words = [str(self.command), "host", "status", "--state", str(self.state), "--json"]
        try:
            done = subprocess.run(words, capture_output=True, check=False, timeout=CHECK_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return None
        return snapshot_of(done.stdout, cpu_ns) if done.returncode == 0 else None

    def pss(self) -> int:
        """Memory of the host's processes alone, without the control plane beside them."""
        snapshot = self.host_snapshot()
        return pss_bytes(list(snapshot.pids)) if snapshot and snapshot.pids else super().pss()


def lay_probe(place: Place) -> None:
    """Put the harmless test file on the ground."""
    place.probe.parent.mkdir()
    place.probe.write_bytes(PROBE)


def fresh_log(home: Path, name: str) -> Path:
    """An empty log file for a subject."""
    log = home / f"{name}.log"
    log.write_bytes(b"")
    return log


def tail_of(log: Path) -> str:
    """The last lines of a log, for an error's text."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return " | ".join(lines[-6:]) or "it printed nothing"
