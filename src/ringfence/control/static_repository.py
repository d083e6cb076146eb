"""The published repository over HTTP: `GET /repository/metadata/…` and `/repository/targets/…`, for anybody.

Signed and public: a host needs no credential to get the fix.  Raw ASGI, pieces read in a thread, so that a large
release blocks nobody.  Names are a small alphabet without dots at their beginning, and what is no regular file is not
there.
Files that carry their version or digest are for ever; `timestamp.json` is asked for each time.
"""

import asyncio
import os
import re
import stat
from pathlib import Path
from typing import Final

from starlette.types import Receive, Scope, Send

from ringfence.control.repository import CURRENT
from ringfence.model.limits import READ_PIECE_BYTES

PREFIX: Final = "/repository/"
_NAME: Final = re.compile(r"(?:metadata|targets(?:/[a-z]+)?)/[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_TIMESTAMP: Final = "metadata/timestamp.json"
_FOREVER: Final = b"public, max-age=31536000, immutable"
_EACH_TIME: Final = b"no-cache"


class StaticRepository:
    """The ASGI application."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del receive
        method = scope["method"]
        name: str = scope["path"].removeprefix(PREFIX)
        if method not in ("GET", "HEAD"):
            await _short(send, 405, b"only GET and HEAD\n", ((b"allow", b"GET, HEAD"),))
            return
        descriptor = await asyncio.to_thread(self._opened, name) if _NAME.fullmatch(name) else -1
        if descriptor < 0:
            await _short(send, 404, b"there is no such file\n", ((b"cache-control", _EACH_TIME),))
            return
        try:
            await _send_file(send, descriptor, name, with_body=method == "GET")
        finally:
            os.close(descriptor)

    def _opened(self, name: str) -> int:
        """A descriptor of the file, or -1."""
        try:
            descriptor = os.open(
                self._path / CURRENT / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            )
        except OSError:
            return -1
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        return -1


async def _send_file(send: Send, descriptor: int, name: str, *, with_body: bool) -> None:
    size = os.fstat(descriptor).st_size
    headers = [
        (b"content-length", str(size).encode()),
        (b"content-type", b"application/json" if name.endswith(".json") else b"application/octet-stream"),
        (b"cache-control", _EACH_TIME if name == _TIMESTAMP else _FOREVER),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    sent = 0
    while with_body and sent < size:
        piece = await asyncio.to_thread(os.pread, descriptor, min(READ_PIECE_BYTES, size - sent), sent)
        if not piece:
            break  # the file shrank: the answer ends short, and the host asks again
        sent += len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _short(send: Send, status: int, body: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    start = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
