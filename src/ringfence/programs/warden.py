"""The warden: root, tiny; starts, connects, supervises and replaces the others.  It reads fixed frames only.

Every decision is `decide/warden.py`'s, and `decide/activation.py`'s where it is about releases; this loop turns what
happens into events and commands into acts.
"""

import os
import selectors
import signal
from dataclasses import replace
from pathlib import Path

from ringfence.decide import warden as machine
from ringfence.decide import warden_messages as messages
from ringfence.decide.activation_messages import Guard
from ringfence.decide.warden_messages import Kind, NoteKind
from ringfence.host import operator_socket, warden_status
from ringfence.host.activation_disk import ActivationDisk
from ringfence.host.activation_driver import ActivationDriver, now_ms
from ringfence.host.channel import Channel, ChannelClosed, Received, close_all
from ringfence.host.child import Arguments, failure_text, run_child
from ringfence.host.children import Child, Children, Content, Setting
from ringfence.host.disabled_rules import DisabledRules
from ringfence.host.marks import place_of
from ringfence.host.release_store import ReleaseStore
from ringfence.host.rule_questions import RuleQuestions
from ringfence.host.sandbox import die_with_parent
from ringfence.host.supervision import bound_memory, silence_of, tripped
from ringfence.host.warden_notes import Notes
from ringfence.host.warden_updates import WardenUpdates
from ringfence.model import limits
from ringfence.model.boot import Level
from ringfence.model.errors import DiskFull, FrameRefused, RingfenceError
from ringfence.model.fault import Finding
from ringfence.model.records import HostEventKind
from ringfence.model.verdict import Mode
from ringfence.wire import catalogue
from ringfence.wire.attribution import Examined, decode_examined
from ringfence.wire.detections import STATUS_REPORT
from ringfence.wire.frames import WAY_OUT, unpack_exact

FROM_CHILDREN = {
    catalogue.READY: frozenset(Kind),
    catalogue.FAILED: frozenset(Kind),
    catalogue.ARMED: frozenset({Kind.GATE}),
    catalogue.COUNTS: frozenset({Kind.GATE}),
    catalogue.BREAKER: frozenset({Kind.GATE}),
    catalogue.FAULT: frozenset({Kind.GATE}),
    catalogue.SHADOW_COUNTS: frozenset({Kind.GATE}),
    catalogue.SPOOL_COUNTS: frozenset({Kind.COURIER}),
    catalogue.GUILT: frozenset({Kind.ZYGOTE}),
    catalogue.RULES_ANSWER: frozenset({Kind.ZYGOTE}),
}
"""Who may say what to the warden: the catalogue's rows, by the process's kind."""

BEAT_STALE_MS = {
    Kind.WATCHDOG: limits.HEARTBEAT_STALE_MS,
    Kind.GATE: limits.STANDBY_STALE_MS,
    Kind.ZYGOTE: limits.ZYGOTE_STALE_MS,
}
"""Age of a beat at which the warden kills.  The watchdog is quicker with the gate that it watches; this is for
standbys, for a gate that is just arming, and for one whose watchdog is gone."""


