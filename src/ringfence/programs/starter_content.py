"""The starter release that the package carries, built from `content/starter` by `make content`.

It is also the baseline: what a host uses when nothing else is given or good.  Programs get it here without importing
anything of the author's side.
"""

from importlib.resources import files
from typing import Final

from ringfence.wire.release import decode_release

STARTER_RELEASE: Final = "content_files/starter.release"
"""Where the release stands inside the package."""


def starter_release() -> bytes:
    """The bytes of the packaged starter release."""
    return files("ringfence").joinpath(STARTER_RELEASE).read_bytes()


def version_of(release: bytes) -> int:
    """The version that a release of our own package has.  Raises ContentRefused."""
    return decode_release(release).manifest.version
