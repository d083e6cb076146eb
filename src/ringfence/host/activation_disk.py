"""What the warden writes down: the record of activation, what the breaker has tripped, the mark of an orderly end, and
the operator's mode.

Everything here is replaced as a whole and durably.  What cannot be read says nothing: then the host begins with its
baseline, which is what the record would end in anyway, and a report says so.
"""

import os
from pathlib import Path
from typing import Final

from ringfence.host.durable import write_durably
from ringfence.model.activation import ActivationState
from ringfence.model.conviction import NOT_CONVICTED, Conviction
from ringfence.model.errors import DiskFull, RingfenceError
from ringfence.model.limits import ACTIVATION_RECORD_BYTES_MAX
from ringfence.model.verdict import Mode
from ringfence.wire.activation_record import decode_activation, encode_activation
from ringfence.wire.conviction import RECORD, decode_record, encode_record
from ringfence.wire.mode_record import decode_mode, encode_mode

_BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
_BOOT_ID_BYTES: Final = 64
_RUNS: Final = b" runs\n"
_ENDED: Final = b" ended\n"


class ActivationDisk:
    """The files of `DIR/content` and the mode of `DIR/host`."""

    def __init__(self, content: str, mode: str) -> None:
        self._record = Path(content) / "activation.record"
        self._mark = Path(content) / "boot.mark"
        self._conviction = Path(content) / "active.conviction"
        self._mode = Path(mode)

    def load(self) -> tuple[ActivationState | None, str]:
        """What is known, and what was wrong with the record; (None, ""): there never was one."""
        try:
            data = _read(self._record, ACTIVATION_RECORD_BYTES_MAX)
            return decode_activation(data), ""
        except FileNotFoundError:
            return None, ""
        except (OSError, RingfenceError) as error:
            what = error.what if isinstance(error, RingfenceError) else str(error.strerror)
            _set_aside(self._record)
            return None, what

    def keep(self, state: ActivationState) -> None:
        """Return when `state` would survive the loss of power.  Raises DiskFull."""
        write_durably(self._record, encode_activation(state))

    def begin_life(self) -> tuple[bool, bool]:
        """Whether the life before this one ended in order (or only the warden did), and whether this is the first life
        in this boot of the machine; from now on an end is one that nobody ordered.
        """
        boot = _boot_id()
        try:
            mark = _read(self._mark, 2 * _BOOT_ID_BYTES)
        except OSError:
            mark = b""
        clean = not mark.endswith(_RUNS) or mark == boot + _RUNS
        begun = mark not in (boot + _RUNS, boot + _ENDED)
        self._write_mark(boot + _RUNS)
        return clean, begun

    def end_life(self) -> None:
        """An end in order."""
        self._write_mark(_boot_id() + _ENDED)

    def wanted_mode(self, given: Mode) -> Mode:
        """The operator's last word: of the command that started the sensor, unless `host mode` was said since."""
        try:
            given_then, said = decode_mode(_read(self._mode, _BOOT_ID_BYTES))
        except (OSError, RingfenceError):
            return given
        return said if given_then is given else given

    def conviction_of(self, sha256: str) -> Conviction:
        """What the breaker has tripped for this very release before; a record that cannot be read says nothing."""
        try:
            release, conviction = decode_record(_read(self._conviction, RECORD.size))
        except (OSError, RingfenceError):
            return NOT_CONVICTED
        return conviction if release == sha256 else NOT_CONVICTED

    def keep_conviction(self, sha256: str, conviction: Conviction) -> None:
        """Raises DiskFull."""
        write_durably(self._conviction, encode_record(sha256, conviction))

    def keep_mode(self, given: Mode, said: Mode) -> None:
        """Raises DiskFull."""
        write_durably(self._mode, encode_mode(given, said))

    def _write_mark(self, mark: bytes) -> None:
        try:
            write_durably(self._mark, mark)
        except DiskFull:
            # a full disk: a mark that says "runs" may stay after an orderly end, and counts as one death that was none
            pass


def _boot_id() -> bytes:
    try:
        return _read(Path(_BOOT_ID), _BOOT_ID_BYTES).strip()
    except OSError:
        return b"unknown"


def _read(path: Path, bytes_max: int) -> bytes:
    """At most one byte more than is allowed: then the decoder refuses it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return os.read(descriptor, bytes_max + 1)
    finally:
        os.close(descriptor)


def _set_aside(path: Path) -> None:
    try:
        path.replace(path.with_name(f"{path.name}.damaged"))
    except OSError:
        pass  # read-only: it is found damaged again at the next start
