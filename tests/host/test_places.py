"""From what the operator names to what is marked: refusals, strange names, real binds on directories of our own."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.machine import kernel_requires

from ringfence.host import places
from ringfence.host.marks import Place, PlaceKind, place_of
from ringfence.host.places import bind, is_mount_point, resolve, resolve_all, unbind
from ringfence.host.sensor_state import SensorState
from ringfence.model import limits
from ringfence.model.errors import PathRefused


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of our own; whatever is mounted below it is gone at the end."""
    kernel_requires("mount")
    ground = tmp_path / "ground"
    ground.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(ground)], check=True)
    yield ground
    subprocess.run(["umount", "-l", "-R", str(ground)], check=True)


def mounts_below(path: Path) -> list[bytes]:
    """Mount points at or below a path, as the kernel lists them."""
    lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    points = [line.split(b" ")[4] for line in lines]
    return [point for point in points if point.startswith(os.fsencode(path))]


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted", ["/", "/proc", "/sys", "/dev", "/run", "/proc/1", "/sys/fs", "filesystem:/", "//", "/../"]
)
def test_what_the_sensor_itself_needs_is_refused(wanted: str) -> None:
    with pytest.raises(PathRefused):
        resolve(wanted)


def test_a_link_to_the_root_is_the_root(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(PathRefused, match="link"):
        resolve(str(tmp_path / "link"))


def test_missing_and_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PathRefused, match="No such file"):
        resolve(str(tmp_path / "missing"))
    with pytest.raises(PathRefused, match="not a directory"):
        resolve(str(tmp_path / "file"))


def test_a_plain_directory_becomes_a_mount(tmp_path: Path) -> None:
    assert resolve(str(tmp_path)) == (Place(str(tmp_path), PlaceKind.MOUNT), True)


def test_a_file_system_is_marked_as_it_is(ground: Path) -> None:
    assert resolve(f"filesystem:{ground}") == (Place(str(ground), PlaceKind.FILE_SYSTEM), False)


def test_the_root_file_system_is_refused_by_whatever_path() -> None:
    with pytest.raises(PathRefused, match="its own questions"):
        resolve("filesystem:/etc")


def test_a_mount_point_is_not_bound_again(ground: Path) -> None:
    assert resolve(str(ground)) == (Place(str(ground), PlaceKind.MOUNT), False)


def test_places_are_counted_and_named_once(tmp_path: Path) -> None:
    found, binds = resolve_all([str(tmp_path), str(tmp_path) + "/", f"{tmp_path}/../{tmp_path.name}"])
    assert (len(found), binds) == (1, [str(tmp_path)])
    for wrong in ([], [str(tmp_path)] * (limits.PLACES_MAX + 1)):
        with pytest.raises(PathRefused):
            resolve_all(wrong)


@pytest.mark.parametrize("text", ["mount:/a", "filesystem:/a:b", "mount:/a b\n"])
def test_a_place_survives_its_spelling(text: str) -> None:
    assert place_of(text).spelled() == text


@pytest.mark.parametrize("text", ["", "/a", "mount:", "mount:a", "folder:/a"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        place_of(text)


STRANGE = [
    "with blank",
    "tab\there",
    "new\nline",
    "back\\slash",
    "\\040",
    "\x0bvertical\x0cform\rreturn",
    "ünïcode",
    "#hash",
]


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_are_recognised_as_mounts(ground: Path, name: str) -> None:
    directory = ground / name
    directory.mkdir()
    assert not is_mount_point(str(directory))
    bind(str(directory))
    assert is_mount_point(str(directory))
    (directory / "inside").mkdir()
    bind(str(directory / "inside"))
    assert is_mount_point(str(directory / "inside"))
    unbind(str(directory / "inside"))
    unbind(str(directory))
    assert not is_mount_point(str(directory))


def test_bytes_that_are_no_text_are_recognised(ground: Path) -> None:
    directory = os.fsdecode(os.fsencode(ground) + b"/\xff\xfe")
    os.mkdir(directory)  # noqa: PTH102 - the name is the point
    bind(directory)
    assert is_mount_point(directory)
    unbind(directory)
    assert not is_mount_point(directory)


# --- binds --------------------------------------------------------------------------------------------------------


def test_a_bound_tree_is_the_same_tree(ground: Path) -> None:
    tree = ground / "tree"
    tree.mkdir()
    (tree / "file").write_bytes(b"same")
    bind(str(tree))
    assert (tree / "file").read_bytes() == b"same"
    (tree / "new").write_bytes(b"new")
    unbind(str(tree))
    assert (tree / "new").read_bytes() == b"new"
    assert mounts_below(tree) == []


def test_unbinding_what_is_not_bound_changes_nothing(ground: Path) -> None:
    before = mounts_below(ground)
    (ground / "plain").mkdir()
    unbind(str(ground / "plain"))
    unbind(str(ground / "missing"))
    assert mounts_below(ground) == before


def test_binding_what_is_not_there_is_refused(ground: Path) -> None:
    with pytest.raises(PathRefused, match="bind"):
        bind(str(ground / "missing"))


def test_somebody_working_inside_does_not_hold_the_bind(ground: Path) -> None:
    tree = ground / "tree"
    tree.mkdir()
    bind(str(tree))
    inside = os.open(tree, os.O_RDONLY)
    unbind(str(tree))
    os.close(inside)
    assert mounts_below(tree) == []


def sensor_state(tmp_path: Path) -> SensorState:
    state = SensorState(tmp_path / "state")
    state.prepare()
    return state


@pytest.mark.parametrize("order", [("a", "a/b"), ("a/b", "a")])
def test_nested_places_leave_nothing_behind(ground: Path, tmp_path: Path, order: tuple[str, str]) -> None:
    (ground / "a" / "b").mkdir(parents=True)
    state = sensor_state(tmp_path)
    state.bind([str(ground / name) for name in order])
    state.unbind()
    assert mounts_below(ground / "a") == []
    assert not state.binds.exists()


def test_what_a_power_cut_left_behind_is_removed(ground: Path, tmp_path: Path) -> None:
    (ground / "a").mkdir()
    sensor_state(tmp_path).bind([str(ground / "a")])
    SensorState(tmp_path / "state").unbind()
    assert mounts_below(ground / "a") == []


def test_a_name_with_a_line_break_unmounts_nobody_else(ground: Path, tmp_path: Path) -> None:
    """The first half of such a name may be a mount of the operator's own."""
    (ground / "own").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(ground / "own")], check=True)
    (ground / "own\nplace").mkdir()
    state = sensor_state(tmp_path)
    state.bind([str(ground / "own\nplace")])
    state.unbind()
    assert is_mount_point(str(ground / "own"))
    assert not is_mount_point(str(ground / "own\nplace"))


def test_a_missing_list_of_binds_is_none(tmp_path: Path) -> None:
    state = sensor_state(tmp_path)
    state.bind([])
    state.unbind()
    assert not state.binds.exists()


def test_every_escape_of_the_kernel() -> None:
    assert places._unescaped(b"/a\\040b\\011c\\012d\\134e") == b"/a b\tc\nd\\e"
    assert places._unescaped("/ü".encode()) == "/ü".encode()
    assert places._unescaped("/ü\\040".encode()) == "/ü ".encode()
