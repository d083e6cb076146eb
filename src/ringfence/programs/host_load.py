"""`ringfence host load`: give a running sensor another release, and watch what becomes of it."""

import hashlib
import json
import select
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import typer

from ringfence.host import operator_socket
from ringfence.host.child import reported
from ringfence.model.activation import ActivationState, Stage
from ringfence.model.errors import ContentRefused, NoAnswer
from ringfence.model.limits import LOAD_LOOK_MS, OPERATOR_WAIT_MS
from ringfence.programs.host_activation import ask_activation, named
from ringfence.programs.host_frames import ask_warden
from ringfence.programs.release_file import read_release
from ringfence.wire import catalogue

TRIED: Final = "tried"
GOOD: Final = "good"
REFUSED: Final = "refused"
ENDED: Final = "ended"
"""What becomes of a release: it is still on trial, it is good, it was refused, or its trial ended without a result."""


def command(
    release: Annotated[Path, typer.Argument(help="The release file.", show_default=False)],
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    wait: Annotated[bool, typer.Option("--wait", help="Stay until it is good or refused.")] = False,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Let it run as soon as it compiles, without comparing it first.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Try it although this host has refused it before.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Give a running sensor another release.

    It is decoded and compiled in a sandbox, compared with the active release in the shadow, runs, and is good after its
    soak.  Refused at any stage, the release before goes on.  With --wait the command stays until that is decided, and
    ends with status 65 if it was refused.

    Example: ringfence host load new.release --state /var/lib/ringfence --wait
    """
    data = read_release(release)
    load(state, data, at_once=at_once, forced=force)
    digest = hashlib.sha256(data).hexdigest()
    outcome, stage = follow(state, digest, aloud=not as_json) if wait else look(state, digest)
    if as_json:
        print(json.dumps({"sha256": digest, "outcome": outcome, "stage": stage}))
    else:
        print(_sentence(digest, outcome, stage))
    if outcome == ENDED:
        raise ContentRefused(f"the trial of {digest[:12]} ended without a result", "`ringfence host why` tells more")


def load(state: Path, data: bytes, *, at_once: bool = False, forced: bool = False) -> None:
    """Have a release taken: kept, compiled, and tried.  Raises ContentRefused, DiskFull or NoAnswer."""
    body = catalogue.LOAD_BODY.pack(at_once, forced)
    answer = ask_warden(state, catalogue.LOAD, body, (operator_socket.sealed(data),))
    if answer:
        raise reported(answer)


def look(state: Path, sha256: str) -> tuple[str, str]:
    """What has become of a release, and its stage.  Raises ContentRefused for one that was refused."""
    return outcome_of(ask_activation(state).state, sha256)


def outcome_of(kept: ActivationState, sha256: str) -> tuple[str, str]:
    """The same of a record."""
    if kept.candidate is not None and kept.candidate.release.sha256 == sha256:
        return TRIED, str(kept.candidate.stage)
    if kept.find(sha256) is not None:
        return GOOD, ""
    refusal = kept.refusal_of(sha256)
    if refusal is not None:
        raise ContentRefused(
            f"{named(refusal.release)} was refused ({refusal.reason}): {refusal.text}",
            "the release before goes on; mend the release, give it a higher version and load that",
        )
    return ENDED, ""


def follow(state: Path, sha256: str, *, aloud: bool) -> tuple[str, str]:
    """Wait until it is decided, through the warden's death and the next one's birth.

    Raises as `look`, and NoAnswer when no warden comes back.
    """
    shown, alone_since = "", 0.0
    while True:
        told = ask_activation(state)
        outcome, stage = outcome_of(told.state, sha256)
        if outcome != TRIED:
            return outcome, stage
        if aloud and stage != shown:
            shown = stage
            print(_STAGES[Stage(stage)], file=sys.stderr, flush=True)
        alone_since = 0.0 if told.live is not None else alone_since or time.monotonic()
        if alone_since and time.monotonic() - alone_since > OPERATOR_WAIT_MS / 1000:
            raise NoAnswer("the sensor has ended in the middle of the trial", "start it: the trial goes on then")
        select.select([], [], [], LOAD_LOOK_MS / 1000)


_STAGES: Final = {
    Stage.COMPILING: "compiling, and running its self-tests",
    Stage.SHADOW: "in the shadow: compared with the active release, and nobody listens to it",
    Stage.SOAKING: "it runs, and soaks: the release before is ready to come back",
}


def _sentence(digest: str, outcome: str, stage: str) -> str:
    if outcome == GOOD:
        return f"release {digest[:12]} is good"
    if outcome == TRIED:
        return f"release {digest[:12]} is taken: {_STAGES[Stage(stage)]}"
    return f"the trial of release {digest[:12]} has ended"
