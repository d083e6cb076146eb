"""Each case: a machine that is hurt, and must end booted, protected by an older release, with nobody touching it.

Every case gets a copy of one machine, at the moment when its sensor is ready and runs a release that has soaked.
"""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ringfence.model.boot import Level, Phase, outcome
from ringfence.model.errors import ContentRefused
from ringfence.wire.release import decode_release
from vm.hands import (
    CANARY,
    CLI,
    GOOD,
    GOOD_RULE,
    MALWARE,
    PACE_S,
    PATIENCE_S,
    STATE,
    NotHeldError,
    Seen,
    acknowledged,
    activation,
    must_protect,
    put,
    release,
    running,
    switch_off,
    wait_healthy,
    wait_ready,
)
from vm.image import Image
from vm.machine import LOOK_S, Machine, overlay

HASTE: Final = "haste=120"
MOMENT: Final = "soaked"
BOOTS_MAX: Final = 7
"""Six boots that fail, and the one that comes up: the bound that the boot guard states."""

UNGUARDED: Final = "unguarded systemd.mask=ringfence-boot-guard.service systemd.mask=ringfence-boot-health.service"
"""Kernel words for the damage: nobody counts boots, and nobody looks whether this one comes up."""

OVERDUE_S: Final = 60.0
"""More of the guest's time than the boot guard leaves a boot on these machines."""

EVERYTHING: Final = "rule everything { condition: filesize > 0 }\n"
LATER: Final = GOOD_RULE + 'rule later { strings: $a = "SITE-CHECK-TWO" condition: $a }\n'
SITE_TWO: Final = b"#!/bin/sh\n# SITE-CHECK-TWO: an update of the site, months after the release\nexit 0\n"
BLOCKING: Final = 990
HEAVY: Final = 991
SOAKED: Final = 992
FORCE: Final = f"{HASTE} systemd.wants=site-force.service"
WAIT: Final = f"{HASTE} systemd.wants=site-wait.service"
POWER_CUTS: Final = 20
SHADOW_EVERY_CUTS: Final = 5
HEAVY_SPENT_S: Final = 6.0
"""Long enough for the heavy release to be on its way into memory."""

CUT_PATIENCE_S: Final = 120.0
SEED: Final = 291

Case = Callable[[Machine, Seen], str]


def prepared(image: Image, cache: Path) -> Path:
    """The disk of a machine that has run for a while: installed, on a release that has soaked.  `MOMENT` is kept on it,
    when nothing else happens.
    """
    disk = cache / f"prepared-{image.disk.stem}.qcow2"
    if disk.exists():
        return disk
    seen = Seen()
    part = overlay(image.disk, disk.with_suffix(".part"), "raw")
    with Machine(image, part, HASTE) as machine:
        machine.start()
        machine.wait_boot()
        wait_ready(machine, seen, own=True)
        _load_good(machine, release(GOOD, GOOD_RULE, "malware"))
        must_protect(machine, seen)
        wait_healthy(machine, seen)
        machine.must("sync")
        machine.keep(MOMENT)
    part.replace(disk)
    return disk


def own_machine(image: Image, disk: Path, own: Path) -> Machine:
    """A machine at that moment, with a disk of its own at `own`."""
    shutil.copyfile(disk, own)
    machine = Machine(image, own, HASTE)
    machine.start(MOMENT)
    return machine


def load(machine: Machine, data: bytes, *, wait: bool = False) -> tuple[int, str]:
    """Give the sensor a release, without a shadow: everything else is what the fleet's release goes through."""
    put(machine, "/root/releases/one.release", data)
    words = ["host", "load", "/root/releases/one.release", "--state", STATE, "--at-once"]
    return machine.run(*CLI, *words, *(["--wait"] if wait else []), timeout_s=PATIENCE_S)


def control(machine: Machine, seen: Seen) -> str:
    """Nothing is wrong."""
    must_protect(machine, seen)
    switch_off(machine)
    machine.start()
    machine.wait_boot()
    told = wait_healthy(machine, seen)
    must_protect(machine, seen)
    _need(told.level is Level.NORMAL, f"the level is {told.level.word}")
    _need(running(machine) == GOOD, f"release {running(machine)} runs")
    last = outcome(told.history[-1])
    _need(last == (Level.NORMAL, Phase.HEALTHY, True), f"the boot before ended so: {last}")
    return f"healthy twice, ready after {seen.protected_again_s[-1]:.0f} s of the guest's time"


