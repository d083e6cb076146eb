"""Thousands of lives of the warden on a bad host; and broken wardens, each of which a few hundred lives must catch.

To see one seed again: `World(N).run()`, and print its `trace`.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.sim.warden_world import Violation, World

from ringfence.decide import warden
from ringfence.decide import warden_messages as messages
from ringfence.decide.warden_messages import Kind, Stage
from ringfence.model import limits
from ringfence.model.conviction import NOT_CONVICTED
from ringfence.model.verdict import Mode

SEEDS = 2_000
PARTS = 4
SEEDS_FOR_THE_BROKEN = 500

REMEMBERED = {
    3: "a standby gate hangs and nobody but the warden can see it",
    73: "a superseded release said ready before it was killed; the gates took its scanners and lost them",
    177: "a release became active while the old zygote's pause ran; two zygotes stayed",
}
"""Seeds that have broken a promise once."""


def live(seed: int) -> list[str]:
    """One life and its trace.  Raises Violation with the seed."""
    world = World(seed)
    try:
        world.run()
    except Violation as broken:
        raise Violation(f"seed {seed}: {broken}") from broken
    return world.trace


def live_all(seeds: range) -> None:
    for seed in seeds:
        live(seed)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_bad_host_is_protected_again_and_the_same_seed_is_the_same_life(part: int) -> None:
    for seed in range(part, SEEDS, PARTS):
        assert live(seed) == live(seed)


@pytest.mark.parametrize("seed", REMEMBERED)
def test_what_has_broken_once_holds(seed: int) -> None:
    assert live(seed)


def test_every_kind_of_life_is_lived() -> None:
    """The weather is varied: stops, refused releases, crash loops, degraded hosts all happen."""
    worlds = [World(seed) for seed in range(300)]
    for world in worlds:
        world.run()
    text = "\n".join("\n".join(world.trace) for world in worlds)
    words = "TRIAL_READY EndTrial Disconnect RELEASE_ACTIVATED GATE_REPLACED DEGRADED STOPPED BeatStale PROTECTED"
    words += " RELEASE_CONVICTED RULE_CONVICTED"
    assert [word for word in words.split() if word not in text] == []
    assert any(world.moods.crashing for world in worlds)
    assert any(len(world.bad) > 1 for world in worlds)


# --- broken wardens ---------------------------------------------------------------------------------------------------

Break = Callable[[pytest.MonkeyPatch], None]
Turn = warden._Turn


def arms_whoever_is_ready(patch: pytest.MonkeyPatch) -> None:
    def armed(turn: Turn, event: messages.BecameReady) -> None:
        warden._ready(turn, event)
        process = turn.state.find(event.serial)
        if process is not None and process.kind is Kind.GATE:
            turn.commands.append(messages.Arm(event.serial))

    patch.setitem(warden._HANDLERS, messages.BecameReady, armed)


def never_restarts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(warden, "_pause", lambda *_: None)


def restarts_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limits, "RESTART_BACKOFF_MS_MAX", limits.RESTART_BACKOFF_MS)


def leaves_the_old_zygote(patch: pytest.MonkeyPatch) -> None:
    sound = warden._ready

    def ready(turn: Turn, event: messages.BecameReady) -> None:
        before = turn.state.processes
        sound(turn, event)
        stages = {one.serial: one.stage for one in before}
        kept = tuple(
            replace(one, stage=stages[one.serial]) if one.stage is Stage.DRAINING else one
            for one in turn.state.processes
        )
        turn.state = replace(turn.state, processes=kept)

    patch.setitem(warden._HANDLERS, messages.BecameReady, ready)


def tells_no_watchdog(patch: pytest.MonkeyPatch) -> None:
    def watch(turn: Turn, process: messages.Process) -> None:
        active = turn.state.active_gate
        if process.kind is Kind.GATE and active is not None and active.serial != process.serial:
            turn.commands.append(messages.WatchGate(process.serial, active.serial))

    patch.setattr(warden, "_watch", watch)


def tells_no_standby(patch: pytest.MonkeyPatch) -> None:
    def watch(turn: Turn, process: messages.Process) -> None:
        watchdogs = [process] if process.kind is Kind.WATCHDOG else turn.state.of(Kind.WATCHDOG)
        gates = [process] if process.kind is Kind.GATE else turn.state.of(Kind.GATE)
        turn.commands.extend(messages.WatchGate(one.serial, gate.serial) for one in watchdogs for gate in gates)

    patch.setattr(warden, "_watch", watch)


def forgets_to_connect_the_gates(patch: pytest.MonkeyPatch) -> None:
    sound = warden._ready

    def ready(turn: Turn, event: messages.BecameReady) -> None:
        sound(turn, event)
        turn.commands[:] = [one for one in turn.commands if not isinstance(one, messages.Connect)]

    patch.setitem(warden._HANDLERS, messages.BecameReady, ready)


def activates_before_it_is_proven(patch: pytest.MonkeyPatch) -> None:
    def run(turn: Turn, event: messages.RunRelease) -> None:
        warden._run(turn, event)
        turn.state = replace(turn.state, release=event.release)

    patch.setitem(warden._HANDLERS, messages.RunRelease, run)



def waits_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(warden, "_PATIENCE_MS", {})


def believes_a_stale_beat(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(warden._HANDLERS, messages.BeatStale, lambda *_: None)


def keeps_the_mode_to_itself(patch: pytest.MonkeyPatch) -> None:
    def mode(turn: Turn, event: messages.ModeWanted) -> None:
        turn.state = replace(turn.state, mode=event.mode)

    patch.setitem(warden._HANDLERS, messages.ModeWanted, mode)


def does_not_count_dead_gates(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(warden, "_count_gate_death", lambda _: None)


def keeps_a_superseded_release(patch: pytest.MonkeyPatch) -> None:
    def attempt(turn: Turn, event: messages.TryRelease) -> None:
        turn.state = replace(turn.state, trial=event.release)
        turn.start(Kind.ZYGOTE, event.release)

    patch.setitem(warden._HANDLERS, messages.TryRelease, attempt)


def goes_on_with_a_trial_that_has_ended(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(warden._HANDLERS, messages.EndTrial, lambda *_: None)


def runs_what_nobody_wants_any_more(patch: pytest.MonkeyPatch) -> None:
    def run(turn: Turn, event: messages.RunRelease) -> None:
        if event.release:
            warden._run(turn, event)

    patch.setitem(warden._HANDLERS, messages.RunRelease, run)


def tells_no_gate_that_nothing_runs(patch: pytest.MonkeyPatch) -> None:
    def run(turn: Turn, event: messages.RunRelease) -> None:
        warden._run(turn, event)
        turn.commands[:] = [one for one in turn.commands if not isinstance(one, messages.Disconnect)]

    patch.setitem(warden._HANDLERS, messages.RunRelease, run)



def connects_to_any_zygote(patch: pytest.MonkeyPatch) -> None:
    sound = warden._ready

    def ready(turn: Turn, event: messages.BecameReady) -> None:
        sound(turn, event)
        process = turn.state.find(event.serial)
        if process is not None and process.kind is Kind.ZYGOTE and process.release != turn.state.release:
            turn.commands.extend(messages.Connect(gate.serial, process.serial) for gate in turn.state.of(Kind.GATE))

    patch.setitem(warden._HANDLERS, messages.BecameReady, ready)


def starts_a_zygote_too_many(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(warden, "_replaced", lambda *_: False)


def starts_while_it_stops(patch: pytest.MonkeyPatch) -> None:
    def died(turn: Turn, event: messages.Died) -> None:
        stopping = turn.state.stopping
        turn.state = replace(turn.state, stopping=False)
        warden._died(turn, event)
        turn.state = replace(turn.state, stopping=stopping)

    def tick(turn: Turn, event: messages.Tick) -> None:
        stopping = turn.state.stopping
        turn.state = replace(turn.state, stopping=False)
        warden._tick(turn, event)
        turn.state = replace(turn.state, stopping=stopping)

    patch.setitem(warden._HANDLERS, messages.Died, died)
    patch.setitem(warden._HANDLERS, messages.Tick, tick)


def stops_only_the_gates(patch: pytest.MonkeyPatch) -> None:
    sound = warden._settle

    def settle(turn: Turn) -> None:
        if not turn.state.stopping:
            sound(turn)

    patch.setattr(warden, "_settle", settle)


def says_nothing_of_a_trial_that_is_ready(patch: pytest.MonkeyPatch) -> None:
    def ready(turn: Turn, event: messages.BecameReady) -> None:
        warden._ready(turn, event)
        word = messages.NoteKind.TRIAL_READY
        turn.commands[:] = [one for one in turn.commands if not (isinstance(one, messages.Note) and one.kind is word)]

    patch.setitem(warden._HANDLERS, messages.BecameReady, ready)



def tells_nobody_what_has_tripped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(warden, "_tell_conviction", lambda _: None)


def forgets_what_has_tripped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(warden, "_keep", lambda *_: None)


def starts_gates_that_know_of_no_conviction(patch: pytest.MonkeyPatch) -> None:
    sound = warden._settle

    def settle(turn: Turn) -> None:
        sound(turn)
        turn.commands[:] = [
            replace(one, conviction=NOT_CONVICTED) if isinstance(one, messages.Connect) else one
            for one in turn.commands
        ]

    patch.setattr(warden, "_settle", settle)


def convicts_whatever_release_is_active(patch: pytest.MonkeyPatch) -> None:
    def convicted(turn: Turn, event: messages.ReleaseConvicted) -> None:
        warden._convicted(turn, replace(event, release=turn.state.release))

    patch.setitem(warden._HANDLERS, messages.ReleaseConvicted, convicted)




def wants_one_gate(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(warden, "GATES_WANTED", 1)


BROKEN: tuple[Break, ...] = (
    arms_whoever_is_ready,
    never_restarts,
    restarts_at_once,
    leaves_the_old_zygote,
    tells_no_watchdog,
    tells_no_standby,
    forgets_to_connect_the_gates,
    activates_before_it_is_proven,
    waits_for_ever,
    believes_a_stale_beat,
    keeps_the_mode_to_itself,
    does_not_count_dead_gates,
    keeps_a_superseded_release,
    connects_to_any_zygote,
    starts_a_zygote_too_many,
    starts_while_it_stops,
    stops_only_the_gates,
    says_nothing_of_a_trial_that_is_ready,
    goes_on_with_a_trial_that_has_ended,
    runs_what_nobody_wants_any_more,
    tells_no_gate_that_nothing_runs,
    tells_nobody_what_has_tripped,
    forgets_what_has_tripped,
    starts_gates_that_know_of_no_conviction,
    convicts_whatever_release_is_active,
    wants_one_gate,
)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda one: one.__name__)
def test_a_broken_warden_is_caught(monkeypatch: pytest.MonkeyPatch, broken: Break) -> None:
    broken(monkeypatch)
    with pytest.raises(Violation):
        live_all(range(SEEDS_FOR_THE_BROKEN))


def test_the_sound_warden_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutants above are caught for what they broke, not for being patched."""
    monkeypatch.setitem(warden._HANDLERS, messages.Tick, warden._tick)
    monkeypatch.setattr(warden, "_PATIENCE_MS", dict(warden._PATIENCE_MS))
    assert warden.WardenState(mode=Mode.ENFORCE).active_gate is None
    assert live(1)
