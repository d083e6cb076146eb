"""The warden's loop against children and operators that break the protocol: it goes on, they do not."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.decide import warden as machine
from ringfence.decide import warden_messages as messages
from ringfence.decide.activation_messages import Cause
from ringfence.decide.warden_messages import Kind, Process, Stage
from ringfence.host import heartbeat, operator_socket, warden_status
from ringfence.host.activation_driver import now_ms
from ringfence.host.channel import Channel
from ringfence.host.child import Arguments, reported
from ringfence.host.children import Child, Content
from ringfence.host.heartbeat import Beat
from ringfence.host.supervision import silence_of
from ringfence.model import limits
from ringfence.model.errors import ContentRefused
from ringfence.model.verdict import Mode
from ringfence.programs.warden import BEAT_STALE_MS, Warden
from ringfence.wire import catalogue
from ringfence.wire.sensor_reports import decode_status_report

READY = catalogue.READY_PLAINLY
COMPILED = catalogue.READY_BODY.pack(1, bytes(32), 1, b"live")
"""A zygote's word."""


class Stage1:
    """A warden that has started nothing, and the parent's end."""

    def __init__(self, directory: Path) -> None:
        self.content = operator_socket.sealed(b"release")
        ours, self.parent = Channel.pair()
        words = {
            "baseline-fd": self.content,
            "baseline-version": 1,
            "content": directory,
            "mode-record": directory / "mode",
            "haste": 1,
            "allow-unproven": 0,
            "level": 0,
            "long-known-ms": limits.SHADOW_LONG_KNOWN_MS,
            "mode": int(Mode.ENFORCE),
            "strict": 0,
            "spool": directory / "spool",
            "identity": directory / "identity.json",
            "socket": directory / "warden.sock",
            "place": "mount:/srv",
        }
        pairs = [word for name, value in words.items() for word in (f"--{name}", str(value))]
        self.socket = str(directory / "warden.sock")
        (directory / "releases").mkdir()
        self.warden = Warden(Arguments(pairs), ours)
        self.steps: list[messages.Event] = []
        setattr(self.warden, "_step", self.steps.append)  # noqa: B010 - what the machine would do is tested elsewhere
        self.children: list[tuple[Child, Channel]] = []
        self.warden._children.contents[1] = Content(1, os.dup(self.content), "0" * 64)

    def child(self, kind: Kind, stage: Stage = Stage.READY) -> tuple[Child, Channel]:
        """A child of that kind, which is really only a sleeping process."""
        serial = 10 + len(self.children)
        ours, theirs = Channel.pair()
        process = subprocess.Popen(["sleep", "60"])
        beat = heartbeat.create()
        child = Child(serial, kind, process, ours, os.pidfd_open(process.pid), beat, Beat(beat), release=1)
        self.warden._children.by_serial[serial] = child
        self.warden._selector.register(ours, 1, child)
        state = self.warden._state
        known = Process(serial, kind, stage, 0, 0)
        self.warden._state = machine.WardenState(mode=state.mode, processes=(*state.processes, known))
        self.children.append((child, theirs))
        return child, theirs

    def close(self) -> None:
        for child, theirs in self.children:
            child.process.kill()
            if child.serial in self.warden._children.by_serial:
                self.warden._children.forget(child)
            theirs.close()
        self.warden._server.close()
        self.warden._selector.close()
        for end in self.warden._children.findings:
            end.close()
        for channel in (self.parent, self.warden._parent):
            channel.close()
        os.close(self.warden._children.contents[1].descriptor)
        os.close(self.content)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage1]:
    stage = Stage1(tmp_path)
    yield stage
    stage.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def killed(child: Child) -> bool:
    """Whether it was killed; a sleeping process does not end otherwise."""
    try:
        return child.process.wait(0.2) < 0
    except subprocess.TimeoutExpired:
        return False


