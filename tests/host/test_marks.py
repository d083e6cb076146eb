"""Marks on the real kernel: a tmpfs of our own, answered by a forked child that an alarm ends if anything hangs.

Nothing but that tmpfs is ever marked, and it is unmounted at the end.
"""

import json
import mmap
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.machine import kernel_requires

from ringfence.host import fanotify
from ringfence.host.fanotify import EVENT, EXEC_PERMISSION, RESPONSE
from ringfence.host.marks import Marks, Place, PlaceKind
from ringfence.host.quick_calls import nobody_writes
from ringfence.model.errors import PathRefused

DEADLINE_S = 30


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Path]:
    kernel_requires("root", "mount", "fanotify-permission")
    ground = tmp_path / "ground"
    ground.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(ground)], check=True)
    yield ground
    subprocess.run(["umount", "-l", str(ground)], check=True)


class Answerer:
    """A child that marks the ground and answers its questions; it does on its files what it is told to."""

    def __init__(self, ground: Path, kind: PlaceKind = PlaceKind.MOUNT) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self._ours.close()
            try:
                _answer(Place(str(ground), kind), theirs)
            finally:
                os._exit(1)
        theirs.close()
        self._ours.settimeout(DEADLINE_S)
        assert json.loads(self._ours.recv(1_000)) == "armed"

    def do(self, what: str, path: Path | None = None) -> list[str]:
        """One act; returns the questions that came since the last one: "access" or "exec", in order."""
        self._ours.send(json.dumps([what, str(path)]).encode())
        told = json.loads(self._ours.recv(60_000))
        assert isinstance(told, list), told
        return told

    def questions(self) -> list[str]:
        return self.do("nothing")

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._ours.close()


def _answer(place: Place, commands: socket.socket) -> None:
    signal.alarm(DEADLINE_S)
    marks = Marks((place,), strict=False)
    marks.arm()
    asked: list[str] = []
    denied: set[int] = set()

    def serve() -> None:
        while True:
            _, _, _, _, mask, descriptor, _ = EVENT.unpack(os.read(marks.questions, EVENT.size))
            asked.append("exec" if mask & EXEC_PERMISSION else "access")
            answer = fanotify.DENY if os.fstat(descriptor).st_ino in denied else fanotify.ALLOW
            os.write(marks.questions, RESPONSE.pack(descriptor, answer))
            os.close(descriptor)

    threading.Thread(target=serve, daemon=True).start()
    commands.send(json.dumps("armed").encode())
    while command := commands.recv(10_000):
        what, path = json.loads(command)
        if what == "disarm":
            marks.disarm()
        elif what == "forget_files":
            marks.forget_files()
        elif what != "nothing":
            descriptor = os.open(path, os.O_RDONLY)
            if what == "deny":
                denied.add(os.fstat(descriptor).st_ino)
            else:
                getattr(marks, what)(descriptor)
            os.close(descriptor)
        told, asked[:] = list(asked), []
        commands.send(json.dumps(told).encode())
    os._exit(0)


@pytest.fixture
def file(ground: Path) -> Path:
    path = ground / "file"
    path.write_bytes(b"content")
    return path


@pytest.fixture
def answerer(ground: Path, file: Path) -> Iterator[Answerer]:
    answerer = Answerer(ground)
    yield answerer
    answerer.close()


def test_reading_asks_and_a_refusal_refuses(answerer: Answerer, file: Path) -> None:
    assert file.read_bytes() == b"content"
    assert "access" in answerer.questions()
    answerer.do("deny", file)
    with pytest.raises(PermissionError):
        file.read_bytes()


def test_a_silenced_file_asks_again_once_it_was_written(answerer: Answerer, file: Path) -> None:
    answerer.do("silence", file)
    file.read_bytes()
    assert answerer.questions() == []
    with file.open("ab") as writer:
        writer.write(b"more")
    file.read_bytes()
    assert answerer.questions() != []


def test_writing_through_a_mapping_does_not_clear_the_mark_and_waking_does(answerer: Answerer, file: Path) -> None:
    """Why a close after writing wakes the file: the kernel alone would keep it silent."""
    answerer.do("silence", file)
    descriptor = os.open(file, os.O_RDWR)
    mapping = mmap.mmap(descriptor, 7)
    mapping[:] = b"EVIL123"
    mapping.close()
    os.close(descriptor)
    assert file.read_bytes() == b"EVIL123"
    assert answerer.questions() == []
    answerer.do("wake", file)
    file.read_bytes()
    assert answerer.questions() != []


