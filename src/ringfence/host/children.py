"""Starting the sensor's processes and connecting them: the hands of `decide/warden.py`.

Every child is a fork and exec of the interpreter with one module, isolated (`-I`), no terminal, no environment, and
exactly the descriptors named on its command line.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field

from ringfence.decide.activation_messages import Cause
from ringfence.decide.warden_messages import Kind
from ringfence.host import heartbeat, known_table
from ringfence.host.channel import Channel, ChannelClosed
from ringfence.host.disabled_rules import DisabledRules
from ringfence.host.heartbeat import Beat
from ringfence.host.marks import Place
from ringfence.model.conviction import Conviction
from ringfence.model.verdict import Mode
from ringfence.wire import catalogue
from ringfence.wire.conviction import encode_rules
from ringfence.wire.detections import GATE_SOCKET, RULE_TABLE
from ringfence.wire.sensor_reports import GateSocket, RuleTableNotice, encode_gate_socket, encode_rule_table_notice

MODULES = {
    Kind.ZYGOTE: "ringfence.programs.zygote",
    Kind.WATCHDOG: "ringfence.programs.watchdog",
    Kind.COURIER: "ringfence.programs.courier",
    Kind.GATE: "ringfence.programs.gate",
}


@dataclass(frozen=True, slots=True)
class Content:
    """One release given to this warden, counted from 1."""

    number: int
    descriptor: int
    """A sealed memory file with its bytes."""

    sha256: str
    name: bytes = b""
    """What its zygote says that it is, as soon as one has compiled it."""

    version: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """What does not change while the warden lives."""

    places: tuple[Place, ...]
    long_known_ms: int
    """How long a file must have been unchanged before a trial to be long known to the host."""

    strict: bool
    fail_closed: tuple[str, ...]
    spool: str
    identity: str
    allow_unproven: bool = False


@dataclass(slots=True)
class Child:
    """One process that was started."""

    serial: int
    kind: Kind
    process: "subprocess.Popen[bytes]"
    channel: Channel
    pidfd: int
    beat_descriptor: int = -1
    beat: Beat | None = None
    release: int = 0
    """Number of a zygote's release."""

    gate_id: int = 0
    courier_end: socket.socket | None = None
    """The courier's end of a gate's sighting channel, kept so that another courier can go on with it."""

    known: tuple[int, int] = (-1, -1)
    """A zygote's table of known hashes: writable and read-only descriptor."""

    rules_descriptor: int = -1
    counters: tuple[int, ...] = ()
    failure: str = ""
    cause: Cause | None = None
    """Why it was killed, where we know that better than its exit status tells."""

    is_expected: bool = False
    """Its end was ordered, and counts against nobody."""

    resident_bytes_max: int = 0
    """The most that a zygote and its scanners ever held."""

    @property
    def pid(self) -> int:
        """Its pid."""
        return self.process.pid