class Warden:
    """The loop."""

    def __init__(self, arguments: Arguments, parent: Channel) -> None:
        setting = Setting(
            places=tuple(place_of(text) for text in arguments.every("place")),
            long_known_ms=arguments.number("long-known-ms"),
            strict=arguments.one("strict") == "1",
            fail_closed=tuple(arguments.every("fail-closed")),
            spool=arguments.one("spool"),
            identity=arguments.one("identity"),
            allow_unproven=arguments.one("allow-unproven") == "1",
        )
        directory = Path(arguments.one("content"))
        self._children = Children(setting, {}, DisabledRules(directory / "disabled"))
        self._disk = ActivationDisk(str(directory), arguments.one("mode-record"))
        self._given_mode = Mode(arguments.number("mode"))
        self._state = machine.WardenState(mode=self._disk.wanted_mode(self._given_mode), release=0, wanted=0)
        self._parent = parent
        self._notes = Notes(parent, self._children)
        self._selector = selectors.DefaultSelector()
        self._server = operator_socket.listen(arguments.one("socket"))
        store = ReleaseStore(str(directory / "releases"))
        self._driver = ActivationDriver(
            self._disk,
            store,
            self._children,
            self._notes,
            _baseline(arguments),
            self._step,
            lambda: self._state,
            self._disk.conviction_of,
            Guard(Level(arguments.number("level")).word),
            arguments.number("haste"),
        )
        self._updates = WardenUpdates(str(directory), store, self._children, self._driver, self._notes)
        self._asking: list[Channel] = []
        self._asked_ms = 0
        self._counting: set[int] = set()
        self._rule_questions = RuleQuestions()
        self._reported_ms = 0
        self._looked_ms = 0
        self._stop_wanted = False

    def run(self) -> None:
        """Until the last child is gone after a stop."""
        self._selector.register(self._server, selectors.EVENT_READ, None)
        self._selector.register(self._parent, selectors.EVENT_READ, None)
        self._step(messages.Begin())
        self._driver.begin()
        while not (self._state.stopping and not self._children.by_serial):
            for key, _ in self._selector.select(limits.WARDEN_TICK_MS / 1000):
                if key.data is not None:
                    self._hear(key.data)
            self._reap()
            self._hear_signal()
            self._hear_parent()
            self._hear_operators()
            self._supervise()
            self._step(messages.Tick())
            if not self._state.stopping:
                self._driver.tick()
                self._updates.runner.turn()
            self._report_status()
        self._disk.end_life()

    def stop_on(self, number: int) -> None:
        """End in order on this signal.  It may come in the middle of a step: the handler only leaves a word."""

        def leave_word(*_: object) -> None:
            self._stop_wanted = True

        signal.signal(number, leave_word)

    def _hear_signal(self) -> None:
        if self._stop_wanted:
            self._stop_wanted = False
            self._step(messages.StopWanted())

    def _step(self, event: messages.Event) -> None:
        self._state, commands = machine.step(self._state, event, now_ms())
        for command in commands:
            self._do(command)

    def _do(self, command: messages.Command) -> None:
        children = self._children
        match command:
            case messages.Start(serial, kind, release):
                child = children.start(serial, kind, release, self._state.mode)
                self._selector.register(child.channel, selectors.EVENT_READ, child)
            case messages.Kill(serial) if serial in children.by_serial:
                self._kill(children.by_serial[serial])
            case messages.Arm(serial):
                self._tell(serial, catalogue.ARM)
            case messages.Retire(serial):
                self._tell(serial, catalogue.RETIRE)
            case messages.SetMode(gate, mode):
                self._tell(gate, catalogue.SET_MODE, catalogue.MODE_BODY.pack(mode))
            case messages.Connect() | messages.Disconnect() | messages.Convict() | messages.WatchGate():
                self._introduce(command)
            case messages.KeepMode() | messages.KeepConviction():
                self._keep(command)
            case messages.Note():
                self._note(command)
            case _:
                pass

    def _kill(self, child: Child) -> None:
        """End a process.  Nobody is to blame, unless it was killed because it got nowhere."""
        process = self._state.find(child.serial)
        is_starting = process is not None and process.stage is messages.Stage.STARTING
        if is_starting and process is not None and now_ms() - process.started_ms >= limits.PROCESS_READY_MS:
            child.cause = child.cause or silence_of(child)
        child.is_expected = child.cause is None
        self._children.kill(child)

    def _introduce(
        self, command: messages.Connect | messages.Disconnect | messages.Convict | messages.WatchGate
    ) -> None:
        """Tell a gate or a watcher about another process, or its release; who has died meanwhile is left out."""
        children, living = self._children, self._children.by_serial
        match command:
            case messages.Connect(gate, zygote, conviction) if gate in living and zygote in living:
                children.connect(living[gate], living[zygote], conviction)
            case messages.Disconnect(gate) if gate in living:
                children.disconnect(living[gate])
            case messages.Convict(gate, release, conviction) if gate in living:
                children.convict(living[gate], release, conviction)
            case messages.WatchGate(watcher, gate) if watcher in living and gate in living:
                children.watch(living[watcher], living[gate])
            case _:
                pass

    def _tell(self, serial: int, frame_type: int, body: bytes = b"") -> None:
        if serial in self._children.by_serial:
            self._children.tell(self._children.by_serial[serial], frame_type, body)

    def _note(self, note: messages.Note) -> None:
        if note.kind is NoteKind.RELEASE_ACTIVATED:
            self._children.active_release = note.number
        self._notes.take(note)

    def _keep(self, command: messages.KeepMode | messages.KeepConviction) -> None:
        """Write the operator's word down, or what the breaker has tripped; a full disk only costs that."""
        try:
            match command:
                case messages.KeepMode(mode):
                    self._disk.keep_mode(self._given_mode, mode)
                case messages.KeepConviction(number, conviction) if number in self._children.contents:
                    self._disk.keep_conviction(self._children.contents[number].sha256, conviction)
                case _:
                    pass
        except DiskFull as full:
            is_mode = isinstance(command, messages.KeepMode)
            kind = HostEventKind.MODE_CHANGED if is_mode else HostEventKind.BREAKER_RELEASE
            self._notes.event(kind, "store", f"it could not be kept: {full.what}")

    def _hear(self, child: Child) -> None:
        """Frames of one child.  Whoever breaks the protocol is killed."""
        try:
            for _ in range(limits.FRAMES_PER_TURN_MAX):
                received = child.channel.receive(wait=False)
                if received is None:
                    return
                self._heard(child, received)
        except ChannelClosed:
            self._selector.unregister(child.channel)
            self._children.kill(child)
        except FrameRefused as refusal:
            child.failure = refusal.what
            self._children.kill(child)

    def _heard(self, child: Child, received: Received) -> None:
        frame_type, brings_rules = received.frame.type, child.kind is Kind.ZYGOTE and child.rules_descriptor < 0
        wanted = 1 if frame_type == catalogue.READY and brings_rules else 0
        if child.kind not in FROM_CHILDREN.get(frame_type, ()) or len(received.descriptors) != wanted:
            close_all(received.descriptors)
            raise FrameRefused(
                f"the {child.kind} sent a frame of type {frame_type} with {len(received.descriptors)} descriptors",
                "it is replaced",
            )
        match received.frame.type:
            case catalogue.READY:
                if received.descriptors:
                    self._name_release(child, received.frame.body)
                    child.rules_descriptor = received.descriptors[0]
                    self._children.give_rules(child)
                self._step(messages.BecameReady(child.serial))
                if child.kind is Kind.ZYGOTE:
                    self._driver.zygote_is_ready(child)
            case catalogue.ARMED:
                self._step(messages.BecameArmed(child.serial))
            case catalogue.COUNTS:
                values = unpack_exact(catalogue.COUNTS_BODY, received.frame.body, "counts")
                self._counted(child, values)
            case catalogue.SPOOL_COUNTS:
                self._counted(child, unpack_exact(catalogue.SPOOL_COUNTS_BODY, received.frame.body, "spool counts"))
            case catalogue.BREAKER:
                self._convict(tripped(received.frame.body))
            case catalogue.RULES_ANSWER:
                self._rule_questions.answered(received.frame.body)
            case catalogue.GUILT:
                self._examined(child, decode_examined(received.frame.body))
            case catalogue.FAILED:
                child.failure = received.frame.body.decode("utf-8", "replace")
            case _:
                self._heard_of_release(received)

    def _heard_of_release(self, received: Received) -> None:
        """What a gate says of the release that serves, or of the one that is compared with it."""
        if received.frame.type == catalogue.FAULT:
            self._driver.scanner_has_failed(received.frame.body)
        elif received.frame.type == catalogue.SHADOW_COUNTS:
            self._driver.shadow_has_seen(received.frame.body)

    def _examined(self, zygote: Child, found: Examined) -> None:
        """Rules that hurt a scanner are left out of their release from now on; too many of them convict it."""
        number = zygote.release
        sha256 = self._children.contents[number].sha256
        self._notes.examined(sha256, found)
        if found.attribution.finding is not Finding.RULES:
            return
        if self._children.disabled.leave_out(sha256, found.attribution.rules, self._notes):
            self._step(messages.RenewZygote(number))
        else:
            self._convict(messages.ReleaseConvicted(number))

    def _convict(self, tripped: messages.ReleaseConvicted | messages.RuleConvicted) -> None:
        """The gates observe at once; whether the release is left is for the activation machine to say."""
        self._step(tripped)
        if isinstance(tripped, messages.ReleaseConvicted):
            self._driver.breaker_has_tripped(tripped.release)

    def _name_release(self, zygote: Child, body: bytes) -> None:
        """Remember what a release is called.  Raises FrameRefused for a name that does not print or another version."""
        version, _, _, padded = unpack_exact(catalogue.READY_BODY, body, "ready")
        name = bytes(padded).rstrip(b"\0")
        if not all(0x21 <= byte <= 0x7E for byte in name):  # noqa: PLR2004 - the printable characters of ASCII
            raise FrameRefused(f"a release called {name!r}", WAY_OUT)
        number = zygote.release
        content = self._children.contents[number]
        if not 1 <= int(version) <= limits.RELEASE_VERSION_MAX or content.version not in (0, int(version)):
            zygote.failure = f"content-refused\nit says that it is version {int(version)}\nget it anew"
            raise FrameRefused(f"release {content.version} says that it is version {int(version)}", WAY_OUT)
        self._children.contents[number] = replace(content, name=name, version=int(version))

    def _counted(self, child: Child, values: tuple[int | bytes, ...]) -> None:
        """One that was asked has counted; after the last of them the operators are answered."""
        child.counters = tuple(int(value) for value in values)
        self._counting.discard(child.serial)
        if not self._counting:
            self._answer_status()

    def _reap(self) -> None:
        """Turn deaths into events; a failure before the host was ever protected ends everything with its words."""
        for child in list(self._children.by_serial.values()):
            if child.process.poll() is None:
                continue
            self._drain(child)
            if child.channel.fileno() >= 0 and child.channel in self._selector.get_map():
                self._selector.unregister(child.channel)
            status = self._children.forget(child)
            # who ends because everything ends, or because his release is not to run any more, is no news
            if child.failure or not (self._state.stopping or child.is_expected):
                self._notes.died(child, status)
            blamed = self._driver.blame(child, status) if child.kind is Kind.ZYGOTE else None
            self._step(messages.Died(child.serial))
            if child.kind is Kind.ZYGOTE and not self._state.stopping:
                self._driver.zygote_has_died(child, blamed)
            if child.failure and not self._state.announced and self._is_needed(child):
                self._notes.failed(child.failure)
                self._step(messages.StopWanted())

    def _is_needed(self, child: Child) -> bool:
        """Whether the host cannot be protected without it: one release is followed by another, but not the last."""
        return child.kind in (Kind.GATE, Kind.WATCHDOG) or self._driver.is_last(child)

    def _drain(self, child: Child) -> None:
        """A last word that is still in the socket of a dead child."""
        try:
            while (received := child.channel.receive(wait=False)) is not None:
                self._heard(child, received)
        except (ChannelClosed, FrameRefused):
            pass

    def _hear_parent(self) -> None:
        try:
            while (received := self._parent.receive(wait=False)) is not None:
                if received.frame.type == catalogue.STOP:
                    self._step(messages.StopWanted())
        except ChannelClosed:
            self._selector.unregister(self._parent)
            self._step(messages.StopWanted())
            self._parent.close()
            self._parent, self._nobody = Channel.pair()  # says nothing, and never ends

    def _hear_operators(self) -> None:
        while (operator := operator_socket.accept(self._server)) is not None:
            operator.socket.settimeout(limits.OPERATOR_REQUEST_MS / 1000)
            try:
                received = operator.receive()
                if received is not None:
                    self._obey(operator, received)
            except (ChannelClosed, FrameRefused, ValueError):
                operator.close()

    def _obey(self, operator: Channel, received: Received) -> None:
        if received.frame.type != catalogue.LOAD or len(received.descriptors) != 1:
            close_all(received.descriptors)
        match received.frame.type:
            case catalogue.STATUS:
                self._asking.append(operator)
                self._asked_ms = now_ms()
                self._count()
                if not self._counting:
                    self._answer_status()
            case catalogue.MODE:
                (mode,) = unpack_exact(catalogue.MODE_BODY, received.frame.body, "mode")
                self._step(messages.ModeWanted(Mode(int(mode))))
                self._answer(operator, catalogue.MODE_ANSWER, b"")
            case catalogue.RULES:
                zygote = self._state.ready_zygote
                self._rule_questions.ask(operator, received.frame.body, zygote, self._children, now_ms())
            case catalogue.LOAD if len(received.descriptors) == 1:
                self._load(operator, received.frame.body, received.descriptors[0])
            case catalogue.ACTIVATION:
                refused = self._driver.steer(received.frame.body)
                self._answer(operator, catalogue.ACTIVATION_ANSWER, self._driver.told(refused))
            case catalogue.LOOK:
                self._updates.look(operator)
            case catalogue.STOP:
                self._step(messages.StopWanted())
                self._answer(operator, catalogue.STOP, b"")
            case _:
                operator.close()

    def _count(self) -> None:
        """Ask for counters those who have some."""
        gate = self._state.active_gate
        self._counting = {courier.serial for courier in self._children.of(Kind.COURIER)}
        for serial in self._counting:
            self._tell(serial, catalogue.COUNT_SPOOL)
        if gate is not None:
            self._counting.add(gate.serial)
            self._tell(gate.serial, catalogue.COUNT)

    def _load(self, operator: Channel, body: bytes, descriptor: int) -> None:
        def answer(error: RingfenceError | None) -> None:
            self._answer(operator, catalogue.LOAD_ANSWER, b"" if error is None else failure_text(error))

        try:
            at_once, forced = unpack_exact(catalogue.LOAD_BODY, body, "load")
            digest = operator_socket.digest_of_sealed(descriptor)
        except FrameRefused as refusal:
            os.close(descriptor)
            answer(refusal)
            return
        self._driver.load(descriptor, digest, at_once=bool(at_once), forced=bool(forced), answer=answer)

    def _answer(self, operator: Channel, frame_type: int, body: bytes) -> None:
        try:
            operator.try_send(frame_type, body)
        except ChannelClosed:
            pass
        operator.close()

    def _answer_status(self) -> None:
        if not self._asking:
            return
        body = self._status(with_spool=True)
        for operator in self._asking:
            self._answer(operator, catalogue.STATUS_ANSWER, body)
        self._asking.clear()

    def _supervise(self) -> None:
        """The beats of watchdog, gates and zygotes, memory, and operators whose gate does not count."""
        now = now_ms()
        if now - self._looked_ms >= limits.WARDEN_TICK_MS:  # two looks in a row prove nothing if no time lies between
            self._looked_ms = now
            self._look_at_beats()
        for zygote in self._children.of(Kind.ZYGOTE):
            bound_memory(zygote, self._children, self._driver)
        self._rule_questions.expire(now)
        if self._asking and now - self._asked_ms > limits.QUESTION_DEADLINE_MS:
            self._answer_status()

    def _look_at_beats(self) -> None:
        for child in [one for kind in BEAT_STALE_MS for one in self._children.of(kind)]:
            process = self._state.find(child.serial)
            beating = process is not None and process.stage is not messages.Stage.STARTING
            if beating and child.beat is not None and child.beat.is_stale(BEAT_STALE_MS[child.kind]):
                child.cause = silence_of(child)
                self._step(messages.BeatStale(child.serial))

    def _status(self, *, with_spool: bool) -> bytes:
        return warden_status.encoded(self._state, self._children, self._driver.counters(), with_spool=with_spool)

    def _report_status(self) -> None:
        now = now_ms()
        if now - self._reported_ms < limits.STATUS_INTERVAL_MS and not self._notes.status_wanted:
            return
        self._reported_ms = now
        self._notes.status_wanted = False
        self._count()  # for the next report; this one has the last counters
        body = self._status(with_spool=False)
        for courier in self._children.of(Kind.COURIER):
            self._children.tell(courier, STATUS_REPORT, body)


def _baseline(arguments: Arguments) -> Content:
    """The release of the package, which the parent gives us in a sealed memory file."""
    descriptor = arguments.number("baseline-fd")
    os.set_inheritable(descriptor, False)
    digest = operator_socket.digest_of_sealed(descriptor)
    return Content(0, descriptor, digest, version=arguments.number("baseline-version"))


def main(arguments: Arguments, parent: Channel) -> None:
    """Run the sensor until told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    die_with_parent()
    warden = Warden(arguments, parent)
    warden.stop_on(signal.SIGTERM)
    warden.run()


if __name__ == "__main__":
    run_child(main)
