"""From the operator's words to what is marked: what is taken, what is refused and why."""

import re
from pathlib import Path

import pytest
from tests.support.machine import kernel_requires

from ringfence.host.marks import Place, PlaceKind, place_of
from ringfence.host.places import bind, is_mount_point, resolve, resolve_all, resolve_closed, unbind
from ringfence.model.errors import PathRefused
from ringfence.model.limits import PLACES_MAX


def test_a_plain_directory_is_bound_first(tmp_path: Path) -> None:
    assert resolve(str(tmp_path)) == (Place(str(tmp_path), PlaceKind.MOUNT), True)


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert resolve(str(tmp_path / "link"))[0].path == str(tmp_path / "real")


def test_a_path_that_fails_closed_is_real_and_below_a_protected_one(tmp_path: Path) -> None:
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "tree" / "below")
    (tmp_path / "tree-2").mkdir()
    places = [Place(str(tmp_path / "tree"), PlaceKind.MOUNT)]
    below = str(tmp_path / "tree" / "below")
    assert resolve_closed([str(tmp_path / "tree"), below, str(tmp_path / "link")], places) == (
        str(tmp_path / "tree"), below, below
    )
    for path in (tmp_path, tmp_path / "tree-2", tmp_path / "tree" / "missing", Path("/proc/self")):
        with pytest.raises(PathRefused, match=re.escape(str(path))) as refused:
            resolve_closed([str(path)], places)
        assert refused.value.way_out


def test_a_whole_file_system_protects_every_path_on_it(tmp_path: Path) -> None:
    places = [Place(str(tmp_path), PlaceKind.FILE_SYSTEM)]
    assert resolve_closed([str(tmp_path.parent)], places) == (str(tmp_path.parent),)
    with pytest.raises(PathRefused):
        resolve_closed(["/proc/1"], places)


@pytest.mark.parametrize(
    "path", ["/nowhere/at/all", "/etc/passwd", "/", "/proc", "/proc/1", "/dev/shm", "filesystem:/sys"]
)
def test_what_cannot_be_protected_is_refused_by_name(path: str) -> None:
    with pytest.raises(PathRefused) as refused:
        resolve(path)
    assert path.removeprefix("filesystem:") in refused.value.what
    assert refused.value.way_out


def test_a_place_named_twice_is_one(tmp_path: Path) -> None:
    places, binds = resolve_all([str(tmp_path), f"{tmp_path}/."])
    assert (places, binds) == ([Place(str(tmp_path), PlaceKind.MOUNT)], [str(tmp_path)])


def test_none_and_too_many_are_refused(tmp_path: Path) -> None:
    for wanted in ([], [str(tmp_path)] * (PLACES_MAX + 1)):
        with pytest.raises(PathRefused, match="places to protect"):
            resolve_all(wanted)


def test_a_place_is_read_back_as_it_was_spelled() -> None:
    for place in (Place("/srv", PlaceKind.MOUNT), Place("/a:b c", PlaceKind.FILE_SYSTEM)):
        assert place_of(place.spelled()) == place
    for text in ("", "/srv", "mount:srv", "elsewhere:/srv"):
        with pytest.raises(ValueError, match=r".*"):
            place_of(text)


def test_a_directory_becomes_a_mount_and_no_mount_again(tmp_path: Path) -> None:
    kernel_requires("root", "mount")
    directory = tmp_path / "with a blank and a \\ in it"
    directory.mkdir()
    (directory / "file").write_text("here")
    bind(str(directory))
    try:
        assert is_mount_point(str(directory))
        assert resolve(str(directory)) == (Place(str(directory), PlaceKind.MOUNT), False)
        assert (directory / "file").read_text() == "here"
    finally:
        unbind(str(directory))
    assert not is_mount_point(str(directory))
    unbind(str(directory))
    assert (directory / "file").read_text() == "here"
