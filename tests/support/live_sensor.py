"""A real sensor on a file system of its own, for tests that need the real kernel.

Everything that is marked is a tmpfs that this module mounts; openers are separate processes that may hang without
harming the test; whatever happens, `close` ends the sensor, and the kernel then frees whoever waits.
"""

import contextlib
import hashlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ringfence.host import operator_socket
from ringfence.host.marks import Place, PlaceKind
from ringfence.host.sensor import Baseline, Sensor, Wanted
from ringfence.host.sensor_state import SensorState
from ringfence.host.warden_status import role_of_child
from ringfence.model import limits
from ringfence.model.activation import ActivationState
from ringfence.model.records import Alert, Record, RuleAction, Severity, SkippedFile
from ringfence.model.release import Contract, Manifest, Pack, PackEntry, Release, RuleEntry, Sample, SelfTest
from ringfence.model.verdict import Mode
from ringfence.programs import host_activation, host_load
from ringfence.wire import catalogue
from ringfence.wire.release import decode_release, encode_release
from ringfence.wire.sensor_reports import StatusReport, decode_status_report
from ringfence.wire.spool import decode_segment_head, scan
from ringfence.wire.uplink import decode_record

BAD: Final = b"RINGFENCE-" + b"LIVE-TEST-STRING"
RULE: Final = 'rule live_test { strings: $a = "RINGFENCE-" ascii $b = "LIVE-TEST-STRING" condition: $a and $b }\n'
_DESCRIPTORS_MAX: Final = 4_096
PATIENCE_S: Final = 30.0
"""Hang protection of a wait in a test, not an expectation."""


def release_of(
    source: str,
    *names: str,
    action: RuleAction = RuleAction.BLOCK,
    samples: tuple[bytes, ...] = (),
    contract: Contract = Contract((), ()),  # noqa: B008 - a frozen value
    version: int = 1,
) -> bytes:
    """A release of one pack with the rules `names`; the first of them must not match the samples."""
    text = source.encode()
    contents = {hashlib.sha256(sample).hexdigest(): sample for sample in samples}
    pack = PackEntry("live", "any", "yara/live.yar", hashlib.sha256(text).hexdigest(), len(text))
    rules = tuple(
        RuleEntry(name, "live", "Ringfence authors", "a rule of a test", Severity.HIGH, action, "", "", "Apache-2.0")
        for name in names
    )
    manifest = Manifest(
        name="live", version=version, description="of a test", contract=contract, packs=(pack,), rules=rules,
        self_tests=tuple(SelfTest(names[0], digest, expects_match=False) for digest in sorted(contents)),
    )
    kept = tuple(Sample(digest, contents[digest]) for digest in sorted(contents))
    return encode_release(Release(manifest, (Pack(pack, source),), kept))


Met = tuple[bytes, int]
"""A word for what an opener met, and the monotonic moment of it in nanoseconds."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What an opener met: refused or not, and for how long it waited, in milliseconds."""

    refused: bool
    waited_ms: float


