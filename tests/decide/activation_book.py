"""What the scripts of the activation machine share: a host, its releases, and how time passes on it."""

from dataclasses import replace

from tests.decide.playbook import Playbook

from ringfence.decide.activation import Activation, step
from ringfence.decide.activation_messages import (
    Booted,
    Command,
    Compiled,
    EngineReady,
    Event,
    Offered,
    Persist,
    Report,
    ReportKind,
    Run,
    ShadowCounts,
    ShadowReport,
    Tick,
)
from ringfence.model import limits
from ringfence.model.activation import ActivationState, Arrival, How, Proven, Reason, ReleaseKey, first_state

WALL_S = 1_800_000_000
TICK = limits.ACTIVATION_TICK_MS_MAX
ENOUGH = ShadowCounts(questions=limits.SHADOW_QUESTIONS_MIN)


def key(number: int) -> ReleaseKey:
    return ReleaseKey(number, f"{number:064x}")


BASE, V2, V3, V4, V5 = (key(number) for number in range(1, 6))


class Book(Playbook[Activation, Event, Command]):
    """A script of the activation machine."""

    def wait(self, wait_ms: int) -> "Book":
        """Time passes, in looks as long as they may be; whatever has to run answers."""
        ready = self.state.runs
        if ready is not None:
            self.on(EngineReady(ready))
        while wait_ms > 0:
            self.after(min(wait_ms, TICK)).on(Tick())
            wait_ms -= TICK
        return self

    @property
    def kept(self) -> ActivationState:
        return self.state.kept

    @property
    def reasons(self) -> list[tuple[ReleaseKey, Reason]]:
        return [(one.release, one.reason) for one in self.kept.refused]

    @property
    def chain(self) -> list[ReleaseKey]:
        return [one.release for one in self.kept.chain]

    def acts(self, *expected: Command) -> "Book":
        """The last event caused these, apart from reports and what is persisted."""
        found = tuple(one for one in self.commands if not isinstance(one, Report | Persist))
        assert found == expected, found
        return self

    def says(self, *kinds: ReportKind) -> "Book":
        found = tuple(one.kind for one in self.commands if isinstance(one, Report))
        assert found == kinds, found
        return self


def booted(kept: ActivationState | None = None, **how: object) -> Book:
    """A host that has just started with what it remembers."""
    book = Book(lambda state, event, now_ms: step(state, event, now_ms, WALL_S), Activation(kept or with_good()))
    book.on(Booted(**{"clean": True, **how}))  # type: ignore[arg-type]
    return book


def with_good(*releases: ReleaseKey, **more: object) -> ActivationState:
    """What a host remembers whose chain is these, and the baseline."""
    state = first_state(BASE, WALL_S)
    chain = (*(Proven(one, one.version, 0, WALL_S) for one in releases), *state.chain)
    arrival = Arrival(releases[0], How.TRIED, WALL_S) if releases else state.arrival
    return replace(state, chain=chain, arrival=arrival, **more)  # type: ignore[arg-type]


def given_up() -> ActivationState:
    """What a host remembers whose baseline has died too often."""
    return replace(
        first_state(BASE, WALL_S),
        chain=(Proven(BASE, 0, limits.RELEASE_DEATHS_MAX, WALL_S),),
        arrival=Arrival(None, How.GAVE_UP, WALL_S),
    )


def soaking(release: ReleaseKey, kept: ActivationState | None = None) -> Book:
    """A release that has passed its shadow and runs."""
    book = booted(kept)
    book.on(Offered(release, release.version)).on(Compiled(release)).on(ShadowReport(release, ENOUGH))
    return book.wait(limits.SHADOW_MS_MIN).acts(Run(release))


def good(release: ReleaseKey, kept: ActivationState | None = None) -> Book:
    """A release that has soaked."""
    return soaking(release, kept).wait(limits.SOAK_MS).says(ReportKind.GOOD)
