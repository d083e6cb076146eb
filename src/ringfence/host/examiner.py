"""Finding the rules that hurt a scanner: the sandboxed trials that `decide/bisection.py` asks for.

The examiner is a child of the zygote, at low priority and in the zygote's sandbox.  Each trial is a child of its own:

1. It compiles the rules of the trial, under a limit of processor time.
2. It gets the limits of the scan (processor time, memory), enters the scanner's sandbox, and says that it begins.
3. It scans the file as the scanner did, says that it has come to the end, and ends.

The examiner judges by how it ended, and by the clock not at all: on a busy machine a trial that gets no time is no
trial.  What a trial says is the word of a process that has read a hostile file: it can hide the file's own doings, or
get a rule left out that has met it.  Both are bounded and reported.
"""

import mmap
import os
import resource
import select
import signal
import socket
import time
from dataclasses import dataclass
from typing import Final, NoReturn

from ringfence.decide.bisection import FINE, UNJUDGED, Tried, Try, begin, step
from ringfence.decide.inspection import inspect_whole, inspect_windows
from ringfence.detect.byte_source import ByteSource, HeldBytes
from ringfence.detect.rule_removal import RuleMap, only
from ringfence.detect.yara import compile_release
from ringfence.host import processes, sandbox
from ringfence.host.file_scan import DescriptorSource
from ringfence.model import limits
from ringfence.model.fault import Attribution, FaultKind, Finding, RuleName
from ringfence.model.release import Release
from ringfence.model.verdict import UnknownReason
from ringfence.wire.catalogue import PURPOSE_SYNCHRONOUS

_BEGUN: Final = b"b"
_ENDED: Final = b"e"
_TIMED_OUT: Final = b"t"
_PANICKED: Final = b"p"
_NO_MEMORY_STATUS: Final = 71
_RAN_OUT: Final = frozenset({signal.SIGXCPU})
"""The soft limit of processor time."""

_CRASHES: Final = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGSYS}
)
_SIZE_BYTES: Final = 8
_KIBIBYTE: Final = 1024


@dataclass(frozen=True, slots=True)
class Input:
    """The file, and how the scanner was to look at it."""

    source: ByteSource
    purpose: int


def read_input(file: int, size_bytes: int, purpose: int) -> Input:
    """The file behind a descriptor, in memory where it fits: it may change, or go, while it is examined."""
    source = DescriptorSource(file, size_bytes)
    if size_bytes > limits.SCAN_WHOLE_BYTES_MAX:
        return Input(source, purpose)
    return Input(HeldBytes(source.read_at(0, size_bytes)), purpose)


def examine(release: Release, known: RuleMap, hint: frozenset[RuleName], what: Input) -> Attribution:
    """Run the whole search: some seconds for each trial that hangs, and at most `EXAMINATION_MS_MAX`."""
    until = time.monotonic() + limits.EXAMINATION_MS_MAX / 1000
    state, command = begin(known.rules, known.needs, hint)
    while isinstance(command, Try):
        if time.monotonic() > until:
            return Attribution(Finding.GAVE_UP, state.kind, (), state.trials)
        state, command = step(state, _tried(release, command.rules, what))
    return command


