"""The goodware list: every file once, batches that a new file hardly moves, and contents by their digest."""

import os
from pathlib import Path

from ringfence.author.goodware import Batch, batches_of, files_below, list_sha256, listed, package_files, read_batch
from ringfence.model.limits import PROOF_BATCH_BYTES_MAX


def tree(directory: Path, count: int) -> list[str]:
    """A directory with `count` files."""
    for number in range(count):
        (directory / f"file{number:04}").write_bytes(b"content %d" % number)
    return sorted(files_below(directory))


def test_only_regular_files_with_something_in_them_are_listed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "file.pyc").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    names = list(files_below(tmp_path))
    assert [Path(file.path).name for file in listed([*names, *names, "/no/such\0file", str(tmp_path)])] == ["file"]


def test_packages_name_their_files(tmp_path: Path) -> None:
    (tmp_path / "a.list").write_text("/bin/one\n/bin/two\n")
    (tmp_path / "b.list").write_bytes(b"/bin/two\n/bin/\xff\n")
    (tmp_path / "b.md5sums").write_text("not a list")
    assert package_files(tmp_path) == ["/bin/one", "/bin/two", "/bin/\udcff"]


def test_a_new_file_changes_one_or_two_batches(tmp_path: Path) -> None:
    names = tree(tmp_path, 3000)
    before = [batch.files for batch in batches_of(listed(names))]
    (tmp_path / "file1500a").write_text("new")
    after = [batch.files for batch in batches_of(listed(files_below(tmp_path)))]
    assert len(before) > 5
    assert len(set(after) - set(before)) <= 2
    assert [file for batch in after for file in batch] == listed(files_below(tmp_path))


def test_a_large_file_is_a_batch_of_its_own(tmp_path: Path) -> None:
    names = tree(tmp_path, 3)
    with (tmp_path / "file0001x").open("wb") as file:
        file.truncate(PROOF_BATCH_BYTES_MAX + 1)
    batches = batches_of(listed([*names, str(tmp_path / "file0001x")]))
    assert sorted(len(batch.files) for batch in batches if batch.size_bytes > PROOF_BATCH_BYTES_MAX) == [1]


def test_a_batch_is_read_whole_and_known_by_its_contents(tmp_path: Path) -> None:
    names = tree(tmp_path, 3)
    batch = Batch(tuple(listed(names)))
    read = read_batch(batch)
    assert os.pread(read.descriptor, 100, 0) == b"content 0content 1content 2"
    os.close(read.descriptor)
    assert (read.sizes, read.unreadable) == ((9, 9, 9), 0)
    state = batch.state_sha256
    (tmp_path / "file0001").write_bytes(b"CONTENT 1")
    changed = Batch(tuple(listed(names)))
    assert changed.state_sha256 != state
    again = read_batch(changed)
    os.close(again.descriptor)
    assert again.sha256 != read.sha256


def test_a_batch_that_is_known_is_copied_to_the_same_bytes(tmp_path: Path) -> None:
    (batch,) = batches_of(listed(tree(tmp_path, 5)))
    read = read_batch(batch)
    (tmp_path / "file0003").unlink()  # vanished since it was listed: nobody's bytes move
    known = read_batch(batch, read.sha256)
    assert known.sha256 == read.sha256
    assert (known.sizes[:3], known.sizes[3], known.sizes[4:]) == (read.sizes[:3], 0, read.sizes[4:])
    assert known.unreadable == 1
    whole = os.pread(known.descriptor, 1 << 20, 0)
    assert whole == b"".join(b"content %d" % number for number in (0, 1, 2, 4))
    os.close(read.descriptor)
    os.close(known.descriptor)


def test_a_file_that_vanished_is_counted_and_no_link_is_read_in_its_place(tmp_path: Path) -> None:
    names = tree(tmp_path, 3)
    batch = Batch(tuple(listed(names)))
    (tmp_path / "file0000").unlink()
    (tmp_path / "file0002").unlink()
    (tmp_path / "file0002").symlink_to("file0001")
    read = read_batch(batch)
    os.close(read.descriptor)
    assert (read.sizes, read.unreadable) == ((0, 9, 0), 2)


def test_the_list_is_known_by_its_batches_in_order() -> None:
    assert list_sha256(["a", "b"]) != list_sha256(["b", "a"])
