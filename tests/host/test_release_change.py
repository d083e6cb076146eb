"""Another release on a running sensor: every file is judged anew, or the old release stays."""

import json
import random
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.live_sensor import BAD, RULE, LiveSensor, alive, children_of, release_of
from tests.support.machine import kernel_requires

from ringfence.model.errors import ContentRefused
from ringfence.model.release import Contract

OTHER = 'rule other { strings: $a = "another-thing" condition: $a }'


@pytest.fixture
def live() -> Iterator[LiveSensor]:
    """A sensor that protects with the usual test rule."""
    kernel_requires("root", "fanotify-permission", "mount")
    sensor = LiveSensor()
    yield sensor
    sensor.close()


def test_a_new_release_judges_known_files_anew(live: LiveSensor) -> None:
    harmless, bad = live.fresh(b"another-thing "), live.fresh(BAD)
    assert not live.open(harmless).refused
    assert live.open(bad).refused
    live.load(release_of(OTHER, "other", version=2), at_once=True)
    live.wait_until(lambda: live.open(harmless).refused)
    assert not live.open(bad).refused


@pytest.mark.parametrize(
    "release",
    [
        b"",
        b"not a release",
        release_of(RULE, "live_test")[:-7],
        release_of("rule broken { condition: nonsense }", "broken"),
        release_of('rule hidden { condition: filename == "a" }', "hidden"),
        release_of('rule named { condition: filename == "a" }', "named", contract=Contract((), ("filename",))),
    ],
    ids=["empty", "foreign", "cut off", "does not compile", "hides what it reads", "reads what nobody supplies"],
)
def test_a_release_that_is_refused_leaves_the_old_one(live: LiveSensor, release: bytes) -> None:
    with pytest.raises(ContentRefused) as refused:
        live.load(release)
    error = refused.value
    assert error.way_out
    assert live.open(live.fresh(BAD)).refused
    assert json.dumps(str(error))


def heavy_release(rules: int) -> bytes:
    """A small release that takes much memory and time to compile: every pattern stands for 256."""
    names = [f"heavy_{number:04}" for number in range(rules)]
    chance = random.Random(rules)
    source = ""
    for name in names:
        patterns = " ".join(f'$p{number} = "{chance.randbytes(5).hex()}" xor' for number in range(300))
        source += f"rule {name} {{ strings: {patterns} condition: any of them }}\n"
    return release_of(source, *names)


def test_a_release_that_takes_too_much_memory_to_compile_is_refused(live: LiveSensor) -> None:
    with pytest.raises(ContentRefused, match="memory"):
        live.load(heavy_release(300))
    assert live.open(live.fresh(BAD)).refused


def test_self_tests_end_with_their_zygote(live: LiveSensor) -> None:
    """Also one that would run for ever: nobody else would end it."""
    slow = release_of("rule slow { condition: for all i in (0..9000000000) : ( i >= 0 ) }", "slow", samples=(b"x",))
    (before,) = live.pids("zygote")
    with ThreadPoolExecutor(1) as operator:
        answer = operator.submit(live.load, slow)
        live.wait_until(lambda: len(live.pids("zygote")) == 2)
        (trial,) = set(live.pids("zygote")) - {before}
        live.wait_until(lambda: children_of(trial) != [])
        (child,) = children_of(trial)
        # the engine's timer: it is at work
        live.wait_until(lambda: len(list(Path(f"/proc/{child}/task").iterdir())) > 1)
        live.signal(child, signal.SIGSTOP)
        live.signal(trial, signal.SIGKILL)
        try:
            live.wait_until(lambda: not alive(child))
        finally:
            live.signal(child, signal.SIGKILL)
        with pytest.raises(ContentRefused):
            answer.result()
    assert live.open(live.fresh(BAD)).refused


def test_many_releases_in_a_row_never_leave_a_hole(live: LiveSensor) -> None:
    for number in range(4):
        source = f'rule live_test_{number} {{ strings: $a = "LIVE-TEST-STRING" condition: $a }}'
        live.load(release_of(source, f"live_test_{number}", version=number + 2), at_once=True)
        assert live.open(live.fresh(BAD)).refused
