"""The console's style sheets and scripts: read once at start, served under names that hold their hash.

A name changes with its content, so browsers keep a file for good and never mix two versions.  Nothing is read from the
disk while a request waits, and there is no path to traverse: the names are a closed table.
"""

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_HASH_DIGITS: Final = 16
_FOREVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, its type, and the address that names both."""

    content: bytes
    media_type: str
    address: str


class Assets:
    """Every static file of the console by its name below `static/`."""

    def __init__(self) -> None:
        self._by_name = {name: _asset(name, content) for name, content in _walk(_static(), "")}
        self._by_address = {asset.address: asset for asset in self._by_name.values()}

    @property
    def has_libraries(self) -> bool:
        """Whether the libraries from npm were built in; without them the pages work as plain pages."""
        return "vendor/htmx.min.js" in self._by_name and "vendor/uPlot.iife.min.js" in self._by_name

    def address(self, name: str) -> str:
        """The address of a file.  Raises `KeyError` for a name that does not exist: a slip in a template."""
        return self._by_name[name].address

    async def respond(self, request: Request) -> Response:
        """Answer a request for a file."""
        asset = self._by_address.get(request.url.path)
        if asset is None:
            return Response("There is no such file.\n", status_code=404, media_type="text/plain")
        return Response(asset.content, media_type=asset.media_type, headers={"cache-control": _FOREVER})


def _static() -> Traversable:
    return files("ringfence.control.console") / "static"


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    """Every file below `folder` whose type is in the table, with its relative name."""
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = prefix + entry.name
        if entry.is_dir():
            found += _walk(entry, f"{name}/")
        elif _suffix(name) in _MEDIA_TYPES:
            found.append((name, entry.read_bytes()))
    return found


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]


def _asset(name: str, content: bytes) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:_HASH_DIGITS]
    return Asset(content, _MEDIA_TYPES[_suffix(name)], f"/static/{digest}/{name}")
