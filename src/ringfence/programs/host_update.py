"""`ringfence host update`: look for signed content now."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ringfence.host import operator_socket
from ringfence.host.sensor_state import require_sensor
from ringfence.model.errors import NoAnswer, PathRefused, SignatureRefused
from ringfence.model.limits import OPERATOR_WAIT_MS
from ringfence.model.update import UpdateOutcome, UpdateReport
from ringfence.wire import catalogue
from ringfence.wire.update_frames import decode_report

_WORDS = {
    UpdateOutcome.CURRENT: "nothing new",
    UpdateOutcome.OFFERED: "a new release is being tried (`ringfence host why` follows it)",
    UpdateOutcome.UNREACHABLE: "nobody answered; it is tried again by itself",
}


def command(
    state: Annotated[Path, typer.Option(help="The state directory of the sensor.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Look for signed content now, instead of at the next turn.  What is found is tried before it is believed.

    Example: ringfence host update --state /var/lib/ringfence
    """
    path = str(require_sensor(state).socket)
    received = operator_socket.ask(path, catalogue.LOOK, wait_ms=OPERATOR_WAIT_MS)
    if received is None:
        raise NoAnswer(
            f"the look did not end within {OPERATOR_WAIT_MS // 1000} s",
            "it goes on by itself; `ringfence host why` tells what came of it",
        )
    if not received.frame.body:
        raise PathRefused(
            f"{state}: this host trusts no root, or its look died",
            "name the first root with `ringfence host trust FILE`, and see the host's events",
        )
    report = decode_report(received.frame.body)
    _refuse(report)
    if as_json:
        facts = {"outcome": report.outcome.name.lower(), "expires_at": _shown_expiry(report), "detail": report.detail}
        print(json.dumps(facts))
    else:
        print(f"{_WORDS[report.outcome]}: {report.detail}")
        print(f"the signed metadata holds until {_shown_expiry(report)}")


def _shown_expiry(report: UpdateReport) -> str:
    if not report.expires_at_s:
        return "unknown"
    return f"{datetime.fromtimestamp(report.expires_at_s, UTC):%Y-%m-%d %H:%M} UTC"


def _refuse(report: UpdateReport) -> None:
    if report.outcome not in _WORDS:
        raise SignatureRefused(
            report.detail, "the running release stays; look at the server, or at what stands between it and this host"
        )
