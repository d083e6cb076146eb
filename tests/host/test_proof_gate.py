"""On the real kernel: a host that was not told otherwise takes proven releases only, and keeps the one that it has."""

from collections.abc import Iterator

import pytest
from tests.support.live_sensor import RULE, LiveSensor, release_of
from tests.support.machine import kernel_requires
from tests.unit.programs.test_proof_gate import proof_for, with_proof

from ringfence.host import operator_socket
from ringfence.host.child import reported
from ringfence.model.errors import ContentRefused
from ringfence.programs.starter_content import starter_release
from ringfence.wire import catalogue
from ringfence.wire.release import decode_release, encode_release

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


@pytest.fixture
def live() -> Iterator[LiveSensor]:
    """A sensor with the packaged release, as `ringfence up` starts it."""
    kernel_requires("root", "fanotify-permission", "mount")
    sensor = LiveSensor(release=starter_release(), proven_only=True)
    yield sensor
    sensor.close()


def answer(live: LiveSensor, release: bytes) -> bytes:
    """What the warden says to a release."""
    received = operator_socket.ask(str(live.state.socket), catalogue.LOAD, b"", (operator_socket.sealed(release),))
    assert received is not None
    return received.frame.body


def refuses_eicar(live: LiveSensor) -> bool:
    """Whether the test file is refused; it has no room for a number, so it is written under a new name."""
    path = live.tree / f"eicar-{len(list(live.tree.iterdir()))}"
    path.write_bytes(EICAR)
    return live.open(path).refused


def test_an_unproven_release_is_refused_with_the_way_out_and_changes_nothing(live: LiveSensor) -> None:
    assert refuses_eicar(live)
    error = reported(answer(live, release_of(RULE, "live_test")))
    assert isinstance(error, ContentRefused)
    assert "it has no proof inside" in error.what
    assert "content prove" in error.way_out
    assert refuses_eicar(live)


def test_a_proven_release_is_taken(live: LiveSensor) -> None:
    release = decode_release(release_of(RULE, "live_test"))
    assert answer(live, encode_release(with_proof(release, proof_for(release)))) == b""
