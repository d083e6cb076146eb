"""`ringfence scan` as a person runs it, and its workers when they are stopped, killed and lied to."""

import io
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.machine import kernel_requires
from tests.unit.detect.detect_releases import pack_of, release_of
from tests.unit.detect.test_archives import COMPRESSORS, tar_of, zip_of

from ringfence.host.demand_pool import DemandPool, Scanned
from ringfence.host.tree_walk import FoundFile, walk
from ringfence.model.limits import ARCHIVE_MEMBERS_MAX, SCAN_WHOLE_BYTES_MAX
from ringfence.model.verdict import Outcome, UnknownReason
from ringfence.wire.release import encode_release

EVIL = b"this word is EVIL-EVIL-EVIL here"
ODD = b"this word is ODD-ODD-ODD here"
RULES = """
rule Evil { strings: $evil = "EVIL-EVIL-EVIL" condition: $evil }
rule Odd { strings: $odd = "ODD-ODD-ODD" condition: $odd }
"""
WAIT_S = 60
"""Longest wait for something that must happen; a test that waits so long has failed."""


@pytest.fixture(scope="module", autouse=True)
def _sandbox_is_there() -> None:
    kernel_requires("landlock")


@pytest.fixture(scope="module")
def release_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with a rule that blocks and one that alerts."""
    path = tmp_path_factory.mktemp("content") / "test.release"
    path.write_bytes(encode_release(release_of(pack_of("words", RULES), alerting=frozenset({"Odd"}))))
    return path


@pytest.fixture(scope="module")
def release_descriptor(release_file: Path) -> Iterator[int]:
    """The release, open."""
    descriptor = os.open(release_file, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def run(release: Path, *words: str | bytes | Path) -> subprocess.CompletedProcess[bytes]:
    """Run `ringfence scan --content RELEASE WORDS`."""
    program = [sys.executable, "-m", "ringfence.programs.cli", "scan", "--content", release, *words]
    return subprocess.run(program, capture_output=True, check=False, timeout=WAIT_S)


def lines(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    """The JSON lines that it printed."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_findings_summary_and_status(release_file: Path, tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(b"good")
    clean = run(release_file, tmp_path)
    assert (clean.returncode, clean.stderr) == (0, b"")
    assert clean.stdout.startswith(b"1 files")
    (tmp_path / "bad").write_bytes(b"..." + EVIL)
    (tmp_path / "odd").write_bytes(ODD)
    found = run(release_file, tmp_path, "--json")
    assert found.returncode == 1
    *findings, summary = lines(found)
    by_path = {Path(finding["path"]).name: finding for finding in findings}
    assert {name: finding["outcome"] for name, finding in by_path.items()} == {"bad": "malicious", "odd": "suspicious"}
    assert by_path["bad"]["matches"] == [
        {
            "rule": "Evil",
            "pattern": "$evil",
            "offset_bytes": 16,
            "length_bytes": 14,
            "excerpt_hex": b"EVIL-EVIL-EVIL".hex(),
            "member": "",
        }
    ]
    assert by_path["bad"]["rules"][0]["author"] == "tests"
    assert len(by_path["bad"]["sha256"]) == 64
    assert (summary["files"], summary["malicious"], summary["suspicious"], summary["exit_status"]) == (3, 1, 1, 1)
    assert summary["release"]["name"] == "test"


def test_the_packaged_content_finds_the_test_file(tmp_path: Path) -> None:
    parts = ("X5O!P%@AP[4", "\\PZX54(P^)7CC)7}$EICAR-STANDARD-", "ANTIVIRUS-TEST-FILE!$H+H*")
    (tmp_path / "eicar").write_text("".join(parts))
    done = subprocess.run(
        [sys.executable, "-m", "ringfence.programs.cli", "scan", tmp_path], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.count(b"MALICIOUS")) == (1, 1)