@dataclass(slots=True)
class Children:
    """All children by serial."""

    setting: Setting
    contents: dict[int, Content]
    disabled: DisabledRules
    """The rules that this host leaves out."""

    by_serial: dict[int, Child] = field(default_factory=dict)
    findings: tuple[socket.socket, socket.socket] = field(
        default_factory=lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    )
    """Scanners' end and courier's end.  The warden keeps both: a courier that dies leaves its queue to the next."""

    activated_ns: dict[int, int] = field(default_factory=dict)
    """Release -> wall time at which the first gate took scanners with it."""

    active_release: int = 0
    replayer: "subprocess.Popen[bytes] | None" = None
    _ending: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    def of(self, kind: Kind) -> list[Child]:
        """Every living child of a kind."""
        return [one for one in self.by_serial.values() if one.kind is kind]

    def start(self, serial: int, kind: Kind, release: int, mode: Mode) -> Child:
        """Start a process."""
        ours, theirs = Channel.pair()
        arguments = ["--warden-fd", str(theirs.fileno())]
        passed = [theirs.fileno()]
        extra: dict[str, object] = {}
        closing: list[int] = []
        more: list[str] = []
        inherits: list[int] = []
        if kind is not Kind.COURIER:
            beat = heartbeat.create()
            extra |= {"beat_descriptor": beat, "beat": Beat(beat)}
            arguments += ["--beat-fd", str(beat)]
            passed.append(beat)
        match kind:
            case Kind.GATE:
                more, inherits, extra_gate = self._gate_arguments(mode)
                extra |= extra_gate
                closing = inherits
            case Kind.ZYGOTE:
                more, inherits, extra_zygote = self._zygote_arguments(release)
                extra |= extra_zygote
            case Kind.COURIER:
                more, inherits = self._courier_arguments()
            case Kind.WATCHDOG:
                pass
        process = _popen(MODULES[kind], [*arguments, *more], [*passed, *inherits])
        theirs.close()
        for descriptor in closing:
            os.close(descriptor)
        child = Child(serial, kind, process, ours, os.pidfd_open(process.pid), **extra)  # type: ignore[arg-type]
        self.by_serial[serial] = child
        self._introduce(child)
        return child

    def _gate_arguments(self, mode: Mode) -> tuple[list[str], list[int], dict[str, object]]:
        gate_end, courier_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gate_id = secrets.randbits(63) | 1
        words = ["--courier-fd", str(gate_end.fileno()), "--gate-id", str(gate_id), "--mode", str(int(mode))]
        words += ["--strict", str(int(self.setting.strict))]
        for place in self.setting.places:
            words += ["--place", place.spelled()]
        for path in self.setting.fail_closed:
            words += ["--fail-closed", path]
        return words, [gate_end.detach()], {"gate_id": gate_id, "courier_end": courier_end}

    def _zygote_arguments(self, release: int) -> tuple[list[str], list[int], dict[str, object]]:
        content = self.contents[release]
        known = known_table.create()
        words = ["--content-fd", str(content.descriptor), "--sha256", content.sha256]
        words += ["--known-fd", str(known[1]), "--release-index", str(release)]
        words += ["--allow-unproven", str(int(self.setting.allow_unproven))]
        for rule in sorted(self.disabled.of(content.sha256)):
            words += ["--left-out", str(rule)]
        return words, [content.descriptor, known[1]], {"known": known, "release": release}

    def _courier_arguments(self) -> tuple[list[str], list[int]]:
        findings = self.findings[1].fileno()
        words = ["--findings-fd", str(findings), "--spool", self.setting.spool, "--identity", self.setting.identity]
        return words, [findings]

    def _introduce(self, child: Child) -> None:
        """Tell a new process about those that it works with, and those about it."""
        if child.kind is Kind.COURIER:
            for gate in self.of(Kind.GATE):
                self._give_gate(child, gate)
            for zygote in self.of(Kind.ZYGOTE):
                self.give_rules(zygote, [child])
        elif child.kind is Kind.GATE:
            for courier in self.of(Kind.COURIER):
                self._give_gate(courier, child)
        elif child.kind is Kind.ZYGOTE:
            self._send(child, catalogue.USE_FINDINGS, b"", (self.findings[0].fileno(),))

    def _give_gate(self, courier: Child, gate: Child) -> None:
        if gate.courier_end is not None:
            body = encode_gate_socket(GateSocket(gate.gate_id))
            self._send(courier, GATE_SOCKET, body, (gate.courier_end.fileno(),))

    def give_rules(self, zygote: Child, couriers: list[Child] | None = None) -> None:
        """Give the rule table of a zygote's release to the courier."""
        if zygote.rules_descriptor < 0:
            return
        number = zygote.release
        for courier in self.of(Kind.COURIER) if couriers is None else couriers:
            body = encode_rule_table_notice(RuleTableNotice(number))
            self._send(courier, RULE_TABLE, body, (zygote.rules_descriptor,))

    def connect(self, gate: Child, zygote: Child, conviction: Conviction) -> None:
        """Let a gate take its scanners from a zygote, with what the breaker has tripped for its release."""
        gate_end, zygote_end = Channel.pair()
        number = zygote.release
        # the first connection is the activation; a gate or zygote that is replaced later does not make files older
        activated_ns = self.activated_ns.setdefault(number, time.time_ns())
        rules = encode_rules(conviction.rules)
        body = catalogue.USE_ZYGOTE_BODY.pack(activated_ns, number, conviction.whole_release, rules)
        self._send(zygote, catalogue.ADOPT_GATE, b"", (zygote_end.fileno(),))
        self._send(gate, catalogue.USE_ZYGOTE, body, (gate_end.fileno(), zygote.known[0]))
        gate_end.close()
        zygote_end.close()

    def forget_releases(self, kept: set[int]) -> None:
        """Let go of the contents of every other release."""
        for number in set(self.contents) - kept:
            os.close(self.contents.pop(number).descriptor)
            self.activated_ns.pop(number, None)

    def disconnect(self, gate: Child) -> None:
        """Let a gate have no scanners: nothing is to run."""
        self._send(gate, catalogue.DISCONNECT, b"", ())

    def begin_shadow(self, gate: Child, candidate: Child, active: Child) -> None:
        """Let a gate compare a candidate with the active release, with a scanner of each for this alone."""
        self._end_replayer()
        ends = [Channel.pair() for _ in range(3)]
        for zygote, (_, theirs) in zip((candidate, active), ends, strict=False):
            self._send(zygote, catalogue.ADOPT_GATE, b"", (theirs.fileno(),))
        self.replayer = self._start_replayer(ends[2][1])
        old_before_ns = time.time_ns() - self.setting.long_known_ms * 1_000_000
        body = catalogue.SHADOW_BODY.pack(candidate.release, old_before_ns)
        self._send(gate, catalogue.SHADOW, body, tuple(ours.fileno() for ours, _ in ends))
        for ours, theirs in ends:
            ours.close()
            theirs.close()

    def end_shadow(self) -> None:
        """Let no gate compare any longer."""
        for gate in self.of(Kind.GATE):
            self.tell(gate, catalogue.END_SHADOW)
        self._end_replayer()

    def _start_replayer(self, gate_end: Channel) -> "subprocess.Popen[bytes]":
        ours, theirs = Channel.pair()
        words = ["--warden-fd", str(theirs.fileno()), "--gate-fd", str(gate_end.fileno())]
        for place in self.setting.places:
            words += ["--place", place.path]
        try:
            return _popen("ringfence.programs.replayer", words, [theirs.fileno(), gate_end.fileno()])
        finally:
            theirs.close()
            ours.close()  # it has nothing to say to us

    def _end_replayer(self) -> None:
        if self.replayer is not None:
            self.replayer.kill()
            self._ending.append(self.replayer)
            self.replayer = None
        self.reap_replayers()

    def reap_replayers(self) -> None:
        """Bury those that have ended; one that waits for a dead disk is not waited for."""
        self._ending = [one for one in self._ending if one.poll() is None]

    def convict(self, gate: Child, release: int, conviction: Conviction) -> None:
        """Tell a gate what the breaker has tripped."""
        rules = encode_rules(conviction.rules)
        self.tell(gate, catalogue.CONVICT, catalogue.CONVICT_BODY.pack(release, conviction.whole_release, rules))

    def watch(self, watcher: Child, gate: Child) -> None:
        """Let a watcher see a gate's life and beat."""
        self._send(watcher, catalogue.WATCH, b"", (gate.pidfd, gate.beat_descriptor))

    def give_updater(self, courier: Child, descriptor: int) -> None:
        """Let the courier fetch for the updater at the other end of this socket."""
        self._send(courier, catalogue.UPDATER_SOCKET, b"", (descriptor,))

    def tell(self, child: Child, frame_type: int, body: bytes = b"") -> None:
        """Send a frame without descriptors."""
        self._send(child, frame_type, body, ())

    def _send(self, child: Child, frame_type: int, body: bytes, descriptors: tuple[int, ...]) -> None:
        """Send without waiting.  A process that does not read its frames is replaced."""
        try:
            if not child.channel.try_send(frame_type, body, descriptors):
                self.kill(child)
        except ChannelClosed:
            pass  # it is dying; its death is an event of its own

    def kill(self, child: Child) -> None:
        """SIGKILL by pidfd."""
        try:
            signal.pidfd_send_signal(child.pidfd, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def forget(self, child: Child) -> int:
        """Reap a dead child and close what was its.  Returns its exit status as `Popen.returncode` gives it."""
        status = child.process.wait()
        del self.by_serial[child.serial]
        child.channel.close()
        if child.courier_end is not None:
            child.courier_end.close()
        for descriptor in (child.pidfd, child.beat_descriptor, *child.known, child.rules_descriptor):
            if descriptor >= 0:
                os.close(descriptor)
        return status


def _popen(module: str, words: list[str], descriptors: list[int]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-I", "-m", module, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=descriptors,
        env={},
    )
