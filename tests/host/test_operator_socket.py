"""The warden's control socket: root only, sealed releases only, never a traceback."""

import fcntl
import hashlib
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.host.forked import in_child
from tests.support.machine import kernel_requires

from ringfence.host import operator_socket
from ringfence.host.channel import Channel
from ringfence.model import limits
from ringfence.model.errors import FrameRefused, PathRefused
from ringfence.wire import catalogue


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(directory.stat().st_mode | 0o011)
    return tmp_path / "warden.sock"


@pytest.fixture
def server(path: Path) -> Iterator[socket.socket]:
    server = operator_socket.listen(str(path))
    yield server
    server.close()


def test_the_socket_is_roots(server: socket.socket, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.umask(0o022) is not None


def test_a_dead_wardens_socket_is_replaced(path: Path) -> None:
    first = operator_socket.listen(str(path))
    first.close()
    second = operator_socket.listen(str(path))
    second.close()
    assert path.is_socket()


def test_nobody_there_is_none(server: socket.socket) -> None:
    assert operator_socket.accept(server) is None


def test_a_question_and_its_answer(server: socket.socket, path: Path) -> None:
    def serve() -> None:
        server.setblocking(True)
        operator = operator_socket.accept(server)
        assert operator is not None
        received = operator.receive()
        assert received is not None
        operator.send(catalogue.STATUS_ANSWER, received.frame.body + b"!")
        operator.close()

    thread = threading.Thread(target=serve)
    thread.start()
    answer = operator_socket.ask(str(path), catalogue.STATUS, b"how")
    thread.join()
    assert answer is not None
    assert (answer.frame.type, answer.frame.body) == (catalogue.STATUS_ANSWER, b"how!")


def test_somebody_who_is_not_root_is_not_heard(server: socket.socket, path: Path) -> None:
    kernel_requires("root")
    path.chmod(0o666)

    def stranger() -> str:
        os.setresuid(12345, 12345, 12345)
        end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end.connect(str(path))
        return "connected"

    assert in_child(lambda: None, {"connect": stranger})["connect"] == "worked: connected"
    assert operator_socket.accept(server) is None


def test_no_warden_is_said(path: Path) -> None:
    with pytest.raises(PathRefused, match="no sensor is running"):
        operator_socket.ask(str(path), catalogue.STATUS)
    operator_socket.listen(str(path)).close()
    with pytest.raises(PathRefused, match="no sensor is running"):
        operator_socket.ask(str(path), catalogue.STATUS)


def test_a_warden_that_hangs_up_is_said(server: socket.socket, path: Path) -> None:
    def serve() -> None:
        server.setblocking(True)
        operator = operator_socket.accept(server)
        assert operator is not None
        operator.close()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(PathRefused):
        operator_socket.ask(str(path), catalogue.STATUS)
    thread.join()


def test_a_warden_that_says_nothing_is_none(server: socket.socket, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OPERATOR_WAIT_MS", 20)
    assert operator_socket.ask(str(path), catalogue.STATUS) is None


def test_a_state_directory_with_a_long_name_works(tmp_path: Path) -> None:
    """The kernel's addresses end at 107 bytes; paths do not."""
    directory = tmp_path / ("d" * 120) / ("e" * 120)
    directory.mkdir(parents=True)
    path = directory / "warden.sock"
    server = operator_socket.listen(str(path))
    assert path.is_socket()
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    operator_socket.connect(end, str(path))
    operator = operator_socket.accept(server)
    assert operator is not None
    for one in (end, operator, server):
        one.close()


# --- releases in sealed memory ------------------------------------------------------------------------------------


def test_a_sealed_release_is_what_it_was() -> None:
    data = os.urandom(3_000_000)
    descriptor = operator_socket.sealed(data)
    assert operator_socket.digest_of_sealed(descriptor) == hashlib.sha256(data).hexdigest()
    with pytest.raises(PermissionError):
        os.pwrite(descriptor, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(descriptor, 0)
    with pytest.raises(PermissionError):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0)
    os.close(descriptor)


@pytest.mark.parametrize("missing", [fcntl.F_SEAL_SEAL, fcntl.F_SEAL_SHRINK, fcntl.F_SEAL_GROW, fcntl.F_SEAL_WRITE])
def test_a_release_that_can_still_change_is_refused(missing: int) -> None:
    descriptor = os.memfd_create("loose", os.MFD_ALLOW_SEALING)
    os.write(descriptor, b"release")
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, operator_socket.SEALS_WANTED & ~missing)
    with pytest.raises(FrameRefused, match="not sealed"):
        operator_socket.digest_of_sealed(descriptor)
    os.close(descriptor)


def test_a_file_or_a_pipe_is_no_release(tmp_path: Path) -> None:
    ours, theirs = Channel.pair()
    reading, writing = os.pipe()
    file = os.open(tmp_path / "release", os.O_RDWR | os.O_CREAT)
    for descriptor in (file, reading, ours.fileno()):
        with pytest.raises(FrameRefused):
            operator_socket.digest_of_sealed(descriptor)
    for descriptor in (file, reading, writing):
        os.close(descriptor)
    ours.close()
    theirs.close()


def test_a_release_over_the_bound_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RELEASE_BYTES_MAX", 100)
    descriptor = operator_socket.sealed(b"x" * 101)
    with pytest.raises(FrameRefused, match="101 bytes"):
        operator_socket.digest_of_sealed(descriptor)
    os.close(descriptor)