def test_archives_are_opened(release_file: Path, tmp_path: Path) -> None:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:xz") as archive:
        entry = tarfile.TarInfo("deep/evil.txt")
        entry.size = len(EVIL)
        archive.addfile(entry, io.BytesIO(EVIL))
    with zipfile.ZipFile(tmp_path / "outer.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ü/inner.tar.xz", inner.getvalue())
    (finding, _) = lines(run(release_file, "--json", tmp_path))
    assert finding["matches"][0]["member"] == "ü/inner.tar.xz!xz!deep/evil.txt"


def test_every_codec_works_in_the_sandbox(release_file: Path, tmp_path: Path) -> None:
    """Nothing is left to be imported or opened after the sandbox closed: each kind, with names of every kind."""
    name = "d/ü" + "x" * 150
    for method in (0, 8, 12, 14):
        (tmp_path / f"{method}.zip").write_bytes(zip_of({name: EVIL, "caf\xe9": EVIL}, method))
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        packed = tar_of({"d" * 90 + "/" + "x" * 90: EVIL}, form)
        for kind, compress in COMPRESSORS.items():
            (tmp_path / f"{form}.{kind}").write_bytes(compress(packed))
    cut = COMPRESSORS["xz"](bytes(99_999))[:-9]
    (tmp_path / "cut").write_bytes(cut)
    done = run(release_file, "--json", tmp_path)
    *items, summary = lines(done)
    assert {Path(item["path"]).name for item in items if item["type"] == "not_scanned"} == {"cut"}
    assert (summary["malicious"], summary["files"], summary["workers_replaced"]) == (4 + 3 * len(COMPRESSORS),) * 2 + (
        0,
    )


def test_what_cannot_be_opened_is_not_called_clean(release_file: Path, tmp_path: Path) -> None:
    """A hundred thousand members: over the bound.  Found still wins."""
    entry = tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT)
    (tmp_path / "many.tar").write_bytes(entry * (ARCHIVE_MEMBERS_MAX + 10))
    done = run(release_file, "--json", tmp_path)
    assert done.returncode == 2
    missing, summary = lines(done)
    assert (missing["type"], missing["reason"]) == ("not_scanned", "archive_bound")
    assert "too many members" in missing["detail"]
    assert summary["exit_status"] == 2
    (tmp_path / "bad").write_bytes(EVIL)
    assert run(release_file, tmp_path).returncode == 1


def test_special_files_links_and_names_once(release_file: Path, tmp_path: Path) -> None:
    """Nothing here may block, be followed or be scanned twice."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path)
    outside = tmp_path.parent / "outside-of-the-tree"
    outside.write_bytes(EVIL)
    (tmp_path / "link").symlink_to(outside)
    (tmp_path / "one").write_bytes(b"content")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    (tmp_path / "device").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        done = run(release_file, "--json", tmp_path)
    (summary,) = lines(done)
    assert (summary["files"], summary["passed_by"], summary["not_scanned"]) == (1, 2, 0)
    assert done.returncode == 0
    assert run(release_file, tmp_path / "link").returncode == 1


def test_a_device_is_never_opened(release_file: Path) -> None:
    (summary,) = lines(run(release_file, "--json", "/dev/zero"))
    assert (summary["files"], summary["passed_by"]) == (0, 1)


def test_the_kernels_windows_are_left_out(release_file: Path) -> None:
    (summary,) = lines(run(release_file, "--json", "/proc", "/sys"))
    assert (summary["files"], summary["passed_by"]) == (0, 2)


def test_hostile_names_are_escaped(release_file: Path, tmp_path: Path) -> None:
    """Invalid UTF-8, a newline, a terminal's escape, a right-to-left override."""
    name = b"\xff\x1b[2J\nok: \xe2\x80\xae"
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(EVIL)
    done = run(release_file, tmp_path)
    (line, summary) = done.stdout.splitlines()
    assert b"\\xff\\x1b[2J\\nok: \\u202e: MALICIOUS" in line
    assert b"\x1b" not in done.stdout
    assert summary.startswith(b"1 files")
    (finding, _) = lines(run(release_file, "--json", tmp_path))
    assert finding["path"].endswith("\\xff\x1b[2J\nok: \u202e")


