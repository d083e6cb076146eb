"""A small world around the warden's machine: processes that die, hang and never start, from one seed.

The machine is the product's own.  The world carries out its commands as a host would: a process that is started
becomes ready, or dies, or hangs; what it said before its death still arrives; a standby arms itself when the gate that
it watches dies; a hung gate is killed by whoever watches it.  At the end the faults stop: then everything must settle.
`checked` looks after every step, `settled` at the end.
"""

import heapq
import random
from dataclasses import dataclass, field
from typing import Final

from ringfence.decide import warden
from ringfence.decide import warden_messages as messages
from ringfence.decide.warden_messages import Kind, NoteKind, Stage
from ringfence.model import limits
from ringfence.model.conviction import NOT_CONVICTED, Conviction
from ringfence.model.verdict import Mode

TICK_MS: Final = 500
FAULTS_MS_MAX: Final = 45_000
CALM_MS: Final = limits.PROCESS_READY_MS + limits.RESTART_BACKOFF_MS_MAX + 5_000
"""A process that hung as the faults ended is killed, waits its pause, and is there again."""

STOP_MS: Final = limits.PROCESS_RETIRE_MS + 2_000
STARTS_PER_MINUTE_MAX: Final = {Kind.ZYGOTE: 12, Kind.WATCHDOG: 12, Kind.COURIER: 12, Kind.GATE: 24}
"""Pauses of 0.2, 0.4 … 10 s leave eleven starts and the first one in a minute; gates are two."""

WANTED: Final = {Kind.ZYGOTE: 1, Kind.WATCHDOG: 1, Kind.COURIER: 1, Kind.GATE: 2}
NEVER: Final = 10**9


class Violation(AssertionError):
    """A promise is broken.  The message says which, the test adds the seed."""


@dataclass(slots=True)
class Simulated:
    """One process as it really is, which the machine can only guess."""

    serial: int
    kind: Kind
    release: int
    mode: Mode
    conviction: Conviction = NOT_CONVICTED
    dies_ms: int = NEVER
    hung: bool = False
    ready: bool = False
    told_to_arm: bool = False
    armed: bool = False
    killed: bool = False
    watches: set[int] = field(default_factory=set)
    zygote: int = 0


@dataclass(slots=True)
class Moods:
    """What this seed's world is like.  Shares are in percent."""

    dies_at_start: int
    hangs_at_start: int
    dies_later: int
    hangs_later: int
    release_is_bad: int
    crashing: Kind | None
    operator: int
    stops: bool


