"""What somebody without rights may try against the gate: leases, and files that nobody can open without waiting."""

import fcntl
import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pytest
from tests.host.forked import WORKED, Acts, in_child
from tests.support.live_sensor import BAD, PATIENCE_S, LiveSensor
from tests.support.machine import kernel_requires

from ringfence.model import limits

NOBODY = 65534
GRACE_MS = 1_000
"""What a wait may last beyond the deadline, whatever happens (promise 3)."""


@pytest.fixture
def live() -> Iterator[LiveSensor]:
    kernel_requires("root", "mount", "fanotify-permission")
    sensor = LiveSensor()
    yield sensor
    sensor.close()


def become_nobody() -> None:
    """Drop every right; a lease that is broken must not end the child."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def test_the_signal_of_a_broken_lease_does_not_end_the_gate(live: LiveSensor) -> None:
    """Whoever opens a file for writing while the gate holds its short lease on it makes the kernel send it."""
    live.wait_protected()
    before = {*live.pids("gate"), *live.pids("standby")}
    for pid in before:
        live.signal(pid, signal.SIGIO)
    assert live.open(live.fresh(BAD)).refused
    live.wait_protected()
    assert {*live.pids("gate"), *live.pids("standby")} == before


def test_a_lease_of_somebody_elses_holds_up_nobody(live: LiveSensor) -> None:
    """The kernel opens an event's file for the gate, and would wait for the owner of a write lease: up to 45 s."""
    descriptors = []
    for _ in range((os.cpu_count() or 1) + limits.SCANNERS_SPARE):
        path = live.fresh()
        os.chown(path, NOBODY, NOBODY)
        descriptors.append(os.open(path, os.O_RDWR))
    acts: Acts = {}
    for number, descriptor in enumerate(descriptors):
        acts[f"lease {number}"] = partial(_lease, descriptor)
        acts[f"read {number}"] = partial(_read_in_time, descriptor)
    found = in_child(become_nobody, acts)
    for descriptor in descriptors:
        os.close(descriptor)
    assert set(found.values()) == {WORKED}
    assert not live.open(live.fresh()).refused


def _lease(descriptor: int) -> None:
    """Take a write lease.  It is refused while the idle scanner has the file in its hand."""
    limit = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except BlockingIOError:
            assert time.monotonic() < limit
            select.select([], [], [], 0.02)
        else:
            return


def _read_in_time(descriptor: int) -> None:
    begin = time.monotonic()
    with suppress(PermissionError):  # the kernel refuses a question whose file it cannot open for the gate
        os.read(descriptor, 1)
    waited_ms = (time.monotonic() - begin) * 1000
    assert waited_ms < limits.QUESTION_DEADLINE_MS + GRACE_MS
