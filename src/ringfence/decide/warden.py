"""Who runs: the machine of the warden.  step(state, event, now) -> (state, commands), no I/O.

Rules:

1. Order at the start: zygote and watchdog and courier; a gate is started only when a zygote is ready (it needs
   scanners); the first gate that is ready is armed; then a second one is started as the standby.
2. A process that dies is started again after a pause that doubles from `RESTART_BACKOFF_MS` to
   `RESTART_BACKOFF_MS_MAX`; one that lived `RESTART_CALM_MS` starts with the first pause again.
3. When the armed gate dies, the standby arms itself (it watches the same pidfd) and is told so as well; a new standby
   follows.  Armed gates that die `GATE_DEATHS_MAX` times within `GATE_DEATHS_WINDOW_MS` set the host to observe: it may
   be the sensor itself that hurts it.
4. The watchdog watches every gate from the moment that it could arm itself.  Its own beat and the zygote's are watched
   here.
5. A process that does not become ready within `PROCESS_READY_MS` is killed.
6. Which release runs, and which is tried, is `decide/activation.py`'s to say.  A trial's zygote stands beside the one
   that serves, and no gate hears of it.  Where another release is to run, its zygote is started, unless a trial has it
   already; when it is ready, the gates take their scanners from it, and the one before drains.  Until then that one
   serves: a switch leaves nobody without scanners.  Where none is to run, the gates go on without scanners.
7. What the breaker of one gate has tripped holds for every gate, for those that start later too, and is kept for the
   next start of this release.  Another release ends it, and so does the operator's word for the mode; nothing else.
8. A rule of the active release that this host leaves out from now on: a second zygote of the release is started; when
   it is ready the gates take their scanners from it and the first one ends.  If it fails, the first one goes on.
9. Stop: standby first, then the armed gate (which removes its marks), then all the others.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ringfence.decide.warden_messages import (
    Arm,
    BeatStale,
    BecameArmed,
    BecameReady,
    Begin,
    Command,
    Connect,
    Convict,
    Died,
    Disconnect,
    EndTrial,
    Event,
    KeepConviction,
    KeepMode,
    Kill,
    Kind,
    ModeWanted,
    Note,
    NoteKind,
    Process,
    ReleaseConvicted,
    RenewZygote,
    Retire,
    RuleConvicted,
    RunRelease,
    SetMode,
    Stage,
    Start,
    StopWanted,
    Tick,
    TryRelease,
    WatchGate,
)
from ringfence.model import limits
from ringfence.model.conviction import NOT_CONVICTED, Conviction
from ringfence.model.verdict import Mode


@dataclass(frozen=True, slots=True)
class Pause:
    """A process of this kind is started again at `due_ms`."""

    kind: Kind
    due_ms: int


@dataclass(frozen=True, slots=True)
class WardenState:
    """All that the warden knows.  Times are monotonic milliseconds."""

    mode: Mode
    next_serial: int = 1
    release: int = 1
    """Release whose zygote the gates use; 0: none."""

    wanted: int = 1
    """Release that they are to use."""

    wanted_conviction: Conviction = NOT_CONVICTED
    """What the breaker had tripped for that one before."""

    trial: int = 0
    """Release that is being tried beside it; 0: none."""

    conviction: Conviction = NOT_CONVICTED
    """What the breaker has tripped for the active release."""

    processes: tuple[Process, ...] = ()
    pauses: tuple[Pause, ...] = ()
    backoff_ms: tuple[tuple[Kind, int], ...] = ()
    gate_deaths_ms: tuple[int, ...] = ()
    restarts: tuple[tuple[Kind, int], ...] = ()
    stopping: bool = False
    stopping_ms: int = 0
    announced: bool = False

    def find(self, serial: int) -> Process | None:
        """The process with this serial, or None."""
        return next((one for one in self.processes if one.serial == serial), None)

    def of(self, kind: Kind) -> tuple[Process, ...]:
        """Every process of a kind."""
        return tuple(one for one in self.processes if one.kind is kind)

    @property
    def active_gate(self) -> Process | None:
        """The gate that answers the kernel, or is about to."""
        return next((one for one in self.of(Kind.GATE) if one.stage in (Stage.ARMING, Stage.ARMED)), None)

    @property
    def ready_zygote(self) -> Process | None:
        """The zygote of the active release, if it is ready."""
        zygotes = self.of(Kind.ZYGOTE)
        return next((one for one in zygotes if one.stage is Stage.READY and one.release == self.release), None)

    def restarts_of(self, kind: Kind) -> int:
        """How often a process of this kind was started again."""
        return dict(self.restarts).get(kind, 0)


@dataclass(slots=True)
class _Turn:
    """One step in progress."""

    state: WardenState
    now_ms: int
    commands: list[Command] = field(default_factory=list)

    def put(self, process: Process) -> None:
        others = tuple(one for one in self.state.processes if one.serial != process.serial)
        self.state = replace(self.state, processes=(*others, process))

    def start(self, kind: Kind, release: int = 0) -> None:
        serial = self.state.next_serial
        self.state = replace(self.state, next_serial=serial + 1)
        self.put(Process(serial, kind, Stage.STARTING, self.now_ms, release))
        self.commands.append(Start(serial, kind, release))

    def connect(self, zygote: Process) -> None:
        """Every gate takes its scanners from this zygote."""
        for gate in self.state.of(Kind.GATE):
            self.commands.append(Connect(gate.serial, zygote.serial, self.state.conviction))

    def note(self, kind: NoteKind, serial: int = 0, number: int = 0) -> None:
        self.commands.append(Note(kind, serial, number))


def step(state: WardenState, event: Event, now_ms: int) -> tuple[WardenState, tuple[Command, ...]]:
    """One event: the new state and what to do, in order."""
    turn = _Turn(state, now_ms)
    _HANDLERS[type(event)](turn, event)
    _settle(turn)
    return turn.state, tuple(turn.commands)


def _begin(turn: _Turn, _event: Begin) -> None:
    if turn.state.wanted:
        turn.start(Kind.ZYGOTE, turn.state.wanted)
    turn.start(Kind.WATCHDOG)
    turn.start(Kind.COURIER)


def _ready(turn: _Turn, event: BecameReady) -> None:
    process = turn.state.find(event.serial)
    if process is None or process.stage is not Stage.STARTING:
        return
    turn.put(replace(process, stage=Stage.READY))
    if process.kind is Kind.ZYGOTE:
        _zygote_ready(turn, process)
    _watch(turn, process)


def _zygote_ready(turn: _Turn, process: Process) -> None:
    if process.release == turn.state.wanted:
        _switch(turn, process)
    elif process.release == turn.state.trial:
        turn.note(NoteKind.TRIAL_READY, process.serial, process.release)


def _switch(turn: _Turn, zygote: Process) -> None:
    """The gates use this zygote from now on.  Rule 6."""
    if turn.state.trial == zygote.release:
        turn.state = replace(turn.state, trial=0)
    if zygote.release == turn.state.release:
        turn.connect(zygote)
        _drain_older(turn, zygote)
        return
    turn.state = replace(turn.state, release=zygote.release)
    _keep(turn, turn.state.wanted_conviction)
    turn.connect(zygote)
    for other in turn.state.of(Kind.ZYGOTE):
        if other.release not in (zygote.release, turn.state.trial) and other.stage is not Stage.DRAINING:
            turn.put(replace(other, stage=Stage.DRAINING, started_ms=turn.now_ms))
    turn.note(NoteKind.RELEASE_ACTIVATED, zygote.serial, zygote.release)
    if turn.state.conviction.whole_release:
        turn.note(NoteKind.RELEASE_CONVICTED, number=zygote.release)


def _drain_older(turn: _Turn, zygote: Process) -> None:
    """Rule 8: this one takes the place of every other zygote of its release."""
    for older in turn.state.of(Kind.ZYGOTE):
        if older.release == zygote.release and older.stage is Stage.READY and older.serial != zygote.serial:
            turn.put(replace(older, stage=Stage.DRAINING, started_ms=turn.now_ms))


def _watch(turn: _Turn, process: Process) -> None:
    """Rule 4; and a standby watches the gate that answers."""
    gates = [one for one in turn.state.of(Kind.GATE) if one.stage is not Stage.STARTING]
    active = turn.state.active_gate
    if process.kind is Kind.WATCHDOG:
        turn.commands.extend(WatchGate(process.serial, gate.serial) for gate in gates)
    elif process.kind is Kind.GATE:
        watchdogs = [one for one in turn.state.of(Kind.WATCHDOG) if one.stage is Stage.READY]
        turn.commands.extend(WatchGate(watchdog.serial, process.serial) for watchdog in watchdogs)
        if active is not None and active.stage is Stage.ARMED and active.serial != process.serial:
            turn.commands.append(WatchGate(process.serial, active.serial))


def _armed(turn: _Turn, event: BecameArmed) -> None:
    process = turn.state.find(event.serial)
    if process is None or process.kind is not Kind.GATE:
        return
    turn.put(replace(process, stage=Stage.ARMED))
    for standby in turn.state.of(Kind.GATE):
        if standby.stage is Stage.READY:
            turn.commands.append(WatchGate(standby.serial, event.serial))
    if turn.state.announced:
        turn.note(NoteKind.GATE_REPLACED, event.serial)
    else:
        turn.state = replace(turn.state, announced=True)
        turn.note(NoteKind.PROTECTED, event.serial)


def _died(turn: _Turn, event: Died) -> None:
    process = turn.state.find(event.serial)
    if process is None:
        return
    turn.state = replace(
        turn.state, processes=tuple(one for one in turn.state.processes if one.serial != event.serial)
    )
    if turn.state.stopping or process.stage is Stage.DRAINING:
        return
    if process.kind is Kind.ZYGOTE and process.release not in (turn.state.release, turn.state.wanted):
        if process.release == turn.state.trial:
            turn.state = replace(turn.state, trial=0)
        return
    turn.note(NoteKind.PROCESS_DIED, process.serial)
    if process.kind is Kind.GATE and process.stage is Stage.ARMED:
        _count_gate_death(turn)
    _pause(turn, process)


def _count_gate_death(turn: _Turn) -> None:
    recent = tuple(at for at in turn.state.gate_deaths_ms if turn.now_ms - at < limits.GATE_DEATHS_WINDOW_MS)
    turn.state = replace(turn.state, gate_deaths_ms=(*recent, turn.now_ms)[-limits.GATE_DEATHS_MAX :])
    if len(turn.state.gate_deaths_ms) >= limits.GATE_DEATHS_MAX and turn.state.mode is not Mode.OBSERVE:
        turn.note(NoteKind.DEGRADED)
        _set_mode(turn, Mode.OBSERVE)
        _tell_conviction(turn)


def _pause(turn: _Turn, process: Process) -> None:
    """Plan the restart of a process that died."""
    waits = dict(turn.state.backoff_ms)
    calm = turn.now_ms - process.started_ms >= limits.RESTART_CALM_MS
    wait = limits.RESTART_BACKOFF_MS if calm else waits.get(process.kind, limits.RESTART_BACKOFF_MS)
    waits[process.kind] = min(wait * 2, limits.RESTART_BACKOFF_MS_MAX)
    counts = dict(turn.state.restarts)
    counts[process.kind] = counts.get(process.kind, 0) + 1
    turn.state = replace(
        turn.state,
        backoff_ms=tuple(waits.items()),
        restarts=tuple(counts.items()),
        # a gate's pause only holds its place: rule 1 starts the next one when the pause is over
        pauses=(*turn.state.pauses, Pause(process.kind, turn.now_ms + wait)),
    )


def _stale(turn: _Turn, event: BeatStale) -> None:
    if turn.state.find(event.serial) is not None:
        turn.commands.append(Kill(event.serial))


def _try(turn: _Turn, event: TryRelease) -> None:
    if turn.state.stopping or event.release == turn.state.wanted:
        return
    _end_trial(turn, EndTrial(turn.state.trial))
    turn.state = replace(turn.state, trial=event.release)
    turn.start(Kind.ZYGOTE, event.release)


def _end_trial(turn: _Turn, event: EndTrial) -> None:
    if event.release in (0, turn.state.wanted, turn.state.release):
        return
    if event.release == turn.state.trial:
        turn.state = replace(turn.state, trial=0)
    _end_zygotes(turn, event.release)


def _run(turn: _Turn, event: RunRelease) -> None:
    if turn.state.stopping or event.release == turn.state.wanted:
        return
    before = turn.state.wanted
    turn.state = replace(turn.state, wanted=event.release, wanted_conviction=event.conviction)
    if before not in (0, turn.state.release):
        _end_zygotes(turn, before)  # it never served, and it is not to any more
    # a pause is for what keeps dying: another release begins anew
    kept = tuple(one for one in turn.state.pauses if one.kind is not Kind.ZYGOTE)
    turn.state = replace(turn.state, pauses=kept)
    if not event.release:
        _run_nothing(turn)
        return
    there = [one for one in turn.state.of(Kind.ZYGOTE) if one.release == event.release]
    ready = [one for one in there if one.stage is Stage.READY]
    if ready:
        _switch(turn, ready[0])
    elif not any(one.stage is Stage.STARTING for one in there):
        turn.start(Kind.ZYGOTE, event.release)


def _run_nothing(turn: _Turn) -> None:
    _keep(turn, NOT_CONVICTED)
    turn.state = replace(turn.state, release=0)
    for gate in turn.state.of(Kind.GATE):
        turn.commands.append(Disconnect(gate.serial))
    for zygote in turn.state.of(Kind.ZYGOTE):
        if zygote.release != turn.state.trial:
            turn.commands.append(Kill(zygote.serial))


def _end_zygotes(turn: _Turn, release: int) -> None:
    for zygote in turn.state.of(Kind.ZYGOTE):
        if zygote.release == release and zygote.stage is not Stage.DRAINING:
            turn.commands.append(Kill(zygote.serial))


def _mode(turn: _Turn, event: ModeWanted) -> None:
    _keep(turn, NOT_CONVICTED)
    turn.commands.append(KeepMode(event.mode))
    _set_mode(turn, event.mode)


def _set_mode(turn: _Turn, mode: Mode) -> None:
    """Every gate hears it, and closes its breaker."""
    turn.state = replace(turn.state, mode=mode)
    for gate in turn.state.of(Kind.GATE):
        turn.commands.append(SetMode(gate.serial, mode))
    turn.note(NoteKind.MODE_CHANGED, number=int(mode))


def _convicted(turn: _Turn, event: ReleaseConvicted) -> None:
    """Rule 7.  That gate has already stopped blocking; the host's mode stays what the operator said."""
    wanted = turn.state.conviction.with_release()
    if event.release == turn.state.release and wanted != turn.state.conviction:
        _keep(turn, wanted)
        _tell_conviction(turn)
        turn.note(NoteKind.RELEASE_CONVICTED, number=event.release)


