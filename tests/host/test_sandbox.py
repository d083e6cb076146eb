"""Every profile entered for real in a forked child: what must be impossible is tried, what is needed still works."""

import ctypes
import json
import mmap
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.host.forked import WORKED, Acts, died_by, in_child
from tests.support.machine import kernel_requires

from ringfence.host import processes, sandbox, seccomp
from ringfence.host.channel import Channel
from ringfence.host.heartbeat import Beat
from ringfence.host.heartbeat import create as create_beat
from ringfence.host.kernel import prctl
from ringfence.host.lineage import lineage, with_executables
from ringfence.host.sandbox import Profile
from ringfence.model.errors import InternalError

LIBC = ctypes.CDLL(None, use_errno=True)
PROFILES: tuple[Profile, ...] = (
    processes.WATCHDOG,
    processes.ZYGOTE,
    processes.SCANNER,
    processes.GATE,
    processes.GATE_THREAD,
    processes.replayer(("/srv",)),
)
PTRACE_ATTACH = 16


@pytest.fixture(scope="module", autouse=True)
def _needs() -> None:
    kernel_requires("root", "landlock", "seccomp")


@pytest.fixture
def bystander() -> Iterator[int]:
    """Somebody else's process, root's, outside every sandbox."""
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()


def entered(profile: Profile) -> Callable[[], None]:
    return lambda: sandbox.enter(profile)


def failing(call: Callable[[], int]) -> Callable[[], None]:
    """A libc call whose -1 becomes an OSError."""

    def act() -> None:
        if call() == -1:
            raise OSError(ctypes.get_errno(), "refused")

    return act


def run_a_program() -> None:
    """Replace this process; it must fail."""
    os.execv("/bin/true", ["true"])  # noqa: S606 - nothing runs


def forbidden_acts(secret: Path, bystander: int) -> Acts:
    """What nobody in a sandbox may do."""
    return {
        "open a secret": lambda: os.close(os.open(secret, os.O_RDONLY)),
        "open a secret through /proc": lambda: os.close(os.open(f"/proc/1/root{secret}", os.O_RDONLY)),
        "read another's memory": lambda: os.close(os.open(f"/proc/{bystander}/mem", os.O_RDONLY)),
        "write a file": lambda: os.close(os.open(secret.parent / "new", os.O_WRONLY | os.O_CREAT, 0o600)),
        "overwrite a file": lambda: os.close(os.open(secret, os.O_WRONLY)),
        "truncate a file": lambda: os.truncate(secret, 0),
        "remove a file": secret.unlink,
        "link a file": lambda: os.link(secret, secret.parent / "link"),
        "list a directory": lambda: len(list(secret.parent.iterdir())),
        "talk UDP": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close(),
        "talk TCP": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close(),
        "talk IPv6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM).close(),
        "talk netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
        "make a raw socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
        "run a program": run_a_program,
        "become root": lambda: os.setresuid(0, 0, 0),
        "leave for a namespace": failing(lambda: LIBC.unshare(0x10000000)),
        "mount": failing(lambda: LIBC.mount(b"none", b"/mnt", b"tmpfs", 0, None)),
        "trace a stranger": failing(lambda: LIBC.ptrace(PTRACE_ATTACH, bystander, None, None)),
        "signal a stranger": lambda: os.kill(bystander, signal.SIGTERM),
        "signal init": lambda: os.kill(1, 0),
        "load a BPF program": failing(lambda: LIBC.syscall(321, 0, None, 0)),
        "make a key": failing(lambda: LIBC.syscall(248, b"user", b"x", b"y", 1, -1)),
        "make an io_uring": failing(lambda: LIBC.syscall(425, 4, None)),
        "set the clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
        "set the host's name": lambda: socket.sethostname("nobody"),
    }


@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.name)
def test_what_is_forbidden_fails(profile: Profile, tmp_path: Path, bystander: int) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    tmp_path.chmod(0o755)
    found = in_child(entered(profile), forbidden_acts(secret, bystander))
    assert [act for act, what in found.items() if what.startswith(WORKED)] == []
    assert secret.read_bytes() == b"secret"
    assert subprocess.run(["kill", "-0", str(bystander)], check=False).returncode == 0


@pytest.mark.parametrize("profile", [one for one in PROFILES if not one.may_fork], ids=lambda one: one.name)
def test_who_may_not_fork_cannot(profile: Profile) -> None:
    assert in_child(entered(profile), {"fork": os.fork})["fork"] == "PermissionError"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda one: one.name)
