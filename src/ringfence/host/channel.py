"""Frames over `SOCK_SEQPACKET` sockets, with descriptors.

A channel never blocks longer than its socket's timeout says.  A violation raises FrameRefused; the owner then kills the
peer.  The end of the peer raises ChannelClosed.  Descriptors that arrive belong to the receiver, close-on-exec set.
"""

import array
import os
import socket
from dataclasses import dataclass
from typing import Final

from ringfence.model.errors import FrameRefused
from ringfence.model.limits import FRAME_BODY_BYTES_MAX, FRAME_DESCRIPTORS_MAX
from ringfence.wire.frames import HEADER, WAY_OUT, Frame, decode_frame, encode_frame

_MESSAGE_BYTES_MAX: Final = HEADER.size + FRAME_BODY_BYTES_MAX
_ANCILLARY_BYTES_MAX: Final = socket.CMSG_SPACE(4 * FRAME_DESCRIPTORS_MAX)


class ChannelClosed(Exception):
    """The peer is gone."""


@dataclass(frozen=True, slots=True)
class Received:
    """One frame and the descriptors that came with it."""

    frame: Frame
    descriptors: tuple[int, ...]

    def close(self) -> None:
        """Close the descriptors that came with it: nobody asked for them."""
        for descriptor in self.descriptors:
            os.close(descriptor)


class Channel:
    """One end of a channel.  Not thread-safe."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end

    @staticmethod
    def pair() -> tuple["Channel", "Channel"]:
        """Two connected ends, both close-on-exec."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return Channel(ours), Channel(theirs)

    @staticmethod
    def adopt(descriptor: int) -> "Channel":
        """The channel on an inherited descriptor, which becomes close-on-exec."""
        os.set_inheritable(descriptor, False)
        return Channel(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=descriptor))

    def fileno(self) -> int:
        """The descriptor, for selectors."""
        return self.socket.fileno()

    def hang_up(self) -> None:
        """End the conversation from another thread than the one that reads: both sides find the end."""
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        """Close this end."""
        self.socket.close()

    def send(self, frame_type: int, body: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Send one frame.  Raises ChannelClosed, or BlockingIOError when the peer's queue stays full."""
        self._send(frame_type, body, descriptors, 0)

    def try_send(self, frame_type: int, body: bytes, descriptors: tuple[int, ...] = ()) -> bool:
        """Send without waiting; False when the peer's queue is full.  Raises ChannelClosed."""
        try:
            self._send(frame_type, body, descriptors, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        return True

    def _send(self, frame_type: int, body: bytes, descriptors: tuple[int, ...], flags: int) -> None:
        message = encode_frame(frame_type, body)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            self.socket.sendmsg([message], ancillary, socket.MSG_NOSIGNAL | flags)
        except (BrokenPipeError, ConnectionResetError, ConnectionRefusedError) as error:
            raise ChannelClosed from error

    def receive(self, *, wait: bool = True) -> Received | None:
        """The next frame; None when `wait` is false and none is there, or when the socket's timeout passed.

        Raises ChannelClosed and FrameRefused.
        """
        flags = socket.MSG_CMSG_CLOEXEC | (0 if wait else socket.MSG_DONTWAIT)
        try:
            message, ancillary, message_flags, _ = self.socket.recvmsg(_MESSAGE_BYTES_MAX, _ANCILLARY_BYTES_MAX, flags)
        except (BlockingIOError, TimeoutError):
            return None
        except ConnectionResetError as error:
            raise ChannelClosed from error
        descriptors = _descriptors(ancillary)
        try:
            if message_flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise FrameRefused("a frame or its descriptors are larger than allowed", WAY_OUT)
            if not message and not descriptors:
                raise ChannelClosed
            return Received(decode_frame(message), descriptors)
        except BaseException:
            for descriptor in descriptors:
                os.close(descriptor)
            raise


def close_all(descriptors: tuple[int, ...]) -> None:
    """Close descriptors that came with a frame which did not want them."""
    for descriptor in descriptors:
        os.close(descriptor)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, ...]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return tuple(found)