@dataclass(slots=True)
class World:
    """One host's life."""

    seed: int
    rng: random.Random = field(init=False)
    trips: random.Random = field(init=False)
    """The breaker's own chance: remembered seeds live the lives that they lived before it."""

    state: warden.WardenState = field(init=False)
    moods: Moods = field(init=False)
    now_ms: int = 0
    faults_end_ms: int = 0
    stop_ms: int = NEVER
    living: dict[int, Simulated] = field(default_factory=dict)
    queue: list[tuple[int, int, messages.Event | None, int]] = field(default_factory=list)
    turn: int = 0
    trace: list[str] = field(default_factory=list)
    starts: list[tuple[int, Kind]] = field(default_factory=list)
    releases: int = 1
    bad: set[int] = field(default_factory=set)
    answered: set[int] = field(default_factory=set)
    loads_ms: list[int] = field(default_factory=list)
    gate_deaths_ms: list[int] = field(default_factory=list)
    convicted: Conviction = NOT_CONVICTED
    """What must hold: what any gate has tripped for the active release since it came, or since the operator's word."""

    good: list[int] = field(default_factory=lambda: [1])
    """Releases that have served: the host may go back to them."""

    kept: Conviction = NOT_CONVICTED

    def __post_init__(self) -> None:
        """Draw the weather."""
        self.rng = rng = random.Random(self.seed)
        self.trips = random.Random(~self.seed)
        self.state = warden.WardenState(mode=rng.choice(list(Mode)))
        rough = rng.random() < 0.7
        self.moods = Moods(
            dies_at_start=rng.randrange(30) if rough else 0,
            hangs_at_start=rng.randrange(15) if rough else 0,
            dies_later=rng.randrange(60) if rough else 0,
            hangs_later=rng.randrange(20) if rough else 0,
            release_is_bad=rng.randrange(80),
            crashing=rng.choice(list(Kind)) if rng.random() < 0.15 else None,
            operator=rng.randrange(12),
            stops=rng.random() < 0.3,
        )
        self.faults_end_ms = rng.randrange(FAULTS_MS_MAX)
        if self.moods.stops:
            self.stop_ms = rng.randrange(self.faults_end_ms + CALM_MS)

    # --- the life ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Live it.  Raises Violation."""
        self.step(messages.Begin())
        end_ms = self.stop_ms + STOP_MS if self.moods.stops else self.faults_end_ms + CALM_MS
        if self.moods.stops:
            self.at(self.stop_ms, messages.StopWanted())
        self.at(TICK_MS, messages.Tick())
        while self.queue and self.queue[0][0] <= end_ms:
            at_ms, _, event, serial = heapq.heappop(self.queue)
            self.now_ms = max(self.now_ms, at_ms)
            if event is None:
                self.fate(serial)
            elif isinstance(event, messages.Tick):
                self.tick()
            else:
                self.arrive(event)
        self.settled()

    def at(self, at_ms: int, event: messages.Event | None, serial: int = 0) -> None:
        """Let something happen later; events of one moment keep their order."""
        self.turn += 1
        heapq.heappush(self.queue, (at_ms, self.turn, event, serial))

    def chance(self, percent: int) -> bool:
        """Whether a fault of this likelihood comes now; none comes once they have ended."""
        return self.now_ms < self.faults_end_ms and self.rng.randrange(100) < percent

    def tick(self) -> None:
        """Time passes: watchers look, the operator may want something, the machine gets its tick."""
        self.at(self.now_ms + TICK_MS + self.rng.randrange(100), messages.Tick())
        for one in list(self.living.values()):
            if one.hung and one.ready and one.kind in (Kind.WATCHDOG, Kind.GATE):
                self.step(messages.BeatStale(one.serial))
        if self.now_ms < self.stop_ms and self.now_ms < self.faults_end_ms:
            self.operator()
            self.trip()
        elif not self.state.wanted:
            self.step(messages.RunRelease(self.good[-1]))  # a death is forgiven: something is to run again
        self.step(messages.Tick())

    def operator(self) -> None:
        """Somebody at a keyboard."""
        if self.rng.randrange(100) < self.moods.operator:
            self.releases += 1
            if self.rng.randrange(100) < self.moods.release_is_bad:
                self.bad.add(self.releases)
            self.loads_ms.append(self.now_ms)
            self.step(messages.TryRelease(self.releases))
        if self.trips.randrange(100) < 2 * self.moods.operator:
            self.go_back()
        if self.rng.randrange(100) < self.moods.operator:
            self.step(messages.ModeWanted(self.rng.choice(list(Mode))))

    def go_back(self) -> None:
        """What runs was convicted: an older release is to run, or none for a while."""
        self.loads_ms.append(self.now_ms)
        self.step(messages.RunRelease(self.trips.choice([0, *self.good])))

    def settle_trial(self, release: int) -> None:
        """The trial's zygote is ready: sooner or later it is to run, or its trial ends."""
        self.answered.add(release)
        word = messages.EndTrial(release) if self.trips.randrange(4) == 0 else messages.RunRelease(release)
        self.at(self.now_ms + self.trips.randrange(3_000), word)

    def trip(self) -> None:
        """Now and then a gate's breaker trips; what it says may be about a release that is no longer active."""
        if self.state.stopping or self.trips.randrange(12) or not any(one.armed for one in self.living.values()):
            return
        release = self.state.release - (self.trips.randrange(4) == 0)
        if not self.state.release:
            return
        rule = self.trips.randrange(4)
        if release == self.state.release:
            self.convicted = self.convicted.with_rule(rule) if rule else self.convicted.with_release()
        self.step(messages.RuleConvicted(release, rule) if rule else messages.ReleaseConvicted(release))

    def arrive(self, event: messages.Event) -> None:
        """What a process said reaches the warden, if the process lived long enough to say it."""
        if isinstance(event, messages.BecameReady | messages.BecameArmed):
            one = self.living.get(event.serial)
            if one is None or one.hung:
                return
            one.ready = True
            one.armed = one.armed or isinstance(event, messages.BecameArmed)
        if isinstance(event, messages.RunRelease) and event.release:
            self.loads_ms.append(self.now_ms)
        self.step(event)

    def fate(self, serial: int) -> None:
        """The moment at which a process dies or hangs by itself."""
        one = self.living.get(serial)
        if one is None or self.now_ms >= self.faults_end_ms:
            return
        if one.kind in (Kind.WATCHDOG, Kind.GATE) and self.rng.randrange(100) < self.moods.hangs_later:
            self.hang(one)
        else:
            self.die(serial)

    def hang(self, one: Simulated) -> None:
        """It stops making progress; a gate's watchers see that and kill it."""
        one.hung = True
        if one.kind is not Kind.GATE or not one.armed:
            return
        watchers = [other for other in self.living.values() if one.serial in other.watches and not other.hung]
        if watchers:
            self.kill(one, limits.HEARTBEAT_STALE_MS)

    def kill(self, one: Simulated, after_ms: int) -> None:
        """It will be dead in a moment."""
        if not one.killed:
            one.killed = True
            self.at(self.now_ms + after_ms + self.rng.randrange(20), messages.Died(one.serial))

    def die(self, serial: int) -> None:
        """It is dead now; the warden hears of it after what it had said."""
        one = self.living.pop(serial, None)
        if one is None:
            return
        if one.kind is Kind.GATE:
            for standby in self.living.values():
                if serial in standby.watches and standby.kind is Kind.GATE and standby.ready and not standby.hung:
                    standby.told_to_arm = True
                    standby.armed = True
                    self.at(self.now_ms + self.rng.randrange(300), messages.BecameArmed(standby.serial))
        self.at(self.now_ms + self.rng.randrange(100), messages.Died(serial))

    # --- the machine's commands ---------------------------------------------------------------------------------------

    def step(self, event: messages.Event) -> None:
        """One step of the machine, its commands carried out, and everything looked at."""
        before = self.state
        if isinstance(event, messages.Died):
            self.living.pop(event.serial, None)
            self.count_gate_death(event.serial)
            known = before.find(event.serial)
            if known is not None and known.kind is Kind.ZYGOTE:
                self.answered.add(known.release)
        self.state, commands = warden.step(self.state, event, self.now_ms)
        self.trace.append(f"{self.now_ms} {event} -> {commands}")
        if isinstance(event, messages.ModeWanted):
            self.convicted = NOT_CONVICTED
        if self.state.release != before.release:
            self.convicted = NOT_CONVICTED
            self.good = [*self.good, self.state.release][-4:] if self.state.release else self.good
        for command in commands:
            self.obey(command)
        self.checked(before, event, commands)

    def obey(self, command: messages.Command) -> None:
        """Carry one command out."""
        match command:
            case messages.Start(serial, kind, release):
                self.start(serial, kind, release)
            case messages.Kill(serial) if serial in self.living:
                self.kill(self.living[serial], 1)
            case messages.Retire(serial) if serial in self.living and not self.living[serial].hung:
                self.kill(self.living[serial], self.rng.randrange(2_000))
            case messages.Arm(serial) if serial in self.living:
                self.arm(self.living[serial])
            case messages.WatchGate(watcher, gate) if watcher in self.living:
                if self.living[watcher].kind is Kind.GATE:
                    self.living[watcher].watches.clear()  # a standby looks at one gate, the watchdog at all of them
                self.living[watcher].watches.add(gate)
            case (
                messages.Connect() | messages.Disconnect() | messages.Convict() | messages.SetMode()
            ) if command.gate in self.living:
                self.tell(command, self.living[command.gate])
            case messages.KeepConviction(_, conviction):
                self.kept = conviction
            case messages.Note(kind, _, number):
                if kind is NoteKind.TRIAL_READY:
                    self.settle_trial(number)
            case _:
                pass

    def tell(
        self, command: messages.Connect | messages.Disconnect | messages.Convict | messages.SetMode, gate: Simulated
    ) -> None:
        """What a gate does with what it is told."""
        match command:
            case messages.Disconnect():
                gate.zygote, gate.conviction = 0, NOT_CONVICTED
            case messages.Connect(_, zygote, conviction):
                if zygote not in self.living and self.state.find(zygote) is None:
                    raise Violation(f"gate {gate.serial} was connected to zygote {zygote}, which nobody knows")
                gate.zygote = zygote
                gate.conviction = conviction
            case messages.Convict(_, release, conviction):
                if release == self.state.release:
                    gate.conviction = conviction
            case messages.SetMode(_, mode):
                gate.mode = mode
                gate.conviction = NOT_CONVICTED  # a gate that hears a mode closes its breaker

    def start(self, serial: int, kind: Kind, release: int) -> None:
        """A process is born, and its first fate drawn."""
        if self.state.stopping:
            raise Violation(f"{kind} {serial} was started after the stop")
        if serial in self.living:
            raise Violation(f"serial {serial} was given twice")
        self.starts.append((self.now_ms, kind))
        one = self.living[serial] = Simulated(serial, kind, release, self.state.mode)
        doomed = kind is self.moods.crashing and self.now_ms < self.faults_end_ms
        if doomed or release in self.bad or self.chance(self.moods.dies_at_start):
            self.at(self.now_ms + self.rng.randrange(400), messages.Died(serial))
            one.killed = True
            return
        if self.chance(self.moods.hangs_at_start):
            one.hung = True
            return
        ready_ms = self.now_ms + 20 + self.rng.randrange(600)
        self.at(ready_ms, messages.BecameReady(serial))
        if self.chance(self.moods.dies_later):
            self.at(ready_ms + self.rng.randrange(15_000), None, serial)

    def arm(self, gate: Simulated) -> None:
        """The warden's word to answer the kernel."""
        others = [
            one.serial
            for one in self.living.values()
            if one.serial != gate.serial and one.told_to_arm and not one.killed
        ]
        if others:
            raise Violation(f"gate {gate.serial} was told to arm while {others} may answer the kernel")
        seeing = [one for one in self.living.values() if one.kind is Kind.WATCHDOG and self.known_ready(one.serial)]
        if any(gate.serial not in one.watches for one in seeing):
            raise Violation(f"gate {gate.serial} was told to arm unwatched")
        gate.told_to_arm = True
        if not gate.hung and not gate.killed:
            self.at(self.now_ms + 5 + self.rng.randrange(200), messages.BecameArmed(gate.serial))

    def known_ready(self, serial: int) -> bool:
        """Whether the warden knows this process to be at work."""
        known = self.state.find(serial)
        return known is not None and known.stage is Stage.READY

    # --- what must hold -----------------------------------------------------------------------------------------------

    def count_gate_death(self, serial: int) -> None:
        known = self.state.find(serial)
        if known is not None and known.kind is Kind.GATE and known.stage is Stage.ARMED and not self.state.stopping:
            self.gate_deaths_ms.append(self.now_ms)

    def checked(
        self, before: warden.WardenState, event: messages.Event, commands: tuple[messages.Command, ...]
    ) -> None:
        """After each step."""
        self.check_restarts()
        self.check_convictions()
        if self.state.release in self.bad:
            raise Violation(f"release {self.state.release} was refused by its own zygote and is active")
        for command in commands:
            if isinstance(command, messages.Connect):
                zygote = self.state.find(command.zygote)
                if zygote is None or zygote.release != self.state.release or zygote.stage is Stage.DRAINING:
                    raise Violation(f"{command}: that zygote does not hold the active release {self.state.release}")
        recent = [at for at in self.gate_deaths_ms if self.now_ms - at < limits.GATE_DEATHS_WINDOW_MS]
        dying = isinstance(event, messages.Died) and self.gate_deaths_ms[-1:] == [self.now_ms]
        if dying and len(recent) >= limits.GATE_DEATHS_MAX and self.state.mode is not Mode.OBSERVE:
            raise Violation("gates die again and again and the host is not set to observe")
        if isinstance(event, messages.RunRelease) and not before.stopping and self.state.wanted != event.release:
            raise Violation(f"{event} was said, and {self.state.wanted} is wanted")
        self.check_zygotes()
        if self.state.wanted == 0 and any(one.kind is Kind.GATE and one.zygote for one in self.living.values()):
            raise Violation("nothing is to run, and a gate still has a zygote")
        if before.stopping and not self.state.stopping:
            raise Violation("a stop was forgotten")

    def check_zygotes(self) -> None:
        """Each zygote serves, is to serve, is tried, or ends."""
        kept = (self.state.release, self.state.wanted, self.state.trial)
        seen: set[int] = set()
        for known in self.state.of(Kind.ZYGOTE):
            one = self.living.get(known.serial)
            if one is None or one.killed or known.stage is Stage.DRAINING or self.state.stopping:
                continue
            if known.release not in kept:
                raise Violation(f"zygote {known.serial} holds release {known.release}, which nobody wants")
            if known.release in seen:
                raise Violation(f"zygote {known.serial} is the second one of release {known.release}")
            seen.add(known.release)

    def check_convictions(self) -> None:
        """Every gate spares what the breaker has tripped, no more; so will the next start, and the status says so."""
        if self.convicted != self.state.conviction or self.kept != self.convicted:
            raise Violation(f"{self.convicted} holds; known {self.state.conviction}, kept {self.kept}")
        for one in self.living.values():
            if one.kind is Kind.GATE and one.conviction != self.convicted:
                raise Violation(f"gate {one.serial} goes by {one.conviction}, not by {self.convicted}")

    def check_restarts(self) -> None:
        for kind, most in STARTS_PER_MINUTE_MAX.items():
            recent = sum(one is kind and self.now_ms - at < 60_000 for at, one in self.starts)
            if kind is Kind.ZYGOTE:
                recent -= sum(self.now_ms - at < 60_000 for at in self.loads_ms)
            if recent > most:
                raise Violation(f"{recent} starts of {kind} within a minute")

    def settled(self) -> None:
        """At the end of a life: everything has ended, or everything is there."""
        if self.moods.stops:
            if self.living or self.state.processes:
                raise Violation(f"after the stop there still are {sorted(self.living)}, {self.state.processes}")
            return
        known = {one.serial: one for one in self.state.processes}
        if set(known) != set(self.living):
            raise Violation(f"known {sorted(known)} and living {sorted(self.living)} differ")
        counts = {kind: sum(one.kind is kind for one in self.living.values()) for kind in WANTED}
        if counts != WANTED:
            raise Violation(f"a quiet host has {counts}")
        stages = sorted(one.stage for one in known.values() if one.kind is Kind.GATE)
        if stages != [Stage.ARMED, Stage.READY]:
            raise Violation(f"a quiet host's gates are {stages}")
        self.settled_links(known)

    def settled_links(self, known: dict[int, messages.Process]) -> None:
        """Everybody is connected to those that are there now."""
        armed = next(one.serial for one in known.values() if one.stage is Stage.ARMED)
        zygote = next(one for one in known.values() if one.kind is Kind.ZYGOTE)
        if zygote.release != self.state.release or self.state.trial or self.state.wanted != self.state.release:
            raise Violation(f"the zygote holds {zygote.release}, active is {self.state.release}, tried {self.state}")
        for one in self.living.values():
            if one.hung or not one.ready:
                raise Violation(f"{one} is not at work, and nobody minds")
            if one.kind is Kind.GATE and one.zygote != zygote.serial:
                raise Violation(f"gate {one.serial} takes scanners from {one.zygote}, not from {zygote.serial}")
            if one.kind is Kind.GATE and one.mode is not self.state.mode:
                raise Violation(f"gate {one.serial} is in mode {one.mode.name}, the host in {self.state.mode.name}")
            gates = {other.serial for other in self.living.values() if other.kind is Kind.GATE}
            if one.kind is Kind.WATCHDOG and not gates <= one.watches:
                raise Violation(f"the watchdog watches {one.watches}, not every gate of {gates}")
            if one.kind is Kind.GATE and one.serial != armed and armed not in one.watches:
                raise Violation(f"standby {one.serial} watches {one.watches}, not the armed gate {armed}")
        if self.releases not in self.answered | {1}:
            raise Violation(f"nobody heard what became of release {self.releases}")
