"""What the sensor knows of the machine: who asks, which files are vital, what packages vouch for, what beats."""

import hashlib
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.machine import kernel_requires

import ringfence
from ringfence.host import heartbeat, known_table, vital
from ringfence.host.heartbeat import Beat
from ringfence.host.known_table import DIGEST_BYTES, TABLE_BYTES, KnownTable
from ringfence.host.lineage import lineage, with_executables
from ringfence.host.vital import vital_files
from ringfence.host.vouched import VouchedDigests, from_dpkg
from ringfence.model import limits

# --- lineage ------------------------------------------------------------------------------------------------------


def identity(path: str | Path) -> tuple[int, int]:
    seen = Path(path).stat()
    return seen.st_dev, seen.st_ino


def wait_for_its_words(pid: int) -> None:
    """Popen returns while the kernel still lays out the new program's command line."""
    deadline = time.monotonic() + 10
    while not Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline


def test_the_lineage_of_a_child_ends_with_its_ancestors() -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        wait_for_its_words(child.pid)
        found = with_executables(lineage(child.pid))
    finally:
        child.kill()
        child.wait()
    assert found[0].pid == child.pid
    assert found[0].name == b"sleep"
    assert found[0].command_line == b"sleep 60"
    assert found[0].executable == os.fsencode(os.path.realpath("/bin/sleep"))
    assert found[0].uid == os.getuid()
    assert found[0].start_ticks > 0
    assert found[1].pid == os.getpid()
    assert len(found) <= limits.SIGHTING_PROCESSES_MAX


