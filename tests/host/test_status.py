"""What `ringfence host status` says of a real sensor: the release, the restarts, what waits where."""

import hashlib
import signal
from collections.abc import Iterator

import pytest
from tests.support.live_sensor import BAD, RULE, LiveSensor, release_of
from tests.support.machine import kernel_requires


@pytest.fixture
def live() -> Iterator[LiveSensor]:
    """A sensor that protects."""
    kernel_requires("root", "fanotify-permission", "mount")
    sensor = LiveSensor()
    try:
        sensor.wait_protected()
        yield sensor
    finally:
        sensor.close()


def test_the_active_release_is_named(live: LiveSensor) -> None:
    release = live.status().release
    assert release is not None
    assert (release.name, release.version) == (b"live", 1)
    assert release.sha256 == hashlib.sha256(release_of(RULE, "live_test")).digest()


def test_replaced_scanners_are_counted_at_every_scanner(live: LiveSensor) -> None:
    for pid in live.pids("scanner"):
        live.signal(pid, signal.SIGKILL)
    live.wait_protected()
    restarts = {one.restarts for one in live.status().processes if one.role == b"scanner"}
    assert restarts == {live.counter("scanner_restarts")}
    assert restarts != {0}


def test_what_waits_for_a_stopped_courier_and_for_the_server_is_counted(live: LiveSensor) -> None:
    (courier,) = live.pids("courier")
    before = live.counter("courier_spool_records")
    live.signal(courier, signal.SIGSTOP)
    for _ in range(5):
        assert live.open(live.fresh(BAD)).refused
    live.wait_until(lambda: live.counter("sightings_queued") >= 5)
    live.signal(courier, signal.SIGCONT)
    live.wait_until(lambda: live.counter("sightings_queued") == 0)
    live.wait_until(lambda: live.counter("courier_spool_records") >= before + 5)
    assert live.counter("courier_spool_bytes") > 0
