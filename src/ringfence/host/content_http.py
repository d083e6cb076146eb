"""Files of a repository over HTTP, one at a time, in pieces, within bounds.  Transport only: nothing here is believed.

Bounded: each silence by `FETCH_SILENCE_S`, the whole by `FETCH_WHOLE_S` and the length, the bytes by what the caller
allows.  No redirect is followed, no proxy asked, no encoding taken.  `abort` ends an exchange from another thread,
whatever it waits for.
"""

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from ringfence.model import limits

_OK: Final = 200
_MIB: Final = 1_048_576


class NotServed(Exception):
    """The server answered with another status than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answered {status}")
        self.status = status


class NotFetched(Exception):
    """No connection, no answer in time, or more bytes than allowed."""


class ContentHttp:
    """Fetches from one server.  Not thread-safe, except `abort`."""

    def __init__(self, server: str, context: ssl.SSLContext | None) -> None:
        """Talk to `server` (http or https://host:port); `context` says whom to trust with https."""
        parts = urlsplit(server)
        self._https = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._context = context
        self._connection: http.client.HTTPConnection | None = None
        self._aborted = False

    def get(self, path: str, bytes_max: int) -> Iterator[bytes]:
        """The pieces of the file at `path`.  Raises NotServed or NotFetched, also in the middle."""
        deadline = time.monotonic() + whole_wait_s(bytes_max)
        self._aborted = False
        try:
            yield from self._get(path, bytes_max, deadline)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise NotFetched(f"{type(error).__name__}: {error}") from error
        except GeneratorExit:
            self.close()  # the rest of the answer is still on its way
            raise

    def _get(self, path: str, bytes_max: int, deadline: float) -> Iterator[bytes]:
        response = self._answer(path)
        if response.status != _OK:
            self.close()
            raise NotServed(response.status)
        if response.length is not None and response.length > bytes_max:
            self.close()
            raise NotFetched(f"{response.length} bytes where {bytes_max} are allowed")
        taken = 0
        while piece := response.read1(limits.FETCH_PIECE_BYTES):
            taken += len(piece)
            if taken > bytes_max:
                self.close()
                raise NotFetched(f"more than the {bytes_max} bytes allowed")
            if time.monotonic() > deadline:
                self.close()
                raise NotFetched(f"not whole after {whole_wait_s(bytes_max)} s")
            yield piece
        if self._aborted:  # without a length, an end that we made looks like one that the server meant
            raise NotFetched("ended, because it took too long")
        if response.length:  # what read1 does not tell: the connection ended before the file did
            self.close()
            raise NotFetched(f"{response.length} bytes are missing")
        if response.will_close:
            self.close()

    def _answer(self, path: str) -> http.client.HTTPResponse:
        """The head of the answer.  A kept connection that has ended meanwhile is opened anew once."""
        kept = self._connection is not None
        try:
            return self._asked(path)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if not kept or isinstance(error, TimeoutError):
                raise
        return self._asked(path)

    def _asked(self, path: str) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = self._connected()
        self._connection.request("GET", path, headers={"Accept-Encoding": "identity"})
        return self._connection.getresponse()

    def _connected(self) -> http.client.HTTPConnection:
        if not self._https:
            return http.client.HTTPConnection(self._host, self._port, timeout=limits.FETCH_SILENCE_S)
        return http.client.HTTPSConnection(
            self._host, self._port, timeout=limits.FETCH_SILENCE_S, context=self._context
        )

    def abort(self) -> None:
        """End what is being waited for, from another thread."""
        self._aborted = True
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def whole_wait_s(bytes_max: int) -> int:
    """How long a file of at most so many bytes may take."""
    return limits.FETCH_WHOLE_S + limits.FETCH_SECONDS_PER_MIB * bytes_max // _MIB
