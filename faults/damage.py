"""What the failures of history did, each in a child of its own: the damage that `faults/content.py` prevents.

Nothing of Ringfence runs here.  A child dies, burns processor time or deletes files, all in memory or below a directory
made for it.
"""

import ctypes
import faulthandler
import mmap
import os
import re
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yara_x

SUPPLIED: Final = 20
"""Inputs that the interpreter of that day was given."""

FEATURES_MAX: Final = 200
CPU_S: Final = 2
REGEX: Final = r"(?:(?:\d|true|false|null|math|\-|\+)+[)]*;?((?:\s|-|~|!|\|\||\+)*.*(?:.*=.*)))"
"""The heart of the expression of 2019-07-02."""


def in_a_child(act: Callable[[], None], cpu_s: int = CPU_S) -> str:
    """How a child ends that does something: "ended well", "ended with status N" or "was killed by SIGNAL"."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            faulthandler.disable()  # a test runner would print where each child died
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
            act()
            status = 0
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == 0:
        return "ended well"
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def read_input(number: int) -> None:
    """Read one of the inputs as native code does, without asking how many there are; behind the last lies nothing."""
    size = mmap.PAGESIZE
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
    ]  # fmt: skip
    place = libc.mmap(None, 2 * size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    libc.mprotect(ctypes.c_void_p(place + size), size, 0)
    pointer = ctypes.sizeof(ctypes.c_void_p)
    inputs = place + size - SUPPLIED * pointer
    ctypes.string_at(inputs + (number - 1) * pointer, pointer)


def half_loaded(good: str, bad: str) -> tuple[int, int]:
    """A loader that leaves out what it does not understand and says "passed": rules loaded, rules lost."""
    compiler: Any = yara_x.Compiler()  # the package's types do not know what the compiler can ignore
    compiler.ignore_invalid_rules(True)
    compiler.add_source(good + bad)
    lost = len(compiler.ignored_rules())
    rules = compiler.build()
    return sum(1 for _ in rules), lost


def overwrite_and_load(good: str, bad: str) -> None:
    """An updater that writes the new rules over the old ones and then looks whether they load."""
    rules = good
    yara_x.compile(rules)
    rules = bad
    yara_x.compile(rules)


def burn(text: str) -> None:
    """The expression in an engine that goes back and tries again."""
    re.search(REGEX, text, re.DOTALL)


def take_features(rows: list[str]) -> None:
    """A consumer with room for so many rows, which believes that more cannot come."""
    room = [""] * FEATURES_MAX
    for place, row in enumerate(rows):
        room[place] = row


def delete_matching(directory: Path, rule: str) -> int:
    """An agent that deletes what its rule condemns, at once and for good."""
    compiled = yara_x.compile(rule)
    gone = 0
    for path in sorted(directory.iterdir()):
        if compiled.scan(path.read_bytes()).matching_rules:
            path.unlink()
            gone += 1
    return gone
