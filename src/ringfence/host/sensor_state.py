"""The sensor's part of a state directory: `DIR/host/`, `DIR/content/`, and the binds that a start has made."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringfence.host import places
from ringfence.host.durable import write_durably
from ringfence.host.processes import UID_COURIER
from ringfence.model.errors import DiskFull, PathRefused
from ringfence.model.limits import BIND_LINE_BYTES_MAX

_PASSABLE: Final = 0o711
"""Others may pass through, not list: the courier, who is nobody else's user, reaches its own spool and no more."""


@dataclass(frozen=True, slots=True)
class SensorState:
    """Where the sensor keeps what it must not forget."""

    directory: Path

    @property
    def socket(self) -> Path:
        """The warden's control socket."""
        return self.directory / "host" / "warden.sock"

    @property
    def spool(self) -> Path:
        """The courier's spool."""
        return self.directory / "host" / "spool"

    @property
    def identity(self) -> Path:
        """Who this host is to its server."""
        return self.directory / "host" / "identity.json"

    @property
    def binds(self) -> Path:
        """Directories that were bind-mounted onto themselves, with a zero byte between them: the only byte that no
        path has.
        """
        return self.directory / "host" / "binds"

    @property
    def mode(self) -> Path:
        """What `ringfence host mode` said last."""
        return self.directory / "host" / "mode"

    @property
    def content(self) -> Path:
        """All about releases: the record of activation, what the breaker has tripped, the mark of an orderly end."""
        return self.directory / "content"

    @property
    def releases(self) -> Path:
        """The releases that are kept, by digest."""
        return self.content / "releases"

    @property
    def activation_record(self) -> Path:
        """Which releases are good, tried and refused."""
        return self.content / "activation.record"

    @property
    def inherited_release(self) -> Path:
        """What a version before kept as the one release in use: it is offered to this one, and then goes."""
        return self.content / "active.release"

    def prepare(self) -> None:
        """Make the directories.  Raises PathRefused, or DiskFull."""
        try:
            for directory in (self.socket.parent, self.content, self.releases, self.spool):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.directory.chmod(_PASSABLE)
            self.socket.parent.chmod(_PASSABLE)
            os.chown(self.spool, UID_COURIER, UID_COURIER)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    f"no room below {self.directory}", "free some space on that file system and start again"
                ) from error
            raise PathRefused(
                f"{self.directory} cannot be the state directory: {error.strerror}",
                "name a directory on a file system of this machine that root may write to",
            ) from error

    def bind(self, paths: list[str]) -> None:
        """Bind-mount directories onto themselves; written down first, if there is room.  Raises PathRefused."""
        if not paths:
            return
        try:
            write_durably(self.binds, b"\0".join(os.fsencode(path) for path in paths))
        except DiskFull:
            pass  # a start that is cut off leaves its binds for the next one, which marks them as they are
        for path in paths:
            places.bind(path)

    def unbind(self, made: Sequence[str] = ()) -> None:
        """Remove the binds of this start (`made`: it knows them where there was no room for the list), or of one that
        was cut off.
        """
        try:
            paths = self.binds.read_bytes().split(b"\0")
        except FileNotFoundError:
            paths = [os.fsencode(path) for path in made]
        for path in reversed(paths):  # a bind may lie over an earlier one, which can only be reached after it
            if path.startswith(b"/") and len(path) <= BIND_LINE_BYTES_MAX:
                places.unbind(os.fsdecode(path))
        self.binds.unlink(missing_ok=True)


def require_sensor(directory: Path) -> SensorState:
    """The state of a sensor that runs or has run.  Raises PathRefused when the directory is none."""
    state = SensorState(directory)
    if not state.socket.parent.is_dir():
        raise PathRefused(
            f"{directory}: not the state directory of a sensor",
            "name the directory that was given to `ringfence up --state`",
        )
    return state
