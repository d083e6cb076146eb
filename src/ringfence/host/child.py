"""What every process of the sensor does first and last: adopt its descriptors, say ready, say why it failed."""

import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType

from ringfence.host.channel import Channel, ChannelClosed
from ringfence.model import errors
from ringfence.model.errors import InternalError, RingfenceError
from ringfence.model.limits import FAILURE_BYTES_MAX
from ringfence.wire import catalogue

"""Bytes of a failure's text in a FAILED frame."""


class Arguments:
    """`--name value` pairs from the warden; names may repeat.  No parser library: these processes stay small."""

    def __init__(self, words: Sequence[str]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in zip(words[::2], words[1::2], strict=True):
            self._values.setdefault(name.removeprefix("--"), []).append(value)

    def one(self, name: str) -> str:
        """The value of `name`.  Raises KeyError when it is missing."""
        return self._values[name][0]

    def number(self, name: str) -> int:
        """The value of `name` as a number."""
        return int(self.one(name))

    def every(self, name: str) -> list[str]:
        """Every value of `name`."""
        return self._values.get(name, [])


def run_child(main: Callable[[Arguments, Channel], None]) -> None:
    """Run the program of a child with its arguments and its channel to the warden; leave with its exit status.

    A failure goes to the warden as a FAILED frame: never to a terminal or a log that could block.
    """
    arguments = Arguments(sys.argv[1:])
    warden = Channel.adopt(arguments.number("warden-fd"))

    def fail(error: BaseException) -> None:
        _tell(warden, error)
        os._exit(error.exit_status if isinstance(error, RingfenceError) else 70)

    def thread_failed(hook: threading.ExceptHookArgs) -> None:
        fail(hook.exc_value or RuntimeError("a thread ended"))

    def failed(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        del kind, where
        fail(error)

    threading.excepthook = thread_failed
    sys.excepthook = failed
    try:
        main(arguments, warden)
    except ChannelClosed:
        os._exit(0)  # the warden or the peer is gone: so are we
    except BaseException as error:  # noqa: BLE001 - the last line: whatever it is, the warden hears of it
        fail(error)


def reported(body: bytes) -> RingfenceError:
    """The error that a process reported in a FAILED frame (or an answer): code, what, way out, one a line."""
    code, _, rest = body.decode("utf-8", "replace").partition("\n")
    what, _, way_out = rest.partition("\n")
    kinds = (one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, RingfenceError))
    kind = next((one for one in kinds if one.code == code), InternalError)
    return kind(what or "the sensor ended before it was ready", way_out or "report this with the sensor's version")


def failure_text(error: BaseException) -> bytes:
    """The body of a FAILED frame: code, what, way out, one a line."""
    if isinstance(error, RingfenceError):
        text = f"{error.code}\n{error.what}\n{error.way_out}"
    else:
        lines = traceback.format_exception_only(error)
        what = f"{''.join(lines).strip()} at {' > '.join(_frames(error)[-8:])}"
        text = f"internal\n{what}\nreport this with the sensor's version"
    return text.encode("utf-8", "backslashreplace")[:FAILURE_BYTES_MAX]


def _tell(warden: Channel, error: BaseException) -> None:
    try:
        warden.try_send(catalogue.FAILED, failure_text(error))
    except (ChannelClosed, OSError):
        pass


def _frames(error: BaseException) -> list[str]:
    """Where it happened, without reading source files (a sandboxed process cannot)."""
    found = []
    where = error.__traceback__
    while where is not None:
        found.append(f"{where.tb_frame.f_code.co_name}:{where.tb_lineno}")
        where = where.tb_next
    return found