def _tried(release: Release, rules: frozenset[RuleName], what: Input) -> Tried:
    """One trial in a child."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent, before = os.getpid(), mmap.mmap(-1, _SIZE_BYTES)  # our own peak says nothing about what a child begins with
    pid = os.fork()
    if pid == 0:
        try:
            sandbox.die_with_parent()  # a fork begins without it
            if os.getppid() != parent:
                os._exit(70)
            ours.close()
            _try_out(theirs, release, rules, what, before)
        except MemoryError:
            os._exit(_NO_MEMORY_STATUS)
        finally:
            os._exit(70)
    theirs.close()
    said = listen(ours, pid, len(_BEGUN))
    ours.close()
    _, status, usage = os.wait4(pid, 0)
    with before:
        grown_bytes = usage.ru_maxrss * _KIBIBYTE - int.from_bytes(before[:], "little")
    return judge(said, status, used_s=usage.ru_utime + usage.ru_stime, grown_bytes=grown_bytes)


def listen(end: socket.socket, pid: int, word_bytes: int) -> bytes:
    """Everything that a trial says until it ends; one that takes too long on the clock is killed."""
    poll = select.poll()
    poll.register(end, select.POLLIN)
    until = time.monotonic() + limits.EXAMINATION_WALL_MS / 1000
    said = b""
    while poll.poll(max(0.0, until - time.monotonic()) * 1000):
        try:
            word = end.recv(word_bytes)
        except ConnectionResetError:
            word = b""
        if not word:
            return said
        said += word
    os.kill(pid, signal.SIGKILL)
    return b""


def judge(said: bytes, status: int, *, used_s: float, grown_bytes: int) -> Tried:
    """What a trial means, by what it said, how it ended, and how much processor time and memory it took."""
    code = os.waitstatus_to_exitcode(status)
    if said == _BEGUN + _ENDED and code == 0:
        return FINE
    if not said.startswith(_BEGUN):
        return UNJUDGED  # its rules did not compile, or it was killed before it began
    if -code in _RAN_OUT or (said == _BEGUN + _TIMED_OUT and used_s >= limits.EXAMINATION_CPU_S):
        return Tried(FaultKind.HUNG)
    if code == _NO_MEMORY_STATUS:
        return Tried(FaultKind.GREW)
    if said == _BEGUN + _PANICKED or -code in _CRASHES:
        grew = grown_bytes > limits.EXAMINATION_MEMORY_BYTES_MAX // 2
        return Tried(FaultKind.GREW if grew else FaultKind.DIED)
    return UNJUDGED  # somebody else has killed it


def _try_out(
    end: socket.socket, release: Release, rules: frozenset[RuleName], what: Input, before: mmap.mmap
) -> NoReturn:
    """In the child: the three steps of the module.  `before` gets its memory before the scan, in bytes."""
    limit(resource.RLIMIT_CPU, limits.EXAMINATION_COMPILE_CPU_S, spare=limits.EXAMINATION_COMPILE_CPU_S)
    engine = compile_release(only(release, rules)).scanner(limits.EXAMINATION_ENGINE_TIMEOUT_S)
    engine.warm()
    used = resource.getrusage(resource.RUSAGE_SELF)
    used_s = int(used.ru_utime + used.ru_stime) + 1
    waited_for = what.purpose == PURPOSE_SYNCHRONOUS
    scan_s = limits.EXAMINATION_CPU_S if waited_for else limits.EXAMINATION_DEEP_CPU_S
    limit(resource.RLIMIT_CPU, used_s + scan_s, spare=1)
    limit(resource.RLIMIT_DATA, used.ru_maxrss * _KIBIBYTE + limits.EXAMINATION_MEMORY_BYTES_MAX)
    before[:] = (used.ru_maxrss * _KIBIBYTE).to_bytes(_SIZE_BYTES, "little")
    sandbox.enter(processes.SCANNER)
    end.send(_BEGUN)
    if waited_for:
        missing = inspect_windows(engine, what.source, limits.SYNC_SCAN_BYTES_MAX).reason
    else:
        missing = inspect_whole(engine, what.source).findings.reason
    word = {UnknownReason.ENGINE_TIMEOUT: _TIMED_OUT, UnknownReason.ENGINE_PANIC: _PANICKED}.get(missing, _ENDED)
    end.send(word)
    os._exit(0)


def limit(what: int, most: int, *, spare: int = 0) -> None:
    """A soft limit, and a hard one `spare` above it; never above what there is."""
    hard = resource.getrlimit(what)[1]
    wanted = most + spare if hard == resource.RLIM_INFINITY else min(most + spare, hard)
    resource.setrlimit(what, (min(most, wanted), wanted))
