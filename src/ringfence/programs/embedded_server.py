"""The control plane as a child of `ringfence up`, and this machine's enrolment with it."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from ringfence.host.enrolment import enrol_once
from ringfence.host.sandbox import die_with_parent
from ringfence.model.errors import MachineError
from ringfence.model.limits import SERVER_READY_MS


class EmbeddedServer:
    """`ringfence server` on the same state directory."""

    def __init__(self, state: Path, listen: str) -> None:
        self._state = state
        self._listen = listen
        self._process = self._start()
        self.pidfd = os.pidfd_open(self._process.pid)
        self._address = ""

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [
                sys.executable, "-I", "-m", "ringfence.programs.cli",
                "server", "--state", str(self._state), "--listen", self._listen, "--json",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C on the terminal is for us, and we end it in order
            preexec_fn=die_with_parent,  # noqa: PLW1509 - we have one thread
        )

    def wait_ready(self, identity: Path) -> list[str]:
        """Wait until it answers, enrol this machine if it is not; the lines to print.

        Raises MachineError when it does not start; its own words are on standard error already.
        """
        started = self._announcement()
        self._address = str(started["address"])
        self._listen = str(started["listen"])
        enrol_once(
            identity, self._address, Path(str(started["ca_certificate"])), self._state / "server/enrolment.token"
        )
        lines = [f"console: {self._address}"]
        if started.get("first_password"):
            user, password = started["first_user"], started["first_password"]
            lines.append(f"first login: user {user}, password {password} (shown only this once)")
        return lines

    def _announcement(self) -> dict[str, Any]:
        pipe = self._process.stdout
        if pipe is None:
            raise AssertionError("started with a pipe")
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        line = pipe.readline() if poll.poll(SERVER_READY_MS) else b""
        if not line:
            self.stop()
            raise SystemExit(self._process.returncode or MachineError.exit_status)  # it has said why on standard error
        announced: dict[str, Any] = json.loads(line)
        return announced

    def start_again(self) -> None:
        """After its death: another one on the same address."""
        self._process.wait()
        os.close(self.pidfd)
        self._process = self._start()
        self.pidfd = os.pidfd_open(self._process.pid)

    def stop(self) -> None:
        """End it in order."""
        self._process.terminate()
        try:
            self._process.wait(SERVER_READY_MS / 1000)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