class LiveSensor:
    """One sensor and its protected tmpfs."""

    def __init__(self, *, mode: Mode = Mode.ENFORCE, release: bytes | None = None, strict: bool = False,
                 fail_closed: bool = False, proven_only: bool = False, files: dict[str, bytes] | None = None,
                 furnish: Callable[[Path], None] | None = None, haste: int = 1,
                 long_known_ms: int = limits.SHADOW_LONG_KNOWN_MS, state_bytes: int = 0) -> None:
        self._work = Path(tempfile.mkdtemp(prefix="ringfence-live-"))
        self.tree = self._work / "protected"
        self.tree.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m", "ringfence-test", str(self.tree)], check=True)
        self._number = 0
        self.sensor: Sensor | None = None
        try:
            for name, content in (files or {}).items():
                (self.tree / name).write_bytes(content)
            if furnish is not None:
                furnish(self.tree)
            self.state = SensorState(self._work / "state")
            self.state.directory.mkdir()
            if state_bytes:
                size = f"size={state_bytes}"
                subprocess.run(["mount", "-t", "tmpfs", "-o", size, "ringfence-test", str(self.state.directory)],
                               check=True)
            self.state.prepare()
            places = (Place(str(self.tree), PlaceKind.MOUNT),)
            self._wanted = Wanted(places, strict, (str(self.tree),) if fail_closed else (), mode, haste=haste,
                                  long_known_ms=long_known_ms, allow_unproven=not proven_only)
            self._release = release or release_of(RULE, "live_test")
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        """The release of the test is this sensor's baseline: it runs where nothing else is good."""
        version = decode_release(self._release).manifest.version
        self.sensor = Sensor(self.state, self._wanted, Baseline(operator_socket.sealed(self._release), version))
        self.sensor.wait_ready()

    def start_again(self, *, kill: bool = False, release: bytes | None = None) -> None:
        """End the sensor in order, or kill its warden, and start it again on the same state."""
        assert self.sensor is not None
        if kill:
            self.signal(self.sensor.pid, signal.SIGKILL)
            self.sensor.start_again()
            self.sensor.wait_ready()
            return
        self.sensor.stop()
        self.sensor.close()
        self._release = release or self._release
        self._start()

    def close(self) -> None:
        """End the sensor, whatever state its processes are in, and remove the mount."""
        if self.sensor is not None:
            for process in self.processes():
                self.signal(process.pid, signal.SIGCONT)
            self.sensor.stop()
            self.sensor.close()
        subprocess.run(["umount", "-l", str(self.tree)], check=False)
        subprocess.run(["umount", "-q", "-l", str(self._work / "state")], check=False)
        shutil.rmtree(self._work, ignore_errors=True)

    # --- files and openers --------------------------------------------------------------------------------------

    def fresh(self, content: bytes = b"harmless ", *, name: str = "") -> Path:
        """A file that no scanner has seen: its content is new."""
        self._number += 1
        path = self.tree / (name or f"file-{self._number}")
        path.write_bytes(content + b" %d %d\n" % (self._number, time.monotonic_ns()))
        return path

    def open(self, path: Path, patience_s: float = PATIENCE_S) -> Opened:
        """Open and read in a process of its own.  Raises AssertionError when it hangs."""
        return self.open_together([path], patience_s)[0]

    def open_together(self, paths: list[Path], patience_s: float = PATIENCE_S) -> list[Opened]:
        """Open several files at the same time, one process each."""
        return meet([reading(path) for path in paths], patience_s)

    def run(self, words: list[str]) -> int:
        """Exit status of a program, 126 when the kernel refused to run it."""
        try:
            done = subprocess.run(words, check=False, capture_output=True, timeout=PATIENCE_S)
        except PermissionError:
            return 126
        return done.returncode

    def records(self) -> list[Record]:
        """What the courier has made durable so far: nothing takes it away, there is no server."""
        found: list[Record] = []
        for segment in sorted(self.state.spool.glob("*.segment")):
            data = segment.read_bytes()
            if (begun := decode_segment_head(data)) is not None:
                found += [decode_record(stored.payload)[1] for stored in scan(data, begun[1], 0).records]
        return found

    def skipped(self, path: Path) -> set[str]:
        """The reasons with which a file is recorded as having gone on without a verdict."""
        return {one.reason for one in self.records() if isinstance(one, SkippedFile) and one.path == str(path)}

    def responses(self, path: Path) -> set[str]:
        """What the alerts about a file say was done."""
        return {str(one.response) for one in self.records() if isinstance(one, Alert) and one.file.path == str(path)}

    # --- releases -----------------------------------------------------------------------------------------------

    def load(self, release: bytes, *, at_once: bool = False, forced: bool = False) -> str:
        """Give it another release; its digest.  Raises what the sensor refuses."""
        host_load.load(self.state.directory, release, at_once=at_once, forced=forced)
        return hashlib.sha256(release).hexdigest()

    def activation(self) -> ActivationState:
        """What the warden knows of its releases; from its record while it is dead."""
        return host_activation.ask_activation(self.state.directory).state

    def refusal(self, digest: str) -> str:
        """Why a release is refused; "": it is not."""
        refusal = self.activation().refusal_of(digest)
        return "" if refusal is None else str(refusal.reason)

    def stage_of(self, digest: str) -> str:
        """How far the trial of a release is; "": it is not tried."""
        candidate = self.activation().candidate
        return str(candidate.stage) if candidate is not None and candidate.release.sha256 == digest else ""

    def runs(self) -> str:
        """The digest of the release that the gates use."""
        release = self.status().release
        return "" if release is None else release.sha256.hex()

    # --- the sensor ---------------------------------------------------------------------------------------------

    def status(self) -> StatusReport:
        """The warden's answer."""
        received = operator_socket.ask(str(self.state.socket), catalogue.STATUS)
        assert received is not None, "the warden does not answer"
        return decode_status_report(received.frame.body)

    def counter(self, name: str) -> int:
        """One counter of the gate."""
        return next(one.value for one in self.status().counters if one.name.decode() == name)

    def processes(self) -> "list[Process]":
        """Every process of the sensor, from /proc: works while the warden is stopped."""
        assert self.sensor is not None
        return list(_family(self.sensor.pid))

    def pids(self, role: str) -> list[int]:
        """The pids of a role; a standby gate is of role `standby`."""
        return [one.pid for one in self.processes() if one.role == role]

    def signal(self, pid: int, number: int) -> None:
        """Signal one of our processes, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def wait_until(self, holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Poll until `holds`; AssertionError after the patience."""
        limit = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < limit, "it did not come to pass"
            select.select([], [], [], 0.02)

    def wait_protected(self) -> None:
        """Until one gate is armed, a standby waits, and every scanner's slot is filled."""
        self.wait_until(lambda: len(self.pids("gate")) == 1 and len(self.pids("standby")) == 1)
        self.wait_until(lambda: any(one.state == b"standby" for one in self.status().processes))
        count = len(os.sched_getaffinity(0)) + limits.SCANNERS_SPARE + 1
        self.wait_until(lambda: len(self.pids("scanner")) >= count)
        assert self.open(self.fresh()).refused is False


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the sensor."""

    role: str
    pid: int


def _family(warden: int) -> Iterator[Process]:
    yield Process("warden", warden)
    for pid in children_of(warden):
        role = _role(pid)
        if role == "gate" and _uid(pid) == 0:
            role = "standby"
        yield Process(role, pid)
        if role == "zygote":
            yield from (Process(role_of_child(child), child) for child in children_of(pid))


def alive(pid: int) -> bool:
    """Whether it runs or is stopped; a zombie is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    """The pids of its children."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _role(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    names = [word.rpartition(b".")[2].decode() for word in words if word.startswith(b"ringfence.programs.")]
    return names[0] if names else "starting"


def _uid(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("Uid:"):
                return int(line.split()[2])
    except OSError:
        pass
    return -1


def reading(path: Path) -> "partial[Met]":
    """Open a file and read from it."""
    return partial(_read, path)


def running(root: Path) -> "partial[Met]":
    """Start /bin/sh of a tree, load its libraries, let it read a word byte by byte; over when it has ended."""
    return partial(_run, root)


def starting(program: Path) -> "partial[Met]":
    """Become the program at this path; over when it has ended."""
    return partial(_start, program)


def meet(acts: "list[partial[Met]]", patience_s: float = PATIENCE_S) -> list[Opened]:
    """Do all of it at the same time, one process each.  Raises AssertionError when one hangs."""
    openers = [Opener(act) for act in acts]
    return [opener.result(patience_s) for opener in openers]


class Opener:
    """A child that does one thing with a file, and says what it met."""

    def __init__(self, act: "partial[Met]") -> None:
        self._what = f"{act.func.__name__.strip('_')} {act.args[0]}"
        self._answers, told = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.closerange(3, told)  # it must keep nothing of the test's open
            os.closerange(told + 1, _DESCRIPTORS_MAX)
            try:
                begin_ns = time.monotonic_ns()
                word, end_ns = act()
                os.write(told, b"%s %d" % (word, end_ns - begin_ns))
            finally:
                os._exit(0)
        os.close(told)

    def result(self, patience_s: float = PATIENCE_S) -> Opened:
        """Wait for it; a child that hangs is left to the kernel, and the test fails."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        ready = poll.poll(patience_s * 1000)
        answer = os.read(self._answers, 64) if ready else b""
        os.close(self._answers)
        if not ready:
            os.kill(self._pid, signal.SIGKILL)
        assert answer, f"it hangs or has died: {self._what}"
        os.waitpid(self._pid, 0)
        word, waited_ns = answer.split()
        assert word in (_WORKED, _REFUSED), f"{word.decode()}: {self._what}"
        return Opened(word == _REFUSED, int(waited_ns) / 1e6)