def test_a_hot_file_stays_silent_while_it_is_written(answerer: Answerer, file: Path) -> None:
    answerer.do("silence_hot", file)
    for _ in range(5):
        with file.open("ab") as writer:
            writer.write(b"more")
        file.read_bytes()
    assert answerer.questions() == []
    answerer.do("wake", file)
    file.read_bytes()
    assert answerer.questions() != []


def test_a_hot_program_still_asks_at_exec(answerer: Answerer, ground: Path) -> None:
    program = ground / "true"
    shutil.copy("/bin/true", program)
    answerer.do("silence_hot", program)
    subprocess.run([str(program)], check=True)
    assert "exec" in answerer.questions()
    answerer.do("deny", program)
    with pytest.raises(PermissionError):
        subprocess.run([str(program)], check=True)


def test_a_quiet_program_runs_unasked(answerer: Answerer, ground: Path) -> None:
    program = ground / "true"
    shutil.copy("/bin/true", program)
    answerer.questions()
    answerer.do("silence", program)
    subprocess.run([str(program)], check=True)
    assert answerer.questions() == []


def test_another_release_asks_about_every_file_again(answerer: Answerer, file: Path) -> None:
    answerer.do("silence", file)
    answerer.do("forget_files")
    file.read_bytes()
    assert answerer.questions() != []


def test_after_the_marks_are_gone_nobody_is_asked(answerer: Answerer, file: Path) -> None:
    answerer.do("disarm")
    file.read_bytes()
    assert answerer.questions() == []


def test_a_dead_answerer_frees_whoever_waits(ground: Path, file: Path) -> None:
    answerer = Answerer(ground)
    os.kill(answerer.pid, signal.SIGSTOP)
    reader = subprocess.Popen(["cat", str(file)], stdout=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        reader.wait(0.3)
    answerer.close()
    assert reader.wait(DEADLINE_S) == 0


def test_a_whole_file_system_is_marked_through_every_mount_of_it(ground: Path, file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["mount", "--bind", str(ground), str(other)], check=True)
    answerer = Answerer(ground, PlaceKind.FILE_SYSTEM)
    try:
        (other / "file").read_bytes()
        assert answerer.questions() != []
    finally:
        answerer.close()
        subprocess.run(["umount", "-l", str(other)], check=True)


def test_a_place_that_cannot_be_marked_leaves_nothing_marked(ground: Path, file: Path) -> None:
    """Nobody answers here: a mark left behind would hang the reader, which the time limit of the test would show."""
    places = (Place(str(ground), PlaceKind.MOUNT), Place(str(ground / "missing"), PlaceKind.MOUNT))
    marks = Marks(places, strict=False)
    with pytest.raises(PathRefused, match="missing"):
        marks.arm()
    done = subprocess.run(["timeout", "-s", "KILL", "10", "cat", str(file)], check=False, capture_output=True)
    os.close(marks.questions)
    os.close(marks.closes)
    assert done.stdout == b"content"


# --- who has a file open for writing --------------------------------------------------------------------------------


def test_a_lease_tells_whether_somebody_writes(tmp_path: Path) -> None:
    kernel_requires("root")
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4096)
    descriptor = os.open(path, os.O_RDONLY)
    assert nobody_writes(descriptor)
    with path.open("ab"):
        assert not nobody_writes(descriptor)
    writer = os.open(path, os.O_RDWR)
    mapping = mmap.mmap(writer, 4096)
    os.close(writer)
    assert not nobody_writes(descriptor)
    mapping.close()
    assert nobody_writes(descriptor)
    with path.open("rb"):
        assert nobody_writes(descriptor)
    with path.open("ab") as late:  # the lease was given back: a later writer does not wait
        late.write(b"y")
    os.close(descriptor)


def test_what_can_have_no_lease_counts_as_written() -> None:
    reading, writing = os.pipe()
    assert not nobody_writes(reading)
    os.close(reading)
    os.close(writing)
