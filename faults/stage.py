"""A protected host with everything that belongs to one: real kernel, real server, real courier, and ordinary work.

A `Stage` has one server for the whole run.  A `Scene` is one sensor on a fresh file system, with load on it; it notes
what an operator must be able to rely on: whether bad files are refused, every alert that was acknowledged, and whether
anything was convicted.  Leaving a scene takes all of it into the case's figures.
"""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Self

from tests.control.server_process import RunningServer, steered_server
from tests.support.live_sensor import BAD, LiveSensor, alive, meet, reading

from faults.outcome import Case, Figures, NotHeldError
from faults.relay import Relay
from ringfence.host.enrolment import enrol_once
from ringfence.model.records import Alert
from ringfence.model.verdict import Mode

ROOT: Final = Path(__file__).resolve().parents[1]
ROLES: Final = ("write", "read", "run")
PATIENCE_S: Final = 45.0
"""For what takes as long as the machine takes; hang protection, not a bound."""

LOAD_AFTER_S: Final = 1.0
"""How long the work goes on after all is well again."""

SPOOL_LOOK_S: Final = 0.05
TRIES_MIN: Final = 3
"""Refusals in a row after which a host counts as protected."""


class Stage:
    """The server, the relay before it, and the identity of the host."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="ringfence-faults-"))
        self.home.chmod(0o711)
        self.clock = self.home / "clock"
        """Milliseconds that the server's clock is wrong by."""

        self.clock.write_text("0")
        self._open = contextlib.ExitStack()
        self._server_context: AbstractContextManager[RunningServer] | None = None
        self.server = self.start_server()
        self.relay = Relay(self.home / "relay", self.server.address, self._server_state / "server" / "ca.pem")
        self._open.callback(self.relay.close)
        self.identity = self.home / "identity.json"
        token = self.home / "token"
        token.write_text(self.server.token)
        enrol_once(self.identity, self.relay.url, self.relay.ca_certificate, token)

    @property
    def _server_state(self) -> Path:
        return self.home / "server"

    def start_server(self) -> RunningServer:
        """Start the server, or start it again after `kill_server`."""
        self._server_state.mkdir(mode=0o700, exist_ok=True)
        self._server_context = steered_server(self._server_state, self.clock)
        self.server = self._server_context.__enter__()
        if hasattr(self, "relay"):
            self.relay.upstream = self.server.address
        return self.server

    def kill_server(self) -> None:
        """As a power cut would."""
        self.server.kill()
        if self._server_context is not None:
            self._server_context.__exit__(None, None, None)
            self._server_context = None

    def close(self) -> None:
        """End everything and leave nothing."""
        self._open.close()
        if self._server_context is not None:
            self._server_context.__exit__(None, None, None)
        shutil.rmtree(self.home, ignore_errors=True)

    def rows(self, statement: str, *values: str) -> list[tuple[Any, ...]]:
        """What the server has stored."""
        with contextlib.closing(sqlite3.connect(f"file:{self.server.database}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, values).fetchall()

    @contextmanager
    def scene(self, case: Case, *, load: bool = True, **options: Any) -> Iterator["Scene"]:  # noqa: ANN401 - LiveSensor's
        """A host that is complete, with load on it; what it owes is checked when the scene is left in peace."""
        scene = Scene(self, case, options)
        try:
            with scene:
                if load:
                    scene.begin_load()
                yield scene
                scene.end_load()
                scene.settle()
        finally:
            case.figures.add(scene.figures)


class Scene:
    """One host."""

    def __init__(self, stage: Stage, case: Case, options: dict[str, Any]) -> None:
        self.stage = stage
        self.case = case
        self.figures = Figures()
        self.live = LiveSensor(**options)
        self._loads: list[subprocess.Popen[str]] = []
        self.acknowledged: set[str] = set()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look_into_the_spool, daemon=True)
        self.refused = 0
        """Harmless files that the load was refused."""

        self.may_be_refused = False
        """Harmless files may be: by a release that is bad, or by a kernel without memory to open a file for a gate."""

        self.may_be_convicted = False
        self.may_observe = False

    def __enter__(self) -> Self:
        shutil.copy(self.stage.identity, self.live.state.identity)
        shutil.chown(self.live.state.identity, *self._owner())
        self._watch.start()
        try:
            self.live.wait_protected()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for load in self._loads:
            load.kill()
            load.wait()
        self._ended.set()
        self._watch.join()
        self.live.close()

    def _owner(self) -> tuple[int, int]:
        found = self.stage.identity.stat()
        return found.st_uid, found.st_gid

    # --- load ---------------------------------------------------------------------------------------------------

    def begin_load(self) -> None:
        """Readers, writers and starts of programs, until `end_load`."""
        for role in ROLES:
            self._loads.append(
                subprocess.Popen(
                    [sys.executable, "-m", "faults.load", str(self.live.tree), role],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
                )
            )
        for load in self._loads:
            if load.stdout is None or not load.stdout.readline():
                raise RuntimeError("the load did not begin")

    def end_load(self) -> None:
        """Let the work end and count what it met.  One that does not end hangs in an open."""
        time.sleep(LOAD_AFTER_S)
        for load in self._loads:
            try:
                said, _ = load.communicate(timeout=PATIENCE_S)
                told = json.loads(said)
            except (subprocess.TimeoutExpired, ValueError) as error:
                self.figures.opens_past_deadline += 1
                raise NotHeldError("work on the tree hangs, or has died") from error
            self.figures.opens += told["opens"]
            self.figures.starved += told["starved"]
            self.figures.opens_past_deadline += told["opens_past_deadline"]
            self.figures.worst_open_ms = max(self.figures.worst_open_ms, told["worst_open_ms"])
            self.refused += told["refused"]
        self.case.need(
            f"no harmless file was refused, {self.refused} were", holds=self.refused == 0 or self.may_be_refused
        )
        self._loads.clear()

    def start_again_if_dead(self) -> None:
        """What `ringfence up` does when its warden is gone."""
        sensor = self.live.sensor
        if sensor is not None and not alive(sensor.pid):
            sensor.start_again()
            sensor.wait_ready()

    # --- protection -----------------------------------------------------------------------------------------------

    def open(self, path: Path) -> bool:
        """Open and read a file; whether it was refused.  Its wait counts."""
        (met,) = meet([reading(path)])
        self.figures.opened(met.waited_ms)
        return met.refused

    def refuses(self) -> bool:
        """Whether a new bad file is refused now."""
        return self.open(self.live.fresh(BAD))

    def protected_again(self, since: float) -> float:
        """Seconds from `since` to the first of `TRIES_MIN` refusals in a row; they count for the case."""
        row, first = 0, 0.0
        limit = time.monotonic() + PATIENCE_S
        while row < TRIES_MIN:
            if time.monotonic() > limit:
                raise NotHeldError(f"bad files are not refused {PATIENCE_S:.0f} s after the fault")
            began = time.monotonic()
            if self.refuses():
                row, first = row + 1, first or began
            else:
                row, first = 0, 0.0
        self.figures.protected_again(first - since)
        return first - since

    # --- what is owed ---------------------------------------------------------------------------------------------

    def _look_into_the_spool(self) -> None:
        """Every alert that is ever on the courier's disk was acknowledged, or is about to be."""
        while not self._ended.wait(SPOOL_LOOK_S):
            self.look_into_the_spool()

    def look_into_the_spool(self) -> None:
        """One look; a file that goes away meanwhile has been delivered."""
        with contextlib.suppress(OSError, ValueError):
            self.acknowledged |= {one.file.path for one in self.live.records() if isinstance(one, Alert)}

    def arrived(self) -> set[str]:
        """The files of this scene that the server knows alerts about."""
        rows = self.stage.rows("SELECT DISTINCT path FROM alerts WHERE path LIKE ?", f"{self.live.tree}/%")
        return {row[0] for row in rows}

    def until(self, holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Wait for something; NotHeldError when it does not come."""
        try:
            self.live.wait_until(holds, patience_s)
        except AssertionError as error:
            raise NotHeldError(f"{what}: it did not come to pass within {patience_s:.0f} s") from error

    def settle(self) -> None:
        """In peace again: every acknowledged alert has arrived, and nobody was convicted."""
        with contextlib.suppress(NotHeldError):
            self.until(lambda: self.acknowledged <= self.arrived(), "alerts arrive")
        lost = self.acknowledged - self.arrived()
        self.figures.alerts += len(self.acknowledged)
        self.figures.acknowledged_lost += len(lost)
        status = self.live.status()
        counters = {one.name: one.value for one in status.counters}
        if not self.may_be_convicted:
            self.figures.wrong_convictions += counters[b"rules_observed"] + counters[b"rules_disabled"]
            self.figures.wrong_convictions += status.mode is not Mode.ENFORCE and not self.may_observe
        self.case.need(f"no acknowledged alert is lost: {sorted(lost)[:3]}", holds=not lost)
