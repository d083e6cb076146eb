"""The starter release that the package carries, built from `content/starter` by `make content`.

It is also the baseline: what a host falls back to when nothing else can be used.
"""

from importlib.resources import files
from typing import Final

STARTER_RELEASE_NAME: Final = "starter.release"


def starter_release() -> bytes:
    """The bytes of the packaged starter release."""
    return files(__name__).joinpath(STARTER_RELEASE_NAME).read_bytes()