@pytest.mark.parametrize("kind", list(Kind))
def test_ready_is_heard_from_everybody(stage: Stage1, kind: Kind) -> None:
    child, theirs = stage.child(kind)
    rules = os.memfd_create("rules") if kind is Kind.ZYGOTE else -1
    theirs.send(catalogue.READY, *((COMPILED, (rules,)) if rules >= 0 else (READY,)))
    stage.warden._hear(child)
    assert stage.steps == [messages.BecameReady(child.serial)]
    assert child.process.poll() is None
    if rules >= 0:
        os.close(rules)


@pytest.mark.parametrize("kind", [Kind.COURIER, Kind.ZYGOTE, Kind.WATCHDOG])
@pytest.mark.parametrize(
    ("frame_type", "body"),
    [
        (catalogue.ARMED, b""),
        (catalogue.COUNTS, bytes(catalogue.COUNTS_BODY.size)),
        (catalogue.BREAKER, catalogue.BREAKER_BODY.pack(2, 0, 1)),
        (catalogue.STOP, b""),
        (catalogue.MODE, catalogue.MODE_BODY.pack(Mode.OBSERVE)),
        (9_999, b""),
    ],
)
def test_who_says_what_is_not_his_to_say_is_killed(stage: Stage1, kind: Kind, frame_type: int, body: bytes) -> None:
    """A courier, which reads the network, must not convict a release or pass for a gate."""
    child, theirs = stage.child(kind)
    theirs.send(frame_type, body)
    stage.warden._hear(child)
    assert stage.steps == []
    assert killed(child)


@pytest.mark.parametrize("kind", list(Kind))
def test_descriptors_that_nobody_asked_for_are_closed(stage: Stage1, kind: Kind) -> None:
    """Who could leave descriptors behind could end the warden, and with it the protection."""
    for frame_type, body in ((catalogue.READY, READY), (catalogue.FAILED, b"internal\nx\ny"), (9_999, b"")):
        child, theirs = stage.child(kind)
        before = open_descriptors()
        theirs.send(frame_type, body, (0, 1, 2))
        stage.warden._hear(child)
        assert open_descriptors() == before
        assert killed(child)


def test_a_zygote_brings_its_rules_once(stage: Stage1) -> None:
    child, theirs = stage.child(Kind.ZYGOTE)
    rules = os.memfd_create("rules")
    for _ in range(2):
        theirs.send(catalogue.READY, COMPILED, (rules,))
    os.close(rules)
    stage.warden._hear(child)
    assert stage.steps == [messages.BecameReady(child.serial)]
    assert killed(child)


@pytest.mark.parametrize("name", [b"\x1b[2J", b"two words", b"\xff"])
def test_a_release_whose_name_would_not_print_is_not_taken(stage: Stage1, name: bytes) -> None:
    child, theirs = stage.child(Kind.ZYGOTE)
    rules = os.memfd_create("rules")
    theirs.send(catalogue.READY, catalogue.READY_BODY.pack(1, bytes(32), 1, name), (rules,))
    os.close(rules)
    stage.warden._hear(child)
    assert stage.steps == []
    assert killed(child)