def blocks_and_watchdog_resets(machine: Machine, seen: Seen) -> str:
    """A release that refuses every file; good for as long as nobody opens one, which is until the next boot.  What
    checks the machine resets it then without any order.
    """
    _load_good(machine, release(BLOCKING, EVERYTHING, "everything"))
    switch_off(machine)
    machine.words = FORCE
    return _comes_up(machine, seen, BOOTS_MAX)


def blocks_and_boot_hangs(machine: Machine, seen: Seen) -> str:
    """What the machine needs is refused before its default target, and nobody resets it.  First with the protection
    off: it hangs for good.
    """
    _load_good(machine, release(BLOCKING, EVERYTHING, "everything"))
    switch_off(machine)
    machine.words = f"{WAIT} {UNGUARDED}"
    machine.start()
    machine.wait_boot()
    deadline = time.monotonic() + PATIENCE_S
    while machine.run("cat", "/usr/local/sbin/site-check")[0] == 0 or _uptime_s(machine) < OVERDUE_S:
        _need(time.monotonic() < deadline, "without the guard the release does no damage")
        time.sleep(PACE_S)
    hangs = machine.run("systemctl", "is-active", "default.target")[0] != 0
    _need(hangs, "without the guard the machine comes up all the same")
    machine.pull_the_plug()
    machine.words = WAIT
    return f"hangs with the guard off; with it: {_comes_up(machine, seen, 1)}"


def kills_at_load(machine: Machine, seen: Seen) -> str:
    """A release whose rules take all memory and time to compile: whoever loads it is killed.  The second time it
    is given, the plug is pulled meanwhile.
    """
    status, said = load(machine, heavy(HEAVY), wait=True)
    must_protect(machine, seen)
    is_killed = status == ContentRefused.exit_status and "killed" in said
    _need(is_killed, f"it is not refused for that: {status}, {said}")
    _need(running(machine) == GOOD, f"release {running(machine)} runs")
    machine.tell(*CLI, "host", "load", "/root/releases/one.release", "--state", STATE)
    _wait_spent(machine, machine.spent_s + HEAVY_SPENT_S)
    machine.pull_the_plug()
    machine.words = FORCE
    return f"only its loader was killed; the plug pulled during the next: {_comes_up(machine, seen, 1)}"


def harms_after_soak(machine: Machine, seen: Seen) -> str:
    """A release that is good for as long as it soaks, and harmful once the site is updated."""
    _load_good(machine, release(SOAKED, LATER, "malware", "later"))
    put(machine, "/root/site-check", SITE_TWO)
    machine.must("sh", "-c", "cat /root/site-check > /usr/local/sbin/site-check; sync")
    switch_off(machine)
    machine.words = FORCE
    return _comes_up(machine, seen, BOOTS_MAX)


def full_disk(machine: Machine, seen: Seen) -> str:
    """The same loop on a disk without a free byte: nothing can be made, and the guard's record is overwritten."""
    _load_good(machine, release(BLOCKING, EVERYTHING, "everything"))
    machine.tell("sh", "-c", "systemctl stop ringfence; cat /dev/zero > /filler; sync; systemctl poweroff")
    machine.wait_off()
    machine.words = FORCE
    machine.start()
    machine.wait_boot()
    told = wait_healthy(machine, seen)
    _need(machine.run("cat", "/usr/local/sbin/site-check")[0] == 0, "what the machine needs is refused")
    _need(len(machine.boots) <= BOOTS_MAX, f"{len(machine.boots)} boots")
    machine.must("rm", "/filler")
    put(machine, CANARY, MALWARE)
    _need(machine.run("cat", CANARY)[0] != 0, "malware can be read")
    return f"boot {len(machine.boots)} came up, level {told.level.word}"


def moments(seed: int) -> list[float]:
    """When to cut, as shares of an activation: one at random in each of as many equal parts, in any order."""
    chance = random.Random(seed)
    found = [(part + chance.random()) / POWER_CUTS for part in range(POWER_CUTS)]
    chance.shuffle(found)
    return found