_WORKED: Final = b"worked"
_REFUSED: Final = b"refused"


def _read(path: Path) -> Met:
    try:
        descriptor = os.open(path, os.O_RDONLY)
        os.read(descriptor, 4096)
        os.close(descriptor)
    except PermissionError:
        return _REFUSED, time.monotonic_ns()
    return _WORKED, time.monotonic_ns()


def _start(program: Path) -> Met:
    try:
        status = subprocess.run([program], check=False).returncode
    except PermissionError:
        return _REFUSED, time.monotonic_ns()
    return _WORKED if status == 0 else b"status-%d" % status, time.monotonic_ns()


def _run(root: Path) -> Met:
    status = os.waitstatus_to_exitcode(os.waitpid(_shell(root), 0)[1])
    return {0: _WORKED, 126: _REFUSED}.get(status, b"status-%d" % status), time.monotonic_ns()


def _shell(root: Path, telling: int = -1) -> int:
    """A child that becomes /bin/sh of the tree; says on `telling` why it could not."""
    pid = os.fork()
    if pid == 0:
        status, word = 127, b"failed"
        try:
            os.chroot(root)
            os.chdir("/")
            os.execv("/bin/sh", ["sh", "-c", "read line < /word && exit 0; exit 3"])  # noqa: S606 - the start is the test
        except PermissionError:
            status, word = 126, _REFUSED
        finally:
            if telling >= 0:
                os.write(telling, word)
            os._exit(status)
    return pid


def shell_tree(root: Path) -> None:
    """A tree with /bin/sh, every library that it needs, and a word to read.

    Each file ends with bytes of its own: no scanner has seen it, and no package manager vouches for it.
    """
    listed = subprocess.run(["ldd", "/bin/sh"], check=True, capture_output=True, text=True).stdout
    for name in ("/bin/sh", *(word for word in listed.split() if word.startswith("/"))):
        target = root / name.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(name), target)
        with target.open("ab") as file:
            file.write(f"of {root}".encode())
    (root / "word").write_text(f"a word of {root}\n")


DEADLINE_AND_GRACE_MS: Final = limits.QUESTION_DEADLINE_MS + limits.QUESTION_GRACE_MS
"""No open may wait longer, whatever is killed or stopped: the promise itself, not a speed."""
