"""The process that the kernel waits for.  It reads events and verdict frames; never scanned bytes, rules or network.

Life: build everything as root and without a mark (standby) -> take over when told, or when the active gate dies ->
mark the places -> drop and prove -> start the threads -> answer.  A standby that takes over only has to mark.
"""

import gc
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

from ringfence.decide.breaker import Tripped
from ringfence.decide.gate import GateState
from ringfence.host import known_table, processes, sandbox
from ringfence.host.ahead import Ahead
from ringfence.host.channel import Channel, ChannelClosed, Received
from ringfence.host.child import Arguments, run_child
from ringfence.host.gate_room import Case, GateRoom
from ringfence.host.heartbeat import Beat
from ringfence.host.known_table import KnownTable
from ringfence.host.marks import Marks, place_of
from ringfence.host.outbox import Outbox
from ringfence.host.responder import Responder
from ringfence.host.scanner_faults import ScannerFaults
from ringfence.host.scanner_slots import ScannerSlots
from ringfence.host.shadow import Shadow, decode_trial
from ringfence.host.usher import Usher
from ringfence.host.vital import vital_files
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.model.records import AlertResponse
from ringfence.model.verdict import Mode
from ringfence.wire import catalogue
from ringfence.wire.attribution import EXAMINED_BODY
from ringfence.wire.conviction import decode_conviction
from ringfence.wire.frames import WAY_OUT, unpack_exact

NICENESS = -10
"""The kernel waits for this process: it comes before ordinary work."""

ORDINARY_NICENESS = 0
"""Scanning ahead is nobody's hurry; but lower it must not be: it shares the interpreter with those who answer."""


