"""The hands of `decide/activation.py` in the warden: files, zygotes and the shadow follow its commands, and what
happens to them becomes its events.

A release has a digest for the machine and a number for the processes; the table of both is here.  What the operator
loads has no version before a zygote has read it, and the warden reads nothing: it is compiled first (`_peek`), and then
offered under the version that it turned out to have.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from ringfence.decide import activation as machine
from ringfence.decide import activation_messages as messages
from ringfence.decide import warden_messages
from ringfence.decide.activation_messages import Cause, ReportKind
from ringfence.decide.shadow import evidence_of
from ringfence.decide.warden import WardenState
from ringfence.decide.warden_messages import Kind, Stage
from ringfence.host.activation_disk import ActivationDisk
from ringfence.host.child import failure_text
from ringfence.host.children import Child, Children, Content
from ringfence.host.engine_faults import EngineFaults
from ringfence.host.release_store import ReleaseStore
from ringfence.host.scanner_slots import is_crash_code
from ringfence.host.warden_notes import Notes
from ringfence.model import activation, limits
from ringfence.model.activation import ActivationState, ReleaseKey, first_state, printable, rebased
from ringfence.model.conviction import Conviction
from ringfence.model.errors import ContentRefused, DiskFull, RingfenceError
from ringfence.wire import catalogue
from ringfence.wire.activation_answer import ActivationAnswer, encode_activation_answer
from ringfence.wire.activation_record import encode_activation
from ringfence.wire.frames import unpack_exact

LOAD_WAY_OUT = "`ringfence host why` tells what this host runs and why"


@dataclass(slots=True)
class Peek:
    """A release of the operator's that is compiled to find out what it is."""

    number: int
    at_once: bool
    forced: bool
    answer: Callable[[RingfenceError | None], None]


