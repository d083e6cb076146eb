"""Each case: a machine that is hurt, and must end booted, protected by an older release, with nobody touching it."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ringfence.model.boot import Level, Phase, outcome
from ringfence.wire.release import decode_release
from vm.hands import (
    CANARY,
    CLI,
    GOOD,
    GOOD_RULE,
    MALWARE,
    PATIENCE_S,
    STATE,
    NotHeldError,
    Seen,
    activation,
    must_protect,
    put,
    release,
    ringfence,
    running,
    switch_off,
    wait_healthy,
    wait_ready,
)
from vm.image import Image
from vm.machine import Machine, overlay

HASTE: Final = "haste=20"
BOOTS_MAX: Final = 7
"""Six boots that fail, and the one that comes up: the bound that the boot guard states."""

EVERYTHING: Final = "rule everything { condition: filesize > 0 }\n"
LATER: Final = GOOD_RULE + 'rule later { strings: $a = "SITE-CHECK-TWO" condition: $a }\n'
SITE_TWO: Final = b"#!/bin/sh\n# SITE-CHECK-TWO: an update of the site, months after the release\nexit 0\n"
HEAVY: Final = 991
SOAKED: Final = 992
POWER_CUTS: Final = 20
SEED: Final = 291

Case = Callable[[Image, Path, Seen], str]


def prepared(image: Image, cache: Path) -> Path:
    """The disk of a machine that has run for a while: installed, enrolled, on a release that has soaked."""
    disk = cache / f"prepared-{image.disk.stem}.qcow2"
    if disk.exists():
        return disk
    seen = Seen()
    part = overlay(image.disk, disk.with_suffix(".part"), "raw")
    with Machine(image, part, HASTE) as machine:
        machine.start()
        machine.wait_boot()
        wait_healthy(machine, seen)
        status, said = load(machine, release(GOOD, GOOD_RULE, "malware"), wait=True)
        _need(status == 0, said)
        must_protect(machine, seen)
        if [one.release.version for one in activation(machine).chain][:1] != [GOOD]:
            raise NotHeldError(f"the good release is not good: {activation(machine)}")
        switch_off(machine)
    part.replace(disk)
    return disk


def load(machine: Machine, data: bytes, *, wait: bool = False) -> tuple[int, str]:
    """Give the sensor a release, without a shadow: everything else is what the fleet's release goes through."""
    put(machine, "/root/releases/one.release", data)
    words = ["host", "load", "/root/releases/one.release", "--state", STATE, "--at-once"]
    return machine.run(*CLI, *words, *(["--wait"] if wait else []), timeout_s=PATIENCE_S)


def control(image: Image, disk: Path, seen: Seen) -> str:
    """Nothing is wrong."""
    with Machine(image, disk) as machine:
        machine.start()
        machine.wait_boot()
        told = wait_healthy(machine, seen)
        must_protect(machine, seen)
        _need(told.level is Level.NORMAL, f"the level is {told.level.word}")
        _need(running(machine) == GOOD, f"release {running(machine)} runs")
        switch_off(machine)
        machine.start()
        machine.wait_boot()
        told = wait_healthy(machine, seen)
        last = outcome(told.history[-1])
        _need(last == (Level.NORMAL, Phase.HEALTHY, True), f"the boot before ended so: {last}")
        return f"healthy twice, ready after {seen.protected_again_s[-1]:.0f} s of the guest's time"


def blocks_everything(image: Image, disk: Path, seen: Seen, unit: str, boots_max: int = BOOTS_MAX) -> str:
    """A release that refuses every file; good for as long as nobody opens one, which is until the next boot."""
    with Machine(image, disk, HASTE) as machine:
        machine.start()
        machine.wait_boot()
        wait_ready(machine, seen)
        _load_good(machine, release(990, EVERYTHING, "everything"))
        switch_off(machine)
        machine.words = f"systemd.wants={unit}"
        return _comes_up(machine, seen, boots_max)


def blocks_and_watchdog_resets(image: Image, disk: Path, seen: Seen) -> str:
    """What checks the machine resets it without any order."""
    return blocks_everything(image, disk, seen, "site-force.service")


def blocks_and_boot_hangs(image: Image, disk: Path, seen: Seen) -> str:
    """What the machine needs is refused before its default target, and nobody resets it."""
    return blocks_everything(image, disk, seen, "site-wait.service", boots_max=1)


def kills_at_load(image: Image, disk: Path, seen: Seen) -> str:
    """A release whose rules take all memory and time to compile."""
    with Machine(image, disk, "systemd.wants=site-force.service") as machine:
        machine.start()
        machine.wait_boot()
        wait_ready(machine, seen)
        status, said = load(machine, heavy(HEAVY))
        switch_off(machine)
        how = _comes_up(machine, seen, 1)
        refused = [one.release.version for one in activation(machine).refused]
        _need(status != 0 or HEAVY in refused, f"it was not refused: {said}")
        return f"{how}; refused with {status}"


