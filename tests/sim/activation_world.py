"""A small world around the activation machine: a host, its disk and its releases, good and bad, from one seed.

The machine is the product's own.  The world carries out its commands as a warden would: files may be missing, the disk
may be full, the power may go or the warden be killed before any command, and while the record is written the old or the
new one survives.  Releases do what their kind says.  Clocks jump, the operator pins, holds and forces, the boot guard
counts.  Then the faults stop, all harm becomes certain, and everything must settle.  What must hold is looked at by
`activation_judge.py`, which believes nothing that the machine says about itself.

To see one life again: `python -m tests.sim.activation_world 37`.
"""

import random
import sys
from dataclasses import replace
from types import ModuleType
from typing import Final

from tests.sim.activation_judge import Judge, Violation
from tests.sim.activation_releases import (
    BASELINE,
    BEARABLE,
    BOUNDS,
    BURST,
    COUNTS,
    DIE_AT_START,
    DIE_WHILE_RUNNING,
    HURT_HOST_AT_START,
    KEYS,
    NUMBER,
    OFFERED,
    OTHER_BASELINE,
    UNIT_MS,
    VERSIONS,
    Child,
    Engine,
    Kind,
    moods_of,
)

from ringfence.decide import activation, activation_why
from ringfence.decide.activation_messages import (
    Booted,
    BreakerTripped,
    Cause,
    Command,
    Compile,
    Compiled,
    CompileFailed,
    Damaged,
    EngineDied,
    EngineReady,
    Event,
    Forget,
    Guard,
    Held,
    HoldLifted,
    Idle,
    Offered,
    Persist,
    PersistFailed,
    Pinned,
    Run,
    ShadowCounts,
    ShadowReport,
    StartShadow,
    StopCandidate,
    Tick,
    Unpinned,
)
from ringfence.model import limits
from ringfence.model.activation import ActivationState, ReleaseKey, Stage, first_state, rebased
from ringfence.model.errors import InternalError
from ringfence.wire.activation_record import decode_activation, encode_activation

TURNS: Final = 34
CALM_TURNS: Final = 44
HEALTHY_TURNS: Final = 2
"""A boot that lasts so long is one that the boot guard takes for healthy."""

LATE_TURNS: Final = 6
"""How long a release runs, all together, before its late harm begins: longer than its soak."""