def _rule_convicted(turn: _Turn, event: RuleConvicted) -> None:
    """Rule 7."""
    wanted = turn.state.conviction.with_rule(event.rule)
    if event.release == turn.state.release and wanted != turn.state.conviction:
        _keep(turn, wanted)
        _tell_conviction(turn)
        turn.note(NoteKind.RULE_CONVICTED, number=event.rule)


def _renew(turn: _Turn, event: RenewZygote) -> None:
    """Rule 8.  One that is only starting may have been told too little: it goes, and is started again."""
    if turn.state.stopping or event.release != turn.state.release:
        return
    for zygote in turn.state.of(Kind.ZYGOTE):
        if zygote.release == event.release and zygote.stage is Stage.STARTING:
            turn.put(replace(zygote, stage=Stage.DRAINING))
            turn.commands.append(Kill(zygote.serial))
    turn.start(Kind.ZYGOTE, event.release)


def _keep(turn: _Turn, conviction: Conviction) -> None:
    if conviction != turn.state.conviction:
        turn.state = replace(turn.state, conviction=conviction)
        turn.commands.append(KeepConviction(turn.state.release, conviction))


def _tell_conviction(turn: _Turn) -> None:
    """Also the gate that it came from: the operator's word may have closed its breaker meanwhile."""
    if turn.state.conviction != NOT_CONVICTED:
        for gate in turn.state.of(Kind.GATE):
            turn.commands.append(Convict(gate.serial, turn.state.release, turn.state.conviction))


