"""`ringfence up` as a person meets it: ready, an alert, a clean end; and every wrong word answered with the way out."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.machine import kernel_requires

from ringfence.host.places import is_mount_point
from ringfence.model import errors
from ringfence.programs.cli import main

PATIENCE_S = 60
COMMAND = [sys.executable, "-m", "ringfence.programs.cli"]
BAD = b"RINGFENCE-TEST-STRING-" + b"5f1c6c0e4b7d"


@pytest.fixture(autouse=True)
def _needed() -> None:
    kernel_requires("root", "fanotify-permission", "mount")


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    """A command to its end."""
    return subprocess.run([*COMMAND, *words], check=False, capture_output=True, text=True, timeout=PATIENCE_S)


@contextmanager
def started(*words: str, log: Path = Path(os.devnull)) -> "Iterator[subprocess.Popen[bytes]]":
    """A running `up`, from the line `ready` to its end by Ctrl-C; what it says on standard error goes to `log`."""
    with log.open("wb") as said:
        process = subprocess.Popen([*COMMAND, "up", *words], stdout=subprocess.PIPE, stderr=said, bufsize=0)
    try:
        assert process.stdout is not None
        limit = time.monotonic() + PATIENCE_S
        line = b""
        while line != b"ready\n":
            ready = select.select([process.stdout], [], [], max(0, limit - time.monotonic()))[0]
            assert ready, "it never got ready"
            line = process.stdout.readline()
            assert line, "it ended before it was ready"
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()


def until(holds: Callable[[], bool]) -> None:
    """Poll a condition with a bound."""
    limit = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < limit
        select.select([], [], [], 0.05)


def test_a_plain_directory_is_protected_and_left_as_it_was(tmp_path: Path) -> None:
    tree, state, log = tmp_path / "tree", tmp_path / "state", tmp_path / "log"
    tree.mkdir()
    with started("--state", str(state), "--protect", str(tree), "--listen", "127.0.0.1:0", log=log) as process:
        assert is_mount_point(str(tree))
        bad = tree / "bad"
        bad.write_bytes(BAD)
        with pytest.raises(PermissionError):
            bad.read_bytes()
        until(lambda: "RINGFENCE" in run("alerts", "--state", str(state), "--json").stdout.upper())
        alert = json.loads(run("alerts", "--state", str(state), "--json").stdout.splitlines()[0])
        assert "bad" in json.dumps(alert)
        status = json.loads(run("host", "status", "--state", str(state), "--json").stdout)
        roles = {one["role"] for one in status["processes"]}
        assert roles >= {"warden", "gate", "watchdog", "zygote", "scanner", "courier"}
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    assert not is_mount_point(str(tree))
    assert bad.read_bytes() == BAD
    assert "process_died" not in log.read_text(), "who ends because everything ends is no news"


def test_what_a_cut_off_start_left_behind_is_cleaned_up(tmp_path: Path) -> None:
    tree, state = tmp_path / "tree", tmp_path / "state"
    tree.mkdir()
    with started("--state", str(state), "--protect", str(tree), "--listen", "127.0.0.1:0") as process:
        process.kill()
        process.wait(PATIENCE_S)
    assert (tree / "x").write_bytes(b"free") == 4
    with started("--state", str(state), "--protect", str(tree), "--listen", "127.0.0.1:0"):
        assert (tree / "x").read_bytes() == b"free"
    assert not is_mount_point(str(tree))


def test_every_wrong_word_is_answered_with_the_way_out(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    file = tmp_path / "file"
    file.write_bytes(b"no release")
    foreign = tmp_path / "foreign"
    foreign.mkdir(mode=0o700)
    os.chown(foreign, 65534, 65534)
    other_version = tmp_path / "other"
    other_version.mkdir(mode=0o700)
    (other_version / "ringfence-state.json").write_text('{"created_by":"ringfence 99","format":99}')
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    state = str(tmp_path / "state")
    cases: dict[tuple[str, ...], type[errors.RingfenceError]] = {
        ("--state", state, "--protect", str(tmp_path / "missing")): errors.PathRefused,
        ("--state", state, "--protect", str(file)): errors.PathRefused,
        ("--state", state, "--protect", "/"): errors.PathRefused,
        ("--state", state, "--protect", "/proc"): errors.PathRefused,
        ("--state", str(tree / "state"), "--protect", str(tree)): errors.PathRefused,
        ("--state", state, "--protect", str(tree), "--mode", "sleep"): errors.UsageRefused,
        ("--state", state, "--protect", str(tree), "--content", str(tmp_path / "none")): errors.PathRefused,
        ("--state", state, "--protect", str(tree), "--content", str(file), "--listen", "127.0.0.1:0"):
            errors.ContentRefused,
        ("--state", str(foreign), "--protect", str(tree)): errors.StateOwnerForeign,
        ("--state", str(other_version), "--protect", str(tree)): errors.StateVersionForeign,
        ("--state", state, "--protect", str(tree), "--listen", f"127.0.0.1:{port}"): errors.AddressInUse,
    }
    for words, kind in cases.items():
        done = run("up", *words)
        assert done.returncode == kind.exit_status, (words, done.stderr)
        assert re.search(r"way out: \S", done.stderr), (words, done.stderr)
        assert "Traceback" not in done.stderr
        assert not is_mount_point(str(tree)), words
    taken.close()


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit) as left:
        main(["up", "--state", "/nowhere", "--protect", "/srv"])
    assert left.value.code == errors.PrivilegeMissing.exit_status
    assert "root" in capsys.readouterr().err
