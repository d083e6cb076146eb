"""The listening socket, and HTTP connections that cannot be held open for nothing."""

import asyncio
import contextlib
import errno
import socket
from typing import Final

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from ringfence.model.errors import AddressInUse, PathRefused, PrivilegeMissing, UsageRefused
from ringfence.model.limits import SERVER_CONNECTIONS_PENDING_MAX, SERVER_IDLE_S

_HIGHEST_PORT: Final = 65_535


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that hangs up on a connection which has no request in hand and has not begun one for `SERVER_IDLE_S`.

    uvicorn's own timer runs between requests only: a head that never ends would hold its connection for ever.
    """

    _idle_timer: asyncio.TimerHandle | None = None
    _last_cycle: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to watch."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to watch."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Look again after `SERVER_IDLE_S`."""
        self._last_cycle = self.cycle
        self._idle_timer = self.loop.call_later(SERVER_IDLE_S, self._look)

    def _look(self) -> None:
        """Hang up, or go on watching."""
        cycle: object = self.cycle  # None before the first request, whatever its annotation says
        is_busy = isinstance(cycle, RequestResponseCycle) and not cycle.response_complete
        if is_busy or cycle is not self._last_cycle:
            self._watch()
        else:
            self.transport.close()


def parse_address(text: str) -> tuple[str, int]:
    """`HOST:PORT` or `[V6]:PORT`.  Raises `UsageRefused`."""
    host, separator, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not separator or not bare or not (port.isascii() and port.isdigit()) or int(port[:6]) > _HIGHEST_PORT:
        raise UsageRefused(f"{text!r} is no address to listen on", "write HOST:PORT, for example 127.0.0.1:8443")
    return bare, int(port)


def shown_address(host: str, port: int) -> str:
    """The address as `parse_address` reads it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.  Raises `AddressInUse`, `PrivilegeMissing` or `PathRefused`, naming the address."""
    shown = shown_address(host, port)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise PathRefused(f"{shown} is no address: {error.strerror}", "name an address of this machine") from error
    with contextlib.ExitStack() as undo:
        listener = undo.enter_context(socket.socket(family, kind, protocol))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(SERVER_CONNECTIONS_PENDING_MAX)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise AddressInUse(
                    f"{shown} is in use by another program", "stop that program, or choose another --listen address"
                ) from error
            if error.errno == errno.EACCES:
                raise PrivilegeMissing(f"{shown} needs root", "choose a port of 1024 or more") from error
            raise PathRefused(
                f"{shown} cannot be listened on: {error.strerror}", "name an address of this machine"
            ) from error
        undo.pop_all()
    listener.setblocking(False)
    return listener