def _tick(turn: _Turn, event: Tick) -> None:
    del event
    due = tuple(one for one in turn.state.pauses if one.due_ms <= turn.now_ms)
    if due and not turn.state.stopping:
        turn.state = replace(turn.state, pauses=tuple(one for one in turn.state.pauses if one not in due))
        for one in due:
            if one.kind is not Kind.GATE and not _replaced(turn.state, one.kind):
                turn.start(one.kind, turn.state.wanted if one.kind is Kind.ZYGOTE else 0)
    for process in turn.state.processes:
        if turn.now_ms - process.started_ms >= _PATIENCE_MS.get(process.stage, turn.now_ms + 1):
            turn.commands.append(Kill(process.serial))
    if turn.state.stopping and turn.now_ms - turn.state.stopping_ms >= limits.PROCESS_RETIRE_MS:
        turn.commands.extend(Kill(gate.serial) for gate in turn.state.of(Kind.GATE))


def _replaced(state: WardenState, kind: Kind) -> bool:
    """Whether none is wanted, or the one that is wanted has been started while the pause ran."""
    there = any(one.release == state.wanted and one.stage is not Stage.DRAINING for one in state.of(kind))
    return kind is Kind.ZYGOTE and (not state.wanted or there)


def _stop(turn: _Turn, event: StopWanted) -> None:
    del event
    if turn.state.stopping:
        return
    turn.state = replace(turn.state, stopping=True, stopping_ms=turn.now_ms, pauses=())
    active = turn.state.active_gate
    for gate in turn.state.of(Kind.GATE):
        if active is None or gate.serial != active.serial:
            turn.commands.append(Kill(gate.serial))
    if active is not None:
        turn.commands.append(Retire(active.serial))
    turn.note(NoteKind.STOPPED)


