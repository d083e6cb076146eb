"""How the sensor is, gathered by the warden from /proc and the gate's counters."""

import os
import time
from typing import Final

from ringfence.decide.warden import WardenState
from ringfence.decide.warden_messages import Kind, Stage
from ringfence.host.children import Child, Children
from ringfence.host.processes import Role
from ringfence.model import limits
from ringfence.model.verdict import Mode
from ringfence.wire.catalogue import GATE_COUNTERS
from ringfence.wire.sensor_reports import (
    SeenCounter,
    SeenProcessStatus,
    SeenRelease,
    StatusReport,
    encode_status_report,
)

_NAMED: Final = {role.encode(): role for role in (Role.EXAMINER, Role.APPRAISER)}
STATE_WORDS = {
    Stage.STARTING: b"starting",
    Stage.READY: b"running",
    Stage.ARMING: b"arming",
    Stage.ARMED: b"armed",
    Stage.DRAINING: b"draining",
}


def scanner_pids(zygote: Child) -> list[int]:
    """The zygote's children.  Empty when it is gone."""
    try:
        with open(f"/proc/{zygote.pid}/task/{zygote.pid}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except (OSError, ValueError):
        return []


def role_of_child(pid: int) -> Role:
    """What a child of the zygote calls itself: a scanner, unless it says otherwise.  Only for people to read."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return _NAMED.get(file.read().rstrip(b"\n"), Role.SCANNER)
    except OSError:
        return Role.SCANNER


def resident_bytes(pid: int) -> int:
    """Resident memory of a process, 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError, IndexError):
        return 0


def proportional_bytes(pid: int) -> int:
    """Proportional set size of a process, 0 when it is gone.  Costs a walk of its page tables: on demand only."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        return 0
    return 0


def encoded(state: WardenState, children: Children, of_releases: dict[str, int], *, with_spool: bool) -> bytes:
    """The whole status as a frame's body."""
    return encode_status_report(report(state, children, of_releases, with_spool=with_spool))


def report(state: WardenState, children: Children, of_releases: dict[str, int], *, with_spool: bool) -> StatusReport:
    """The whole status.  `with_spool`: and what waits there, which the courier adds to its own reports by itself."""
    gate = state.active_gate
    counted = children.by_serial[gate.serial].counters if gate and gate.serial in children.by_serial else ()
    counters = dict(zip(GATE_COUNTERS, counted, strict=False))
    processes = [_status(Role.WARDEN, os.getpid(), b"running", 0)]
    for process in sorted(state.processes, key=lambda one: one.serial):
        child = children.by_serial.get(process.serial)
        if child is None:
            continue
        word = STATE_WORDS[process.stage]
        if process.kind is Kind.GATE and process.stage is Stage.READY:
            word = b"standby"
        processes.append(_status(process.kind, child.pid, word, state.restarts_of(process.kind)))
        if process.kind is Kind.ZYGOTE:
            processes += _of_zygote(child, counters.get("scanner_restarts", 0))
    counters["process_restarts"] = sum(count for _, count in state.restarts)
    counters["rules_observed"] = len(state.conviction.rules)
    counters |= of_releases
    content = children.contents.get(children.active_release)
    counters["rules_disabled"] = 0 if content is None else len(children.disabled.of(content.sha256))
    if with_spool:
        for courier in children.of(Kind.COURIER):
            counters |= dict(zip(("courier_spool_bytes", "courier_spool_records"), courier.counters, strict=False))
    return StatusReport(
        at_unix_ms=time.time_ns() // 1_000_000,
        mode=Mode.OBSERVE if state.conviction.whole_release else state.mode,  # what the gate does, not what was wished
        release=_release(children),
        marks=tuple(os.fsencode(place.spelled())[: limits.STATUS_MARK_BYTES_MAX] for place in children.setting.places),
        processes=tuple(processes[: limits.STATUS_PROCESSES_MAX]),
        counters=tuple(SeenCounter(name.encode(), value) for name, value in counters.items()),
    )


def _of_zygote(zygote: Child, restarts: int) -> list[SeenProcessStatus]:
    """Its children.  Only scanners are replaced, and all of them count as one."""
    roles = [(role_of_child(pid), pid) for pid in scanner_pids(zygote)]
    return [_status(role, pid, b"running", restarts if role is Role.SCANNER else 0) for role, pid in roles]


def _release(children: Children) -> SeenRelease | None:
    content = children.contents.get(children.active_release)
    if content is None:
        return None
    return SeenRelease(content.number, content.name, content.version, bytes.fromhex(content.sha256))


def _status(role: str, pid: int, word: bytes, restarts: int) -> SeenProcessStatus:
    try:
        uid = os.stat(f"/proc/{pid}/status").st_uid
        with open(f"/proc/{pid}/status", "rb") as file:
            for line in file:
                if line.startswith(b"Uid:"):
                    uid = int(line.split()[2])
        if word and is_stopped(pid):
            word = b"stopped"
    except (OSError, ValueError):
        uid, word = 0, b"dead"
    return SeenProcessStatus(role.encode(), pid, uid, word, proportional_bytes(pid), restarts)


def is_stopped(pid: int) -> bool:
    """Whether somebody has stopped the process; False when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] in (b"T", b"t")
    except OSError:
        return False
