"""What must hold in every life of the simulated host, whatever the machine believes about itself.

 1. Nothing starts that the record on the disk does not know; nothing that was refused, unless newer metadata vouched
    for it or the operator forced it; what was refused and forgotten for want of room counts as well.
 2. A release harms a host at most as often as the bounds allow, and so do all together between two new releases.
 3. A harmless release is refused only for ends of the host that nobody ordered; no other deaths are held against it.
 4. A release runs only after a shadow of its full length and data, and is good only after a full soak.
 5. What is believed is on the disk after every event, unless the disk refused.
 6. What leaves the chain was refused, lost its file, made room, or was dropped by the boot guard.
 7. Pins, holds and the guard's word are kept; older releases come by the operator alone.
 8. A child exists exactly while there is a trial that has not begun to soak; files that the disk names stay.
 9. In calm: nothing harmful runs, nothing is being tried, a host with a harmless baseline is protected.

Losses that the world itself caused (a record that is gone, deaths that a full disk kept from being written) are counted
here and widen the bounds by exactly that much.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tests.sim.activation_releases import BEARABLE, HARMFUL, HARMLESS, KEYS, NUMBER, UNIT_MS, VERSIONS

from ringfence.decide.activation_messages import (
    Booted,
    BreakerTripped,
    Cause,
    Command,
    Compile,
    CompileFailed,
    Damaged,
    EngineDied,
    Event,
    Guard,
    Idle,
    Offered,
    Persist,
    PersistFailed,
    Pinned,
    Run,
    ShadowCounts,
    ShadowReport,
)
from ringfence.model import limits
from ringfence.model.activation import ActivationState, Candidate, Proven, Reason, Refusal, ReleaseKey, Stage

if TYPE_CHECKING:
    from tests.sim.activation_world import World

    from ringfence.decide.activation import Activation

_RELEASES: Final = len(VERSIONS)


class Violation(AssertionError):
    """A promise is broken.  The message says which, the test adds the seed."""


def require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads like an assertion
    """Raise Violation unless it `holds`."""
    if not holds:
        raise Violation(what)


class Judge:
    """Keeps its own account of one life."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.jumps = 0
        self.refused: dict[int, int] = {}
        """Release -> version of the metadata under which it was refused last, as the disk has ever known."""

        self.legal: set[int] = set()
        """Refused ones whose present trial is in order all the same."""

        self.passed: set[int] = set()
        """Releases that owe no shadow any more."""

        self.harms = [0] * _RELEASES
        self.trial_harms = [0] * _RELEASES
        self.unwritten = [0] * _RELEASES
        """Harms that are not on the disk yet."""

        self.slack = [0] * _RELEASES
        """Harms that never got there, or were held against another."""

        self.ends_blamed = [0] * _RELEASES
        self.calm_ms = [0] * _RELEASES
        """Time in calm since the first death that counts."""

        self.calm_since_ms = [0] * _RELEASES
        """The same since the last death that was blamed, or forgiveness."""

        self.calm_written_ms = [0] * _RELEASES
        """The same when the record was written last."""

        self.all_harms = 0
        self.all_slack = 0
        self.all_forgiven = 0
        self.culprit = 0
        self.blamed = 0
        self.shadow_ms = self.soak_ms = self.life_ms = self.compared_files = 0
        self.exhausted = False
        self.blind = self.was_blind = False
        self.has_begun = True
        """Nothing has run yet in this life of the warden."""

        self.beginning: Offered | None = None
        """A trial that was accepted in the step in hand."""

    # --- what the world tells ---------------------------------------------------------------------------------------

    def time_passes(self) -> None:
        """One unit, during which everything stayed as it is."""
        world, candidate = self.world, self.world.live.kept.candidate
        self.life_ms = self.life_ms + UNIT_MS if world.running is not None and world.running.ready else 0
        calm = world.baseline if world.running is None else world.running.release if world.running.ready else 0
        if calm and candidate is not None and candidate.stage is Stage.SOAKING:
            self.soak_ms += UNIT_MS
        else:
            self.calm_ms[calm] += UNIT_MS
            self.calm_since_ms[calm] += UNIT_MS
        if world.child is not None and world.child.shadowed:
            self.shadow_ms += UNIT_MS

    def answers(self, number: int) -> None:
        """A new engine of this release answers."""
        del number
        self.soak_ms = self.life_ms = 0

    def compared(self, files: int, *, exhausted: bool) -> None:
        """So many files were compared with the candidate, and perhaps there are no more."""
        self.compared_files, self.exhausted = files, exhausted

    def rebased(self) -> None:
        """Another package brings another baseline: whatever was known of it is forgotten."""
        number = self.world.baseline
        self.refused.pop(number, None)
        self.legal.discard(number)
        for counts in (self.harms, self.trial_harms, self.unwritten, self.slack, self.ends_blamed):
            counts[number] = 0
        self.all_harms = self.all_slack = self.all_forgiven = 0

    def harmed(self, number: int) -> None:
        """The release really did harm: rule 2."""
        if not self.harms[number]:
            self.calm_ms[number] = 0
        self.harms[number] += 1
        self.all_harms += 1
        self.unwritten[number] += 1
        self.culprit = number
        period = limits.FORGIVE_STEP_MS * limits.FORGIVE_STEPS
        bound = limits.RELEASE_DEATHS_MAX + self.calm_ms[number] // period + self.slack[number]
        require(self.harms[number] <= bound, f"release {number} did harm {self.harms[number]} times, {bound} allowed")
        candidate = self.world.live.kept.candidate
        if candidate is not None and NUMBER[candidate.release] == number:
            self.trial_harms[number] += 1
            bound = limits.TRIAL_STARTS_MAX + self.slack[number]
            require(self.trial_harms[number] <= bound, f"the trial of {number} goes on after {bound} harms")
        bound = limits.GOOD_RELEASES_MAX * limits.RELEASE_DEATHS_MAX + limits.TRIAL_STARTS_MAX
        bound += self.all_forgiven + self.all_slack
        require(self.all_harms <= bound, f"{self.all_harms} harms since the last new release, {bound} allowed")

    def ends(self) -> None:
        """The warden ends, or the whole host.  What is not on the disk is lost."""
        # what is not on the disk was neither blamed nor forgiven
        self.calm_since_ms = [max(pair) for pair in zip(self.calm_since_ms, self.calm_written_ms, strict=True)]
        self.soak_ms = self.shadow_ms = self.life_ms = self.compared_files = 0
        self.exhausted = self.blind = False
        self.has_begun = True

    def begins(self) -> None:
        """The next life begins with the record that was read, and with whom that makes answer for the end before."""
        read = self.world.read
        ran = None if read.steady else read.arrival.release
        suspect = read.candidate.release if read.candidate is not None else ran
        known = suspect is not None and (read.candidate is not None or read.find(suspect.sha256) is not None)
        self.blamed = NUMBER[suspect] if suspect is not None and known and not self.world.clean else 0
        self.ends_blamed[self.blamed] += 1
        for number, count in enumerate(self.unwritten):
            lost = count - (1 if number == self.culprit == self.blamed else 0)
            if lost > 0:
                self.slack[number] += lost
                self.all_slack += lost
        self.unwritten = [0] * _RELEASES
        self.culprit = 0

    def forgets(self) -> None:
        """The record is lost: a host that knows nothing begins anew, with its baseline for all that anybody knows."""
        self.refused.clear()
        self.legal.clear()
        self.passed.clear()
        for counts in (self.harms, self.trial_harms, self.unwritten, self.slack, self.ends_blamed):
            counts[:] = [0] * _RELEASES
        self.all_harms = self.all_slack = self.all_forgiven = 0

    def written(self) -> None:
        """The record is on the disk."""
        if self.beginning is not None:
            self._begins(self.beginning)
        self.beginning = None
        self.unwritten = [0] * _RELEASES
        self.blind = False
        self.calm_written_ms = list(self.calm_since_ms)
        disk = self.world.disk
        if disk is None:
            return
        tried = disk.candidate.release if disk.candidate is not None else None
        for refusal in disk.refused:
            number = NUMBER[refusal.release]
            self.refused[number] = max(refusal.signed_version, self.refused.get(number, 0))
            if refusal.release != tried:
                self.legal.discard(number)
        for proven in disk.chain:
            self.refused.pop(NUMBER[proven.release], None)

    def starts(self, number: int, *, compiles: bool) -> None:
        """A release is given to a compiler, or runs: rules 1 and 7."""
        kept, disk = self.world.live.kept, self.world.disk
        what = f"release {number} {'is compiled' if compiles else 'runs'}"
        require(not self.world.live.off, f"{what} on a host that is switched off")
        known = (disk is not None and (compiles or _knows(disk, number))) or (
            number == self.world.baseline and self.world.live.unkept
        )
        require(known, f"{what} and the disk does not know it")
        tried = kept.candidate is not None and NUMBER[kept.candidate.release] == number
        if compiles:
            trial = disk.candidate if disk is not None else None
            require(trial is not None and NUMBER[trial.release] == number, f"{what} and the disk knows no such trial")
        require(kept.refusal_of(KEYS[number].sha256) is None or tried, f"{what} although it is refused")
        require(number not in self.refused or number in self.legal, f"{what} although it was refused")
        early = self.has_begun and not compiles and not self.world.live.unkept
        require(
            not early or disk is None or not disk.steady, f"{what} and the disk calls it steady before it has begun"
        )
        self.has_begun = self.has_begun and compiles
        require(
            not self.blind or number == self.world.baseline,
            f"{what} although the end of the host could not be written down",
        )

    def forgotten(self, number: int) -> None:
        """A file is removed: rule 8."""
        disk = self.world.disk
        require(disk is None or KEYS[number].sha256 not in disk.files, f"the file of {number} is still needed")

    # --- every step ---------------------------------------------------------------------------------------------------

    def stepped(self, event: Event, before: "Activation", commands: Sequence[Command]) -> None:
        """The machine has answered an event."""
        after = self.world.live
        self.beginning = None
        self.was_blind = self.blind
        writes = [at for at, one in enumerate(commands) if isinstance(one, Persist)]
        require(writes in ([], [0]), "a step writes once, and first")
        require(sum(isinstance(one, Run | Idle) for one in commands) <= 1, "a step says once what runs")
        if isinstance(event, Booted) and not event.clean:
            self.unwritten[self.blamed] += 1
            self.calm_since_ms[self.blamed] = 0
        if isinstance(event, EngineDied) and event.cause not in (Cause.KILLED, Cause.MUTE):
            self.calm_since_ms[NUMBER[event.release]] = 0
        if isinstance(event, PersistFailed):
            require(not writes, "the disk has just refused")
            self.blind = self.blind or before.unclean
        elif after.kept != before.kept:
            require(writes == [0], "a change is not written down")
        if isinstance(event, Pinned):
            self._pinned(event, before.kept, after.kept)
        if isinstance(event, Offered) and Compile(event.release) in commands:
            self._accepted(event, before)
        if after.kept is not before.kept:
            self._changed(event, before.kept, after.kept)
        self._must_refuse(event, before.kept, after.kept)

    def _pinned(self, event: Pinned, before: ActivationState, after: ActivationState) -> None:
        """Rule 7."""
        tried = before.candidate is not None and before.candidate.release == event.release
        refused = before.refusal_of(event.release.sha256) is not None
        if event.forced:
            self.refused.pop(NUMBER[event.release], None)
        elif refused and not tried:
            require(after.pin == before.pin, "what is refused is pinned")

    def _accepted(self, event: Offered, before: "Activation") -> None:
        """Rules 1 and 7: a new trial may begin."""
        number, kept = NUMBER[event.release], before.kept
        forced = event.by_operator and event.forced
        signed = self.refused.get(number)
        require(signed is None or forced or event.signed_version > signed, f"refused release {number} is tried again")
        require(kept.pin is None or kept.pin.release == event.release, f"{number} is tried in spite of a pin")
        require(kept.hold is None or event.by_operator, f"{number} is tried in spite of a hold")
        require(kept.candidate is None or event.by_operator, f"{number} is tried instead of another")
        require(not before.off, f"{number} is tried on a host that is switched off")
        require(not before.unkept or before.asked is not None, f"{number} is tried while nothing can be written")
        pinned = kept.pin is not None
        newer = all(event.release.version > one.release.version for one in kept.chain[:-1] if one.signed_version)
        require(event.by_operator or pinned or newer, f"{number} is tried and is not newer")
        self.beginning = event

    def _begins(self, event: Offered) -> None:
        """The disk knows of a new trial."""
        number = NUMBER[event.release]
        self.legal.add(number)
        self.passed.discard(number)
        if event.by_operator and event.at_once:
            self.passed.add(number)
        for counts in (self.harms, self.trial_harms, self.unwritten, self.slack, self.ends_blamed):
            counts[number] = 0
        self.all_harms = self.all_slack = self.all_forgiven = 0

    def _changed(self, event: Event, before: ActivationState, after: ActivationState) -> None:
        known = {one.release: one for one in before.chain}
        for one in after.chain:
            self._is_sound(one, before, known.get(one.release))
        refused = set(before.refused)
        new = [one for one in after.refused if one not in refused]
        for refusal in new:
            self._refusal_is_just(event, refusal, before)
        if isinstance(event, Booted) and new:
            suspect = before.arrival.release if before.candidate is None else before.candidate.release
            require([one.release for one in new] == [suspect], "an end is held against who cannot have done it")
        left = [one for one in before.chain if after.find(one.release.sha256) is None]
        guarded = isinstance(event, Booted) and event.guard is Guard.BASELINE
        for one in left:
            room = len(before.chain) == limits.GOOD_RELEASES_MAX and after.chain[0].release not in known
            lost = isinstance(event, Damaged) and event.release == one.release
            just = after.refusal_of(one.release.sha256) is not None or room or lost or guarded
            require(just, f"good release {NUMBER[one.release]} is gone")
        require(after.baseline.release == KEYS[self.world.baseline], "the baseline does not end the chain")
        same = after.arrival.release == before.arrival.release
        require(same or not after.steady, "what has just begun to run is called steady")
        if after.steady and not before.steady:
            require(self.life_ms >= limits.STEADY_MS, f"steady after {self.life_ms} ms")
            require(
                after.candidate is None or after.candidate.stage is not Stage.SOAKING, "what soaks is called steady"
            )
        tried = after.candidate
        if tried is not None and tried.stage is Stage.SOAKING and before.candidate != tried:
            self._shadow_was_real(before.candidate, tried)

    def _is_sound(self, one: Proven, before: ActivationState, was: Proven | None) -> None:
        """Rules 3 and 4 for a member of the chain."""
        number = NUMBER[one.release]
        if was is None:
            candidate = self.world.disk.candidate if self.world.disk is not None else None
            running = self.world.running
            soaked = candidate is not None and candidate.stage is Stage.SOAKING and candidate.release == one.release
            require(soaked, f"{number} is good and the disk knows of no soak")
            require(
                running is not None and running.ready and running.release == number, f"{number} is good, not running"
            )
            require(self.soak_ms >= limits.SOAK_MS, f"{number} is good after {self.soak_ms} ms of soak")
            least = min(self.trial_harms[number] - self.slack[number], 1)
            require(one.deaths >= least, f"{number} is good and its deaths are forgotten")
        elif one.deaths < was.deaths:
            self.all_forgiven += 1
            require(was.deaths == one.deaths + 1, f"more than one death of {number} is forgiven")
            calm_ms, self.calm_since_ms[number] = self.calm_since_ms[number], 0
            period_ms = limits.FORGIVE_STEP_MS * limits.FORGIVE_STEPS
            require(calm_ms >= period_ms, f"a death of {number} is forgiven after {calm_ms} ms of calm")
            require(before.candidate is None or before.candidate.stage is not Stage.SOAKING, "another one ran")
        if self.world.kinds[number] in HARMLESS:
            ends = self.ends_blamed[number]
            require(one.deaths <= ends, f"{one.deaths} deaths of harmless {number}, {ends} ends of the host")

    def _refusal_is_just(self, event: Event, refusal: Refusal, before: ActivationState) -> None:
        """Rule 3."""
        number = NUMBER[refusal.release]
        require(number != self.world.baseline, "the baseline is refused")
        if self.world.kinds[number] not in HARMLESS:
            return
        if refusal.reason is Reason.BOOT_FAILED:
            guard = event.guard if isinstance(event, Booted) else Guard.NORMAL
            require(
                guard in (Guard.PREVIOUS, Guard.BASELINE), f"harmless {number} is refused for boots that nobody counted"
            )
            return
        tried = before.candidate is not None and before.candidate.release == refusal.release
        least = limits.TRIAL_STARTS_MAX if tried else limits.RELEASE_DEATHS_MAX
        require(refusal.reason is Reason.HOST_CRASHED, f"harmless {number} is refused: {refusal.reason}")
        require(self.ends_blamed[number] >= least, f"harmless {number} is refused for {self.ends_blamed[number]} ends")

    def _shadow_was_real(self, before: Candidate | None, tried: Candidate) -> None:
        """Rule 4."""
        number = NUMBER[tried.release]
        require(before is not None and before.release == tried.release, f"{number} soaks without a trial")
        if number not in self.passed:
            require(self.shadow_ms >= limits.SHADOW_MS_MIN, f"{number} soaks after {self.shadow_ms} ms of shadow")
            enough = self.compared_files >= (1 if self.exhausted else limits.SHADOW_QUESTIONS_MIN)
            require(enough, f"{number} soaks after {self.compared_files} comparisons")
            self.passed.add(number)

    def _must_refuse(self, event: Event, before: ActivationState, after: ActivationState) -> None:
        """What harm is plain is answered at once."""
        tried = before.candidate
        if isinstance(event, CompileFailed | ShadowReport):
            stage = Stage.COMPILING if isinstance(event, CompileFailed) else Stage.SHADOW
            harm = isinstance(event, CompileFailed) or not _bearable(event.counts)
            if tried is not None and (tried.release, tried.stage) == (event.release, stage):
                digest = event.release.sha256
                refused = after.refusal_of(digest) is not before.refusal_of(digest)
                require(refused == harm, f"{NUMBER[event.release]}: harm is {harm}, refused is {refused}")
        elif isinstance(event, EngineDied) and event.cause is Cause.MUTE:
            soaks = tried is not None and (tried.release, tried.stage) == (event.release, Stage.SOAKING)
            require((after.refused != before.refused) == soaks, f"silence is held against what does not soak: {soaks}")
            require((after.candidate is None) == (soaks or tried is None), "a soak goes on in silence")
        elif isinstance(event, BreakerTripped) and event.release != KEYS[self.world.baseline]:
            known = before.find(event.release.sha256) or (tried is not None and tried.release == event.release)
            require(not known or after.refusal_of(event.release.sha256) is not None, "a burst is not answered")

    # --- after every event --------------------------------------------------------------------------------------------

    def rests(self) -> None:
        """Every command was carried out: rules 5, 7 and 8."""
        world, live, disk = self.world, self.world.live, self.world.disk
        kept = live.kept
        failed = live.unkept and live.asked is None
        believed = live.durable in (disk, world.read) if failed else kept == disk
        require(believed, "what is believed is not on the disk")
        level = None if live.runs is None else NUMBER[live.runs]
        require(level == (world.running.release if world.running else None), f"{level} should run")
        trial = kept.candidate
        beside = NUMBER[trial.release] if trial is not None and trial.stage is not Stage.SOAKING else None
        require(beside == (world.child.release if world.child else None), f"{beside} should be tried")
        if world.child is not None and trial is not None:
            require(world.child.shadowed == (trial.stage is Stage.SHADOW), "the shadow is not where it should be")
        require(world.store <= self._needed(), f"files of {world.store - self._needed()} are left over")
        if not self.blind and not self.was_blind:
            require(live.runs == self._should_run(), f"{level} runs")

    def _needed(self) -> set[int]:
        """Whose files the disk or the machine names."""
        kept, disk = self.world.live.kept, self.world.disk
        names = kept.files | (disk.files if disk is not None else frozenset())
        return {number for number, key in enumerate(KEYS) if key.sha256 in names}

    def _should_run(self) -> ReleaseKey | None:
        """Rule 7, in words of our own."""
        kept = self.world.live.kept
        good = [one for one in kept.chain if kept.pin is None or one.release == kept.pin.release]
        if kept.pin is not None and not good:
            good = [one for one in kept.chain if one.release.version <= kept.pin.release.version]
        one = good[0] if good else kept.chain[-1]
        if self.world.live.off:
            return None
        if kept.candidate is not None and kept.candidate.stage is Stage.SOAKING:
            return kept.candidate.release
        dead = one.release == KEYS[self.world.baseline] and one.deaths == limits.RELEASE_DEATHS_MAX
        return None if dead else one.release

    def is_at_rest(self) -> bool:
        """Whether nothing more can happen in calm."""
        world = self.world
        running = world.running
        sound = running is not None and running.ready and world.kinds[running.release] not in HARMFUL
        return sound and world.live.kept.candidate is None and not world.live.unkept

    def settled(self) -> None:
        """Rule 9, at the end."""
        world, live = self.world, self.world.live
        kept = live.kept
        require(kept == world.disk, "what is believed is not on the disk")
        require(kept.candidate is None, "something is still being tried")
        if world.kinds[world.baseline] not in HARMFUL:
            require(world.running is not None and world.running.ready, "the host is left without protection")
        if world.running is not None and world.running.release != world.baseline:
            require(world.kinds[world.running.release] not in HARMFUL, f"harmful {world.running.release} still runs")


def _knows(disk: ActivationState, number: int) -> bool:
    soaks = disk.candidate is not None and disk.candidate.stage is Stage.SOAKING
    tried = disk.candidate.release if soaks and disk.candidate is not None else None
    return disk.find(KEYS[number].sha256) is not None or tried == KEYS[number]


def _bearable(counts: ShadowCounts) -> bool:
    names = ("new_blocks", "vital_blocks", "known_blocks", "crashes", "resident_bytes")
    within = all(getattr(counts, name) <= getattr(BEARABLE, name) for name in names)
    quick = counts.candidate_ms <= counts.active_ms * limits.SHADOW_TIME_RATIO_MAX
    return within and quick and counts.timeouts <= limits.SHADOW_TIMEOUTS_FREE_FILES
