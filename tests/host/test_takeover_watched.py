"""The one order that once hung: warden stopped, gate killed, and the gate that took over stopped as well."""

import signal
from contextlib import suppress
from pathlib import Path

from tests.support.live_sensor import DEADLINE_AND_GRACE_MS, LiveSensor
from tests.support.machine import kernel_requires

from ringfence.host.processes import UID_GATE


def watched_by(pid: int) -> int:
    """How many processes it watches."""
    names = []
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since it was listed
            names.append(str(one.readlink()))
    return sum("[pidfd]" in name for name in names)


def armed(pid: int) -> bool:
    """Whether a gate has dropped to its uid, which it does when it arms."""
    return f"\nUid:\t{UID_GATE}\t" in Path(f"/proc/{pid}/status").read_text()


def test_a_gate_that_took_over_without_the_warden_is_watched_too() -> None:
    kernel_requires("root", "fanotify-permission", "mount")
    live = LiveSensor()
    warden = 0
    try:
        live.wait_protected()
        (gate,), (standby,), (warden,) = live.pids("gate"), live.pids("standby"), live.pids("warden")
        (watchdog,) = live.pids("watchdog")
        live.wait_until(lambda: watched_by(standby) == 1 and watched_by(watchdog) == 2)
        live.signal(warden, signal.SIGSTOP)
        live.signal(gate, signal.SIGKILL)
        live.wait_until(lambda: armed(standby))
        live.signal(standby, signal.SIGSTOP)
        (opened,) = live.open_together([live.fresh()])
        assert opened.waited_ms <= DEADLINE_AND_GRACE_MS
    finally:
        if warden:
            live.signal(warden, signal.SIGCONT)
        live.close()
