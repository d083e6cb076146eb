"""The store of releases: what was kept is there whole, what is damaged is set aside, and a full disk loses nothing."""

import hashlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.machine import kernel_requires

from ringfence.host.operator_socket import digest_of_sealed, sealed
from ringfence.host.release_store import ReleaseStore
from ringfence.model import limits
from ringfence.model.errors import DiskFull


def kept(store: ReleaseStore, data: bytes) -> str:
    """Keep some bytes; their digest."""
    descriptor = sealed(data)
    digest = digest_of_sealed(descriptor)
    try:
        store.keep(digest, descriptor)
    finally:
        os.close(descriptor)
    return digest


def loaded(store: ReleaseStore, digest: str) -> bytes | None:
    """What the store gives for a digest."""
    descriptor = store.load(digest)
    if descriptor is None:
        return None
    assert digest_of_sealed(descriptor) == digest, "and nobody can change it any more"
    try:
        return os.pread(descriptor, limits.RELEASE_BYTES_MAX, 0)
    finally:
        os.close(descriptor)


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(str(tmp_path))


def test_what_was_kept_is_there_for_the_next_warden(store: ReleaseStore, tmp_path: Path) -> None:
    data = os.urandom(3 * limits.READ_PIECE_BYTES + 17)
    digest = kept(store, data)
    again = ReleaseStore(str(tmp_path))
    assert again.kept() == {digest}
    assert loaded(again, digest) == data
    assert (tmp_path / f"{digest}.release").stat().st_mode & 0o777 == 0o600


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def _become_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("damage", [_flip, _truncate, _grow, _become_a_link, _become_a_pipe])
def test_a_damaged_file_is_set_aside_and_counted(store: ReleaseStore, tmp_path: Path, damage: object) -> None:
    digest, other = kept(store, b"one release"), kept(store, b"another")
    damage(tmp_path / f"{digest}.release")  # type: ignore[operator]
    assert loaded(store, digest) is None
    assert store.damaged == 1
    assert store.kept() == {other}
    assert (tmp_path / f"{digest}.damaged").is_symlink() or (tmp_path / f"{digest}.damaged").exists()
    assert loaded(store, digest) is None
    assert store.damaged == 1, "it is missing now, which is no damage"
    assert kept(store, b"one release") == digest
    assert loaded(store, digest) == b"one release"


def test_only_the_newest_damaged_file_stays(store: ReleaseStore, tmp_path: Path) -> None:
    digest = ""
    for number in range(5):
        digest = kept(store, b"release %d" % number)
        _flip(tmp_path / f"{digest}.release")
        assert loaded(store, digest) is None
    assert [path.name for path in tmp_path.iterdir()] == [f"{digest}.damaged"]


def test_what_a_write_that_was_cut_off_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{'0' * 64}.release.unfinished").write_bytes(b"half")
    assert ReleaseStore(str(tmp_path)).kept() == frozenset()
    assert list(tmp_path.iterdir()) == []


def test_others_than_the_wanted_go(store: ReleaseStore) -> None:
    first, second, third = (kept(store, b"release %d" % number) for number in range(3))
    store.retain(frozenset({second}))
    assert store.kept() == {second}
    store.remove(second)
    store.remove(first)
    assert store.kept() == frozenset()
    assert third not in store.kept()


def test_their_number_is_bounded(store: ReleaseStore) -> None:
    digests = [kept(store, b"release %d" % number) for number in range(limits.RELEASES_KEPT_MAX)]
    with pytest.raises(DiskFull):
        kept(store, b"one too many")
    assert kept(store, b"release 0") == digests[0], "what is there may be kept again"
    assert store.kept() == set(digests)


def test_their_bytes_are_bounded(store: ReleaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringfence.host.release_store.RELEASE_STORE_BYTES_MAX", 1_000)
    digest = kept(store, bytes(600))
    with pytest.raises(DiskFull):
        kept(store, bytes(401))
    assert loaded(store, digest) == bytes(600)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_a_name_that_is_no_digest_is_a_bug(store: ReleaseStore, name: str) -> None:
    with pytest.raises(ValueError, match="no digest"):
        store.load(name)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    kernel_requires("root", "mount")
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "ringfence-test", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_loses_nothing_and_keeps_no_half(small_disk: Path) -> None:
    store = ReleaseStore(str(small_disk))
    digest = kept(store, b"small")
    with pytest.raises(DiskFull):
        kept(store, os.urandom(200_000))
    assert loaded(store, digest) == b"small"
    assert [path.name for path in small_disk.iterdir()] == [f"{digest}.release"], "the room is given back"
    kept(store, os.urandom(8_000))


def test_a_read_only_disk_loses_nothing(small_disk: Path) -> None:
    store = ReleaseStore(str(small_disk))
    digest, damaged = kept(store, b"sound"), kept(store, b"damaged")
    _flip(small_disk / f"{damaged}.release")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(DiskFull):
        kept(store, b"another")
    assert loaded(store, digest) == b"sound"
    assert loaded(store, damaged) is None
    store.retain(frozenset())
    store.remove(digest)
    assert hashlib.sha256(b"sound").hexdigest() in ReleaseStore(str(small_disk)).kept()
