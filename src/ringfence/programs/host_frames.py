"""What the `host` commands share: one question to the running warden."""

from pathlib import Path

from ringfence.host import operator_socket
from ringfence.host.sensor_state import require_sensor
from ringfence.model.errors import NoAnswer
from ringfence.model.limits import OPERATOR_QUICK_WAIT_MS, OPERATOR_WAIT_MS
from ringfence.wire import catalogue


def ask_warden(state: Path, frame_type: int, body: bytes = b"", descriptors: tuple[int, ...] = ()) -> bytes:
    """The body of the warden's answer.  Raises PathRefused when none runs, NoAnswer when it does not answer."""
    wait_ms = OPERATOR_WAIT_MS if frame_type == catalogue.LOAD else OPERATOR_QUICK_WAIT_MS
    received = operator_socket.ask(str(require_sensor(state).socket), frame_type, body, descriptors, wait_ms)
    if received is None:
        raise NoAnswer(
            f"the warden of {state} did not answer within {wait_ms // 1000} s",
            "look with `ps` whether it is stopped (state T): continue it with `kill -CONT`, or end it with "
            "`kill -KILL`, and `ringfence up` starts another",
        )
    return received.frame.body
