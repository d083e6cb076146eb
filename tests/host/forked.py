"""Acts tried in a forked child inside a sandbox, told to the parent over a pipe.

The child never returns into the test: it writes what it found as one line per act and leaves with `os._exit`.
"""

import json
import os
import signal
import traceback
from collections.abc import Callable
from typing import Final

Acts = dict[str, Callable[[], object]]
WORKED: Final = "worked"
DEADLINE_S: Final = 30


def in_child(enter: Callable[[], object], acts: Acts) -> dict[str, str]:
    """Enter something in a forked child and try the acts there: name -> "worked", or the name of its exception.

    Raises AssertionError with the child's words when `enter` failed or the child died.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _live(writing, enter, acts)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(pid, 0)
    if not told:
        raise AssertionError(f"the child said nothing and ended with status {status}")
    found = json.loads(told)
    if "enter" in found:
        raise AssertionError(found["enter"])
    return {str(name): str(what) for name, what in found.items()}


def _live(writing: int, enter: Callable[[], object], acts: Acts) -> None:
    signal.alarm(DEADLINE_S)
    try:
        enter()
        found = {name: _tried(act) for name, act in acts.items()}
    except BaseException:  # noqa: BLE001 - whatever it is, the parent hears of it
        found = {"enter": traceback.format_exc()}
    try:
        os.write(writing, json.dumps(found).encode())
    finally:
        os._exit(0)


def _tried(act: Callable[[], object]) -> str:
    try:
        said = act()
    except BaseException as error:  # noqa: BLE001 - the act's failure is the finding
        return type(error).__name__
    return WORKED if said is None else f"{WORKED}: {said}"


def died_by(act: Callable[[], object]) -> int:
    """The signal that ended a forked child which did this; 0 when it came back."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(DEADLINE_S)
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(pid, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
