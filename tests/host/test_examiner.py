"""Trials in the scanner's sandbox on the real kernel: what hangs and what grows is found, what is only slow to start or
was killed by somebody else is not.
"""

import faulthandler
import os
import resource
import signal

import pytest
from tests.host.test_faulty_scanner import CYCLE, GROW, RELEASE, SLOW
from tests.support.fresh_process import in_fresh_process
from tests.support.machine import kernel_requires

from ringfence.decide.bisection import FINE, UNJUDGED, Tried
from ringfence.detect.byte_source import HeldBytes
from ringfence.detect.rule_removal import rule_map
from ringfence.host.examiner import Input, examine, judge, read_input
from ringfence.host.executing import ExecutingMark
from ringfence.model.fault import Attribution, FaultKind, Finding, RuleName
from ringfence.model.limits import SYNC_SCAN_BYTES_MAX
from ringfence.wire.catalogue import PURPOSE_AHEAD, PURPOSE_SYNCHRONOUS
from ringfence.wire.release import decode_release

HOUR_S = 3_600.0


@pytest.fixture(autouse=True)
def _needed() -> None:
    kernel_requires("root", "landlock", "seccomp")


def examined(content: bytes, purpose: int, *suspected: str) -> Attribution:
    """An examination of `RELEASE`."""
    release = decode_release(RELEASE)
    hint = frozenset(RuleName("live", name) for name in suspected)
    return examine(release, rule_map(release), hint, Input(HeldBytes(content), purpose))


def test_the_rule_that_hangs_is_found() -> None:
    found = in_fresh_process(examined, SLOW, PURPOSE_SYNCHRONOUS)
    assert (found.finding, found.kind, found.rules) == (Finding.RULES, FaultKind.HUNG, (RuleName("live", "slow"),))


def test_the_rule_that_grows_is_found() -> None:
    content = GROW + CYCLE * (SYNC_SCAN_BYTES_MAX // len(CYCLE))
    found = in_fresh_process(examined, content, PURPOSE_AHEAD, "grow")
    assert (found.finding, found.rules) == (Finding.RULES, (RuleName("live", "grow"),))
    assert found.kind in (FaultKind.GREW, FaultKind.HUNG)  # whichever bound comes first


def test_a_harmless_file_is_nobodys_fault() -> None:
    found = in_fresh_process(examined, b"harmless", PURPOSE_SYNCHRONOUS)
    assert found.finding is Finding.NOT_REPRODUCED


def status_of(act: str) -> int:
    """The wait status of a child that ends in this way."""
    pid = os.fork()
    if pid == 0:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if act.isdigit():
            os._exit(int(act))
        os.kill(os.getpid(), signal.Signals[act])
    return os.waitpid(pid, 0)[1]


@pytest.mark.parametrize(
    ("said", "ended", "used_s", "grown_bytes", "meaning"),
    [
        (b"be", "0", 0.1, 0, FINE),
        (b"", "70", 0.1, 0, UNJUDGED),
        (b"", "SIGXCPU", HOUR_S, 0, UNJUDGED),
        (b"b", "SIGXCPU", 2.1, 0, Tried(FaultKind.HUNG)),
        (b"bt", "0", 3.0, 0, Tried(FaultKind.HUNG)),
        (b"bt", "0", 0.2, 0, UNJUDGED),
        (b"b", "SIGSEGV", 0.1, 0, Tried(FaultKind.DIED)),
        (b"bp", "0", 0.1, 0, Tried(FaultKind.DIED)),
        (b"b", "SIGABRT", 0.1, 1 << 29, Tried(FaultKind.GREW)),
        (b"b", "71", 0.1, 0, Tried(FaultKind.GREW)),
        (b"b", "SIGKILL", 0.1, 0, UNJUDGED),
        (b"be", "SIGKILL", 0.1, 0, UNJUDGED),
        (b"e", "0", 0.1, 0, UNJUDGED),
    ],
)
def test_how_a_trial_is_judged(said: bytes, ended: str, used_s: float, grown_bytes: int, meaning: Tried) -> None:
    assert judge(said, status_of(ended), used_s=used_s, grown_bytes=grown_bytes) == meaning


def test_a_file_is_held_so_that_it_may_change(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("input") / "file"
    path.write_bytes(b"as it was")
    with path.open("rb") as file:
        what = read_input(file.fileno(), 9, PURPOSE_SYNCHRONOUS)
    path.write_bytes(b"otherwise")
    assert what.source.read_at(0, 9) == b"as it was"


def test_the_mark_says_what_a_child_was_at_when_it_died() -> None:
    mark = ExecutingMark()
    assert mark.read() == (0, -1)
    pid = os.fork()
    if pid == 0:
        mark.take(77)
        mark.begin(3)
        mark.end(3)
        mark.begin(4)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert mark.read() == (77, 4)
    mark.begin(9)
    mark.end(9)
    assert mark.read() == (0, -1)
    mark.close()
