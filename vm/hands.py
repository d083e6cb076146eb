"""What the cases do to a machine, and what they learn from it, through the commands and records of the sensor."""

import hashlib
import time
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ringfence.model.activation import ActivationState
from ringfence.model.boot import BootRecord, Phase
from ringfence.model.limits import QUESTION_DEADLINE_MS, QUESTION_GRACE_MS
from ringfence.model.records import RuleAction, Severity
from ringfence.model.release import Contract, Manifest, Pack, PackEntry, Release, RuleEntry
from ringfence.wire.activation_record import decode_activation
from ringfence.wire.boot_record import decode_file
from ringfence.wire.release import encode_release
from ringfence.wire.spool import decode_segment_head, scan
from vm.image import PYTHON, SLOWER
from vm.machine import Machine, MachineError

STATE: Final = "/var/lib/ringfence"
CLI: Final = (PYTHON, "-I", "-m", "ringfence.programs.cli")
MALWARE: Final = b"VM-MARKER" + b"-OF-MALWARE"
CANARY: Final = "/srv/canary"
GOOD: Final = 10
GOOD_RULE: Final = 'rule malware { strings: $a = "VM-MARKER" $b = "-OF-MALWARE" condition: $a and $b }\n'
PATIENCE_S: Final = 900.0
PACE_S: Final = 1.0
OPEN_S_MAX: Final = SLOWER * (QUESTION_DEADLINE_MS + QUESTION_GRACE_MS) / 1000
"""The promise, in the time of an emulated processor."""


class NotHeldError(Exception):
    """What a case claims does not hold."""


@dataclass(slots=True)
class Seen:
    """What a case has counted."""

    opens_past_deadline: int = 0
    alerts_lost: int = 0
    wrong_convictions: int = 0
    protected_again_s: list[float] = field(default_factory=list)


def release(version: int, source: str, *names: str) -> bytes:
    """A release with these rules, which all block."""
    text = source.encode()
    pack = PackEntry("vm", "any", "yara/vm.yar", hashlib.sha256(text).hexdigest(), len(text))
    rules = tuple(
        RuleEntry(name, "vm", "Ringfence", "a rule of a test", Severity.HIGH, RuleAction.BLOCK, "", "", "Apache-2.0")
        for name in sorted(names)
    )
    manifest = Manifest(
        name="vm", version=version, description="of a test", contract=Contract((), ()), packs=(pack,), rules=rules,
        self_tests=(),
    )
    return encode_release(Release(manifest, (Pack(pack, source),), ()))


def ringfence(machine: Machine, *words: str) -> str:
    """A command of the installed sensor, which must succeed."""
    return machine.must(*CLI, *words)


def put(machine: Machine, path: str, data: bytes) -> None:
    """Write a file in the guest, in pieces that a command line holds; on its disk when this returns."""
    into = ">"
    for at in range(0, len(data), 48_000):
        piece = b64encode(data[at : at + 48_000]).decode()
        machine.must("sh", "-c", f"echo {piece} | base64 -d {into} {path} && sync {path}")
        into = ">>"


def wait_ready(machine: Machine, seen: Seen, *, own: bool = False) -> None:
    """Return once the canary, which holds malware, is refused.  Looks with small programs: the processor is
    emulated.  `own`: there is no canary yet, nor a rule for it; it is enough that the sensor listens to its operator.
    """
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if own and machine.run("test", "-S", f"{STATE}/host/warden.sock")[0] == 0:
            return
        status, output = machine.run("cat", CANARY)
        if status > 0 and "permitted" in output:
            seen.protected_again_s.append(float(machine.must("cat", "/proc/uptime").split()[0]))
            return
        time.sleep(PACE_S)
    raise NotHeldError(f"no sensor answers\n{journal(machine)}")


def wait_healthy(machine: Machine, seen: Seen) -> BootRecord:
    """The boot guard's record once it calls a boot healthy, however many boots that takes."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        record = boot_record(machine)
        if record is not None and record.phase is Phase.HEALTHY and record.boot.hex() == machine.boot:
            seen.protected_again_s.append(float(machine.must("cat", "/proc/uptime").split()[0]))
            return record
        time.sleep(PACE_S)
    raise NotHeldError(f"no boot becomes healthy: {boot_record(machine)}\n{journal(machine)}")


def boot_record(machine: Machine) -> BootRecord | None:
    """The boot guard's record on the machine's disk; None while it boots, or where there is none."""
    status, output = machine.run("base64", f"{STATE}/boot/guard.record")
    return decode_file(b64decode(output)).record if status == 0 else None


def activation(machine: Machine) -> ActivationState:
    """What the sensor has written down about its releases."""
    return decode_activation(machine.must("cat", f"{STATE}/content/activation.record").encode())


def acknowledged(machine: Machine) -> set[tuple[str, int, bytes]]:
    """Every record that the courier has made durable, by epoch, number and what it says.  No server takes any."""
    script = f"cd {STATE}/host/spool && for one in *.segment; do base64 -w 0 $one; echo; done"
    found = set()
    for line in machine.must("sh", "-c", script).splitlines():
        data = b64decode(line)
        if opened_segment := decode_segment_head(data):
            head, offset = opened_segment
            records = scan(data, offset, head.first_number - 1).records
            found |= {(head.epoch, one.number, one.payload) for one in records}
    return found


def must_protect(machine: Machine, seen: Seen) -> None:
    """Malware is refused, and what the machine needs is not."""
    put(machine, CANARY, b"harmless\n")
    status, output = opened(machine, seen)
    if status != 0:
        raise NotHeldError(f"a harmless file is refused: {output}")
    put(machine, CANARY, MALWARE)
    deadline = time.monotonic() + PATIENCE_S
    while opened(machine, seen)[0] == 0:
        if time.monotonic() > deadline:
            raise NotHeldError("malware can be read")
        time.sleep(PACE_S)
    if machine.run("/usr/local/sbin/site-check")[0] != 0:
        raise NotHeldError("what the machine needs is refused")
    if machine.run("systemctl", "is-active", "default.target")[0] != 0:
        raise NotHeldError("the default target is not reached")
    judge(machine, seen)


def opened(machine: Machine, seen: Seen) -> tuple[int, str]:
    """Open the canary; one that waits past the deadline counts."""
    found = machine.run("cat", CANARY)
    seen.opens_past_deadline += machine.took_s > OPEN_S_MAX
    return found


def judge(machine: Machine, seen: Seen, harmful: Sequence[int] = ()) -> None:
    """Count good releases that were refused."""
    refused = [one.release.version for one in activation(machine).refused]
    seen.wrong_convictions += len([version for version in refused if version < HARMFUL_FROM and version not in harmful])


HARMFUL_FROM: Final = 900
"""Versions of releases that do harm begin here; below, each one is good."""


def running(machine: Machine) -> int:
    """Version of the release that runs."""
    arrived = activation(machine).arrival.release
    return 0 if arrived is None else arrived.version


def journal(machine: Machine) -> str:
    """The end of the machine's journal, for whoever must find out."""
    try:
        return machine.run("journalctl", "-b", "-o", "short-monotonic", "--no-pager", "-n", "40")[1][-3000:]
    except MachineError as error:
        return str(error)


def switch_off(machine: Machine) -> None:
    """In order."""
    machine.tell("systemctl", "poweroff")
    machine.wait_off()
