"""A server that is gone, a network that lies, clocks that jump, damaged records: no acknowledged alert is lost."""

import os
import random
import time
from pathlib import Path
from typing import Final

from tests.support.live_sensor import BAD, RULE, release_of

from faults import content
from faults.outcome import Case
from faults.relay import Manner
from faults.stage import Scene, Stage
from ringfence.decide import courier
from ringfence.decide.courier import CourierState
from ringfence.decide.courier_messages import Now
from ringfence.host.processes import UID_COURIER
from ringfence.model.limits import COURIER_BACKOFF_MS_MAX

ALERTS: Final = 20
HOURS: Final = 12
HOUR_MS: Final = 3_600_000
JUMPS_MS: Final = (10 * 365 * 24 * HOUR_MS, -24 * HOUR_MS, 0)
"""What the server's clock is wrong by, one after the other."""


def server_gone(stage: Stage, case: Case) -> str:
    """The server dies, alerts gather for as long as it takes, it comes back, and they arrive."""
    with stage.scene(case) as scene:
        stage.kill_server()
        stage.relay.manner = Manner.GONE
        paths = _bad_files(scene)
        (courier,) = scene.live.pids("courier")
        scene.live.signal(courier, 9)  # and what waits for it outlives the process that has it
        scene.until(lambda: scene.live.pids("courier") not in ([], [courier]), "another courier")
        paths += _bad_files(scene)
        tries, longest_ms = _tries_within(HOURS * HOUR_MS)
        case.need("its server is not stormed", holds=longest_ms <= COURIER_BACKOFF_MS_MAX and tries < HOURS * 60)
        stage.start_server()
        stage.relay.manner = Manner.HONEST
        scene.until(lambda: {str(path) for path in paths} <= scene.arrived(), "all alerts arrive")
        waits = f"{HOURS} h without a server are {tries} tries, none later than after 5 min"
        return f"{len(paths)} alerts waited and arrived; {waits}"


def _tries_within(span_ms: int) -> tuple[int, int]:
    """How often a courier tries within a time, by its own rule, and its longest wait."""
    chance, now, tries, longest = random.Random(1), 0, 0, 0
    state = CourierState()
    while now < span_ms:
        tries += 1
        state = courier._failed(state, Now(now, now), chance.randrange(1000))  # noqa: SLF001 - its very rule
        longest, now = max(longest, state.delivery.retry_at_ms - now), state.delivery.retry_at_ms
    return tries, longest


def lies(stage: Stage, case: Case, manner: Manner) -> str:
    """Batches come twice, out of order, or their answers are lost: each alert is there once."""
    with stage.scene(case) as scene:
        stage.relay.manner = manner
        try:
            paths = _bad_files(scene)
            scene.until(lambda: {str(path) for path in paths} <= scene.arrived(), "all alerts arrive")
        finally:
            stage.relay.manner = Manner.HONEST
        twice = stage.rows(
            "SELECT epoch, number, COUNT(*) FROM alerts WHERE path LIKE ? GROUP BY epoch, number HAVING COUNT(*) > 1",
            f"{scene.live.tree}/%",
        )
        case.need(f"no alert is there twice: {twice[:3]}", holds=not twice)
        return f"{len(paths)} alerts arrived, each once, through {stage.relay.posts} posts"


def spool_damaged(stage: Stage, case: Case) -> str:
    """The courier dies and a piece of its spool is torn, as a power cut would leave it; what was whole arrives."""
    with stage.scene(case) as scene:
        stage.relay.manner = Manner.GONE
        paths = _bad_files(scene)
        scene.until(lambda: {str(path) for path in paths} <= _waiting(scene), "the alerts are on the disk")
        (courier,) = scene.live.pids("courier")
        scene.live.signal(courier, 19)
        last = max(scene.live.state.spool.glob("*.segment"))
        with last.open("ab") as file:
            file.write(b"\x07" * 777)
        for stray in ("0000.unfinished", "nonsense.segment"):
            (scene.live.state.spool / stray).write_bytes(b"what is this")
            os.chown(scene.live.state.spool / stray, UID_COURIER, UID_COURIER)
        scene.live.signal(courier, 9)
        scene.until(lambda: scene.live.pids("courier") not in ([], [courier]), "another courier")
        stage.relay.manner = Manner.HONEST
        more = _bad_files(scene)
        scene.until(lambda: {str(path) for path in paths + more} <= scene.arrived(), "all alerts arrive")
        return f"{len(paths)} alerts before the torn end and {len(more)} after it arrived"


def store_damaged(stage: Stage, case: Case) -> str:
    """Every record of the content store is bent or cut while the sensor is down; it starts, and protects."""
    with stage.scene(case, load=False) as scene:
        scene.case.need("it protects before", holds=scene.refuses())
        content.load(scene, release_of(RULE + content.OTHER_RULE, "another", "live_test", version=2))
        chance = random.Random(9)
        live = scene.live
        if live.sensor is None:
            raise RuntimeError("a scene without a sensor")
        live.sensor.stop()
        live.sensor.close()
        began = time.monotonic()
        bent = 0
        for path in _files_below(live.state.content):
            data = bytearray(path.read_bytes())
            if data:
                data[chance.randrange(len(data))] ^= 0x80
                path.write_bytes(bytes(data[: chance.randrange(1, len(data) + 1)]))
                bent += 1
        live._start()  # noqa: SLF001 - the same start that every other scene has
        seconds = scene.protected_again(began)
        return f"{bent} files of the store bent and cut; bad files refused {seconds:.2f} s after the start began"


def server_clock_jumps(stage: Stage, case: Case) -> str:
    """A host's records are taken in the order of their numbers, whatever the server's clock says.

    The host itself measures every wait with the monotonic clock, which nobody can set; the simulations of `tests/sim`
    move its wall clock, because here there is only the machine's own.
    """
    with stage.scene(case) as scene:
        arrived = 0
        try:
            for jump_ms in JUMPS_MS:
                stage.clock.write_text(str(jump_ms))
                paths = _bad_files(scene)
                scene.until(lambda: {str(path) for path in paths} <= scene.arrived(), "all alerts arrive")  # noqa: B023
                arrived += len(paths)
        finally:
            stage.clock.write_text("0")
        return f"{arrived} alerts arrived while the server's clock went ten years ahead, a day back, and home again"


def _files_below(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file() and path.name != "identity.json")


def _bad_files(scene: Scene) -> list[Path]:
    """Bad files, each refused."""
    paths = [scene.live.fresh(BAD) for _ in range(ALERTS)]
    for path in paths:
        scene.case.need("each bad file is refused", holds=scene.open(path))
    return paths


def _waiting(scene: Scene) -> set[str]:
    scene.look_into_the_spool()
    return set(scene.acknowledged)
