"""The starter release that the package carries, built from `content/starter` by `make content`.

It is also the baseline: what a host uses when nothing else is given or good.  Programs get it here without importing
anything of the author's side.
"""

from importlib.resources import files
from typing import Final

STARTER_RELEASE: Final = "content_files/starter.release"
"""Where the release stands inside the package."""


def starter_release() -> bytes:
    """The bytes of the packaged starter release."""
    return files("ringfence").joinpath(STARTER_RELEASE).read_bytes()
