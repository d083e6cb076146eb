"""What the `host` commands share: one question to the running warden."""

from pathlib import Path

from ringfence.host import operator_socket
from ringfence.host.sensor_state import require_sensor
from ringfence.model.errors import MachineError


def ask_warden(state: Path, frame_type: int, body: bytes = b"", descriptors: tuple[int, ...] = ()) -> bytes:
    """The body of the warden's answer.  Raises PathRefused when none runs, MachineError when it does not answer."""
    received = operator_socket.ask(str(require_sensor(state).socket), frame_type, body, descriptors)
    if received is None:
        raise MachineError(
            "the warden does not answer", "see whether it is stopped (`ps`), or end it: the host goes on unprotected"
        )
    return received.frame.body
