"""A release that somebody with every key has made on purpose, unproven, on a host whose policy allows that.

The host enforces, and works.  The release runs at once, which is the worst that an operator can order, or goes the
ordinary way through the shadow.  What counts is the time until the release before runs again and does its work, and
that no open waited longer than promised meanwhile.
"""

import hashlib
import time
from typing import Final

from tests.support.live_sensor import BAD, release_of

from faults.outcome import PROTECTED_AGAIN_S_MAX, Case
from faults.stage import Scene, Stage
from ringfence.model.errors import ContentRefused
from ringfence.model.release import Contract

OLD_FILES: Final = {f"old-{number}": b"as old as the hills %d" % number for number in range(60)}
EVERYTHING: Final = "rule everything { condition: filesize >= 0 }\n"
EVERYTHING_HANGS: Final = """import "math"
rule everything { condition: for all i in (0..1 << 60) : (math.entropy(0, filesize) >= 0) }
"""
WILFUL: Final = {"blocks everything": EVERYTHING, "hangs on everything": EVERYTHING_HANGS}


def release(source: str) -> bytes:
    """The bad release: newer than the one that runs."""
    contract = Contract(("math",), ()) if "math" in source else Contract((), ())
    return release_of(source, "everything", version=2, contract=contract)


def bad_release(stage: Stage, case: Case, source: str, *, at_once: bool) -> str:
    """Load it, work, and see how long it lasts."""
    with stage.scene(case, files=OLD_FILES) as scene:
        scene.may_be_convicted = scene.may_be_refused = True  # this one rightly
        before = scene.live.runs()
        bad = release(source)
        digest = hashlib.sha256(bad).hexdigest()
        began = time.monotonic()
        try:
            scene.live.load(bad, at_once=at_once)
        except ContentRefused as refused:
            return _never_ran(scene, before, str(refused))
        ran = scene.live.runs() == digest
        refused_harmless = _work_until_back(scene, before, digest, ran=ran)
        back_s = time.monotonic() - began
        if ran:  # a release that never runs leaves the one before at its work, however long it is tried
            scene.figures.protected_again(back_s)
        scene.until(lambda: scene.live.open(scene.live.fresh(BAD)).refused, "bad files are refused")
        case.need("harmless files are read", holds=not scene.open(scene.live.fresh()))
        case.need(f"it took {back_s:.1f} s", holds=not ran or back_s <= PROTECTED_AGAIN_S_MAX)
        reason = scene.live.refusal(digest)
        case.need("it is refused for good", holds=bool(reason))
        how = "ran, and" if ran else "never ran, and"
        return f"it {how} {refused_harmless} harmless opens were refused; back after {back_s:.1f} s: {reason[:60]}"


def _work_until_back(scene: Scene, before: str, digest: str, *, ran: bool) -> int:
    """Open old files again and again until the release before runs; how many opens were refused."""
    refused = 0
    names = sorted(OLD_FILES)
    until = time.monotonic() + 4 * PROTECTED_AGAIN_S_MAX
    number = 0
    while time.monotonic() < until:
        refused += scene.open(scene.live.tree / names[number % len(names)])
        number += 1
        if not ran and scene.live.runs() == before:
            scene.case.need("bad files are refused while the release before runs", holds=scene.refuses())
        if scene.live.runs() == before and not scene.live.stage_of(digest) and _is_over(scene):
            return refused
    scene.case.need("the release before runs again", holds=False)
    return refused


def _is_over(scene: Scene) -> bool:
    """Whether the old release does its work."""
    return scene.refuses() and not scene.open(scene.live.fresh())


def _never_ran(scene: Scene, before: str, why: str) -> str:
    scene.case.need("the release before runs", holds=scene.live.runs() == before)
    scene.case.need("bad files are refused", holds=scene.refuses())
    return f"refused before it ran: {why[:90]}"
