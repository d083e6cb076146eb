"""`ringfence up` when its control plane cannot come back: protection goes on, the operator is told, nothing spins."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.programs.test_up import BAD, PATIENCE_S, run, started, until
from tests.support.machine import kernel_requires

from ringfence.host import boot_level
from ringfence.host.places import is_mount_point
from ringfence.model import limits
from ringfence.model.boot import BootOrder, Level
from ringfence.model.errors import DiskFull
from ringfence.programs import embedded_server
from ringfence.programs.embedded_server import EmbeddedServer

HELPLESS = "the control plane cannot be started again"
BACK = "the control plane answers again"


@pytest.fixture(autouse=True)
def _needed() -> None:
    kernel_requires("root", "fanotify-permission", "mount")


def server_of(process: "subprocess.Popen[bytes]") -> int:
    """The pid of the embedded server; 0 while there is none."""
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if b"server" in words:
            return int(child)
    return 0


def port_of(process: "subprocess.Popen[bytes]") -> int:
    """The port on which the embedded server listens."""
    inodes = {str(one.readlink())[8:-1] for one in Path(f"/proc/{server_of(process)}/fd").iterdir()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return next(int(row[1].partition(":")[2], 16) for row in rows if row[9] in inodes and row[3] == "0A")


@contextmanager
def small_disk(directory: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "ringfence-test", str(directory)], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def fill(directory: Path) -> Path:
    """Write until nothing more fits."""
    filler = directory / "server" / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return filler


def is_helpless(process: "subprocess.Popen[bytes]", state: Path, log: Path) -> bool:
    """Whether no server can come back.  One that could, in what the one before had left in its journal, is killed."""
    fill(state)
    if HELPLESS in log.read_text():
        return True
    if is_listening(process):
        subprocess.run(["kill", "-KILL", str(server_of(process))], check=True)
    return False


def is_listening(process: "subprocess.Popen[bytes]") -> bool:
    try:
        return port_of(process) > 0
    except (StopIteration, OSError):
        return False


def refuses_bad_files(tree: Path) -> bool:
    bad = tree / "bad"
    bad.write_bytes(BAD)
    try:
        bad.read_bytes()
    except PermissionError:
        return True
    return False


def test_a_stolen_port(tmp_path: Path) -> None:
    tree, log = tmp_path / "tree", tmp_path / "log"
    tree.mkdir()
    words = ("--state", str(tmp_path / "state"), "--protect", str(tree), "--listen", "127.0.0.1:0")
    with started(*words, log=log) as process:
        port = port_of(process)
        thief = socket.socket()
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        subprocess.run(["kill", "-KILL", str(server_of(process))], check=True)
        until(lambda: stolen(thief, port))
        until(lambda: HELPLESS in log.read_text())
        assert refuses_bad_files(tree)
        until(lambda: server_of(process) == 0)  # between two tries
        until(lambda: server_of(process) != 0)
        thief.close()
        until(lambda: BACK in log.read_text())
        said = log.read_text()
        assert said.count(HELPLESS) == said.count(BACK) == 1
        assert said.count("address-in-use") == 1
        assert said.count("way out:") == 2
        assert refuses_bad_files(tree)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0


def stolen(thief: socket.socket, port: int) -> bool:
    try:
        thief.bind(("127.0.0.1", port))
    except OSError:
        return False
    thief.listen()
    return True


def test_a_disk_that_fills_up_and_is_freed(tmp_path: Path) -> None:
    tree, log = tmp_path / "tree", tmp_path / "log"
    tree.mkdir()
    with small_disk(tmp_path / "disk") as disk:
        words = ("--state", str(disk / "state"), "--protect", str(tree), "--listen", "127.0.0.1:0")
        with started(*words, log=log) as process:
            filler = fill(disk / "state")
            subprocess.run(["kill", "-KILL", str(server_of(process))], check=True)
            until(lambda: is_helpless(process, disk / "state", log))
            assert refuses_bad_files(tree)
            filler.unlink()
            until(lambda: BACK in log.read_text())
            until(lambda: "RINGFENCE" in run("alerts", "--state", str(disk / "state"), "--json").stdout.upper())


def test_a_service_protects_on_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    """A machine that boots with a full disk: its control plane cannot start, and nobody sits in front of it."""
    tree, log, order = tmp_path / "tree", tmp_path / "log", tmp_path / "run"
    tree.mkdir()
    boot_level.leave(str(order), BootOrder(Level.NORMAL, clean=True))
    with small_disk(tmp_path / "disk") as disk:
        words = ("--state", str(disk / "state"), "--protect", str(tree), "--listen", "127.0.0.1:0")
        with started(*words, log=log):
            assert refuses_bad_files(tree)
        fill(disk / "state")
        with started(*words, "--boot-order", str(order), log=log):
            assert refuses_bad_files(tree)
    assert "protection goes on without the control plane" in log.read_text()
    assert not is_mount_point(str(tree))


def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with small_disk(tmp_path / "disk") as disk:
        (disk / "state" / "server").mkdir(parents=True, mode=0o700)
        fill(disk / "state")
        done = run("up", "--state", str(disk / "state"), "--protect", str(tree), "--listen", "127.0.0.1:0")
    assert done.returncode == DiskFull.exit_status, done.stderr
    assert "way out: " in done.stderr
    assert "Traceback" not in done.stderr


def test_pauses_double_up_to_their_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0]
    monkeypatch.setattr(embedded_server, "_now_ms", lambda: clock[0])
    monkeypatch.setattr(sys, "executable", "/bin/false")
    server = EmbeddedServer(tmp_path, "127.0.0.1:0")
    pauses, said = [], []
    for _ in range(12):
        server._process.wait()
        said += server.attend(set(server.descriptors()))
        pause = server.wait_ms()
        assert pause is not None
        assert server.descriptors() == []
        pauses.append(pause)
        clock[0] += pause - 1
        server.attend(set())
        assert server.wait_ms() == 1
        clock[0] += 1
        server.attend(set())
        assert server.wait_ms() is None
    assert pauses[:3] == [limits.SERVER_RESTART_MS, 2 * limits.SERVER_RESTART_MS, 4 * limits.SERVER_RESTART_MS]
    assert pauses[-1] == pauses[-2] == limits.SERVER_RESTART_MS_MAX
    assert sum(HELPLESS in line for line in said) == 1
    assert len(said) == 2
    server.stop()


def test_without_a_console_it_protects_and_its_alerts_wait_in_the_spool(tmp_path: Path) -> None:
    tree, state = tmp_path / "tree", tmp_path / "state"
    tree.mkdir()
    with started("--state", str(state), "--protect", str(tree), "--no-console") as process:
        (tree / "bad").write_bytes(BAD)
        with pytest.raises(PermissionError):
            (tree / "bad").read_bytes()
        assert server_of(process) == 0

        def waiting() -> int:
            told = json.loads(run("host", "status", "--state", str(state), "--json").stdout)
            return int(told["counters"]["courier_spool_records"])

        until(lambda: waiting() > 0)
    assert not (state / "server/enrolment.token").exists()
