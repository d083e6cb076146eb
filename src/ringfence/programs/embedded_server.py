"""The control plane as a child of `ringfence up`, and this machine's enrolment with it.

The first start must succeed.  Later the sensor does not need it: a server that ends is started again after a pause that
doubles up to `SERVER_RESTART_MS_MAX`, for as long as `up` runs; the operator is told once that it does not come back,
and once that it has.
"""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ringfence.host.enrolment import enrol_once
from ringfence.host.sandbox import die_with_parent
from ringfence.model.errors import NoAnswer
from ringfence.model.limits import (
    READ_PIECE_BYTES,
    RESTART_CALM_MS,
    SERVER_READY_MS,
    SERVER_RESTART_MS,
    SERVER_RESTART_MS_MAX,
    SERVER_STOP_MS,
)

_CALLED_FOR_HELP = 2
"""The restart in a row whose failure the operator is told: the first one may be chance."""


class EmbeddedServer:
    """`ringfence server` on the same state directory."""

    def __init__(self, state: Path, listen: str) -> None:
        self._state = state
        self._listen = listen
        self._deaths = 0
        self._pause_ms = SERVER_RESTART_MS
        self._due_ms: int | None = None
        self._ready = False
        self._start()

    def _start(self, *, quiet: bool = False) -> None:
        """Start it.  `quiet`: what it says is passed on only once it answers; why it cannot has been said before."""
        self._started_ms = _now_ms()
        self._ready = False
        self._process = subprocess.Popen(
            self._words(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else None,
            start_new_session=True,  # a Ctrl-C on the terminal is for us, and we end it in order
            preexec_fn=die_with_parent,  # noqa: PLW1509 - we have one thread
        )
        self._pidfd = os.pidfd_open(self._process.pid)

    def _words(self) -> list[str]:
        """Its command line."""
        command = [sys.executable, "-I", "-m", "ringfence.programs.cli", "server"]
        return [*command, "--state", str(self._state), "--listen", self._listen, "--json"]

    def wait_ready(self, identity: Path) -> list[str]:
        """Wait until it answers, enrol this machine if it is not; the lines to print.

        Raises NoAnswer when it is not ready in time.  One that ends has said why on standard error: SystemExit with
        its status.
        """
        started = self._announcement()
        self._ready = True
        address = str(started["address"])
        self._listen = str(started["listen"])
        enrol_once(identity, address, Path(str(started["ca_certificate"])), self._state / "server/enrolment.token")
        lines = [f"console: {address}"]
        if started.get("first_password"):
            user, password = started["first_user"], started["first_password"]
            lines.append(f"first login: user {user}, password {password} (shown only this once)")
        return lines

    def put_off(self) -> None:
        """It did not become ready: leave it, and try again after a pause, while the sensor protects."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._let_go()
        self._deaths = _CALLED_FOR_HELP  # the operator has been told
        self._due_ms = _now_ms() + self._pause_ms

    def _announcement(self) -> dict[str, Any]:
        pipe = self._process.stdout
        if pipe is None:
            raise AssertionError("started with a pipe")
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        if not poll.poll(SERVER_READY_MS):
            self.stop()
            raise NoAnswer(
                f"the control plane was not ready within {SERVER_READY_MS // 1000} s",
                f"look at the disk below {self._state} and at what else the machine does, then start again",
            )
        if line := pipe.readline():
            announced: dict[str, Any] = json.loads(line)
            return announced
        status = self._process.wait()
        if status > 0:
            raise SystemExit(status)  # it has said why on standard error
        raise NoAnswer(
            f"the control plane ended before it was ready (signal {-status})",
            "see in the kernel's log whether memory ran out, then start again",
        )

    def descriptors(self) -> list[int]:
        """What to wait for: its end, its announcement, its words.  None while it waits for its next start."""
        if self._due_ms is not None:
            return []
        pipes = [] if self._ready else [self._process.stdout]
        return [self._pidfd, *(pipe.fileno() for pipe in (*pipes, self._process.stderr) if pipe is not None)]

    def wait_ms(self) -> int | None:
        """Until it is due to be started again; None: it runs."""
        return None if self._due_ms is None else max(0, self._due_ms - _now_ms())

    def attend(self, ready: set[int]) -> list[str]:
        """Take what it says, notice its end, start it again when that is due; what the operator must know."""
        if self._due_ms is not None:
            if _now_ms() >= self._due_ms:
                self._due_ms = None
                self._start(quiet=self._deaths >= _CALLED_FOR_HELP)
            return []
        lines = self._hear(ready)
        if self._pidfd in ready:
            lines.append(self._ended())
        return [line for line in lines if line]

    def _hear(self, ready: set[int]) -> list[str]:
        out, err = self._process.stdout, self._process.stderr
        if err is not None and err.fileno() in ready:
            words = os.read(err.fileno(), READ_PIECE_BYTES)
            if self._ready and words:
                os.write(sys.stderr.fileno(), words)
            elif not words:
                err.close()
                self._process.stderr = None
        if self._ready or out is None or out.fileno() not in ready or not out.readline():
            return []
        self._ready = True
        helpless, self._deaths = self._deaths >= _CALLED_FOR_HELP, 0
        return ["the control plane answers again"] if helpless else []

    def _ended(self) -> str:
        """Plan the next start; what the operator must know, or nothing new."""
        status = self._process.wait()
        self._let_go()
        if _now_ms() - self._started_ms >= RESTART_CALM_MS:
            self._pause_ms = SERVER_RESTART_MS
        self._deaths += 1
        self._due_ms = _now_ms() + self._pause_ms
        self._pause_ms = min(2 * self._pause_ms, SERVER_RESTART_MS_MAX)
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        if self._deaths == _CALLED_FOR_HELP:
            return (
                f"the control plane cannot be started again ({how}); protection goes on, and alerts wait on this host\n"
                f"  way out: mend what it said above (room below {self._state}, or the address {self._listen}); it is "
                f"tried again at least every {SERVER_RESTART_MS_MAX // 1000} s"
            )
        return "" if self._deaths > _CALLED_FOR_HELP else f"the control plane ended ({how}); it is started again"

    def stop(self) -> None:
        """End it in order."""
        self._process.terminate()
        try:
            self._process.wait(SERVER_STOP_MS / 1000)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._let_go()

    def _let_go(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


class NoServer:
    """In place of `EmbeddedServer` on a host that only protects: nothing to start, to wait for or to end."""

    def wait_ready(self, identity: Path) -> list[str]:
        """Nothing to print; an `identity` that is there stays the courier's."""
        del identity
        return []

    def put_off(self) -> None:
        """It never failed."""

    def descriptors(self) -> list[int]:
        """None."""
        return []

    def wait_ms(self) -> int | None:
        """Nothing is due."""
        return None

    def attend(self, ready: set[int]) -> list[str]:
        """Nothing to say."""
        del ready
        return []

    def stop(self) -> None:
        """Nothing runs."""


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
