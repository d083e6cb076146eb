"""Writing a file whole or not at all, and private from its first byte where it is to be private."""

import os
from pathlib import Path

from ringfence.model.errors import PathRefused


def write_whole(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` beside `path`, durably, and put it in its place: there is never half a file.  Raises PathRefused."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise PathRefused(
            f"{path} cannot be written: {error.strerror}", "name a file in a directory of yours, with room"
        ) from error