def test_operators_are_answered_when_everybody_has_counted_or_in_time(
    stage: Stage1, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, from_gate = stage.child(Kind.GATE, Stage.ARMED)
    courier, from_courier = stage.child(Kind.COURIER)
    counted = dict.fromkeys(catalogue.GATE_COUNTERS, 0) | {"scanner_restarts": 3, "sightings_queued": 8}
    for is_late in (False, True):
        end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end.settimeout(5)
        operator = Channel(end)
        operator_socket.connect(end, stage.socket)
        operator.send(catalogue.STATUS, b"")
        stage.warden._hear_operators()
        from_gate.send(catalogue.COUNTS, catalogue.COUNTS_BODY.pack(*counted.values()))
        stage.warden._hear(gate)
        assert operator.receive(wait=False) is None
        if is_late:
            monkeypatch.setattr(limits, "QUESTION_DEADLINE_MS", -1)
            stage.warden._supervise()
        else:
            from_courier.send(catalogue.SPOOL_COUNTS, catalogue.SPOOL_COUNTS_BODY.pack(4_096, 7))
            stage.warden._hear(courier)
        received = operator.receive()
        operator.close()
        assert received is not None
        report = decode_status_report(received.frame.body)
        told = {one.name.decode(): one.value for one in report.counters}
        assert (told["courier_spool_bytes"], told["courier_spool_records"]) == (4_096, 7)
        assert told["sightings_queued"] == 8


@pytest.mark.parametrize("message", [b"x", b"\xff" * 20])
def test_who_babbles_is_killed(stage: Stage1, message: bytes) -> None:
    child, theirs = stage.child(Kind.COURIER)
    theirs.socket.send(message)
    stage.warden._hear(child)
    assert killed(child)


def test_who_never_stops_talking_keeps_nobody_waiting(stage: Stage1, monkeypatch: pytest.MonkeyPatch) -> None:
    child, theirs = stage.child(Kind.COURIER)
    sound = Channel.receive

    def receive(channel: Channel, *, wait: bool = True) -> object:
        theirs.try_send(catalogue.READY, READY)
        return sound(channel, wait=wait)

    monkeypatch.setattr(Channel, "receive", receive)
    stage.warden._hear(child)
    assert len(stage.steps) <= limits.FRAMES_PER_TURN_MAX


@pytest.mark.parametrize(
    ("frame_type", "body"),
    [
        (catalogue.MODE, catalogue.MODE_BODY.pack(0)),
        (catalogue.MODE, catalogue.MODE_BODY.pack(9)),
        (catalogue.MODE, b""),
        (catalogue.LOAD, b""),
        (catalogue.READY, READY),
        (9_999, b""),
    ],
)
def test_an_operator_who_says_nonsense_is_sent_away(stage: Stage1, frame_type: int, body: bytes) -> None:
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    operator = Channel(end)
    operator_socket.connect(end, stage.socket)
    before = open_descriptors()
    operator.send(frame_type, body, (0, 1, 2))
    stage.warden._hear_operators()
    end.settimeout(5)
    assert end.recv(10) == b""
    assert open_descriptors() == before
    operator.close()
    assert stage.steps == []


def test_a_parent_that_is_gone_is_the_end_told_once(stage: Stage1) -> None:
    stage.warden._selector.register(stage.warden._parent, 1, None)
    stage.parent.close()
    for _ in range(3):
        stage.warden._hear_parent()
    assert stage.steps == [messages.StopWanted()]
    stage.warden._nobody.close()


def test_a_signal_in_the_middle_of_a_step_is_not_lost(stage: Stage1, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    delattr(stage.warden, "_step")  # the real one
    sound = machine.step

    def step(
        state: machine.WardenState, event: messages.Event, now_ms: int
    ) -> tuple[machine.WardenState, tuple[messages.Command, ...]]:
        if isinstance(event, messages.Tick):
            signal.raise_signal(signal.SIGTERM)
        return sound(state, event, now_ms)

    monkeypatch.setattr(machine, "step", step)
    stage.warden.stop_on(signal.SIGTERM)
    try:
        stage.warden._step(messages.Tick())
        for _ in range(2):
            stage.warden._hear_signal()
            assert stage.warden._state.stopping
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("kind", [Kind.WATCHDOG, Kind.GATE, Kind.ZYGOTE])
@pytest.mark.parametrize("process_stage", [Stage.READY, Stage.ARMING, Stage.ARMED])
def test_a_stale_beat_is_noticed(
    stage: Stage1, kind: Kind, process_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also that of a standby, and of a gate that hangs while it arms: nobody else watches those."""
    child, _ = stage.child(kind, process_stage)
    stage.warden._supervise()
    assert stage.steps == []
    monkeypatch.setattr(Beat, "age_ms", lambda _: max(BEAT_STALE_MS.values()) + 1)
    begin_ms = now_ms()
    for look in range(1, limits.STALE_LOOKS_MIN + 1):
        assert stage.steps == []
        at_ms = begin_ms + look * limits.WARDEN_TICK_MS
        monkeypatch.setattr("ringfence.programs.warden.now_ms", lambda at_ms=at_ms: at_ms)
        for _ in range(limits.STALE_LOOKS_MIN + 1):  # looks that follow at once are one look
            stage.warden._supervise()
    assert stage.steps == [messages.BeatStale(child.serial)]
    assert child.cause is Cause.HUNG


def test_who_was_stopped_by_somebody_is_not_to_blame_for_his_silence(stage: Stage1) -> None:
    child, _ = stage.child(Kind.ZYGOTE)
    assert silence_of(child) is Cause.HUNG
    os.kill(child.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED)
    assert silence_of(child) is Cause.KILLED


def test_who_has_not_started_beats_not(stage: Stage1, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.child(Kind.GATE, Stage.STARTING)
    monkeypatch.setattr(Beat, "age_ms", lambda _: 10**9)
    stage.warden._supervise()
    assert stage.steps == []


def test_a_fat_scanner_that_is_gone_already_ends_nobody(stage: Stage1, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.child(Kind.ZYGOTE)
    gone = subprocess.Popen(["true"])
    gone.wait()
    monkeypatch.setattr(warden_status, "scanner_pids", lambda _: [gone.pid])
    resident = {gone.pid: limits.SCANNER_RESIDENT_BYTES_MAX + 1}
    monkeypatch.setattr(warden_status, "resident_bytes", lambda pid: resident.get(pid, 0))
    stage.warden._supervise()
    assert stage.steps == []


def test_a_scanners_memory_is_what_it_has_beyond_its_zygotes(
    stage: Stage1, monkeypatch: pytest.MonkeyPatch
) -> None:
    zygote, _ = stage.child(Kind.ZYGOTE)
    fat, shares = subprocess.Popen(["sleep", "60"]), subprocess.Popen(["sleep", "60"])
    compiled = limits.ZYGOTE_RESIDENT_BYTES_MAX - 1
    resident = {
        zygote.pid: compiled,
        fat.pid: compiled + limits.SCANNER_RESIDENT_BYTES_MAX + 1,
        shares.pid: compiled + limits.SCANNER_RESIDENT_BYTES_MAX,
    }
    monkeypatch.setattr(warden_status, "scanner_pids", lambda _: [fat.pid, shares.pid])
    monkeypatch.setattr(warden_status, "resident_bytes", resident.__getitem__)
    stage.warden._supervise()
    assert fat.wait(5) < 0
    assert shares.poll() is None
    assert zygote.process.poll() is None
    shares.kill()
    shares.wait()


@pytest.mark.parametrize("process_stage", [Stage.STARTING, Stage.READY])
def test_a_zygote_that_takes_too_much_is_ended_and_its_release_refused(
    stage: Stage1, monkeypatch: pytest.MonkeyPatch, process_stage: Stage
) -> None:
    zygote, _ = stage.child(Kind.ZYGOTE, process_stage)
    monkeypatch.setattr(warden_status, "resident_bytes", lambda _: limits.ZYGOTE_RESIDENT_BYTES_MAX + 1)
    stage.warden._supervise()
    assert killed(zygote)
    stage.warden._reap()
    error = reported(stage.warden._notes.last_refusal.encode())
    assert isinstance(error, ContentRefused)
    assert "memory" in error.what


def test_a_release_whose_zygote_left_no_words_is_refused_with_words_of_its_own(stage: Stage1) -> None:
    for words in ("content-refused\nof the release before\nx", ""):
        zygote, _ = stage.child(Kind.ZYGOTE)
        zygote.failure = words
        zygote.process.kill()
        zygote.process.wait()
        stage.warden._reap()
    error = reported(stage.warden._notes.last_refusal.encode())
    assert isinstance(error, ContentRefused)
    assert "signal 9" in error.what
