"""`kill -9` and `kill -STOP` of every process, under load."""

import signal
import time
from typing import Final

from tests.support.live_sensor import alive

from faults.outcome import Case
from faults.stage import Scene, Stage

ROLES: Final = ("scanner", "gate", "standby", "watchdog", "zygote", "courier", "warden")
WORDS: Final = {signal.SIGKILL: "kill -9", signal.SIGSTOP: "kill -STOP"}
STOPPED_FOR_S: Final = 2.0
"""How long one that nobody replaces is left stopped."""


def hit(stage: Stage, case: Case, role: str, number: signal.Signals) -> str:
    """One role, while everybody works."""
    with stage.scene(case) as scene:
        pids = scene.live.pids(role)
        case.need(f"there is a {role}", holds=bool(pids))
        began = time.monotonic()
        for pid in pids:
            scene.live.signal(pid, number)
        if number is signal.SIGSTOP and role in ("courier", "warden"):
            return _stopped(scene, role, pids, began)
        if role == "warden":
            return _without_a_warden(scene, pids, began)
        seconds = scene.protected_again(began)
        scene.until(lambda: _replaced(scene, role, pids), f"another {role} is in its place")
        return f"bad files refused again after {seconds:.2f} s; another {role} is in its place"


def _replaced(scene: Scene, role: str, before: list[int]) -> bool:
    """Whether the role is filled by others; of stopped scanners those are replaced that somebody asks."""
    now = scene.live.pids(role)
    if role == "scanner":
        return bool(set(now) - set(before))
    return bool(now) and not set(now) & set(before)


def _stopped(scene: Scene, role: str, pids: list[int], began: float) -> str:
    """Nobody replaces a stopped courier or warden: protection goes on without it, and all is told when it goes on."""
    seconds = scene.protected_again(began)
    while time.monotonic() - began < STOPPED_FOR_S:
        scene.case.need("bad files are refused meanwhile", holds=scene.refuses())
    for pid in pids:
        scene.live.signal(pid, signal.SIGCONT)
    return f"bad files were refused all the time (first look after {seconds:.2f} s); the {role} went on afterwards"


def _without_a_warden(scene: Scene, pids: list[int], began: float) -> str:
    """Everything dies with it, the host is free, and `ringfence up` starts it again: we stand in for that command."""
    scene.until(lambda: not any(alive(pid) for pid in pids), "the warden is dead")
    scene.case.need("the host is free meanwhile", holds=not scene.open(scene.live.fresh()))
    if scene.live.sensor is None:
        raise RuntimeError("a scene without a sensor")
    scene.live.sensor.start_again()
    scene.live.sensor.wait_ready()
    seconds = scene.protected_again(began)
    return f"the host was free, a new warden's gate refused bad files after {seconds:.2f} s"


def crash_loop(stage: Stage, case: Case) -> str:
    """Armed gates that die again and again: the host observes, and goes on."""
    with stage.scene(case) as scene:
        scene.may_observe = True
        deaths = 0
        while scene.live.status().mode.name == "ENFORCE":
            gates = scene.live.pids("gate")
            for pid in gates:
                scene.live.signal(pid, signal.SIGKILL)
            deaths += bool(gates)
            case.need("three deaths are enough", holds=deaths <= 10)  # noqa: PLR2004 - some hit a gate that is arming
            scene.until(lambda: bool(scene.live.pids("gate")) and bool(scene.live.pids("standby")), "gates are there")
            scene.open(scene.live.fresh())
        case.need("nothing is refused any more", holds=not scene.refuses())
        return f"after {deaths} deaths the host observes only, and its work goes on"
