"""Runs the server: opens everything in order, serves until a signal, closes everything in order.

1. The lock on the state directory, then the database's schema, then the clock, then certificates, then the first user.
   Each refuses with an error of the tree before anything is served.
2. uvicorn on a socket that is already listening; TLS only.
3. SIGTERM or SIGINT: live streams end, requests in hand get `SERVER_STOP_S`, the time is written down.
"""

import asyncio
import contextlib
import datetime as dt
import fcntl
import logging
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

import uvicorn

from ringfence.control import enrolment, retention, server_time, users
from ringfence.control.application import Application
from ringfence.control.audit import SERVER_ACTOR, AuditAction, write_audit
from ringfence.control.authentication import Authentication
from ringfence.control.broker import Broker
from ringfence.control.clock import Clock, SteadyClock, wall_clock
from ringfence.control.database import Database
from ringfence.control.listening import PatientProtocol, shown_address
from ringfence.control.metrics import ServerMetrics
from ringfence.control.migrate import migrate
from ringfence.control.online_keys import OnlineKeys
from ringfence.control.repository import CURRENT, Repository
from ringfence.control.services import ConsoleServices
from ringfence.control.state import ServerState
from ringfence.control.tls import prepare_certificates, server_context, write_durably
from ringfence.model.errors import AddressInUse, RingfenceError
from ringfence.model.limits import (
    CLOCK_BACK_TOLERANCE_MS,
    ENROLMENT_TOKEN_LIFE_MS,
    MAINTENANCE_INTERVAL_S,
    SERVER_CONNECTIONS_MAX,
    SERVER_HEADER_BYTES_MAX,
    SERVER_KEEP_ALIVE_S,
    SERVER_STOP_S,
)

_LOG: Final = logging.getLogger(__name__)
_PRIVATE_MODE: Final = 0o600
_EMBEDDED_LABEL: Final = "this machine"
_REACHED_AT: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # looked up, not bound
"""Where a server that listens on every address is reached from its own machine."""


@dataclass(frozen=True, slots=True)
class Started:
    """What the operator is told when the server answers.

    `address` is where this machine reaches it, `listen` where it listens (with the port that it was given).
    `first_password` is None except at the very first start.
    """

    address: str
    listen: str
    ca_certificate: str
    first_password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How to serve.  `names` are further names of this server that hosts and browsers use."""

    state: ServerState
    listener: socket.socket
    names: tuple[str, ...]
    accept_clock: bool
    wall: Clock = wall_clock


def serve(options: ServeOptions, on_started: Callable[[Started], None]) -> None:
    """Serve until SIGTERM or SIGINT.  `on_started` is called once, when requests are being answered.

    Raises `AddressInUse` when another server runs on the same state, and whatever `prepare` refuses.
    """
    with _locked(options.state):
        migrate(options.state.database)
        asyncio.run(_serve(options, on_started))


@contextlib.asynccontextmanager
async def opened_database(state: ServerState) -> AsyncIterator[Database]:
    """The migrated database, for as long as the block runs."""
    database = Database(state.database)
    try:
        yield database
    finally:
        await database.close()


@contextlib.contextmanager
def _locked(state: ServerState) -> Iterator[None]:
    """Hold the state directory's lock."""
    descriptor = os.open(state.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE_MODE)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AddressInUse(
                f"another server runs on {state.directory}", "stop it, or choose another --state directory"
            ) from error
        yield
    finally:
        os.close(descriptor)


async def _serve(options: ServeOptions, on_started: Callable[[Started], None]) -> None:
    """`serve` inside the event loop."""
    state = options.state
    host, port = options.listener.getsockname()[:2]
    async with opened_database(state) as database:
        clock = await server_time.steady_clock(database, options.wall, accept_clock=options.accept_clock)
        names = options.names if host in _REACHED_AT else (host, *options.names)
        await _renew_certificate(database, state, names, clock)
        context = server_context(state.tls)
        first_password = await users.ensure_first_user(database, now_unix_ms=clock())
        await _write_embedded_token(database, state, clock())
        await _write_audit(database, AuditAction.SERVER_STARTED, clock())
        services = ConsoleServices(database, Broker(), Authentication(database, clock), clock)
        metrics = ServerMetrics()
        server = _Server(_configuration(Application(services, metrics, state.repository), context), services.broker)
        upkeep = asyncio.create_task(_maintain(database, state, names, clock, context, metrics))
        started = Started(
            address=f"https://{shown_address(_REACHED_AT.get(host, host), port)}/",
            listen=shown_address(host, port),
            ca_certificate=str(state.tls.ca_certificate),
            first_password=first_password,
        )
        try:
            await server.run_until_signal(options.listener, lambda: on_started(started))
        finally:
            upkeep.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await upkeep
            with contextlib.suppress(RingfenceError):  # a full disk must not turn a clean end into an error
                await _write_audit(database, AuditAction.SERVER_STOPPED, clock())
                await server_time.record_time(database, clock())  # last: no line of the log may be later


