"""A rule that hurts the scanner is found, left out and told; the file is scanned by the others.  On the real kernel."""

import select
from collections.abc import Iterator

import pytest
from tests.host.taken_over import taken_over
from tests.support.live_sensor import (
    BAD,
    DEADLINE_AND_GRACE_MS,
    RULE,
    LiveSensor,
    Opener,
    reading,
    release_of,
)
from tests.support.machine import kernel_requires

from ringfence.model.records import HostEvent, HostEventKind
from ringfence.model.release import Contract

SLOW = b"MAKE-IT-" + b"SLOW"
SLOW_RULE = """
import "math"
rule slow {
  strings: $a = "MAKE-IT-" $b = "SLOW"
  condition: $a and $b and for all i in (0..1 << 60) : (math.entropy(0, filesize) >= 0)
}
"""
OTHERS = "".join(
    f'rule other{number} {{ strings: $a = "OTHER-" $b = "WORD-{number:03}-" condition: $a and $b }}\n'
    for number in range(40)
)
RELEASE = release_of(
    'import "math"\n' + RULE + OTHERS + SLOW_RULE.replace('import "math"\n', ""),
    "live_test", *sorted(f"other{number}" for number in range(40)), "slow",
    contract=Contract(("math",), ()),
)
WORD = b"OTHER-" + b"WORD-017-"

pytestmark = pytest.mark.timeout(420)
"""An examination takes ten seconds of processor time at low priority: on a machine that others use, minutes."""

FOUND_S = 300.0


@pytest.fixture
def live() -> Iterator[LiveSensor]:
    kernel_requires("root", "fanotify-permission", "mount")
    sensor = LiveSensor(release=RELEASE, files={"slow": SLOW, "slow-and-bad": SLOW + b" " + WORD})
    yield sensor
    sensor.close()


def events(live: LiveSensor, kind: HostEventKind) -> list[HostEvent]:
    return [one for one in live.records() if isinstance(one, HostEvent) and one.kind is kind]


def test_the_rule_that_hangs_is_left_out_and_the_others_go_on(live: LiveSensor) -> None:
    live.wait_protected()
    met = live.open(live.tree / "slow")
    assert not met.refused
    assert met.waited_ms <= DEADLINE_AND_GRACE_MS
    roles: set[bytes] = set()
    while not events(live, HostEventKind.RULE_DISABLED):  # nobody waits for the examination
        met = live.open(live.fresh(BAD))
        assert met.refused
        assert met.waited_ms <= DEADLINE_AND_GRACE_MS
        select.select([], [], [], 1)
        roles |= {one.role for one in live.status().processes}
    assert b"examiner" in roles, "it is no scanner"
    (told,) = events(live, HostEventKind.RULE_DISABLED)
    assert told.subject == "rule live:slow"
    assert f"hung on {live.tree}/slow" in told.detail
    live.wait_until(lambda: live.open(live.tree / "slow-and-bad").refused)
    assert live.counter("rules_disabled") == 1
    before = live.counter("scans"), live.counter("deadline_passed")
    assert not live.open(live.tree / "slow").refused
    assert live.counter("scans") == before[0] + 1, "it is scanned again, by the rest"
    assert live.counter("deadline_passed") == before[1]


def test_it_stays_left_out_after_a_new_start_and_in_a_new_zygote(live: LiveSensor) -> None:
    live.wait_protected()
    live.open(live.tree / "slow")
    live.wait_until(lambda: bool(events(live, HostEventKind.RULE_DISABLED)), FOUND_S)
    live.start_again()
    live.wait_protected()
    assert live.counter("rules_disabled") == 1
    assert live.open(live.tree / "slow-and-bad").refused


def test_a_scanner_that_was_killed_convicts_nobody(live: LiveSensor) -> None:
    live.wait_protected()
    with taken_over(live) as places:
        path = live.fresh()
        opener = Opener(reading(path))
        live.signal(places.asked().scanner, 9)
        places.release()
        assert not opener.result().refused
    live.wait_until(lambda: bool(events(live, HostEventKind.FAULT_EXAMINED)))
    (told,) = events(live, HostEventKind.FAULT_EXAMINED)
    assert told.subject == "not_reproduced"
    assert str(path) in told.detail
    assert events(live, HostEventKind.RULE_DISABLED) == []
    assert live.counter("rules_disabled") == 0
