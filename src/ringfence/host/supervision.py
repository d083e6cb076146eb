"""The warden's looks at its children: who grows, who is silent, and why."""

import os
import signal

from ringfence.decide.activation_messages import Cause
from ringfence.host import warden_status
from ringfence.host.activation_driver import ActivationDriver
from ringfence.host.child import failure_text
from ringfence.host.children import Child, Children
from ringfence.model import limits
from ringfence.model.errors import ContentRefused


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