class Gate:
    """The gate's main thread."""

    def __init__(self, arguments: Arguments, warden: Channel) -> None:
        self._warden = warden
        self._beat = Beat(arguments.number("beat-fd"))
        self._fails_closed = tuple(os.fsencode(path) for path in arguments.every("fail-closed"))
        places = tuple(place_of(text) for text in arguments.every("place"))
        marks = Marks(places, strict=arguments.one("strict") == "1")
        gate_id = arguments.number("gate-id")
        processors = sorted(os.sched_getaffinity(0))
        slots = ScannerSlots(processors, limits.SCANNERS_SPARE, gate_id)
        state = GateState(mode=Mode(arguments.number("mode")), activated_ns=time.time_ns())
        self._release_index = 0
        self._outbox = Outbox(
            gate_id,
            Channel.adopt(arguments.number("courier-fd")),
            mode=lambda: state.mode,
            release=lambda: self._release_index,
        )
        vital = vital_files()
        self._shadow = Shadow(gate_id, vital)
        self._room = GateRoom(
            state=state,
            marks=marks,
            slots=slots,
            known=KnownTable(known_table.create()[0], writable=True),  # replaced with the first zygote's
            vital_files=vital,
            fails_closed=self._must_fail_closed,
            report=self._report,
            rescan=self._rescan,
            own_pids=frozenset({os.getpid(), os.getppid()}),
            recent=self._shadow,
        )
        self._faults = ScannerFaults(self._room, self._tell_fault)
        self._shadow_told: tuple[int, ...] = ()
        self._ahead = Ahead(self._room)
        self._responders = [Responder(self._room, slot) for slot in slots.foreground]
        self._usher = Usher(self._room, self._responders)
        self._watched: tuple[int, Beat] | None = None
        self._armed = False
        self._ready_told = False

    def _must_fail_closed(self, descriptor: int) -> bool:
        if not self._fails_closed:
            return False
        path = os.readlink(f"/proc/self/fd/{descriptor}".encode())
        return any(path == prefix or path.startswith(prefix + b"/") for prefix in self._fails_closed)

    def _report(self, case: Case) -> None:
        self._room.counters.spared_vital += case.plan.response is AlertResponse.SPARED_VITAL
        self._outbox.note(case)
        if case.plan.tripped is Tripped.NO:
            return
        with self._room.judging:  # another release, or the operator, may have closed the breaker since
            stands = self._room.state.breaker.spares(case.rule)
            body = catalogue.BREAKER_BODY.pack(case.plan.tripped, case.rule, self._release_index)
        if stands:
            self._warden.try_send(catalogue.BREAKER, body)

    def _rescan(self, descriptor: int) -> bool:
        return self._ahead.rescan(descriptor)

    def _tell_fault(self, what: int, pid: int, older: bool, key: tuple[int, int]) -> None:
        body = catalogue.FAULT_BODY.pack(self._release_index, what, older, pid, *key)
        self._warden.try_send(catalogue.FAULT, body)

    def _tell_shadow(self) -> None:
        """Say what the comparison has seen, whenever that has changed."""
        report = self._shadow.report()
        if report is None or (told := (report[0], *report[1])) == self._shadow_told:
            return
        if self._warden.try_send(catalogue.SHADOW_COUNTS, catalogue.SHADOW_COUNTS_BODY.pack(*told, report[2])):
            self._shadow_told = told

    def run(self) -> None:
        """The main loop.  Ends only with the process."""
        while True:
            self._beat_if_healthy()
            self._wait()
            self._room.slots.notice_deaths()
            self._faults.look()
            self._room.slots.replace_faulty()
            self._hear_zygote()
            self._room.suspects.send(self._room.slots.zygote)
            self._tell_shadow()
            if self._armed:
                self._hear_courier()
            self._outbox.flush()
            self._room.counters.sightings_queued = self._outbox.queued
            self._room.counters.sightings_dropped = self._outbox.dropped
            self._room.counters.scanner_restarts = self._room.slots.restarts
            while (received := self._warden.receive(wait=False)) is not None:
                self._obey(received)
            self._guard_active()

    def _beat_if_healthy(self) -> None:
        """Beat only while no thread has held one question for longer than its deadline: progress, not life."""
        now = time.monotonic_ns()
        since = (*(one.busy_since_ns for one in self._responders), self._usher.oldest_ns)
        oldest = min(filter(None, since), default=now)
        if now - oldest <= (limits.QUESTION_DEADLINE_MS + limits.HEARTBEAT_INTERVAL_MS) * 1_000_000:
            self._beat.beat()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._warden, select.POLLIN)
        poll.register(self._room.slots.wake, select.POLLIN)
        poll.register(self._outbox.wake, select.POLLIN)
        poll.register(self._outbox, select.POLLIN)
        if self._room.slots.zygote is not None:
            poll.register(self._room.slots.zygote, select.POLLIN)
        if self._watched is not None and not self._armed:
            poll.register(self._watched[0], select.POLLIN)
        for slot in self._room.slots.slots:
            if (link := slot.link) is not None:  # another thread may take it away at any moment
                poll.register(link.fileno(), 0)  # only its hang-up: the answers are for other threads
        poll.poll(limits.HEARTBEAT_INTERVAL_MS)

    def _hear_courier(self) -> None:
        """Take acknowledgements.  The courier is untrusted transport: it may lie, but its lies do not end the gate."""
        try:
            self._outbox.take_acknowledgements()
        except (ChannelClosed, FrameRefused):
            pass  # what is not acknowledged stays here, and its loss would be counted

    def _hear_zygote(self) -> None:
        slots = self._room.slots
        try:
            for _ in range(limits.FRAMES_PER_TURN_MAX):
                if slots.zygote is None or (received := slots.zygote.receive(wait=False)) is None:
                    break
                if received.frame.type == catalogue.EXAMINED:
                    _, finding = unpack_exact(EXAMINED_BODY, received.frame.body, "examined")
                    self._room.suspects.answered(int(finding))
                    continue
                if received.frame.type != catalogue.SCANNER_ENDED:
                    _expect(received, catalogue.SPAWNED, 0)
                slots.on_zygote(received)
        except (ChannelClosed, FrameRefused):
            slots.zygote_lost()
            self._room.suspects.new_zygote(forget=False)
        if not self._ready_told and slots.zygote is not None:
            self._ready_told = True
            self._warden.send(catalogue.READY, catalogue.READY_PLAINLY)

    def _obey(self, received: Received) -> None:
        match received.frame.type:
            case catalogue.USE_ZYGOTE:
                _expect(received, catalogue.USE_ZYGOTE, 2)
                self._use_zygote(received)
            case catalogue.DISCONNECT:
                self._use_nothing()
            case catalogue.SHADOW | catalogue.END_SHADOW:
                self._obey_shadow(received)
            case catalogue.ARM:
                self._arm()
            case catalogue.SET_MODE:
                (mode,) = unpack_exact(catalogue.MODE_BODY, received.frame.body, "set_mode")
                with self._room.judging:
                    self._room.state.mode = Mode(int(mode))
                    self._room.state.breaker.reset()
                self._outbox.forget_repeats()
                self._room.marks.forget_files()
            case catalogue.CONVICT:
                number, whole, rules = unpack_exact(catalogue.CONVICT_BODY, received.frame.body, "convict")
                with self._room.judging:
                    if number == self._release_index:
                        self._room.state.breaker.restore(decode_conviction(int(whole), bytes(rules)))
            case catalogue.COUNT:
                counts = catalogue.COUNTS_BODY.pack(*self._room.counters.values())
                self._warden.try_send(catalogue.COUNTS, counts)
            case catalogue.WATCH:
                _expect(received, catalogue.WATCH, 2)
                self._watch(*received.descriptors)
            case catalogue.RETIRE:
                self._room.marks.disarm()
                os._exit(0)
            case other:
                raise FrameRefused(f"the warden sent a frame of type {other} to the gate", WAY_OUT)

    def _use_zygote(self, received: Received) -> None:
        """Another release: every verdict is forgotten, every file asks again."""
        body = unpack_exact(catalogue.USE_ZYGOTE_BODY, received.frame.body, "use_zygote")
        activated_ns, release_index, whole, rules = body
        channel, known = received.descriptors
        room = self._room
        room.change_release(int(activated_ns), Channel.adopt(channel), KnownTable(known, writable=True))
        with room.judging:
            room.state.breaker.restore(decode_conviction(int(whole), bytes(rules)))
        self._release_index = int(release_index)
        os.close(known)
        self._outbox.forget_repeats()
        room.suspects.new_zygote(forget=True)

    def _use_nothing(self) -> None:
        """No release is to run: every question goes on without a verdict, and is recorded."""
        self._room.change_release(time.time_ns(), None)
        self._release_index = 0

    def _obey_shadow(self, received: Received) -> None:
        """Begin to compare a candidate, or stop.  A standby compares nothing: nobody asks it anything."""
        _expect(received, received.frame.type, 3 if received.frame.type == catalogue.SHADOW else 0)
        if received.frame.type == catalogue.SHADOW:
            self._shadow.begin(decode_trial(received.frame.body, received.descriptors))
            self._room.shadow = self._shadow
        else:
            self._room.shadow = None
            self._shadow.end()

    def _serve_lineages(self) -> None:
        sandbox.lock(processes.GATE, all_threads=False)
        while True:
            self._outbox.serve_lineage()

    def _compare(self) -> None:
        os.setpriority(os.PRIO_PROCESS, 0, ORDINARY_NICENESS)
        sandbox.lock(processes.GATE, all_threads=False)
        self._shadow.run()

    def _watch(self, pidfd: int, beat: int) -> None:
        if self._watched is not None:
            os.close(self._watched[0])
        self._watched = (pidfd, Beat(beat))
        os.close(beat)

    def _guard_active(self) -> None:
        """As a standby: take over when the active gate is dead, or so long silent that everybody else must be too."""
        if self._watched is None or self._armed:
            return
        pidfd, beat = self._watched
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if not poll.poll(0):
            if not beat.is_stale(limits.STANDBY_STALE_MS):
                return
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        self._arm()

    def _arm(self) -> None:
        if self._armed:
            return
        gc.collect()
        gc.freeze()
        self._room.empty_at_ns = time.monotonic_ns()  # nobody can have asked before the first mark
        self._room.marks.arm()
        self._room.slots.fill()  # the first questions wait for their scanner's birth, a few hundredths of a second
        sandbox.drop(processes.GATE)
        self._beat.beat()  # from here on the watchdog may kill us: it must not see the beat from before all this
        # these threads lock themselves (without a way to open files) and must start before this one is locked
        pinned, spares = self._responders[: -limits.SCANNERS_SPARE], self._responders[-limits.SCANNERS_SPARE :]
        works = [one.run for one in pinned] + [partial(one.run_spare, pinned, self._usher.wake) for one in spares]
        works.append(self._usher.run)
        for number, work in enumerate(works):
            threading.Thread(target=_locked, args=(work,), name=f"answer-{number}", daemon=True).start()
        threading.Thread(target=_locked, args=(self._ahead.run, ORDINARY_NICENESS), name="ahead", daemon=True).start()
        threading.Thread(target=self._serve_lineages, name="lineage", daemon=True).start()
        threading.Thread(target=self._compare, name="shadow", daemon=True).start()
        sandbox.lock(processes.GATE, all_threads=False)
        self._armed = True
        self._beat.beat()
        self._warden.send(catalogue.ARMED, b"")


def _locked(work: Callable[[], None], niceness: int = NICENESS) -> None:
    """Run the work of a thread with its own priority and under its own sandbox."""
    os.setpriority(os.PRIO_PROCESS, 0, niceness)
    sandbox.lock(processes.GATE_THREAD, all_threads=False)
    work()


def _expect(received: Received, frame_type: int, descriptors: int) -> None:
    if received.frame.type != frame_type or len(received.descriptors) != descriptors:
        for descriptor in received.descriptors:
            os.close(descriptor)
        raise FrameRefused(
            f"a frame of type {received.frame.type} with {len(received.descriptors)} descriptors, "
            f"type {frame_type} with {descriptors} expected",
            WAY_OUT,
        )


def main(arguments: Arguments, warden: Channel) -> None:
    """Start the gate as a standby."""
    # SIGIO: whoever opens a file for writing while we hold our short read lease on it makes the kernel send us that
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGIO):
        signal.signal(number, signal.SIG_IGN)
    sandbox.die_with_parent()
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    Gate(arguments, warden).run()


if __name__ == "__main__":
    run_child(main)
