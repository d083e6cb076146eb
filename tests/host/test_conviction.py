"""A release that the breaker has convicted blocks nothing more: after a new gate, a new warden, a new start."""

import signal
from collections.abc import Iterator

import pytest
from tests.support.live_sensor import BAD, RULE, LiveSensor, release_of
from tests.support.machine import kernel_requires

from ringfence.host import operator_socket
from ringfence.model import limits
from ringfence.model.verdict import Mode
from ringfence.wire import catalogue

EVERYTHING = release_of("rule everything { condition: filesize >= 0 }", "everything")
OLD = {f"old-{number}": b"as old as the hills %d" % number for number in range(2 * limits.BREAKER_OLD_FILES_MAX)}


@pytest.fixture
def live() -> Iterator[LiveSensor]:
    """A sensor whose release has just been convicted."""
    kernel_requires("root", "fanotify-permission", "mount")
    sensor = LiveSensor(release=EVERYTHING, files=OLD)
    try:
        met = [sensor.open(sensor.tree / name).refused for name in OLD]
        assert any(met)
        assert not met[-1], "the breaker has tripped"
        sensor.wait_until(lambda: sensor.status().mode is Mode.OBSERVE)
        yield sensor
    finally:
        sensor.close()


def wait_for_another(live: LiveSensor, role: str, before: int) -> None:
    """Until a process of that role has taken the place of the one that was killed."""
    live.wait_until(lambda: live.pids(role) not in ([], [before]))


def test_gates_that_take_over_and_those_that_follow_them_refuse_nothing(live: LiveSensor) -> None:
    for _ in range(2):
        live.wait_until(lambda: live.pids("standby") != [])
        (gate,) = live.pids("gate")
        live.signal(gate, signal.SIGKILL)
        wait_for_another(live, "gate", gate)
        assert not live.open(live.fresh()).refused
        assert not any(live.open(live.tree / name).refused for name in OLD)
        assert live.status().mode is Mode.OBSERVE


def test_a_new_zygote_changes_nothing(live: LiveSensor) -> None:
    (zygote,) = live.pids("zygote")
    live.signal(zygote, signal.SIGKILL)
    wait_for_another(live, "zygote", zygote)
    live.wait_until(lambda: live.pids("scanner") != [])
    assert not any(live.open(live.tree / name).refused for name in OLD)


def test_nor_does_a_new_warden_or_a_new_start(live: LiveSensor) -> None:
    live.start_again(kill=True)
    assert not any(live.open(live.tree / name).refused for name in OLD)
    live.start_again()
    assert not any(live.open(live.tree / name).refused for name in OLD)
    assert live.status().mode is Mode.OBSERVE


def test_a_start_with_another_release_blocks(live: LiveSensor) -> None:
    live.start_again(release=release_of(RULE, "live_test"))
    assert live.open(live.fresh(BAD)).refused
    assert live.status().mode is Mode.ENFORCE


def test_the_operators_word_ends_it_for_the_next_start_too(live: LiveSensor) -> None:
    operator_socket.ask(str(live.state.socket), catalogue.MODE, catalogue.MODE_BODY.pack(Mode.ENFORCE))
    assert live.status().mode is Mode.ENFORCE
    live.start_again()
    assert live.status().mode is Mode.ENFORCE
    assert live.open(live.tree / next(iter(OLD))).refused


def test_loading_the_same_release_again_is_no_other_release(live: LiveSensor) -> None:
    live.load(EVERYTHING)
    assert live.status().mode is Mode.OBSERVE
    live.load(release_of(RULE, "live_test", version=2), at_once=True)
    assert live.status().mode is Mode.ENFORCE
