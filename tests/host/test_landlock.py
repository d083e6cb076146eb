"""Landlock on this kernel: what is named stays reachable, nothing else does, threads and children inherit it."""

import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.host.forked import WORKED, in_child
from tests.support.machine import kernel_requires

from ringfence.host import landlock
from ringfence.host.kernel import prctl
from ringfence.host.landlock import Access
from ringfence.host.sandbox import PR_SET_NO_NEW_PRIVS
from ringfence.model.errors import KernelLacks


@pytest.fixture(scope="module", autouse=True)
def _needs() -> None:
    kernel_requires("root", "landlock")


def restricted(access: Access) -> Callable[[], None]:
    def enter() -> None:
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        landlock.restrict(access)

    return enter


def silently(act: Callable[..., object], *arguments: object) -> None:
    act(*arguments)


def listed(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def worked(found: dict[str, str]) -> set[str]:
    return {act for act, what in found.items() if what.startswith(WORKED)}


def test_trees_are_readable_or_writable_as_named(tmp_path: Path) -> None:
    for name in ("read", "write", "other"):
        (tmp_path / name / "below").mkdir(parents=True)
        (tmp_path / name / "below" / "file").write_bytes(b"x")
    access = Access(readable=(str(tmp_path / "read"),), writable=(str(tmp_path / "write"),))
    acts: dict[str, Callable[[], object]] = {}
    for name in ("read", "write", "other"):
        path = tmp_path / name / "below" / "file"
        acts[f"{name}: read"] = partial(silently, path.read_bytes)
        acts[f"{name}: write"] = partial(silently, path.write_bytes, b"y")
        acts[f"{name}: list"] = partial(silently, listed, path.parent)
        acts[f"{name}: make"] = (path.parent / "new").mkdir
        acts[f"{name}: remove"] = path.unlink
    allowed = {"read: read", "read: list"} | {f"write: {what}" for what in ("read", "write", "list", "make", "remove")}
    assert worked(in_child(restricted(access), acts)) == allowed


def test_no_tcp_unless_named() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    address = server.getsockname()

    def connect() -> None:
        with socket.socket() as end:
            end.connect(address)

    def listen() -> None:
        with socket.socket() as end:
            end.bind(("127.0.0.1", 0))

    acts: dict[str, Callable[[], object]] = {"connect": connect, "listen": listen}
    assert worked(in_child(restricted(Access()), acts)) == set()
    assert worked(in_child(restricted(Access(connect=True)), acts)) == {"connect"}
    server.close()


def test_no_signal_to_the_outside_unless_named() -> None:
    parent = os.getpid()
    acts: dict[str, Callable[[], object]] = {"signal": lambda: os.kill(parent, 0)}
    assert worked(in_child(restricted(Access()), acts)) == set()
    assert worked(in_child(restricted(Access(signals=True)), acts)) == {"signal"}


def test_children_inherit_it_and_cannot_loosen_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")

    def below() -> str:
        child = os.fork()
        if child == 0:
            signal.alarm(10)
            try:
                landlock.restrict(Access(readable=("/",)))
                path.read_bytes()
            except OSError:
                os._exit(1)
            os._exit(0)
        return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    assert in_child(restricted(Access()), {"below": below})["below"] == f"{WORKED}: 1"


def test_an_older_kernel_is_used_as_far_as_it_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ABI 1 knows no network, no truncation and no scope; files are closed all the same."""
    path = tmp_path / "file"
    path.write_bytes(b"x")
    for version in range(1, landlock.abi() + 1):
        monkeypatch.setattr(landlock, "abi", lambda version=version: version)
        found = in_child(restricted(Access()), {"read": lambda: path.read_bytes() and None})
        assert found["read"] == "PermissionError", version


def test_a_kernel_without_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    with pytest.raises(KernelLacks, match="Landlock"):
        landlock.restrict(Access())


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    found = in_child(lambda: None, {"restrict": restricted(Access(readable=(str(tmp_path / "missing"),)))})
    assert found["restrict"] == "FileNotFoundError"
