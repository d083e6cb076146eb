"""The server's part of a state directory: `DIR/server/`, and who may own it.

The whole directory is `ringfence up`'s as well, so its marker file is checked, and written only when it is missing.
Nothing is created in a directory that is not ours.
"""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringfence import __version__
from ringfence.control.tls import TlsFiles, write_durably
from ringfence.model.errors import DiskFull, PathRefused, StateOwnerForeign, StateVersionForeign
from ringfence.model.limits import STATE_MARKER_BYTES_MAX
from ringfence.wire.canonical import encode

_MARKER: Final = "ringfence-state.json"
_FORMAT: Final = 1
_PRIVATE_DIRECTORY: Final = 0o700
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class ServerState:
    """Where the server keeps what it must not forget."""

    directory: Path

    @property
    def database(self) -> Path:
        """The SQLite database."""
        return self.directory / "ringfence.db"

    @property
    def tls(self) -> TlsFiles:
        """The CA and the certificate."""
        return TlsFiles.below(self.directory)

    @property
    def enrolment_token(self) -> Path:
        """The token with which this machine's own sensor enrols."""
        return self.directory / "enrolment.token"

    @property
    def repository(self) -> Path:
        """The published repository of signed content."""
        return self.directory / "repository"

    @property
    def online_keys(self) -> Path:
        """The keys of the roles that the server signs for."""
        return self.directory / "keys"

    @property
    def lock(self) -> Path:
        """Held by the one server that runs on this directory."""
        return self.directory / "server.lock"


def open_state(directory: Path) -> ServerState:
    """Check the state directory and make the server's part of it.

    Raises `PathRefused` when it cannot be made or is no directory, `StateOwnerForeign` when it belongs to somebody else
    or others may write to it, `StateVersionForeign` when another version made it.
    """
    try:
        directory.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
        _check_owner(directory)
        _check_marker(directory)
        server = directory / "server"
        server.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
        _check_owner(server)
    except OSError as error:
        if error.errno in (28, 122):  # ENOSPC, EDQUOT
            raise DiskFull(
                f"no room below {directory}", "free some space on that file system and start again"
            ) from error
        raise PathRefused(
            f"{directory} cannot be the state directory: {error.strerror}", "name a directory whose parent exists"
        ) from error
    return ServerState(server)


def _check_owner(directory: Path) -> None:
    """Refuse a directory of somebody else, or one that others may write to."""
    found = directory.stat()
    if found.st_uid != os.geteuid():
        raise StateOwnerForeign(
            f"{directory} belongs to uid {found.st_uid}, this is uid {os.geteuid()}",
            "run as its owner, or choose another --state directory",
        )
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise StateOwnerForeign(
            f"others may write to {directory} (mode {stat.S_IMODE(found.st_mode):04o})", f"chmod 0700 {directory}"
        )


def _check_marker(directory: Path) -> None:
    """Refuse a directory that another format made; mark one that is empty or new."""
    marker = directory / _MARKER
    way_out = "use the version that made it, or choose another --state directory"
    if not marker.exists():
        strangers = sorted(
            entry.name for entry in directory.iterdir() if entry.name not in ("boot", "content", "host", "server")
        )
        if strangers:
            raise StateVersionForeign(
                f"{directory} holds files that are not Ringfence's, such as {strangers[0]}",
                "choose an empty or new --state directory",
            )
        write_durably(marker, encode({"created_by": f"ringfence {__version__}", "format": _FORMAT}), 0o644)
        return
    try:
        with marker.open("rb") as source:
            found = json.loads(source.read(STATE_MARKER_BYTES_MAX))
    except ValueError as error:
        raise StateVersionForeign(f"{marker} is damaged", way_out) from error
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise StateVersionForeign(
            f"{directory} has another format than {_FORMAT} (made by {str(found)[:100]})", way_out
        )