class ActivationDriver:
    """The machine's state, and what stands behind it."""

    def __init__(
        self,
        disk: ActivationDisk,
        store: ReleaseStore,
        children: Children,
        notes: Notes,
        baseline: Content,
        step_warden: Callable[[warden_messages.Event], None],
        warden_state: Callable[[], WardenState],
        conviction_of: Callable[[str], Conviction],
        guard: messages.Guard = messages.Guard.NORMAL,
        haste: int = 1,
    ) -> None:
        self._disk = disk
        self._store = store
        self._children = children
        self._notes = notes
        self._baseline = baseline
        self._step_warden = step_warden
        self._warden_state = warden_state
        self._conviction_of = conviction_of
        self._guard = guard
        self._haste = haste
        self._next_number = baseline.number
        self._events: deque[messages.Event] = deque()
        self._is_stepping = False
        self._peek: Peek | None = None
        self._shadowing = 0
        """Number of the release that is compared; 0: none is."""

        self._serving = (0, 0)
        """Gate and zygote that the shadow was begun with."""

        self._faults = EngineFaults()
        self._declined = ""
        self.worst_path = b""
        self.shadow_counts: tuple[int, ...] = ()
        now_s = wall_s()
        kept, damage = disk.load()
        if damage:
            notes.activation(messages.Report(ReportKind.LOST, None, printable(f"the record is damaged: {damage}")))
        key = self.key_of(baseline)
        state = first_state(key, now_s) if kept is None else rebased(kept, key, now_s)
        self.state = machine.Activation(state)

    # --- the table of releases --------------------------------------------------------------------------------------

    @staticmethod
    def key_of(content: Content) -> ReleaseKey:
        """What the machine calls a release whose version is known."""
        return ReleaseKey(content.version, content.sha256)

    def _number_of(self, release: ReleaseKey) -> int:
        """The number of a release that is in memory, or comes there from the store; 0: its file is gone or damaged."""
        for number, content in self._children.contents.items():
            if content.sha256 == release.sha256:
                return number
        if release.sha256 == self._baseline.sha256:
            return self._take_in(os.dup(self._baseline.descriptor), release)
        descriptor = self._store.load(release.sha256)
        return 0 if descriptor is None else self._take_in(descriptor, release)

    def _take_in(self, descriptor: int, release: ReleaseKey) -> int:
        self._next_number += 1
        number = self._next_number
        self._children.contents[number] = Content(number, descriptor, release.sha256, version=release.version)
        return number

    def _key(self, number: int) -> ReleaseKey | None:
        content = self._children.contents.get(number)
        return self.key_of(content) if content is not None and content.version else None

    def _forget_contents(self) -> None:
        """Let go of the bytes of releases that no process has any more."""
        state = self._warden_state()
        used = {one.release for one in self._children.of(Kind.ZYGOTE)}
        peeked = {self._peek.number} if self._peek is not None else set()
        self._children.forget_releases(used | peeked | {state.release, state.wanted, state.trial, self._shadowing})

    # --- the machine ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The warden's first event after its own `Begin`."""
        clean, begun = self._disk.begin_life()
        ordered = self._guard is not messages.Guard.NORMAL  # once: also to a host that hangs on its way up
        self.step(messages.Booted(clean, self._guard, begun=begun or ordered))
        self._store.retain(self.state.files)

    def step(self, event: messages.Event) -> None:
        """Give the machine an event, and do what it says.  Events that come of doing so follow."""
        self._events.append(event)
        if self._is_stepping:
            return
        self._is_stepping = True
        try:
            while self._events:
                self.state, commands = machine.step(self.state, self._events.popleft(), self._now_ms(), wall_s())
                for command in commands:
                    if not self._do(command):
                        break
        finally:
            self._is_stepping = False

    def _now_ms(self) -> int:
        """The machine's time.  `haste` is 1; a test on the real kernel lets it pass faster."""
        return now_ms() * self._haste

    def _do(self, command: messages.Command) -> bool:
        """False: nothing else of this step is to be done."""
        match command:
            case messages.Persist(state):
                try:
                    self._disk.keep(state)
                except DiskFull as full:
                    self._events.appendleft(messages.PersistFailed(printable(full.what)))
                    return False
            case messages.Compile(release):
                self._compile(release)
            case messages.StartShadow(release):
                self._shadowing = self._number_of(release)
                self.shadow_counts, self.worst_path = (), b""
                self._begin_shadow()
            case messages.StopCandidate(release):
                self._stop_candidate(release)
            case messages.Run(release):
                self._run(release)
            case messages.Idle():
                self._end_shadow()
                self._step_warden(warden_messages.RunRelease(0))
                self._notes.reduced()
            case messages.Forget(release):
                self._store.remove(release.sha256)
            case messages.Report():
                self._report(command)
        return True

    def _report(self, report: messages.Report) -> None:
        if report.kind in (ReportKind.DECLINED, ReportKind.REFUSED):
            self._declined = report.text
        self._notes.activation(report)

    def _compile(self, release: ReleaseKey) -> None:
        number = self._number_of(release)
        if not number:
            self._events.append(messages.Damaged(release))
            return
        there = [one for one in self._warden_state().of(Kind.ZYGOTE) if one.release == number]
        if any(one.stage is Stage.READY for one in there):
            self._events.append(messages.Compiled(release))
        elif not any(one.stage is Stage.STARTING for one in there):
            self._step_warden(warden_messages.TryRelease(number))

    def _stop_candidate(self, release: ReleaseKey) -> None:
        number = self._number_in_use(release)
        if number == self._shadowing:
            self._end_shadow()
        if number:
            self._step_warden(warden_messages.EndTrial(number))

    def _number_in_use(self, release: ReleaseKey) -> int:
        """Without loading anything."""
        numbers = (number for number, one in self._children.contents.items() if one.sha256 == release.sha256)
        return next(numbers, 0)

    def _run(self, release: ReleaseKey) -> None:
        number = self._number_of(release)
        if not number:
            self._events.append(messages.Damaged(release))
            return
        self._end_shadow()
        state = self._warden_state()
        if number != state.wanted:
            self._faults.begin(release.sha256)
            self._step_warden(warden_messages.RunRelease(number, self._conviction_of(release.sha256)))
        self._tell_ready()

    def _tell_ready(self) -> None:
        """Say that what is to run answers, if it does."""
        state = self._warden_state()
        zygote = state.ready_zygote
        if zygote is not None and state.release == state.wanted and (key := self._key(state.release)) is not None:
            self._events.append(messages.EngineReady(key))
            if not self._is_stepping:
                self.step(self._events.pop())

    def tick(self) -> None:
        """Time has passed."""
        self.step(messages.Tick())
        if self._shadowing:
            self._begin_shadow()
        self._forget_contents()
        self._children.reap_replayers()

    # --- what happens to processes ----------------------------------------------------------------------------------

    def zygote_is_ready(self, child: Child) -> None:
        """After the warden's machine has heard of it."""
        number = child.release
        key = self._key(number)
        if self._peek is not None and self._peek.number == number:
            self._peeked(key)
        elif key is None:
            return
        elif number == self._warden_state().trial:
            self.step(messages.Compiled(key))
        self._tell_ready()

    def blame(self, child: Child, status: int) -> messages.Event | None:
        """What the death of a zygote means for its release; None: nothing.  `status` is that of `Popen.returncode`.

        Before the warden's machine hears of the death, which forgets what the zygote was there for.
        """
        number = child.release
        key = self._key(number)
        if child.is_expected or key is None:
            return None
        serving = self._warden_state().ready_zygote
        if serving is not None and serving.release == number and serving.serial != child.serial:
            return None  # one that was to take the place of the one that serves: that one goes on
        cause = child.cause or (Cause.CRASHED if is_crash_code(status) or child.failure else Cause.KILLED)
        if number == self._warden_state().trial:
            if child.failure and child.cause is None:
                _, _, words = child.failure.rpartition("content-refused\n")
                return messages.CompileFailed(key, printable(words.partition("\n")[0]))
            return messages.EngineDied(key, cause)
        return messages.EngineDied(key, cause) if number == self._warden_state().wanted else None

    def zygote_has_died(self, child: Child, blamed: messages.Event | None) -> None:
        """After the warden's machine has heard of it."""
        if self._peek is not None and self._peek.number == child.release:
            self._finish_peek(self._notes.refusal())
        elif blamed is not None:
            self.step(blamed)

    def is_last(self, child: Child) -> bool:
        """Whether there is no other release to fall back on if this process fails."""
        content = self._children.contents.get(child.release) if child.kind is Kind.ZYGOTE else None
        return content is not None and content.sha256 == self._baseline.sha256

    def scanner_has_failed(self, body: bytes) -> None:
        """A gate's word about a scanner of the release that serves.  Raises FrameRefused."""
        number, what, older, pid, device, inode = (
            int(value) for value in unpack_exact(catalogue.FAULT_BODY, body, "fault")
        )
        key = self._key(number)
        if key is None or number != self._warden_state().wanted:
            return
        cause = self._faults.failed(what, pid, (device, inode), is_older=bool(older))
        if key == self.state.kept.baseline.release:
            return  # there is nothing to go back to: strikes keep the file away, and its rule is looked for
        if cause is not None:
            self.step(messages.EngineDied(key, cause))

    def scanner_has_grown(self, pid: int) -> None:
        """The warden ends a scanner that takes too much memory; which file that was, its gate will say."""
        self._faults.grown(pid)

    def breaker_has_tripped(self, number: int) -> None:
        """For a whole release."""
        if (key := self._key(number)) is not None and number == self._warden_state().wanted:
            self.step(messages.BreakerTripped(key, "it condemned vital files, or too many that were here before it"))

    # --- the shadow -------------------------------------------------------------------------------------------------

    def _begin_shadow(self) -> None:
        """Let the gate that answers compare, whenever it or one of the zygotes is another one than before."""
        state = self._warden_state()
        gate, active = state.active_gate, state.ready_zygote
        there = [one for one in state.of(Kind.ZYGOTE) if one.release == self._shadowing and one.stage is Stage.READY]
        if gate is None or gate.stage is not Stage.ARMED or active is None or not there:
            return
        if self._serving == (gate.serial, active.serial):
            return
        living = self._children.by_serial
        if {gate.serial, active.serial, there[0].serial} <= set(living):
            self._serving = (gate.serial, active.serial)
            self._children.begin_shadow(living[gate.serial], living[there[0].serial], living[active.serial])

    def _end_shadow(self) -> None:
        if self._shadowing:
            self._shadowing = 0
            self._serving = (0, 0)
            self._children.end_shadow()

    def shadow_has_seen(self, body: bytes) -> None:
        """A gate's counts.  Raises FrameRefused."""
        number, *counts, path = unpack_exact(catalogue.SHADOW_COUNTS_BODY, body, "shadow counts")
        key = self._key(int(number))
        if key is None or int(number) != self._shadowing:
            return
        self.shadow_counts = tuple(int(value) for value in counts)
        self.worst_path = bytes(path).rstrip(b"\0")
        zygotes = (one for one in self._children.of(Kind.ZYGOTE) if one.release == number)
        resident = max((one.resident_bytes_max for one in zygotes), default=0)
        self.step(messages.ShadowReport(key, evidence_of(self.shadow_counts, resident)))

    # --- the operator -----------------------------------------------------------------------------------------------

    def load(
        self, descriptor: int, sha256: str, *, at_once: bool, forced: bool,
        answer: Callable[[RingfenceError | None], None],
    ) -> None:
        """The operator's release, in a sealed memory file that is ours now.  `answer` hears whether it is taken."""
        if self._peek is not None:
            superseded = self._peek
            self._peek = None
            superseded.answer(ContentRefused("another release was loaded", "load it again"))
            self._step_warden(warden_messages.EndTrial(superseded.number))
        number = next((one for one, content in self._children.contents.items() if content.sha256 == sha256), 0)
        if number:
            os.close(descriptor)
        else:
            self._next_number += 1
            number = self._next_number
            self._children.contents[number] = Content(number, descriptor, sha256)
        self._peek = Peek(number, at_once, forced, answer)
        key = self._key(number)
        if key is not None:
            self._peeked(key)
            return
        trial = self._key(self._warden_state().trial)
        self._step_warden(warden_messages.TryRelease(number))
        if trial is not None:  # there is room for one: the operator's word ends the trial before
            self.step(messages.EngineDied(trial, Cause.KILLED))

    def _peeked(self, key: ReleaseKey | None) -> None:
        """What the operator loaded compiles: keep it and offer it."""
        peek = self._peek
        if peek is None:
            return
        if key is None:
            self._finish_peek(ContentRefused("it has no version", "build it anew with `ringfence content build`"))
            return
        try:
            if key.sha256 != self._baseline.sha256:
                self._store.retain(self.state.files | {key.sha256})
                self._store.keep(key.sha256, self._children.contents[peek.number].descriptor)
        except DiskFull as full:
            self._finish_peek(full)
            return
        self._declined = ""
        self.step(messages.Offered(key, 0, by_operator=True, at_once=peek.at_once, forced=peek.forced))
        kept = self.state.kept
        taken = kept.candidate is not None and kept.candidate.release == key
        runs = kept.arrival.release == key
        self._finish_peek(None if taken or runs else ContentRefused(f"not taken: {self._declined}", LOAD_WAY_OUT))

    def _finish_peek(self, error: RingfenceError | None) -> None:
        peek = self._peek
        self._peek = None
        if peek is None:
            return
        if error is not None:
            self._step_warden(warden_messages.EndTrial(peek.number))
        peek.answer(error)

    def steer(self, body: bytes) -> RingfenceError | None:
        """Pin, unpin, hold, lift the hold, or only be told.  The error: why it is not done.  Raises FrameRefused."""
        act, forced, version, digest, reason = unpack_exact(catalogue.ACTIVATION_BODY, body, "activation")
        text = printable(bytes(reason).rstrip(b"\0").decode("utf-8", "replace"))
        self._declined = ""
        match int(act):
            case catalogue.STEER_PIN:
                found = self._named(int(version), bytes(digest).hex())
                if isinstance(found, RingfenceError):
                    return found
                self.step(messages.Pinned(found, text, forced=bool(forced)))
            case catalogue.STEER_UNPIN:
                self.step(messages.Unpinned())
            case catalogue.STEER_HOLD:
                self.step(messages.Held(text))
            case catalogue.STEER_LIFT:
                self.step(messages.HoldLifted())
            case _:
                pass
        return ContentRefused(f"not done: {self._declined}", LOAD_WAY_OUT) if self._declined else None

    def told(self, refused: RingfenceError | None) -> bytes:
        """The body of an answer to the operator: what is wrong with the wish, and how things stand."""
        counts = self.shadow_counts or (0,) * len(catalogue.SHADOW_COUNTERS)
        return encode_activation_answer(
            ActivationAnswer(
                error=b"" if refused is None else failure_text(refused),
                unkept=self.state.unkept,
                off=self.state.off,
                ready=self.state.ready,
                stage_ms=self.state.stage_ms // self._haste,
                damaged=self._store.damaged,
                counts=counts,
                worst_path=self.worst_path,
                record=_record(self.state.kept),
            )
        )

    def counters(self) -> dict[str, int]:
        """What a status tells of releases."""
        kept = self.state.kept
        seen = dict(zip(catalogue.SHADOW_COUNTERS, self.shadow_counts, strict=False)) if self._shadowing else {}
        return {
            "releases_good": len(kept.chain),
            "releases_refused": len(kept.refused),
            "releases_damaged": self._store.damaged,
            "release_stage": 0 if kept.candidate is None else 1 + list(activation.Stage).index(kept.candidate.stage),
            "shadow_compared": seen.get("compared", 0),
            "shadow_new_blocks": seen.get("new_blocks", 0),
        }

    def _named(self, version: int, sha256: str) -> ReleaseKey | RingfenceError:
        """The release that the operator means, by digest or, where that is all zero, by its version."""
        kept = self.state.kept
        known = [one.release for one in kept.chain] + [one.release for one in kept.refused]
        if kept.candidate is not None:
            known.append(kept.candidate.release)
        if int(sha256, 16):
            found = [one for one in known if one.sha256 == sha256]
        else:
            found = [one for one in dict.fromkeys(known) if one.version == version]
        if len(dict.fromkeys(found)) == 1:
            return found[0]
        what = "no release" if not found else "more than one release"
        return ContentRefused(
            f"this host knows {what} of that name",
            "load it first, or name its SHA-256: `ringfence host why` lists them",
        )


def _record(kept: ActivationState) -> bytes:
    """The record as an operator gets it: the oldest refusals are left out where they do not fit into a frame."""
    while len(record := encode_activation(kept)) > limits.ACTIVATION_ANSWER_BYTES_MAX and kept.refused:
        kept = replace(kept, refused=kept.refused[1:])
    return record


def now_ms() -> int:
    """Monotonic milliseconds."""
    return time.monotonic_ns() // 1_000_000


def wall_s() -> int:
    """Unix time, which people read."""
    return int(time.time())
