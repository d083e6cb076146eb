"""Tests of machines as scripts: an event, the commands that must follow, the next event.

    Playbook(state).at(0).on(Begin()).expects(Start(1, Kind.ZYGOTE, 1), ...).on(BecameReady(1)).expects()

On a mismatch `expects` fails with a diff of the two lists, one command a line, under the script so far.
"""

import difflib
from collections.abc import Callable
from typing import Generic, Self, TypeVar

State = TypeVar("State")
Event = TypeVar("Event")
Command = TypeVar("Command")

Step = Callable[[State, Event, int], tuple[State, tuple[Command, ...]]]


class Playbook(Generic[State, Event, Command]):
    """One machine and the script that it has lived through.  Time stands still unless `at` or `after` moves it."""

    def __init__(self, step: Step[State, Event, Command], state: State) -> None:
        self._step = step
        self.state = state
        self.now_ms = 0
        self.commands: tuple[Command, ...] = ()
        self._script: list[str] = []

    def at(self, now_ms: int) -> Self:
        """Set the clock."""
        self.now_ms = now_ms
        return self

    def after(self, wait_ms: int) -> Self:
        """Move the clock."""
        return self.at(self.now_ms + wait_ms)

    def on(self, event: Event) -> Self:
        """Give the machine an event."""
        self.state, self.commands = self._step(self.state, event, self.now_ms)
        self._script.append(f"{self.now_ms:>8} ms  {event}")
        return self

    def expects(self, *expected: Command) -> Self:
        """The last event must have caused exactly these commands, in this order."""
        if self.commands != expected:
            lines = difflib.ndiff([str(one) for one in expected], [str(one) for one in self.commands])
            raise AssertionError("\n".join(["script:", *self._script, "expected (-) and got (+):", *lines]))
        return self

    def includes(self, *expected: Command) -> Self:
        """The last event must have caused these commands, among others."""
        missing = [str(one) for one in expected if one not in self.commands]
        if missing:
            got = [f"  got {one}" for one in self.commands]
            raise AssertionError("\n".join(["script:", *self._script, "missing:", *missing, *got]))
        return self