def test_a_name_made_to_confuse_is_only_a_name() -> None:
    """A process may call itself `) R 1 (`; the fields behind it must not be taken for others."""
    child = subprocess.Popen(
        [sys.executable, "-c", "open('/proc/self/comm', 'w').write(') R 1 (');print(flush=True);input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdin is not None
    child.stdout.readline()
    found = lineage(child.pid)
    child.stdin.close()
    child.wait()
    child.stdout.close()
    assert found[0].name == b") R 1 ("
    assert found[1].pid == os.getpid()


def test_nobody_has_no_lineage() -> None:
    assert lineage(0) == ()
    assert lineage(-1) == ()
    assert lineage(2**22 + 5) == ()


def test_a_long_command_line_is_cut() -> None:
    child = subprocess.Popen(["sleep", "60", *(["0"] * 3_000)])
    wait_for_its_words(child.pid)
    found = lineage(child.pid)
    child.kill()
    child.wait()
    assert 0 < len(found[0].command_line) <= limits.PROCESS_COMMAND_LINE_BYTES_MAX


# --- vital files --------------------------------------------------------------------------------------------------


def test_what_a_machine_needs_is_vital() -> None:
    found = vital_files()
    libc = next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libc.so" in line)
    for path in (libc, "/bin/sh", "/etc/passwd", sys.executable, str(ringfence.__file__), os.__file__):
        assert identity(path) in found, path


def test_every_file_of_ringfence_is_vital() -> None:
    found = vital_files()
    root = Path(str(ringfence.__file__)).parent
    assert [str(path) for path in root.rglob("*.py") if identity(path) not in found] == []


def test_a_file_that_only_has_a_vital_name_is_not(tmp_path: Path) -> None:
    fake = tmp_path / "bin" / "sh"
    fake.parent.mkdir()
    fake.write_bytes(b"#!")
    assert identity(fake) not in vital_files()


def test_own_trees_are_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file").write_bytes(b"")
    monkeypatch.setattr(vital, "OWN_FILES_MAX", 1)
    found: set[tuple[int, int]] = set()
    vital._walk(str(tmp_path), found)
    assert len(found) == 1
    vital._walk(str(tmp_path / "missing"), found)


# --- vouched digests ----------------------------------------------------------------------------------------------


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def test_digests_of_a_package_database(tmp_path: Path) -> None:
    (tmp_path / "one.md5sums").write_text(f"{md5(b'a').hex()}  usr/bin/a\n{md5(b'b').hex()}  usr/bin/b with blanks\n")
    (tmp_path / "two:amd64.md5sums").write_text(f"{md5(b'c').hex()}  c\n")
    (tmp_path / "one.list").write_text(f"{md5(b'd').hex()}  d\n")
    found = from_dpkg(str(tmp_path))
    assert len(found) == 3
    assert [found.holds(md5(data)) for data in (b"a", b"b", b"c", b"d")] == [True, True, True, False]


def test_malformed_lines_are_ignored(tmp_path: Path) -> None:
    lines = [
        b"",
        b"short  x",
        b"z" * 32 + b"  not-hex",
        md5(b"a").hex().encode(),
        md5(b"b").hex().encode() + b"\tx",
        b"\xff" * 40,
        md5(b"good").hex().encode() + b"  good",
    ]
    (tmp_path / "x.md5sums").write_bytes(b"\n".join(lines))
    found = from_dpkg(str(tmp_path))
    assert len(found) == 1
    assert found.holds(md5(b"good"))


def test_no_database_vouches_for_nothing(tmp_path: Path) -> None:
    found = from_dpkg(str(tmp_path / "missing"))
    assert len(found) == 0
    assert not found.holds(md5(b"anything"))
    assert not found.holds(b"")


@given(digests=st.sets(st.binary(min_size=16, max_size=16), max_size=40), other=st.binary(min_size=16, max_size=16))
def test_it_holds_exactly_what_it_was_given(digests: set[bytes], other: bytes) -> None:
    table = VouchedDigests(digests)
    assert all(table.holds(one) for one in digests)
    assert table.holds(other) == (other in digests)
    assert not table.holds(b"")


def test_this_machines_packages_vouch_for_their_files() -> None:
    kernel_requires("dpkg")
    found = from_dpkg()
    assert found.holds(md5(Path("/usr/bin/dpkg").read_bytes()))


# --- the table of known digests -------------------------------------------------------------------------------------


@pytest.fixture
def table() -> Iterator[tuple[int, int]]:
    descriptors = known_table.create()
    yield descriptors
    for descriptor in descriptors:
        os.close(descriptor)


def digest(slot: int, rest: bytes = b"\x07") -> bytes:
    return slot.to_bytes(4, "little") + rest * (DIGEST_BYTES - 4)


def test_what_the_gate_adds_the_scanner_sees(table: tuple[int, int]) -> None:
    gate, scanner = KnownTable(table[0], writable=True), KnownTable(table[1], writable=False)
    assert not scanner.holds(digest(1))
    gate.add(digest(1))
    gate.add(digest(limits.KNOWN_HASH_SLOTS - 1))
    assert scanner.holds(digest(1))
    assert scanner.holds(digest(limits.KNOWN_HASH_SLOTS - 1))
    gate.add(digest(1 + limits.KNOWN_HASH_SLOTS))
    assert not scanner.holds(digest(1))
    gate.close()
    scanner.close()


def test_the_scanners_side_cannot_be_written_by_any_means(table: tuple[int, int]) -> None:
    scanner = KnownTable(table[1], writable=False)
    with pytest.raises(TypeError):
        scanner.add(digest(1))
    with pytest.raises(PermissionError):
        mmap.mmap(table[1], TABLE_BYTES, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.pwrite(table[1], b"x", 0)
    with pytest.raises(OSError, match="Invalid argument"):
        os.ftruncate(table[1], 0)
    scanner.close()


def test_an_empty_slot_holds_nothing(table: tuple[int, int]) -> None:
    """The digest of nothing at all is never known: the empty value is no yes."""
    gate = KnownTable(table[0], writable=True)
    assert not gate.holds(bytes(DIGEST_BYTES))
    gate.close()


# --- the beat -----------------------------------------------------------------------------------------------------


def test_a_beat_is_seen_across_mappings(monkeypatch: pytest.MonkeyPatch) -> None:
    descriptor = heartbeat.create()
    ours, theirs = Beat(descriptor), Beat(descriptor)
    now = 10**15
    monkeypatch.setattr("ringfence.host.heartbeat.time.monotonic_ns", lambda: now)
    ours.beat()
    now += 1_500_000_000
    assert theirs.age_ms() == 1_500
    theirs.beat()
    assert ours.age_ms() == 0
    os.close(descriptor)


def test_a_new_page_has_just_beaten() -> None:
    descriptor = heartbeat.create()
    assert 0 <= Beat(descriptor).age_ms() < 60_000
    os.close(descriptor)


def test_one_look_after_a_pause_of_the_whole_machine_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watched process has not run either; it beats before the second look, if it is well."""
    descriptor = heartbeat.create()
    beat = Beat(descriptor)
    ages_ms = (10, 5_000, 20, 760, 800, 850, 5)
    found = []
    for age_ms in ages_ms:
        monkeypatch.setattr(Beat, "age_ms", lambda _, age_ms=age_ms: age_ms)
        found.append(beat.is_stale(750))
    os.close(descriptor)
    assert found == [False, False, False, False, True, True, False]