_HANDLERS: dict[type, Callable[..., None]] = {
    Begin: _begin,
    BecameReady: _ready,
    BecameArmed: _armed,
    Died: _died,
    BeatStale: _stale,
    TryRelease: _try,
    EndTrial: _end_trial,
    RunRelease: _run,
    ModeWanted: _mode,
    ReleaseConvicted: _convicted,
    RuleConvicted: _rule_convicted,
    RenewZygote: _renew,
    Tick: _tick,
    StopWanted: _stop,
}

_PATIENCE_MS = {
    Stage.STARTING: limits.PROCESS_READY_MS,
    Stage.ARMING: limits.PROCESS_READY_MS,
    Stage.DRAINING: limits.PROCESS_RETIRE_MS,
}
"""How long a process may stay in a stage before it is killed."""

GATES_WANTED = 2
"""One that answers and one that stands by."""


def _settle(turn: _Turn) -> None:
    """Rule 1, after every event: arm a gate if none answers, and see that there are two."""
    state = turn.state
    if state.stopping:
        if not state.of(Kind.GATE):
            turn.commands.extend(Kill(one.serial) for one in state.processes)
        return
    if state.active_gate is None:
        ready = [one for one in state.of(Kind.GATE) if one.stage is Stage.READY]
        if ready:
            turn.put(replace(ready[0], stage=Stage.ARMING, started_ms=turn.now_ms))
            turn.commands.append(Arm(ready[0].serial))
    zygote = turn.state.ready_zygote
    waiting = sum(one.kind is Kind.GATE for one in turn.state.pauses)
    starting = any(one.stage is Stage.STARTING for one in turn.state.of(Kind.GATE))
    if zygote is not None and not starting and len(turn.state.of(Kind.GATE)) + waiting < GATES_WANTED:
        turn.start(Kind.GATE)
        turn.commands.append(Connect(turn.state.next_serial - 1, zygote.serial, turn.state.conviction))
