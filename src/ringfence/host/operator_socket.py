"""The warden's control socket: fixed frames from root on this machine, nothing else.

`STATUS`, `LOAD` (a sealed memory file), `MODE` and `STOP`.  The client side is here as well, for the commands.
"""

import errno
import fcntl
import hashlib
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ringfence.host.channel import Channel, ChannelClosed, Received
from ringfence.model import limits
from ringfence.model.errors import DiskFull, FrameRefused, PathRefused, PrivilegeMissing
from ringfence.wire.frames import WAY_OUT

SEALS_WANTED: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_CREDENTIALS: Final = struct.Struct("=iII")


def listen(path: str) -> socket.socket:
    """The listening socket, 0600.  A socket left over from a dead warden is replaced.  Raises DiskFull."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    before = os.umask(0o177)
    try:
        with _address(path) as address:
            server.bind(address)
    except OSError as error:
        server.close()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no room for {path}", "free some space on that file system and start again") from error
        raise
    finally:
        os.umask(before)
    server.listen(limits.OPERATORS_MAX)
    return server


def accept(server: socket.socket) -> Channel | None:
    """The next operator; None when there is none or it is not root."""
    try:
        end, _ = server.accept()
    except BlockingIOError:
        return None
    credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(credentials)
    if uid != 0:
        end.close()
        return None
    return Channel(end)


def sealed(data: bytes) -> int:
    """A memory file with `data` that nobody can change any more."""
    descriptor = os.memfd_create("ringfence-release", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS_WANTED)
    return descriptor


def digest_of_sealed(descriptor: int) -> str:
    """SHA-256 of a sealed memory file.  Raises FrameRefused when it is not sealed or too large."""
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError as error:
        raise FrameRefused("a release came in something that is not a memory file", WAY_OUT) from error
    size = os.fstat(descriptor).st_size
    if seals & SEALS_WANTED != SEALS_WANTED:
        raise FrameRefused("a release came in a memory file that is not sealed", WAY_OUT)
    if size > limits.RELEASE_BYTES_MAX:
        raise FrameRefused(f"a release of {size} bytes, {limits.RELEASE_BYTES_MAX} allowed", WAY_OUT)
    digest = hashlib.sha256()
    offset = 0
    while piece := os.pread(descriptor, limits.READ_PIECE_BYTES, offset):
        digest.update(piece)
        offset += len(piece)
    return digest.hexdigest()


@contextmanager
def _address(path: str) -> Iterator[str]:
    """A short name for the path: a socket's address ends at 107 bytes, the name of a state directory does not."""
    directory = os.open(os.path.dirname(path) or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{os.path.basename(path)}"
    finally:
        os.close(directory)


def connect(end: socket.socket, path: str) -> None:
    """Connect to the socket at `path`.  Raises OSError."""
    with _address(path) as address:
        end.connect(address)


def ask(
    path: str,
    frame_type: int,
    body: bytes = b"",
    descriptors: tuple[int, ...] = (),
    wait_ms: int = limits.OPERATOR_WAIT_MS,
) -> Received | None:
    """Connect as an operator, send one request, wait for its answer (None: no answer within `wait_ms`).

    Raises PathRefused when no warden listens there, PrivilegeMissing when it may not be reached.
    """
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    end.settimeout(wait_ms / 1000)
    channel = Channel(end)
    try:
        connect(end, path)
        channel.send(frame_type, body, descriptors)
        return channel.receive()
    except (BlockingIOError, TimeoutError):
        return None  # too many wait for it already
    except PermissionError as error:
        raise PrivilegeMissing(f"{path}: only root may talk to the sensor", "run it again with sudo") from error
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError, ChannelClosed) as error:
        raise PathRefused(
            f"{path}: no sensor is running on this state directory",
            "start it with `ringfence up --state DIR --protect DIR`, or name the state directory of the one that runs",
        ) from error
    finally:
        channel.close()
