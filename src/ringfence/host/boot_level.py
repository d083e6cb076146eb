"""What the boot guard orders for this boot, read by the sensor.

The guard leaves its order in a file below `/run`, which is gone with the boot.  Whoever takes it first leaves a mark
beside it: a sensor that is started again in the same boot has not met another boot.
"""

import os
from dataclasses import dataclass
from typing import Final

from ringfence.model.boot import BootOrder, Level, Reason
from ringfence.model.errors import DiskFull, FrameRefused
from ringfence.model.limits import STATE_MARKER_BYTES_MAX
from ringfence.wire.boot_record import decode_order, encode_order

ORDER: Final = "order"
OFF: Final = "off"
"""A file of this name beside the order: the service is not to be started at all."""

_TAKEN: Final = "taken"
CAREFULLY: Final = BootOrder(Level.NORMAL, clean=False, careful=True, reason=Reason.UNWRITABLE)
"""Where there should be an order and is none that can be read."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The order, and whether this is the first start of the sensor in its boot."""

    order: BootOrder
    begun: bool


def take(directory: str) -> Taken:
    """The order in the guard's directory below `/run`.  Never raises: without an order, be careful."""
    order = peek(directory)
    try:
        os.close(os.open(f"{directory}/{_TAKEN}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        level = Level.OFF if order.level is Level.OFF else Level.NORMAL
        return Taken(BootOrder(level, clean=True, careful=order.careful, reason=order.reason), begun=False)
    except OSError:
        pass  # nobody can leave a mark: a start too many is taken for a boot, which is the careful side
    return Taken(order, begun=True)


def peek(directory: str) -> BootOrder:
    """The same without taking it."""
    try:
        with open(f"{directory}/{ORDER}", "rb") as file:
            return decode_order(file.read(STATE_MARKER_BYTES_MAX))
    except (OSError, FrameRefused):
        return CAREFULLY


def leave(directory: str, order: BootOrder) -> None:
    """Give an order to the sensor that starts next.  Raises DiskFull."""
    part = f"{directory}/{ORDER}.part"
    try:
        os.makedirs(directory, mode=0o755, exist_ok=True)
        with open(part, "wb") as file:
            file.write(encode_order(order))
        os.replace(part, f"{directory}/{ORDER}")
        if order.level is Level.OFF:
            os.close(os.open(f"{directory}/{OFF}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        else:
            _remove(f"{directory}/{OFF}")
        _remove(f"{directory}/{_TAKEN}")
    except OSError as error:
        raise DiskFull(f"{directory} cannot be written: {error.strerror}", "free memory: /run lives there") from error


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass  # that is how it should be
