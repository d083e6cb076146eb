"""One machine under QEMU: start it, speak with it, pull its plug.

Software emulation is slow and uneven: every wait has a deadline that protects against a hang, and none says how fast
something is.
"""

import json
import os
import select
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from vm.image import Image

PATIENCE_S: Final = 600.0
MEMORY_MIB: Final = 1024
LOOK_S: Final = 0.05
KERNEL_WORDS: Final = (
    "console=ttyS0 quiet panic=5 nokaslr norandmaps mitigations=off tsc=reliable systemd.show_status=0"
    " systemd.log_target=journal"
)
"""`norandmaps`: what QEMU has translated of one process serves the next, which makes Python start in half the time."""

PROMPT: Final = b"(qemu) "
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class MachineError(Exception):
    """The machine does not do what it must: the case has failed."""


class Machine:
    """One virtual machine with its own disk over the image's."""

    def __init__(self, image: Image, disk: Path, words: str = "") -> None:
        self._image = image
        self.disk = disk
        self.words = words
        self._scratch = tempfile.TemporaryDirectory(prefix="ringfence-vm-")
        self._process: subprocess.Popen[bytes] | None = None
        self._port: socket.socket | None = None
        self._buffer = b""
        self._number = 0
        self._spent_s = 0.0
        self.took_s = 0.0
        """What the last command took, in the guest's time."""

        self.boots: list[str] = []
        """Names of the boots that said hello, in order."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.pull_the_plug()
        self._scratch.cleanup()

    @property
    def boot(self) -> str:
        """The kernel's name of the last boot that said hello, as the boot guard writes it."""
        return self.boots[-1].replace("-", "")

    @property
    def console(self) -> str:
        """What the kernel has said since the last start."""
        try:
            return Path(self._scratch.name, "console").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    @property
    def spent_s(self) -> float:
        """Processor seconds that its emulation has cost so far: how far it has come, on however busy a host."""
        return self._spent_s + self._spends_s()

    def _spends_s(self) -> float:
        if self._process is None:
            return 0.0
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def start(self, moment: str = "") -> None:
        """Switch it on, or go on from a moment that was kept on its disk."""
        port = Path(self._scratch.name, "port")
        port.unlink(missing_ok=True)
        words = ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"]  # it does not outlive the harness
        words += ["-machine", "q35", "-accel", "tcg,thread=single,tb-size=512", "-cpu", "Nehalem"]
        words += ["-smp", "1", "-m", str(MEMORY_MIB), "-nodefaults", "-display", "none"]
        words += ["-kernel", str(self._image.kernel), "-initrd", str(self._image.initrd)]
        words += ["-append", f"{KERNEL_WORDS} {self.words}"]
        words += ["-drive", f"file={self.disk},if=virtio,format=qcow2,cache=unsafe"]
        words += ["-serial", f"file:{self._scratch.name}/console", "-serial", f"unix:{port},server=on,wait=off"]
        words += ["-monitor", f"unix:{self._scratch.name}/monitor,server=on,wait=off"]
        words += ["-loadvm", moment] if moment else []
        with Path(self._scratch.name, "qemu").open("wb") as log:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        self._buffer = b""
        while True:
            connecting = socket.socket(socket.AF_UNIX)
            if connecting.connect_ex(str(port)) == 0:
                self._port = connecting
                return
            connecting.close()
            self._must_live(deadline)
            time.sleep(LOOK_S)

    def pull_the_plug(self) -> None:
        """The power goes."""
        if self._process is not None:
            self._spent_s += self._spends_s()
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._port is not None:
            self._port.close()
            self._port = None

    def keep(self, moment: str) -> None:
        """Keep this moment, memory and disk, under a name on the machine's disk.  Raises MachineError."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(PATIENCE_S)
            monitor.connect(f"{self._scratch.name}/monitor")
            said = _until_prompt(monitor)
            monitor.sendall(f"savevm {moment}\n".encode())
            said = _until_prompt(monitor)
        if b"Error" in said:
            raise MachineError(f"the moment is not kept: {said.decode(errors='replace')}")

    def wait_off(self) -> None:
        """Return when it has switched itself off.  Raises MachineError."""
        if self._process is None:
            return
        with select.epoll() as poll:
            process = os.pidfd_open(self._process.pid)
            poll.register(process)
            ended = poll.poll(PATIENCE_S)
            os.close(process)
        if not ended:
            raise MachineError(f"it does not switch itself off: {self.console[-800:]}")
        self.pull_the_plug()

    def wait_boot(self, patience_s: float = PATIENCE_S) -> str:
        """Return the name of the next boot when it says hello."""
        while True:
            said = self._hear(time.monotonic() + patience_s)
            if "hello" in said:
                self.boots.append(said["hello"])
                return str(said["hello"])

    def run(self, *words: str, timeout_s: float = 300.0) -> tuple[int, str]:
        """Exit status and output of a command in the guest.  A boot in between counts, and the command is lost: -2."""
        self._number += 1
        self._say({"number": self._number, "words": list(words), "timeout_s": timeout_s})
        deadline = time.monotonic() + PATIENCE_S + timeout_s
        while True:
            said = self._hear(deadline)
            if "hello" in said:
                self.boots.append(said["hello"])
                return -2, "the machine booted"
            if said.get("answer") == self._number:
                self.took_s = float(said["seconds"])
                return int(said["status"]), str(said["output"])

    def tell(self, *words: str) -> None:
        """Begin a command whose answer nobody waits for."""
        self._number += 1
        self._say({"number": self._number, "words": list(words), "timeout_s": 300.0})

    def must(self, *words: str, timeout_s: float = 300.0) -> str:
        """Output of a command that must succeed.  Raises MachineError."""
        status, output = self.run(*words, timeout_s=timeout_s)
        if status != 0:
            raise MachineError(f"{' '.join(words)} ended with {status}: {output[-1500:]}")
        return output

    def _say(self, value: dict[str, object]) -> None:
        if self._port is None:
            raise MachineError("the machine is off")
        self._port.sendall(json.dumps(value).encode() + b"\n")

    def _hear(self, deadline: float) -> dict[str, Any]:
        """The next line that is one; what a cut-off machine has begun to say is dropped."""
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                try:
                    return dict(json.loads(line[max(line.rfind(b'{"hello"'), 0) :]))
                except ValueError:
                    continue
            if self._port is None:
                raise MachineError("the machine is off")
            self._port.settimeout(1.0)
            try:
                more = self._port.recv(65_536)
            except TimeoutError:
                self._must_live(deadline)
                continue
            if not more:
                self._must_live(0)
            self._buffer += more

    def _must_live(self, deadline: float) -> None:
        if self._process is None or self._process.poll() is not None:
            said = Path(self._scratch.name, "qemu").read_text(errors="replace")
            raise MachineError(f"QEMU has ended: {said[-500:]}")
        if time.monotonic() > deadline:
            raise MachineError(f"no answer in time; the console's end: {self.console[-800:]}")


def _until_prompt(monitor: socket.socket) -> bytes:
    said = b""
    while not said.endswith(PROMPT):
        more = monitor.recv(65_536)
        if not more:
            raise MachineError(f"QEMU's monitor has closed: {said[-500:]!r}")
        said += more
    return said


def overlay(base: Path, disk: Path, form: str = "qcow2") -> Path:
    """A disk of its own over another."""
    disk.unlink(missing_ok=True)
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", form, "-b", str(base.resolve()), str(disk)]
    subprocess.run(words, check=True, env={**os.environ, "LC_ALL": "C"})
    return disk