class _Server(uvicorn.Server):
    """uvicorn that ends cleanly: exit status 0, live streams told."""

    def __init__(self, config: uvicorn.Config, broker: Broker) -> None:
        super().__init__(config)
        self._broker = broker

    async def run_until_signal(self, listener: socket.socket, on_started: Callable[[], None]) -> None:
        """Serve on `listener` until SIGTERM or SIGINT; a second one does not wait for anybody."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        try:
            # `serve` would put its own handlers in place and end by the signal, not by a status.
            self._on_started = on_started
            await self._serve([listener])
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, then say so."""
        await super().startup(sockets)
        self._on_started()

    def _stop(self) -> None:
        """The first signal ends politely, the second at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._broker.close()


def _configuration(application: Application, context: ssl.SSLContext) -> uvicorn.Config:
    """The settings of uvicorn: within our bounds, without its log, its guesses about proxies and its name."""
    return uvicorn.Config(
        application,
        http=PatientProtocol,
        interface="asgi3",
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=SERVER_CONNECTIONS_MAX,
        timeout_keep_alive=SERVER_KEEP_ALIVE_S,
        timeout_graceful_shutdown=SERVER_STOP_S,
        h11_max_incomplete_event_size=SERVER_HEADER_BYTES_MAX,
        ssl_context_factory=lambda _config, _default: context,
    )


async def _maintain(
    database: Database,
    state: ServerState,
    names: tuple[str, ...],
    clock: SteadyClock,
    context: ssl.SSLContext,
    metrics: ServerMetrics,
) -> None:
    """Remove old rows, renew the certificate, write down the time; for ever.  A failure is logged and tried again."""
    is_behind = False
    while True:
        await asyncio.to_thread(_renew_repository, state, clock())
        try:
            await server_time.record_time(database, clock())
            metrics.rows_removed.inc(await retention.remove_old_rows(database, now_unix_ms=clock()))
            if await _renew_certificate(database, state, names, clock):
                context.load_cert_chain(state.tls.certificate, state.tls.key)
            behind_ms = clock.behind_ms()
            metrics.clock_behind_seconds.set(behind_ms / 1000)
            if behind_ms > CLOCK_BACK_TOLERANCE_MS and not is_behind:
                await _write_audit(database, AuditAction.CLOCK_WENT_BACK, clock(), f"by {behind_ms // 1000} s")
            is_behind = behind_ms > CLOCK_BACK_TOLERANCE_MS
        except Exception:  # noqa: BLE001  # whatever it was, the server goes on and tries again
            _LOG.exception("the server's upkeep failed and will be tried again")
        await asyncio.sleep(MAINTENANCE_INTERVAL_S)


def _renew_repository(state: ServerState, now_unix_ms: int) -> None:
    """Sign the server's own roles anew where that is due.  What it cannot do is logged, and hosts warn days ahead."""
    now = dt.datetime.fromtimestamp(now_unix_ms // 1_000, dt.UTC)
    try:
        if (state.repository / CURRENT).is_symlink():
            Repository(state.repository, OnlineKeys(state.online_keys)).renew(now)
    except (RingfenceError, OSError):
        _LOG.exception("the repository was not renewed and will be tried again; hosts go on with what they have")


async def _renew_certificate(database: Database, state: ServerState, names: tuple[str, ...], clock: Clock) -> bool:
    """Make certificates where needed, and say so in the audit log."""
    is_new = await asyncio.to_thread(prepare_certificates, state.tls, names=names, now_unix_ms=clock())
    if is_new:
        await _write_audit(database, AuditAction.CERTIFICATE_ISSUED, clock(), " ".join(names))
    return is_new


async def _write_embedded_token(database: Database, state: ServerState, now_unix_ms: int) -> None:
    """Leave a token for the one host that shares this state directory; the one from the last start is void."""
    await enrolment.forget_tokens(database, label=_EMBEDDED_LABEL)
    token = await enrolment.create_token(
        database, label=_EMBEDDED_LABEL, life_ms=ENROLMENT_TOKEN_LIFE_MS, uses=1, now_unix_ms=now_unix_ms
    )
    write_durably(state.enrolment_token, token.encode(), _PRIVATE_MODE)


async def _write_audit(database: Database, action: AuditAction, now_unix_ms: int, detail: str = "") -> None:
    """One line of the audit log about the server itself."""
    async with database.writing() as connection:
        await write_audit(connection, action, SERVER_ACTOR, subject="server", detail=detail, at_unix_ms=now_unix_ms)