class World:
    """One host's life."""

    def __init__(self, seed: int, machine: ModuleType = activation) -> None:
        """Draw the weather.  `machine` may be a broken one."""
        self.seed = seed
        self.machine = machine
        self.rng = rng = random.Random(seed)
        self.moods = moods_of(seed, rng)
        kinds = list(Kind)
        bad = rng.random() * 0.9
        self.kinds = [rng.choice(kinds) if rng.random() < bad else Kind.HARMLESS for _ in VERSIONS]
        if rng.random() < 0.8:
            self.kinds[BASELINE] = Kind.HARMLESS
        self.baseline = BASELINE
        self.calm = False
        self.disk: ActivationState | None = None
        self.full = False
        self.store: set[int] = set()
        self.now_ms = rng.randrange(10**6)
        self.wall_s = rng.randrange(10**9)
        self.metadata = 10
        self.clean = True
        self.begun = True
        self.down = False
        self.up_turns = 0
        self.unhealthy = 0
        self.running: Engine | None = None
        self.child: Child | None = None
        self.ran_turns = [0] * len(VERSIONS)
        self.trace: list[object] = []
        self.live = self._loaded()
        self.judge = Judge(self)

    # --- the life ---------------------------------------------------------------------------------------------------

    def run(self) -> "World":
        """Live it.  Raises Violation."""
        try:
            self.start()
            for _ in range(TURNS):
                self.turn()
            self.become_calm()
            for _ in range(CALM_TURNS):
                self.turn()
                if self.judge.is_at_rest():
                    break
            self.judge.settled()
        except InternalError as error:
            raise Violation(error.what) from error
        return self

    def become_calm(self) -> None:
        """No more faults; harm is certain from now on.  The operator sets the boot guard back, and may boot."""
        self.calm, self.full = True, False
        self.unhealthy = 0
        self.trace.append("calm")
        survives = self.running is not None and self.kinds[self.running.release] in (*DIE_AT_START, *HURT_HOST_AT_START)
        if self.live.off or survives or self.rng.randrange(2):
            self.stop(clean=True, host=True)
        self.restart()

    def chance(self, share: int) -> bool:
        """Whether a fault of this share comes now; none comes in calm."""
        return not self.calm and share > 0 and self.rng.randrange(1000) < share

    def turn(self) -> None:
        """Time passes, what runs does what it does, and one thing happens from outside."""
        self._pass_time()
        self._engine_lives()
        self.restart()
        self._child_lives()
        self.restart()
        self._outside()
        self.restart()
        self.up_turns += 1
        if self.up_turns == HEALTHY_TURNS:
            self.unhealthy = 0
        self.feed(Tick())
        self.restart()

    def _pass_time(self) -> None:
        self.judge.time_passes()
        self.now_ms += UNIT_MS
        self.wall_s += 1
        if self.running is not None and self.running.ready:
            self.ran_turns[self.running.release] += 1
        if self.chance(self.moods.jump):
            self.now_ms = max(0, self.now_ms + self.rng.choice((-(10**7), -50, 400, 10**9)))
            self.wall_s = self.rng.choice((-(10**6), 0, 10**5, 10**12))
            self.judge.jumps += 1
            self.trace.append("the clock jumps")

    # --- what releases do -------------------------------------------------------------------------------------------

    def _harms(self) -> bool:
        return self.calm or self.rng.randrange(1000) < self.moods.harm

    def _engine_lives(self) -> None:
        engine = self.running
        if engine is None:
            return
        kind, number = self.kinds[engine.release], engine.release
        if self.chance(self.moods.killer):
            self._engine_dies(Cause.KILLED)
        elif not engine.ready:
            if kind in DIE_AT_START and self._harms():
                self._engine_dies(Cause.HUNG if kind is Kind.HANGS else Cause.CRASHED)
            elif kind in HURT_HOST_AT_START and self._harms():
                self.hurt_host(number)
            elif self.calm or self.rng.randrange(4):
                engine.ready = True
                self.judge.answers(number)
                self.feed(EngineReady(KEYS[number]))
        elif kind in DIE_WHILE_RUNNING and (self.calm or self.rng.randrange(1000) < self.moods.harm // 4):
            self._engine_dies(self.rng.choice((Cause.CRASHED, Cause.HUNG, Cause.GREW)))
        elif kind is Kind.HANGS and self._harms():
            self.feed(EngineDied(KEYS[number], Cause.MUTE))
        elif kind in BURST and self._harms():
            self.feed(BreakerTripped(KEYS[number], "8 old files"))
        elif self.ran_turns[number] > LATE_TURNS and self._harms():
            self._late_harm(kind, number)

    def _late_harm(self, kind: Kind, number: int) -> None:
        if kind is Kind.LATE:
            self._engine_dies(Cause.CRASHED)
        elif kind is Kind.LATE_FOR_HOST:
            self.hurt_host(number)
        elif kind is Kind.LATE_BURST:
            self.feed(BreakerTripped(KEYS[number], "8 old files"))

    def _engine_dies(self, cause: Cause) -> None:
        if self.running is not None:
            number, self.running = self.running.release, None
            if cause is not Cause.KILLED:
                self.judge.harmed(number)
            self.feed(EngineDied(KEYS[number], cause))

    def _child_lives(self) -> None:
        child = self.child
        if child is None or self.down:
            return
        kind = self.kinds[child.release]
        if self.chance(self.moods.killer):
            self._child_dies(Cause.KILLED)
        elif not child.compiled:
            if self.calm or self.rng.randrange(3):
                self._child_compiles(child, kind)
        elif child.shadowed:
            self._child_is_compared(child, kind)

    def _child_compiles(self, child: Child, kind: Kind) -> None:
        key = KEYS[child.release]
        if kind is Kind.REFUSES:
            self.child = None
            self.feed(CompileFailed(key, "a.yar:3: syntax"))
        elif kind is Kind.COMPILER_DIES and self._harms():
            self._child_dies(Cause.CRASHED)
        elif kind is Kind.COMPILER_HURTS_HOST and self._harms():
            self.hurt_host(child.release)
        else:
            child.compiled = True
            self.feed(Compiled(key))

    def _child_is_compared(self, child: Child, kind: Kind) -> None:
        key = KEYS[child.release]
        if kind is Kind.SHADOW_DIES and self._harms():
            self._child_dies(Cause.GREW)
            return
        if kind is not Kind.QUIET:
            child.compared = min(child.compared + self.rng.randrange(7), self.moods.files)
        bad = COUNTS.get(kind)
        counts = (
            bad if bad is not None and self._harms() else BEARABLE if self.rng.randrange(4) == 0 else ShadowCounts()
        )
        exhausted, half = child.compared == self.moods.files, child.compared // 2
        counts = replace(counts, questions=half, replayed=child.compared - half, exhausted=exhausted)
        self.judge.compared(child.compared, exhausted=exhausted)
        self.feed(ShadowReport(key, counts))

    def _child_dies(self, cause: Cause) -> None:
        if self.child is not None:
            number, self.child = self.child.release, None
            if cause is not Cause.KILLED:
                self.judge.harmed(number)
            self.feed(EngineDied(KEYS[number], cause))

    def hurt_host(self, number: int) -> None:
        """A release takes the whole host down; nobody hears of it."""
        self.trace.append(f"{number} hurts the host")
        self.judge.harmed(number)
        self.stop(clean=False, host=True)

    # --- what happens from outside ----------------------------------------------------------------------------------

    def _outside(self) -> None:
        moods, rng = self.moods, self.rng
        if self.calm or self.down:
            return
        if self.chance(moods.fills):
            self.full = not self.full
            self.trace.append("the disk is full" if self.full else "the disk has room")
        elif self.full and rng.randrange(3) == 0:
            self.full = False
            self.trace.append("the disk has room")
        if self.chance(moods.loses_file) and self.store:
            lost = rng.choice(sorted(self.store))
            self.store.discard(lost)
            self.trace.append(f"the file of {lost} is lost")
        if self.chance(moods.noise) and not self.live.cautious:
            self._noise()
        if self.chance(moods.offer):
            self._offer(by_operator=False)
        elif self.chance(moods.operator):
            self._operator()
        elif self.chance(moods.reboot):
            self.stop(clean=True, host=rng.randrange(3) > 0)
        elif self.chance(moods.cut):
            self.stop(clean=False, host=True)

    def _offer(self, *, by_operator: bool) -> None:
        rng, number = self.rng, self.rng.choice(OFFERED)
        if rng.randrange(4) == 0:
            self.metadata += 1
        signed = 0 if by_operator else max(1, self.metadata - (rng.randrange(3) if rng.randrange(3) == 0 else 0))
        self.store.add(number)
        at_once, forced = rng.randrange(3) == 0, rng.randrange(3) == 0
        self.feed(Offered(KEYS[number], signed, by_operator, by_operator and at_once, by_operator and forced))

    def _operator(self) -> None:
        rng = self.rng
        act = rng.randrange(6)
        if act == 0:
            good = [NUMBER[one.release] for one in self.live.kept.chain]
            key = KEYS[rng.choice(good if rng.randrange(2) else range(BASELINE, len(VERSIONS)))]
            self.feed(Pinned(key, "a reason", forced=rng.randrange(3) == 0))
        elif act == 1:
            self.feed(Unpinned())
        elif act == 2:
            self.feed(Held("a reason"))
        elif act == 3:
            self.feed(HoldLifted())
        else:
            self._offer(by_operator=True)

    def _noise(self) -> None:
        """Words that come too late, or never should have come.  None of them may change anything."""
        candidate = self.live.kept.candidate
        other = KEYS[self.rng.choice(OFFERED)]
        stage = candidate.stage if candidate is not None and candidate.release == other else None
        known = self.live.kept.find(other.sha256) is not None
        words: list[Event] = [EngineReady(other)] if other != self.live.runs else []
        if stage is not Stage.COMPILING:
            words += [Compiled(other), CompileFailed(other, "")]
        if stage is not Stage.SHADOW:
            words.append(ShadowReport(other, COUNTS[Kind.BLOCKS_VITAL]))
        if stage is None and not known:
            words += [EngineDied(other, Cause.CRASHED), BreakerTripped(other, ""), Damaged(other)]
        if words:
            self.feed(self.rng.choice(words), noise=True)

    # --- the host ---------------------------------------------------------------------------------------------------

    def stop(self, *, clean: bool, host: bool) -> None:
        """The warden ends, and the host with it or not."""
        self.trace.append(f"{'an orderly' if clean else 'the'} end of the {'host' if host else 'warden'}")
        self.judge.ends()
        self.clean = self.clean and clean
        self.begun = self.begun or host
        self.running = self.child = None
        self.down = True
        if host:
            self.now_ms = self.rng.randrange(10**6)

    def restart(self) -> None:
        """Start until it stays up."""
        while self.down:
            self.start()

    def start(self) -> None:
        """One start of the warden."""
        self.down = False
        self.up_turns = 0 if self.begun else self.up_turns
        guard = Guard.NORMAL
        if self.begun and self.moods.guarded:
            self.unhealthy += 1
        if self.moods.guarded and self.unhealthy > 2:
            guard = (Guard.PREVIOUS, Guard.BASELINE, Guard.OFF)[min(self.unhealthy - 3, 2)]
        if self.chance(self.moods.loses_record):
            self.trace.append("the record is lost")
            self.disk = None
            self.judge.forgets()
        if self.chance(self.moods.upgrades):
            self.baseline = BASELINE + OTHER_BASELINE - self.baseline
            self.trace.append(f"another package: {self.baseline}")
            self.judge.rebased()
        self.live = self._loaded()
        self.judge.begins()
        event = Booted(self.clean, guard, self.begun)
        self.clean, self.begun = True, False
        self.store = {number for number in self.store if KEYS[number].sha256 in self.live.kept.files}
        self.feed(event)

    def _loaded(self) -> activation.Activation:
        kept = self.disk
        if kept is not None and self.moods.codec:
            kept = decode_activation(encode_activation(kept))
        key = KEYS[self.baseline]
        kept = first_state(key, 5) if kept is None else rebased(kept, key, 5)
        self.read = kept
        loaded: activation.Activation = self.machine.Activation(kept)
        return loaded

    # --- events and commands ----------------------------------------------------------------------------------------

    def feed(self, event: Event, *, noise: bool = False) -> bool:
        """Give the machine an event and carry out what it says.  False: the power or the warden went meanwhile."""
        if self.down:
            return False
        events = [event]
        while events:
            event = events.pop(0)
            before = self.live
            self.live, commands = self.machine.step(before, event, self.now_ms, self.wall_s)
            self.trace.append(event)
            self.judge.stepped(event, before, commands)
            if noise and (commands or self.live.kept != before.kept):
                raise Violation(f"{event} is none of its business, and it did something")
            for command in commands:
                if self._is_cut(command):
                    return False
                self.trace.append(command)
                follows = self._do(command)
                if isinstance(follows, PersistFailed):
                    events.insert(0, follows)
                    break
                if follows is not None:
                    events.append(follows)
        self.judge.rests()
        if self.moods.codec and not activation_why.why(self.live):
            raise Violation("nobody knows why the host runs what it runs")
        return True

    def _is_cut(self, command: Command) -> bool:
        """Whether the power goes, or the warden is killed, before this command or (the record) at its very end."""
        cut = self.chance(self.moods.cut)
        if not cut and not self.chance(self.moods.warden_killed):
            return False
        if isinstance(command, Persist) and not self.full and self.rng.randrange(2):
            self.disk = command.state
            self.judge.written()
        self.stop(clean=not cut, host=cut)
        return True

    def _do(self, command: Command) -> Event | None:
        match command:
            case Persist(state):
                if self.full:
                    return PersistFailed("no space")
                self.disk = state
                self.judge.written()
            case Run(key):
                return self._run(key)
            case Idle():
                self.running = None
            case Compile(key):
                self.judge.starts(NUMBER[key], compiles=True)
                self.child = Child(NUMBER[key])
                if NUMBER[key] not in self.store:
                    self.child = None
                    return Damaged(key)
            case StartShadow(key):
                if self.child is None or self.child.release != NUMBER[key] or not self.child.compiled:
                    raise Violation(f"a shadow of {NUMBER[key]}, which is not compiled")
                self.child.shadowed = True
            case StopCandidate(key):
                if self.child is not None and self.child.release == NUMBER[key]:
                    self.child = None
            case Forget(key):
                self.judge.forgotten(NUMBER[key])
                self.store.discard(NUMBER[key])
            case _:
                pass
        return None

    def _run(self, key: ReleaseKey) -> Event | None:
        number = NUMBER[key]
        self.judge.starts(number, compiles=False)
        if self.running is not None and self.running.release == number:
            return EngineReady(key) if self.running.ready else None
        self.running = None
        if self.child is not None and self.child.release == number:
            self.child = None
        elif number != self.baseline and number not in self.store:
            return Damaged(key)
        self.running = Engine(number)
        return None


if __name__ == "__main__":
    for name, bound in BOUNDS.items():
        setattr(limits, name, bound)
    world = World(int(sys.argv[1]))
    print("\n".join(f"{number}: {kind.name}" for number, kind in enumerate(world.kinds) if number))  # noqa: T201
    try:
        world.run()
    finally:
        print(world.moods, *world.trace, sep="\n")  # noqa: T201