def harms_after_soak(image: Image, disk: Path, seen: Seen) -> str:
    """A release that is good for as long as it soaks, and harmful once the site is updated."""
    with Machine(image, disk, HASTE) as machine:
        machine.start()
        machine.wait_boot()
        wait_ready(machine, seen)
        _load_good(machine, release(SOAKED, LATER, "malware", "later"))
        put(machine, "/root/site-check", SITE_TWO)
        machine.must("sh", "-c", "cat /root/site-check > /usr/local/sbin/site-check; sync")
        switch_off(machine)
        machine.words = "systemd.wants=site-force.service"
        return _comes_up(machine, seen, BOOTS_MAX)


def full_disk(image: Image, disk: Path, seen: Seen) -> str:
    """The same loop on a disk without a free byte: nothing can be made, and the guard's record is overwritten."""
    with Machine(image, disk, HASTE) as machine:
        machine.start()
        machine.wait_boot()
        wait_ready(machine, seen)
        _load_good(machine, release(993, EVERYTHING, "everything"))
        machine.tell("sh", "-c", "systemctl stop ringfence; cat /dev/zero > /filler; sync; systemctl poweroff")
        machine.wait_off()
        machine.words = "systemd.wants=site-force.service"
        machine.start()
        machine.wait_boot()
        told = wait_healthy(machine, seen)
        _need(machine.run("cat", "/usr/local/sbin/site-check")[0] == 0, "what the machine needs is refused")
        _need(len(machine.boots) - 1 <= BOOTS_MAX, f"{len(machine.boots) - 1} boots")
        machine.must("rm", "/filler")
        put(machine, CANARY, MALWARE)
        _need(machine.run("cat", CANARY)[0] != 0, "malware can be read")
        return f"boot {len(machine.boots) - 1} came up, level {told.level.word}"


def power_cuts(image: Image, disk: Path, seen: Seen, part: int) -> str:
    """The plug is pulled at random moments of activations, again and again on one disk."""
    chance = random.Random(SEED + part)
    version, whole_s = GOOD, 30.0
    ran: list[int] = []
    with Machine(image, disk, HASTE) as machine:
        machine.start()
        machine.wait_boot()
        wait_ready(machine, seen)
        for cut in range(POWER_CUTS // 2 + 1):
            alerts = _alerts(machine)
            runs = running(machine)
            ran.append(runs)
            new = GOOD + 1 + cut
            put(machine, "/root/releases/one.release", release(new, f"// {new}\n{GOOD_RULE}", "malware"))
            words = (*CLI, "host", "load", "/root/releases/one.release", "--state", STATE)
            began = time.monotonic()
            if cut == 0:  # how long a whole one takes
                _need(machine.run(*words, "--at-once", "--wait")[0] == 0, "the first activation fails")
                whole_s = time.monotonic() - began
                must_protect(machine, seen)
                continue
            machine.tell(*words, *(["--at-once"] if cut % 2 else []))
            time.sleep(chance.uniform(0, whole_s))
            machine.pull_the_plug()
            machine.start()
            machine.wait_boot()
            wait_ready(machine, seen)
            known = {version, runs, *range(GOOD, new + 1)}
            _need(running(machine) in known, f"release {running(machine)} runs after cut {cut}")
            must_protect(machine, seen)
            seen.alerts_lost += max(0, alerts - _alerts(machine))
            version = running(machine)
        return f"{POWER_CUTS // 2} cuts within {whole_s:.0f} s each; releases that ran: {ran}"


def power_cuts_1(image: Image, disk: Path, seen: Seen) -> str:
    """The first ten."""
    return power_cuts(image, disk, seen, 1)


def power_cuts_2(image: Image, disk: Path, seen: Seen) -> str:
    """The other ten, on another disk."""
    return power_cuts(image, disk, seen, 2)


CASES: Final[dict[str, Case]] = {
    "power cuts during activation, first ten": power_cuts_1,
    "power cuts during activation, second ten": power_cuts_2,
    "blocks everything at boot, watchdog resets": blocks_and_watchdog_resets,
    "harm appears only after soak": harms_after_soak,
    "blocks everything at boot, boot hangs": blocks_and_boot_hangs,
    "kills the scanner at load": kills_at_load,
    "the same with a full disk": full_disk,
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
    return f"boot {boots} came up, level {told.level.word}, release {GOOD} runs"


def _load_good(machine: Machine, data: bytes) -> None:
    """Give the sensor a release and stay until it is good."""
    status, said = load(machine, data, wait=True)
    version = decode_release(data).manifest.version
    _need(status == 0 and activation(machine).chain[0].release.version == version, f"it is not good: {said}")


def _alerts(machine: Machine) -> int:
    return len(ringfence(machine, "alerts", "--state", STATE, "--json").splitlines())


def _need(holds: bool, claim: str) -> None:  # noqa: FBT001 - reads like an assertion
    if not holds:
        raise NotHeldError(claim)
