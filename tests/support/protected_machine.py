"""A real `ringfence up`: the sensor on a real directory and its console, started as a person starts them."""

import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from tests.support.real_server import RealServer

from ringfence.host.places import is_mount_point

_RINGFENCE: Final = (sys.executable, "-m", "ringfence.programs.cli")
_PATIENCE_S: Final = 60
"""Hang protection, not an expectation."""


@dataclass(frozen=True, slots=True)
class ProtectedMachine:
    """The process of `ringfence up`, and its console with the log-in that was printed."""

    pid: int
    console: RealServer


@contextmanager
def protected_machine(tree: Path, state: Path) -> Iterator[ProtectedMachine]:
    """Protect `tree` in enforce mode, once `ready` was printed.  At the end nothing of it is left, however it ended."""
    words = ("--state", str(state), "--protect", str(tree), "--listen", "127.0.0.1:0", "--mode", "enforce")
    with subprocess.Popen([*_RINGFENCE, "up", *words], stdout=subprocess.PIPE, bufsize=0) as process:
        try:
            assert process.stdout is not None
            yield ProtectedMachine(process.pid, _announced(process.stdout, state))
        finally:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
            if is_mount_point(str(tree)):  # it was killed
                subprocess.run(["umount", "-l", str(tree)], check=True)


def _announced(output: IO[bytes], state: Path) -> RealServer:
    """The console, from what `up` prints until it is ready."""
    limit = time.monotonic() + _PATIENCE_S
    lines: list[str] = []
    while lines[-1:] != ["ready\n"]:
        assert select.select([output], [], [], max(0, limit - time.monotonic()))[0], "it never got ready"
        line = output.readline()
        assert line, "it ended before it was ready"
        lines.append(line.decode())
    text = "".join(lines)
    address = re.search(r"^console: (\S+)$", text, re.MULTILINE)
    login = re.search(r"user (\S+), password (\S+) ", text)
    assert address is not None
    assert login is not None
    return RealServer(state, address[1], state / "server" / "ca.pem", login[1], login[2])
