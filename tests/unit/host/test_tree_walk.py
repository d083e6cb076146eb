"""`host/tree_walk.py` where no kernel object is needed: refusals, order, and files that vanish or change."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.host import tree_walk
from ringfence.host.tree_walk import FoundFile, Passed, PassedBy, shown, walk
from ringfence.model.errors import PathRefused


def taken(*paths: Path, one_file_system: bool = False) -> list[FoundFile | PassedBy]:
    """The whole walk, descriptors closed."""
    found = list(walk([str(path) for path in paths], one_file_system=one_file_system))
    for item in found:
        if isinstance(item, FoundFile):
            os.close(item.descriptor)
    return found


def test_a_missing_path_is_refused_before_anything_is_given(tmp_path: Path) -> None:
    with pytest.raises(PathRefused, match="does not exist"):
        walk([str(tmp_path), str(tmp_path / "missing")])


@pytest.fixture
def abyss(tmp_path: Path) -> Iterator[Path]:
    """A thousand levels of directories.  Removed at once: pytest's own clean-up of old runs would end in its stack."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("dd", dir_fd=here)
        deeper = os.open("dd", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    yield tmp_path
    subprocess.run(["rm", "-rf", str(tmp_path / "dd")], check=True)


def test_a_tree_deeper_than_the_stack_is_walked(abyss: Path) -> None:
    """What has a longer path than the kernel takes is reported, and the walk ends."""
    (passed,) = taken(abyss)
    assert isinstance(passed, PassedBy)
    assert (passed.why, passed.detail) == (Passed.UNREADABLE, os.strerror(errno.ENAMETOOLONG))


def test_the_same_tree_named_twice_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(b"x")
    assert len(taken(tmp_path, tmp_path / "sub", tmp_path)) == 1


def test_files_that_vanish_or_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gone", "refused", "good"):
        (tmp_path / name).write_bytes(b"x")
    real = os.open

    def opening(name: str, flags: int, *, dir_fd: int | None = None) -> int:
        if name == "gone":
            raise FileNotFoundError(errno.ENOENT, "gone")
        if name == "refused":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, flags, dir_fd=dir_fd)

    monkeypatch.setattr("ringfence.host.tree_walk.os.open", opening)
    found = {Path(item.path).name: item for item in taken(tmp_path)}
    assert set(found) == {"refused", "good"}
    refused = found["refused"]
    assert isinstance(refused, PassedBy)
    assert (refused.why, refused.detail) == (Passed.UNREADABLE, "Permission denied")


def test_a_file_that_became_a_pipe_before_the_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`lstat` saw a file; what was opened is something else: it is let go, and nothing blocked."""
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    real = os.open
    monkeypatch.setattr(
        "ringfence.host.tree_walk.os.open",
        lambda name, flags, *, dir_fd=None: real("pipe" if name == "file" else name, flags, dir_fd=dir_fd),
    )
    assert {(item.why, item.detail) for item in taken(tmp_path) if isinstance(item, PassedBy)} == {
        (Passed.SPECIAL, "pipe")
    }


def test_other_file_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pseudo file systems are always left out; others only on request."""
    assert [item.why for item in taken(Path("/proc")) if isinstance(item, PassedBy)] == [Passed.OTHER_FILE_SYSTEM]
    monkeypatch.setattr(tree_walk, "pseudo_devices", lambda: frozenset({tmp_path.stat().st_dev}))
    (tmp_path / "file").write_bytes(b"x")
    assert [type(item) for item in taken(tmp_path)] == [PassedBy]


def test_names_for_a_terminal() -> None:
    assert shown("plain ü") == "plain ü"
    assert shown("a\nb\x1b[0m\u202e\x7f") == "a\\nb\\x1b[0m\\u202e\\x7f"
    assert shown(os.fsdecode(b"\xff")) == "\\xff"