def test_its_uid_capabilities_and_marks_are_those_of_the_table(profile: Profile) -> None:
    def status() -> str:
        wanted = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
        pairs = (line.split(":", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines())
        return json.dumps({name: value.split() for name, value in pairs if name in wanted})

    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        sandbox.enter(profile)
        os.write(ready[1], b".")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    found = json.loads(status())
    os.write(go[1], b".")
    os.waitpid(child, 0)
    for descriptor in (*ready, *go):
        os.close(descriptor)
    bits = f"{sum(1 << one for one in profile.capabilities):016x}"
    assert found["Uid"] == [str(profile.uid)] * 4
    assert found["Gid"] == [str(profile.uid)] * 4
    assert found["Groups"] == []
    assert (found["CapPrm"], found["CapEff"], found["CapBnd"]) == ([bits], [bits], [bits])
    assert (found["CapInh"], found["CapAmb"]) == (["0" * 16], ["0" * 16])
    assert (found["NoNewPrivs"], found["Seccomp"]) == (["1"], ["2"])


# --- what is needed still works -----------------------------------------------------------------------------------


def test_everybody_talks_on_sockets_made_before_and_runs_python() -> None:
    for profile in PROFILES:
        ours, theirs = Channel.pair()
        beat = create_beat()
        page = Beat(beat)

        def talk(theirs: Channel = theirs) -> None:
            theirs.send(12, b"hello")
            received = theirs.receive()
            assert received is not None
            assert received.frame.body == b"world"

        ours.send(13, b"world")
        found = in_child(
            entered(profile),
            {
                "talk": talk,
                "beat": page.beat,
                "poll": lambda: select.poll().poll(1),
                "allocate": lambda: len(bytearray(50_000_000)) and None,
                "compute": lambda: json.loads(json.dumps(list(range(1_000)))) and None,
                "random": lambda: os.urandom(8) and None,
            },
        )
        assert {act: what for act, what in found.items() if what not in (WORKED, f"{WORKED}: []")} == {}, profile.name
        received = ours.receive()
        assert received is not None
        assert received.frame.body == b"hello"
        for end in (ours, theirs):
            end.close()
        os.close(beat)


def test_a_scanner_reads_the_file_in_its_hand(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"bytes to scan")
    file = os.open(path, os.O_RDONLY)
    found = in_child(
        entered(processes.SCANNER),
        {"read": lambda: os.pread(file, 5, 0).decode(), "write": lambda: os.write(file, b"x")},
    )
    os.close(file)
    assert found["read"] == f"{WORKED}: bytes"
    assert not found["write"].startswith(WORKED)


def test_a_zygote_forks_a_scanner_that_enters_its_own_sandbox() -> None:
    processors = os.sched_getaffinity(0)

    def breed() -> str:
        child = os.fork()
        if child == 0:
            try:
                os.sched_setaffinity(0, processors)
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
                sandbox.enter(processes.SCANNER)
            except BaseException:  # noqa: BLE001 - the child must not come back into the test
                os._exit(1)
            os._exit(7)
        return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    found = in_child(entered(processes.ZYGOTE), {"breed": breed})
    assert found["breed"] == f"{WORKED}: 7"


def test_a_zygote_kills_its_scanner() -> None:
    def breed_and_kill() -> str:
        child = os.fork()
        if child == 0:
            time.sleep(60)  # pace: it is killed long before
        os.kill(child, signal.SIGKILL)
        return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    found = in_child(entered(processes.ZYGOTE), {"kill": breed_and_kill})
    assert found["kill"] == f"{WORKED}: -9"


def test_the_watchdog_kills_the_gate_by_its_pidfd_and_nobody_else(bystander: int) -> None:
    gate = os.fork()
    if gate == 0:
        os.setresuid(processes.UID_GATE, processes.UID_GATE, processes.UID_GATE)
        time.sleep(60)  # pace: it is killed long before
        os._exit(0)
    pidfd, other = os.pidfd_open(gate), os.pidfd_open(bystander)
    deadline = time.monotonic() + 10
    while f"\nUid:\t{processes.UID_GATE}" not in Path(f"/proc/{gate}/status").read_text():
        assert time.monotonic() < deadline
    found = in_child(
        entered(processes.WATCHDOG),
        {
            "kill the gate": lambda: signal.pidfd_send_signal(pidfd, signal.SIGKILL),
            "kill a stranger": lambda: signal.pidfd_send_signal(other, signal.SIGKILL),
        },
    )
    ended = os.waitstatus_to_exitcode(os.waitpid(gate, 0)[1])
    os.close(pidfd)
    os.close(other)
    assert found == {"kill the gate": WORKED, "kill a stranger": "PermissionError"}
    assert ended == -signal.SIGKILL


def test_the_gate_reads_the_lineage_of_its_askers(bystander: int) -> None:
    """An alert names the program that asked, also when it is root's and outside the gate's sandbox."""
    seen = lineage(bystander)

    def told() -> str:
        first = lineage(bystander)[0]
        return json.dumps([first.name.decode(), first.command_line.decode()])

    def linked() -> str:
        return with_executables(seen)[0].executable.decode()

    main_thread = in_child(entered(processes.GATE), {"lineage": told})
    answering = in_child(entered(processes.GATE_THREAD), {"link": linked})
    assert json.loads(main_thread["lineage"].removeprefix(f"{WORKED}: ")) == ["sleep", "sleep 60"]
    assert answering["link"] == f"{WORKED}: {os.path.realpath('/bin/sleep')}"


def test_the_gate_starts_threads_and_a_thread_locks_itself() -> None:
    def started() -> str:
        found: list[str] = []

        def work() -> None:
            try:
                sandbox.lock(processes.GATE_THREAD, all_threads=False)
                found.append("locked")
                os.close(os.open("/proc/self/stat", os.O_RDONLY))
                found.append("opened")
            except PermissionError:
                found.append("refused")

        sandbox.drop(processes.GATE)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        sandbox.lock(processes.GATE, all_threads=False)
        os.close(os.open("/proc/self/stat", os.O_RDONLY))
        return " ".join(found)

    assert in_child(lambda: None, {"threads": started})["threads"] == f"{WORKED}: locked refused"


def test_the_courier_has_the_network_and_its_spool_and_no_more(tmp_path: Path) -> None:
    spool, identity, secret = tmp_path / "spool", tmp_path / "identity.json", tmp_path / "secret"
    tmp_path.chmod(0o755)
    for directory in (tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(directory.stat().st_mode | 0o011)
    spool.mkdir()
    identity.write_text("{}")
    secret.write_text("secret")
    os.chown(spool, processes.UID_COURIER, processes.UID_COURIER)
    for one in (identity, secret):
        os.chown(one, processes.UID_COURIER, processes.UID_COURIER)
    server = socket.create_server(("127.0.0.1", 0))
    profile = processes.courier(str(spool), (str(identity),))

    def connect() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as end:
            end.connect(server.getsockname())

    def store() -> None:
        file = os.open(spool / "segment", os.O_RDWR | os.O_CREAT, 0o600)
        os.write(file, b"record")
        os.fsync(file)
        os.close(file)
        (spool / "segment").rename(spool / "kept")
        (spool / "kept").unlink()

    found = in_child(
        entered(profile),
        {
            "connect": connect,
            "store": store,
            "read its identity": lambda: os.close(os.open(identity, os.O_RDONLY)),
            "listen": lambda: socket.create_server(("127.0.0.1", 0)).close(),
            "write its identity": lambda: os.close(os.open(identity, os.O_WRONLY)),
            "read a secret": lambda: os.close(os.open(secret, os.O_RDONLY)),
            "run a program": run_a_program,
            "become root": lambda: os.setresuid(0, 0, 0),
            "fork": os.fork,
            "make a raw socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close(),
            "signal": lambda: os.kill(os.getppid(), 0),
        },
    )
    server.close()
    works = {"connect", "store", "read its identity"}
    assert {act for act, what in found.items() if what.startswith(WORKED)} == works


# --- the lock itself ------------------------------------------------------------------------------------------------


def test_a_broken_sandbox_is_noticed() -> None:
    """The proof raises where an act still works: here, because nothing was locked."""

    def prove() -> str:
        try:
            sandbox.prove(processes.WATCHDOG)
        except InternalError as error:
            return error.what
        return "nothing noticed"

    assert "it could open /etc/shadow" in in_child(lambda: None, {"prove": prove})["prove"]


def test_a_filter_that_another_thread_cannot_take_is_an_error() -> None:
    """The kernel answers such a failure with a thread's number, not with -1."""

    def install() -> None:
        locked, over = threading.Event(), threading.Event()

        def diverge() -> None:
            names = processes.GATE.syscalls | {"seccomp", "exit"}
            seccomp.install(frozenset(names), may_fork=False, all_threads=False)
            locked.set()
            over.wait(10)

        prctl(sandbox.PR_SET_NO_NEW_PRIVS, 1)
        threading.Thread(target=diverge, daemon=True).start()
        locked.wait(10)
        try:
            seccomp.install(processes.GATE.syscalls | {"write"}, may_fork=False, all_threads=True)
        finally:
            over.set()

    assert not in_child(lambda: None, {"install": install})["install"].startswith(WORKED)


def test_an_x32_call_is_death() -> None:
    def call() -> None:
        sandbox.enter(processes.WATCHDOG)
        LIBC.syscall(0x40000000 | 39)

    assert died_by(call) == signal.SIGSYS


def test_no_page_of_its_own_becomes_another_processs() -> None:
    """Anonymous memory works; the address space of a scanner is bounded."""
    found = in_child(
        entered(processes.SCANNER),
        {
            "map": lambda: mmap.mmap(-1, 1_000_000).close(),
            "map too much": lambda: mmap.mmap(-1, 1 << 36).close(),
        },
    )
    assert found["map"] == WORKED
    assert not found["map too much"].startswith(WORKED)


def test_it_dies_with_its_parent() -> None:
    """A parent that is killed takes the sandboxed child with it, uid change or not."""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = os.fork()
        if child == 0:
            sandbox.enter(processes.SCANNER)
            os.write(writing, os.getpid().to_bytes(4, "little"))
            time.sleep(60)  # pace: it is killed long before
            os._exit(0)
        time.sleep(60)  # pace: it is killed long before
        os._exit(0)
    os.close(writing)
    child = int.from_bytes(os.read(reading, 4), "little")
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert os.read(reading, 1) == b""  # the last writer is gone
    os.close(reading)
    assert child > 0
