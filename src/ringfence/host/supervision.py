"""The warden's looks at its children: who grows, who is silent, and why; whose breaker has tripped."""

import os
import signal

from ringfence.decide.activation_messages import Cause
from ringfence.decide.breaker import Tripped
from ringfence.decide.warden_messages import ReleaseConvicted, RuleConvicted
from ringfence.host import warden_status
from ringfence.host.activation_driver import ActivationDriver
from ringfence.host.child import failure_text
from ringfence.host.children import Child, Children
from ringfence.model import limits
from ringfence.model.errors import ContentRefused, FrameRefused
from ringfence.wire import catalogue
from ringfence.wire.frames import WAY_OUT, unpack_exact


def silence_of(child: Child) -> Cause:
    """Why it makes no progress: somebody has stopped it, or it hangs."""
    return Cause.KILLED if warden_status.is_stopped(child.pid) else Cause.HUNG


def bound_memory(zygote: Child, children: Children, driver: ActivationDriver) -> None:
    """Of a zygote that compiles, perhaps hostile content, and of what it has forked."""
    resident = warden_status.resident_bytes(zygote.pid)
    if resident > limits.ZYGOTE_RESIDENT_BYTES_MAX:
        mebibytes = limits.ZYGOTE_RESIDENT_BYTES_MAX >> 20
        zygote.failure = failure_text(
            ContentRefused(
                f"the release takes more than {mebibytes} MiB of memory to compile",
                "give the host another release, with fewer or simpler patterns",
            )
        ).decode()
        zygote.cause = Cause.GREW
        children.kill(zygote)
    beyond = 0
    for pid in warden_status.scanner_pids(zygote):
        more = warden_status.resident_bytes(pid) - resident
        beyond = max(beyond, more)
        if more > limits.SCANNER_RESIDENT_BYTES_MAX:
            driver.scanner_has_grown(pid)
            _kill_scanner(pid)
    zygote.resident_bytes_max = max(zygote.resident_bytes_max, resident + beyond)


def _kill_scanner(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has died by itself, and the zygote has reaped it


def tripped(body: bytes) -> ReleaseConvicted | RuleConvicted:
    """What a gate's breaker has tripped.  Raises FrameRefused."""
    kind, rule, release = unpack_exact(catalogue.BREAKER_BODY, body, "breaker")
    if int(kind) == Tripped.RELEASE:
        return ReleaseConvicted(int(release))
    if int(kind) != Tripped.RULE or int(rule) >= limits.RULES_MAX:
        raise FrameRefused(f"a breaker that tripped {kind!r} for rule {rule!r}", WAY_OUT)
    return RuleConvicted(int(release), int(rule))
