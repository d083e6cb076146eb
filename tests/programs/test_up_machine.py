"""`ringfence up` on a machine that lacks something: each refusal names the thing and the way out."""

import contextlib
import ctypes
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.programs.test_up import COMMAND, PATIENCE_S, run, started, until
from tests.support.live_sensor import LiveSensor
from tests.support.machine import kernel_requires

from ringfence.control.state import ServerState
from ringfence.host import operator_socket, seccomp
from ringfence.host.places import is_mount_point
from ringfence.host.sensor_state import SensorState
from ringfence.host.syscalls import numbers
from ringfence.model import errors, limits
from ringfence.programs import embedded_server
from ringfence.programs.embedded_server import EmbeddedServer

NO_SPACE = 28


@pytest.fixture(autouse=True)
def _needed() -> None:
    kernel_requires("root", "fanotify-permission", "mount")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A mount point, which needs no bind."""
    tree = tmp_path / "mounted"
    tree.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "ringfence-test", str(tree)], check=True)
    yield tree
    subprocess.run(["umount", "-l", str(tree)], check=True)


def refused(
    kind: type[errors.RingfenceError],
    words: list[str],
    *,
    wrapper: tuple[str, ...] = (),
    before: Callable[[], None] | None = None,
) -> str:
    """What `up` says when it refuses: an error of that kind, with a way out and without a traceback."""
    done = subprocess.run(
        [*wrapper, *COMMAND, "up", "--listen", "127.0.0.1:0", *words],
        check=False, capture_output=True, text=True, timeout=PATIENCE_S, preexec_fn=before,
    )
    assert done.returncode == kind.exit_status, done.stderr
    assert "way out: " in done.stderr
    assert f"error {kind.code}: " in done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def without(*calls: str) -> None:
    """In a child: the kernel has these calls no more, for itself and all that it starts."""
    code = [seccomp._instruction(0x20, 0, 0, 0)]
    for number in numbers(frozenset(calls), seccomp.MACHINE):
        code.append(seccomp._instruction(0x15, 0, 1, number))
        code.append(seccomp._instruction(0x06, 0, 0, seccomp.ERRNO | seccomp.ENOSYS))
    code.append(seccomp._instruction(0x06, 0, 0, seccomp.ALLOW))
    filters = ctypes.create_string_buffer(b"".join(code))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code), ctypes.addressof(filters)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(22, 2, head, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_SECCOMP")


def test_a_kernel_without_fanotify(tmp_path: Path, mounted: Path) -> None:
    words = ["--state", str(tmp_path / "state"), "--protect", str(mounted)]
    assert "fanotify" in refused(errors.KernelLacks, words, before=lambda: without("fanotify_init"))


def test_root_without_the_capability_as_in_a_container(tmp_path: Path, mounted: Path) -> None:
    kernel_requires("setpriv")
    plain = tmp_path / "plain"
    plain.mkdir()
    for tree in (plain, mounted):
        words = ["--state", str(tmp_path / f"state-{tree.name}"), "--protect", str(tree)]
        said = refused(errors.PrivilegeMissing, words, wrapper=("setpriv", "--bounding-set", "-sys_admin"))
        assert "CAP_SYS_ADMIN" in said
    assert not is_mount_point(str(plain))


def test_a_path_that_could_never_fail_closed(tmp_path: Path) -> None:
    tree, other = tmp_path / "tree", tmp_path / "other"
    tree.mkdir()
    other.mkdir()
    for closed in (tree / "missing", other):
        words = ["--state", str(tmp_path / "state"), "--protect", str(tree), "--fail-closed", str(closed)]
        assert str(closed) in refused(errors.PathRefused, words)


def test_a_clock_that_went_back(tmp_path: Path) -> None:
    tree, state = tmp_path / "tree", tmp_path / "state"
    tree.mkdir()
    with started("--state", str(state), "--protect", str(tree), "--listen", "127.0.0.1:0"):
        pass
    with contextlib.closing(sqlite3.connect(ServerState(state / "server").database)) as connection:
        later = str(time.time_ns() // 1_000_000 + 10 * 86_400_000)
        changed = connection.execute("UPDATE server_facts SET value = ? WHERE name = 'newest_unix_ms'", (later,))
        assert changed.rowcount == 1
        connection.commit()
    said = refused(errors.ClockWentBack, ["--state", str(state), "--protect", str(tree)])
    assert "ringfence server --state DIR --accept-clock" in said
    assert not is_mount_point(str(tree))
    accepting = subprocess.Popen(
        [*COMMAND, "server", "--state", str(state), "--listen", "127.0.0.1:0", "--accept-clock"],
        stdout=subprocess.PIPE,
    )
    assert accepting.stdout is not None
    assert accepting.stdout.readline()
    accepting.terminate()
    accepting.communicate(timeout=PATIENCE_S)
    with started("--state", str(state), "--protect", str(tree), "--listen", "127.0.0.1:0"):
        assert is_mount_point(str(tree))


def test_no_room_for_the_state_is_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(NO_SPACE, os.strerror(NO_SPACE))

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(errors.DiskFull, match=str(tmp_path)):
        SensorState(tmp_path).prepare()
    monkeypatch.setattr(socket.socket, "bind", full)
    with pytest.raises(errors.DiskFull, match="socket"):
        operator_socket.listen(str(tmp_path / "socket"))


def test_a_server_that_is_never_ready_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_server, "SERVER_READY_MS", 200)
    monkeypatch.setattr(embedded_server.EmbeddedServer, "_words", lambda _: ["sleep", "60"])
    server = EmbeddedServer(tmp_path, "127.0.0.1:0")
    with pytest.raises(errors.NoAnswer, match="control plane") as late:
        server.wait_ready(tmp_path / "identity.json")
    assert str(tmp_path) in late.value.way_out
    monkeypatch.setattr(embedded_server.EmbeddedServer, "_words", lambda _: ["sh", "-c", "kill -KILL $$"])
    server = EmbeddedServer(tmp_path, "127.0.0.1:0")
    with pytest.raises(errors.NoAnswer, match="signal 9"):
        server.wait_ready(tmp_path / "identity.json")
    server.stop()
    monkeypatch.setattr(embedded_server.EmbeddedServer, "_words", lambda _: ["sh", "-c", "exec >&-; exit 69"])
    server = EmbeddedServer(tmp_path, "127.0.0.1:0")
    with pytest.raises(SystemExit) as left:
        server.wait_ready(tmp_path / "identity.json")
    assert left.value.code == errors.AddressInUse.exit_status
    server.stop()


def test_a_stopped_warden_is_named_with_the_way_out() -> None:
    live = LiveSensor()
    assert live.sensor is not None
    try:
        live.signal(live.sensor.pid, signal.SIGSTOP)
        words = ("--state", str(live.state.directory))
        for command in (("host", "status"), ("host", "mode", "observe")):
            done = run(*command, *words)
            assert done.returncode == errors.NoAnswer.exit_status, done.stderr
            assert "kill -CONT" in done.stderr
        crowd = []
        for _ in range(2 * limits.OPERATORS_MAX):  # more than the socket lets wait
            end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
            crowd.append(end)
            with contextlib.suppress(BlockingIOError):
                operator_socket.connect(end, str(live.state.socket))
        assert run("host", "status", *words).returncode == errors.NoAnswer.exit_status
        for end in crowd:
            end.close()
        live.signal(live.sensor.pid, signal.SIGCONT)
        until(lambda: run("host", "status", *words).returncode == 0)
    finally:
        live.close()
