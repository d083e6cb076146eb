"""Reading a release file that the operator named.  Its content is looked at only in a sandbox."""

from pathlib import Path

from ringfence.model.errors import ContentRefused, PathRefused
from ringfence.model.limits import RELEASE_BYTES_MAX


def read_release(path: Path) -> bytes:
    """The bytes of a release.  Raises PathRefused, or ContentRefused for a file that is too large to be one."""
    way_out = "build one with `ringfence content build DIR -o FILE`"
    try:
        with path.open("rb") as file:
            data = file.read(RELEASE_BYTES_MAX + 1)
    except OSError as error:
        raise PathRefused(f"{path}: {error.strerror}", way_out) from error
    if len(data) > RELEASE_BYTES_MAX:
        raise ContentRefused(f"larger than {RELEASE_BYTES_MAX} bytes", way_out, file=str(path))
    return data
