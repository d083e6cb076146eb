"""Ordinary work on a protected tree, in a process of its own, until its standard input closes: `python -m faults.load`.

Roles: `write` makes new files and reads them, `read` reads files that nobody has read, `run` starts programs that
nobody has started.  Each open or start is timed.  A second thread sleeps and notes how late it wakes: what the machine
withholds from this very process cannot be the sensor's doing.  At the end one line of JSON tells all.
"""

import json
import os
import select
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from faults.outcome import Figures

PAUSE_S: Final = 0.02
ACTS_BEFORE: Final = 5
"""After so many acts the work is said to be under way."""

NAP_S: Final = 0.02
NAPS_KEPT: Final = 512
PROGRAM: Final = "/bin/true"


class Naps:
    """How late this process wakes: (when, by how much), the latest ones."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque(maxlen=NAPS_KEPT)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            before = time.monotonic()
            time.sleep(NAP_S)
            now = time.monotonic()
            self._late.append((now, now - before - NAP_S))

    def late_ms(self, since: float) -> float:
        """All lateness since a moment."""
        return sum(late for when, late in list(self._late) if when >= since) * 1000


def main(words: list[str]) -> int:
    """Work until standard input closes."""
    tree, role = Path(words[0]), words[1]
    acts: dict[str, Callable[[Path, str], Callable[[], None]]] = {"write": write, "read": read, "run": run}
    act = acts[role]
    figures, naps = Figures(), Naps()
    refused = number = 0
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    while not poll.poll(PAUSE_S * 1000):
        number += 1
        if number == ACTS_BEFORE:
            print("at work", flush=True)
        prepared = act(tree, f"{role}-{os.getpid()}-{number}")
        begin = time.monotonic()
        try:
            prepared()
        except PermissionError:
            refused += 1
        waited_ms = (time.monotonic() - begin) * 1000
        figures.opened(waited_ms, naps.late_ms(begin))
    print(json.dumps({
        "opens": figures.opens, "worst_open_ms": figures.worst_open_ms, "starved": figures.starved,
        "opens_past_deadline": figures.opens_past_deadline, "refused": refused,
    }))
    return 0


class _Reading:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> None:
        self._path.read_bytes()
        self._path.unlink()


class _Running:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> None:
        subprocess.run([str(self._path)], check=False)
        self._path.unlink()


def write(tree: Path, name: str) -> _Reading:
    """A new file, to be read at once."""
    path = tree / name
    path.write_text(f"a new file called {name}\n" * 40)
    return _Reading(path)


def read(tree: Path, name: str) -> _Reading:
    """A file that came by renaming: nobody has closed it after writing here."""
    path = tree / name
    before = path.with_suffix(".part")
    before.write_text(f"a file called {name}\n" * 400)
    before.rename(path)
    return _Reading(path)


def run(tree: Path, name: str) -> _Running:
    """A program that is unlike any other."""
    path = tree / name
    shutil.copy(PROGRAM, path)
    with path.open("ab") as file:
        file.write(name.encode())
    return _Running(path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
