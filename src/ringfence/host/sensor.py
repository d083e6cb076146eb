"""A running sensor, seen from the program that starts it: the warden as a child, and the channel to it."""

import os
import subprocess
import sys
from dataclasses import dataclass, replace

from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.child import reported
from ringfence.host.marks import Place
from ringfence.host.sensor_state import SensorState
from ringfence.model.boot import Level
from ringfence.model.limits import PROCESS_READY_MS, PROCESS_RETIRE_MS, SHADOW_LONG_KNOWN_MS
from ringfence.model.verdict import Mode
from ringfence.wire import catalogue


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator asked for."""

    places: tuple[Place, ...]
    strict: bool
    fail_closed: tuple[str, ...]
    mode: Mode
    level: Level = Level.NORMAL
    """How far back the boot guard wants this boot to go."""

    haste: int = 1
    """How much faster the activation machine's time passes: 1, but in tests on the real kernel."""

    long_known_ms: int = SHADOW_LONG_KNOWN_MS
    """How long a file must have been unchanged before a trial to be long known to the host."""

    allow_unproven: bool = False
    """Whether the host takes releases that nobody has proven."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The release of the package: what the host falls back on when there is nothing else."""

    descriptor: int
    """A sealed memory file."""

    version: int


class Sensor:
    """The warden's parent."""

    def __init__(self, state: SensorState, wanted: Wanted, baseline: Baseline) -> None:
        self._state = state
        self._wanted = wanted
        self._baseline = baseline
        self._start()

    def _start(self) -> None:
        ours, theirs = Channel.pair()
        wanted, state = self._wanted, self._state
        baseline = self._baseline
        words = ["--warden-fd", str(theirs.fileno()), "--baseline-fd", str(baseline.descriptor)]
        words += ["--baseline-version", str(baseline.version), "--content", str(state.content)]
        words += ["--strict", str(int(wanted.strict)), "--mode", str(int(wanted.mode))]
        words += ["--mode-record", str(state.mode), "--haste", str(wanted.haste)]
        words += ["--level", str(int(wanted.level)), "--long-known-ms", str(wanted.long_known_ms)]
        words += ["--spool", str(state.spool), "--identity", str(state.identity), "--socket", str(state.socket)]
        words += ["--allow-unproven", str(int(wanted.allow_unproven))]
        for place in wanted.places:
            words += ["--place", place.spelled()]
        for path in wanted.fail_closed:
            words += ["--fail-closed", path]
        # a session of its own: a Ctrl-C on the terminal is for us, and we end it in order
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", "ringfence.programs.warden", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno(), baseline.descriptor],
            start_new_session=True,
            env={},
        )
        theirs.close()
        self._channel = ours

    @property
    def pid(self) -> int:
        """The warden's pid."""
        return self._process.pid

    def fileno(self) -> int:
        """The channel, for selectors: readable when the warden says something or is gone."""
        return self._channel.fileno()

    def wait_ready(self) -> None:
        """Return when the kernel's questions are being answered.  Raises what the sensor could not do."""
        self._channel.socket.settimeout(PROCESS_READY_MS / 1000)
        try:
            received = self._channel.receive()
        except ChannelClosed:
            received = None
        if received is not None and received.frame.type == catalogue.READY:
            self._channel.socket.settimeout(None)
            return
        self.stop()
        raise reported(received.frame.body if received is not None else b"")

    def hear(self) -> bool:
        """Take what the warden says; False when it is gone."""
        try:
            while self._channel.receive(wait=False) is not None:
                pass
        except ChannelClosed:
            return False
        return self._process.poll() is None

    def stop(self) -> None:
        """End the sensor with the host unblocked."""
        try:
            self._channel.try_send(catalogue.STOP, b"")
        except (ChannelClosed, OSError):
            pass
        try:
            self._process.wait(2 * PROCESS_RETIRE_MS / 1000)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its children die with it, and the kernel frees whoever waits
            self._process.wait()
        self._channel.close()

    def start_again(self) -> None:
        """After the warden's death: another one.  What the boot guard ordered was for the first."""
        self._process.wait()
        self._wanted = replace(self._wanted, level=Level.NORMAL)
        self._channel.close()
        self._start()

    def close(self) -> None:
        """Let go of the baseline."""
        os.close(self._baseline.descriptor)