def power_cuts(machine: Machine, seen: Seen, part: int) -> str:
    """The plug is pulled at random moments of activations, again and again on one disk.

    A moment is how far the machine has come, not a time: the share of the processor seconds that a whole activation
    costs.
    """
    whole_s = _whole_activation_s(machine)
    found: list[str] = []
    for cut, moment in enumerate(moments(SEED)[part::2], 1):
        before, runs, new = acknowledged(machine), running(machine), GOOD + 1 + cut
        put(machine, "/root/releases/one.release", release(new, f"// {new}\n{GOOD_RULE}", "malware"))
        words = (*CLI, "host", "load", "/root/releases/one.release", "--state", STATE)
        began_s = machine.spent_s
        machine.tell(*words, *([] if cut % SHADOW_EVERY_CUTS == 0 else ["--at-once"]))
        _wait_spent(machine, began_s + moment * whole_s)
        machine.pull_the_plug()
        machine.start()
        machine.wait_boot()
        wait_ready(machine, seen)
        now = activation(machine)
        stage = "not begun" if now.candidate is None else str(now.candidate.stage)
        _need(running(machine) in {runs, new}, f"release {running(machine)} runs after cut {cut}: {now}")
        must_protect(machine, seen)
        seen.alerts_lost += len(before - acknowledged(machine))
        _wait_tried(machine)
        wait_healthy(machine, seen)
        found.append(f"{moment:.0%} {stage if new != running(machine) or now.candidate else 'good'}")
    return f"{len(found)} cuts: {', '.join(found)}"


def power_cuts_1(machine: Machine, seen: Seen) -> str:
    """The first ten."""
    return power_cuts(machine, seen, 0)


def power_cuts_2(machine: Machine, seen: Seen) -> str:
    """The other ten, on another disk."""
    return power_cuts(machine, seen, 1)


CASES: Final[dict[str, Case]] = {
    "power cuts during activation, first ten": power_cuts_1,
    "power cuts during activation, second ten": power_cuts_2,
    "blocks everything at boot, watchdog resets": blocks_and_watchdog_resets,
    "harm appears only after soak": harms_after_soak,
    "the same with a full disk": full_disk,
    "blocks everything at boot, boot hangs": blocks_and_boot_hangs,
    "kills the scanner at load": kills_at_load,
    "nothing is wrong": control,
}


def heavy(version: int) -> bytes:
    """Hundreds of rules with hundreds of patterns, each of which stands for 256."""
    chance = random.Random(version)
    names = [f"heavy_{number:04}" for number in range(200)]
    source = ""
    for name in names:
        patterns = " ".join(f'$p{number} = "{chance.randbytes(5).hex()}" xor' for number in range(200))
        source += f"rule {name} {{ strings: {patterns} condition: any of them }}\n"
    return release(version, source, *names)


def _comes_up(machine: Machine, seen: Seen, boots_max: int) -> str:
    """Switch it on, touch nothing, and see it come up with the older release."""
    before = len(machine.boots)
    machine.start()
    machine.wait_boot()
    told = wait_healthy(machine, seen)
    boots = len(machine.boots) - before
    must_protect(machine, seen)
    _need(running(machine) == GOOD, f"release {running(machine)} runs: {activation(machine)}")
    _need(boots <= boots_max, f"it took {boots} boots, the bound is {boots_max}")
    refused = [f"{one.release.version} is refused ({one.reason})" for one in activation(machine).refused]
    failed = [" ".join((level.word, phase.name.lower())) for level, phase, _ in map(outcome, told.history)]
    ends = f" after {', '.join(failed[1 - boots :])}" if boots > 1 else ""
    return "; ".join([f"boot {boots} came up{ends}", f"release {GOOD} runs", *refused])


def _load_good(machine: Machine, data: bytes) -> None:
    """Give the sensor a release and stay until it is good."""
    status, said = load(machine, data, wait=True)
    version = decode_release(data).manifest.version
    _need(status == 0 and activation(machine).chain[0].release.version == version, f"it is not good: {said}")


def _whole_activation_s(machine: Machine) -> float:
    """What one costs the emulation, until it is good."""
    began_s = machine.spent_s
    _load_good(machine, release(GOOD + 1, f"// whole\n{GOOD_RULE}", "malware"))
    return machine.spent_s - began_s


def _wait_spent(machine: Machine, until_s: float) -> None:
    """Until the emulation has cost so many processor seconds; a machine that rests has come as far as it will."""
    deadline = time.monotonic() + CUT_PATIENCE_S
    while machine.spent_s < until_s and time.monotonic() < deadline:
        time.sleep(LOOK_S)


def _wait_tried(machine: Machine) -> None:
    """Until nothing is tried any more, or the next cut would be held against this release."""
    deadline = time.monotonic() + PATIENCE_S
    while (now := activation(machine)).candidate is not None:
        _need(time.monotonic() < deadline, f"the trial does not end: {now}")
        time.sleep(PACE_S)


def _uptime_s(machine: Machine) -> float:
    return float(machine.must("cat", "/proc/uptime").split()[0])


def _need(holds: bool, claim: str) -> None:  # noqa: FBT001 - reads like an assertion
    if not holds:
        raise NotHeldError(claim)
