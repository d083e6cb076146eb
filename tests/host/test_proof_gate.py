"""On the real kernel: a host that was not told otherwise takes proven releases only, and keeps the one that it has."""

from collections.abc import Iterator

import pytest
from tests.support.live_sensor import BAD, RULE, LiveSensor, release_of
from tests.support.machine import kernel_requires
from tests.unit.programs.test_proof_gate import proof_for, with_proof

from ringfence.model.errors import ContentRefused
from ringfence.programs.starter_content import starter_release
from ringfence.wire.release import decode_release, encode_release

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.fixture
def live() -> Iterator[LiveSensor]:
    """A sensor with the packaged release, as `ringfence up` starts it."""
    kernel_requires("root", "fanotify-permission", "mount")
    sensor = LiveSensor(release=starter_release(), proven_only=True)
    yield sensor
    sensor.close()


def refuses_eicar(live: LiveSensor) -> bool:
    """Whether the test file is refused; it has no room for a number, so it is written under a new name."""
    path = live.tree / f"eicar-{len(list(live.tree.iterdir()))}"
    path.write_bytes(EICAR)
    return live.open(path).refused


def test_an_unproven_release_is_refused_with_the_way_out_and_changes_nothing(live: LiveSensor) -> None:
    assert refuses_eicar(live)
    with pytest.raises(ContentRefused, match="it has no proof inside") as refused:
        live.load(release_of(RULE, "live_test"), at_once=True)
    assert "content prove" in str(refused.value) + refused.value.way_out
    assert refuses_eicar(live)


def test_a_proven_release_is_taken(live: LiveSensor) -> None:
    release = decode_release(release_of(RULE, "live_test"))
    bad = live.fresh(BAD)
    assert not live.open(bad).refused
    live.load(encode_release(with_proof(release, proof_for(release))), at_once=True)
    live.wait_until(lambda: live.open(bad).refused)