def test_a_large_file_is_scanned_to_its_end(release_file: Path, tmp_path: Path) -> None:
    size = SCAN_WHOLE_BYTES_MAX * 3
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
        file.seek(size - len(EVIL))
        file.write(EVIL)
    (finding, _) = lines(run(release_file, "--json", tmp_path))
    assert finding["matches"][0]["offset_bytes"] == size - len(EVIL) + EVIL.index(b"EVIL")


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["/does/not/exist"], 2, b"error path-refused: /does/not/exist does not exist"),
        (["/etc/hostname", "/does/not/exist"], 2, b"/does/not/exist does not exist"),
        (["--workers", "1000", "/etc/hostname"], 2, b"too many"),
        ([], 2, b"Missing argument"),
    ],
)
def test_wrong_words(release_file: Path, words: list[str], status: int, text: bytes) -> None:
    done = run(release_file, *words)
    assert done.returncode == status
    assert text in done.stderr
    assert b"Traceback" not in done.stderr


def test_damaged_content_is_refused_by_name_of_the_fault(tmp_path: Path, release_file: Path) -> None:
    damaged = tmp_path / "damaged.release"
    for data in (b"", b"no release", release_file.read_bytes()[:-10]):
        damaged.write_bytes(data)
        done = run(damaged, tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith(b"ringfence: error content-refused:")
    missing = run(tmp_path / "missing", tmp_path)
    assert (missing.returncode, missing.stdout) == (2, b"")
    assert missing.stderr.startswith(b"ringfence: error path-refused:")


@pytest.mark.parametrize(("content", "status"), [(b"good", 2), (EVIL, 1)])
@pytest.mark.parametrize("form", ["--json", "--workers=1"])
def test_output_that_cannot_be_written_hides_no_find(
    release_file: Path, tmp_path: Path, content: bytes, status: int, form: str
) -> None:
    """A full disk and a reader that is gone: an error of the scan, and what was found still says so."""
    (tmp_path / "file").write_bytes(content)
    program = [sys.executable, "-m", "ringfence.programs.cli", "scan", form, f"--content={release_file}", str(tmp_path)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, check=False, timeout=WAIT_S)
    assert done.returncode == status
    assert done.stderr.startswith(b"ringfence: error disk-full:")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(program, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=WAIT_S)
    os.close(writing)
    assert (done.returncode, done.stderr) == (status, b"")


def test_progress_and_colours_are_for_terminals_only(release_file: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(EVIL)
    piped = run(release_file, tmp_path)
    assert b"\x1b" not in piped.stdout + piped.stderr
    ours, theirs = pty.openpty()
    program = [sys.executable, "-m", "ringfence.programs.cli", "scan", "--content", str(release_file), str(tmp_path)]
    environment = os.environ | {"TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(program, stdout=theirs, stderr=theirs, stdin=theirs, env=environment) as process:
        os.close(theirs)
        seen = b"".join(iter(lambda: _read(ours), b""))
        assert process.wait(WAIT_S) == 1
    os.close(ours)
    assert b"scanning" in seen
    assert b"\x1b[1;31mMALICIOUS" in seen


def _read(terminal: int) -> bytes:
    """What the terminal shows next; a closed one gives EIO."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def test_help_explains_status_json_and_policy() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ringfence.programs.cli", "scan", "--help"], capture_output=True, check=True
    )
    for word in (b"Exit status", b"--one-file-system", b"not_scanned", b"summary", b"Examples"):
        assert word in done.stdout
    assert b"\\b" not in done.stdout
    assert b"  0  everything was scanned and nothing was found\n" in done.stdout


# --- the workers --------------------------------------------------------------------------------------------------


@contextmanager
def ready_pool(descriptor: int, workers: int = 1, deadline_ms: int = WAIT_S * 1000) -> Iterator[DemandPool]:
    """A pool whose workers have all scanned nothing yet, but are ready."""
    with DemandPool(descriptor, workers, deadline_ms) as pool:
        deadline = time.monotonic() + WAIT_S
        while not all(worker.ready for worker in pool._workers):
            list(pool._collect())
            assert time.monotonic() < deadline
        yield pool


def found_in(directory: Path) -> Iterator[FoundFile]:
    """The files of a directory."""
    return (item for item in walk([str(directory)]) if isinstance(item, FoundFile))


def by_name(results: list[Scanned]) -> dict[str, tuple[Outcome, UnknownReason]]:
    """Outcome and reason by file name."""
    return {Path(done.file.path).name: (done.result.outcome, done.result.missing) for done in results}


def numbered_files(directory: Path, count: int) -> None:
    """Files 0, 1, 2 …, the last of them evil."""
    for number in range(count):
        (directory / str(number)).write_bytes(EVIL if number == count - 1 else b"good %d" % number)


@pytest.mark.parametrize(
    ("signals", "reason"),
    [
        ((signal.SIGSTOP,), UnknownReason.DEADLINE_PASSED),
        ((signal.SIGSTOP, signal.SIGKILL), UnknownReason.SCANNER_DIED),
    ],
)
def test_a_worker_that_hangs_or_dies_costs_one_file(
    release_descriptor: int, tmp_path: Path, signals: tuple[signal.Signals, ...], reason: UnknownReason
) -> None:
    """It is replaced, and every other file is scanned."""
    numbered_files(tmp_path, 6)
    with ready_pool(release_descriptor, deadline_ms=3_000) as pool:
        victim = pool.worker_pids[0]
        for number in signals:
            os.kill(victim, number)
        results = list(pool.scan(found_in(tmp_path)))
        assert pool.worker_pids != (victim,)
        assert pool.replaced == 1
    outcomes = by_name(results)
    assert len(outcomes) == 6
    assert [why for _, why in outcomes.values()].count(reason) == 1
    assert [what for what, _ in outcomes.values()].count(Outcome.UNKNOWN) == 1


def test_a_file_that_is_cut_off_while_it_is_scanned(release_descriptor: int, tmp_path: Path) -> None:
    """Truncated between open and read: short, not a SIGBUS, and not called clean."""
    file = tmp_path / "shrinking"
    file.write_bytes(bytes(100_000))
    with ready_pool(release_descriptor) as pool:
        (pid,) = pool.worker_pids
        os.kill(pid, signal.SIGSTOP)
        scanning = pool.scan(found_in(tmp_path), lambda: _once_given(pool, file, pid))
        (result,) = scanning
    assert result.result.outcome is Outcome.UNKNOWN
    assert result.result.missing in (UnknownReason.FILE_UNREADABLE, UnknownReason.FILE_HOT)


def _once_given(pool: DemandPool, file: Path, pid: int) -> None:
    """When the worker holds the file: cut it off, and let the worker go on."""
    if any(worker.pending for worker in pool._workers):
        os.truncate(file, 10)
        os.kill(pid, signal.SIGCONT)


def test_workers_hold_nothing(release_descriptor: int) -> None:
    """No capabilities, a seccomp filter, no way to new privileges, and no file but their socket."""
    with ready_pool(release_descriptor) as pool:
        (pid,) = pool.worker_pids
        status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        open_files = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    assert status["CapEff"].strip("0") == ""
    assert status["CapPrm"].strip("0") == ""
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert os.getuid() != 0 or status["Uid"].split() == ["64102"] * 4
    assert {name.split(":")[0] for name in open_files} <= {"socket", "/dev/null", "anon_inode"}


def test_leaving_early_leaves_no_process_and_no_descriptor(release_descriptor: int, tmp_path: Path) -> None:
    """A caller that stops reading in the middle, as after Ctrl-C."""
    numbered_files(tmp_path, 20)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with ready_pool(release_descriptor, workers=2) as pool:
        pids = pool.worker_pids
        scanning = pool.scan(found_in(tmp_path))
        next(scanning)
        scanning.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
