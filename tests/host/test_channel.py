"""Frames over real SEQPACKET sockets: boundaries, descriptors, truncation, violations, the end of the peer."""

import array
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.host.channel import Channel, ChannelClosed
from ringfence.model import limits
from ringfence.model.errors import FrameRefused
from ringfence.wire.frames import FRAME_VERSION, HEADER, encode_frame

Pair = tuple[Channel, Channel]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = Channel.pair()
    yield ours, theirs
    ours.close()
    theirs.close()


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_frames_keep_their_boundaries_and_order(pair: Pair) -> None:
    ours, theirs = pair
    for number in range(20):
        ours.send(number, bytes([number]) * number)
    for number in range(20):
        received = theirs.receive()
        assert received is not None
        assert (received.frame.type, received.frame.body) == (number, bytes([number]) * number)


def test_the_largest_frame_fits_and_a_larger_one_is_refused_before_it_is_sent(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(4, b"x" * limits.FRAME_BODY_BYTES_MAX)
    received = theirs.receive()
    assert received is not None
    assert len(received.frame.body) == limits.FRAME_BODY_BYTES_MAX
    with pytest.raises(FrameRefused):
        ours.send(4, b"x" * (limits.FRAME_BODY_BYTES_MAX + 1))
    assert theirs.receive(wait=False) is None


def test_descriptors_arrive_and_do_not_survive_an_exec(pair: Pair, tmp_path: Path) -> None:
    ours, theirs = pair
    files = [os.open(tmp_path / str(number), os.O_RDWR | os.O_CREAT) for number in range(limits.FRAME_DESCRIPTORS_MAX)]
    for number, file in enumerate(files):
        os.write(file, bytes([number]))
    ours.send(4, b"", tuple(files))
    received = theirs.receive()
    assert received is not None
    assert [os.pread(one, 1, 0)[0] for one in received.descriptors] == [0, 1, 2, 3]
    assert not any(os.get_inheritable(one) for one in received.descriptors)
    for one in (*files, *received.descriptors):
        os.close(one)


def test_too_many_descriptors_are_refused_and_none_is_kept(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(4, b"", (0,) * (limits.FRAME_DESCRIPTORS_MAX + 1))
    before = open_descriptors()
    with pytest.raises(FrameRefused):
        theirs.receive()
    assert open_descriptors() == before


def test_descriptors_of_a_malformed_frame_are_closed(pair: Pair) -> None:
    ours, theirs = pair
    before = open_descriptors()
    ours.socket.sendmsg([b"junk"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1]))])
    with pytest.raises(FrameRefused):
        theirs.receive()
    assert open_descriptors() == before


def test_a_message_larger_than_any_frame_is_refused(pair: Pair) -> None:
    ours, theirs = pair
    length = limits.FRAME_BODY_BYTES_MAX + 100
    ours.socket.send(HEADER.pack(FRAME_VERSION, 4, length) + b"x" * length)
    with pytest.raises(FrameRefused):
        theirs.receive()


@pytest.mark.parametrize(
    "message",
    [
        b"x",
        HEADER.pack(FRAME_VERSION + 1, 4, 0),
        HEADER.pack(FRAME_VERSION, 4, 1),
        encode_frame(4, b"body") + b"x",
    ],
)
def test_violations_are_refused_and_the_channel_goes_on(pair: Pair, message: bytes) -> None:
    ours, theirs = pair
    ours.socket.send(message)
    ours.send(6, b"next")
    with pytest.raises(FrameRefused):
        theirs.receive()
    received = theirs.receive()
    assert received is not None
    assert received.frame.body == b"next"


def test_what_was_said_before_the_end_still_arrives(pair: Pair) -> None:
    ours, theirs = pair
    ours.send(4, b"last words")
    ours.close()
    received = theirs.receive()
    assert received is not None
    assert received.frame.body == b"last words"
    with pytest.raises(ChannelClosed):
        theirs.receive()


def test_sending_to_nobody(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    with pytest.raises(ChannelClosed):
        ours.send(4, b"")
    with pytest.raises(ChannelClosed):
        ours.try_send(4, b"")


def test_a_peer_that_does_not_read_makes_try_send_say_so(pair: Pair) -> None:
    ours, _ = pair
    sent = 0
    while ours.try_send(4, b"x" * 1_000):
        sent += 1
        assert sent < 100_000
    assert sent > 0


def test_nothing_there_is_none_with_and_without_patience(pair: Pair) -> None:
    ours, _ = pair
    assert ours.receive(wait=False) is None
    ours.socket.settimeout(0.01)
    assert ours.receive() is None


def test_an_adopted_descriptor_is_the_same_channel(pair: Pair) -> None:
    ours, theirs = pair
    inherited = os.dup(theirs.fileno())
    os.set_inheritable(inherited, True)
    adopted = Channel.adopt(inherited)
    assert not os.get_inheritable(inherited)
    adopted.send(8, b"from the other side")
    received = ours.receive()
    assert received is not None
    assert received.frame.type == 8
    adopted.close()
