"""`ringfence server`: the control plane in one process, and the few things that only its machine's owner may do."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ringfence.control.listening import listen, parse_address
from ringfence.control.state import ServerState, open_state
from ringfence.model.errors import UsageRefused
from ringfence.model.limits import API_TOKEN_LIFE_MS, ENROLMENT_TOKEN_LIFE_MAX_MS, ENROLMENT_TOKEN_USES_MAX

if TYPE_CHECKING:
    from ringfence.control.database import Database
    from ringfence.control.serve import Started

_HOUR_MS: Final = 3_600_000
_PRIVATE_UMASK: Final = 0o077


def command(
    state: Annotated[Path, typer.Option(help="The state directory; made when it is missing.", show_default=False)],
    listen_at: Annotated[str, typer.Option("--listen", help="HOST:PORT to answer on; port 0 takes a free one.")] = (
        "127.0.0.1:8443"
    ),
    name: Annotated[
        list[str] | None, typer.Option(help="A further name or address for the certificate; may be repeated.")
    ] = None,
    enrolment_token: Annotated[
        bool, typer.Option("--enrolment-token", help="Print a token with which hosts enrol, and end.")
    ] = False,
    uses: Annotated[int, typer.Option(min=1, max=ENROLMENT_TOKEN_USES_MAX, help="Hosts the token may enrol.")] = 1,
    hours: Annotated[
        int, typer.Option(min=1, max=ENROLMENT_TOKEN_LIFE_MAX_MS // _HOUR_MS, help="Life of the token.")
    ] = 24,
    add_user: Annotated[str, typer.Option(metavar="NAME", help="Add a user, print the password, and end.")] = "",
    role: Annotated[str, typer.Option(help="administrator, analyst or reader, for --add-user.")] = "analyst",
    reset_password: Annotated[
        str, typer.Option(metavar="NAME", help="Give a user a new password, print it, and end.")
    ] = "",
    api_token: Annotated[
        str, typer.Option(metavar="NAME", help="Print an API token that acts as a user, and end.")
    ] = "",
    accept_clock: Annotated[
        bool, typer.Option("--accept-clock", help="The clock is right although it went back; once.")
    ] = False,
    ready_fd: Annotated[int, typer.Option(hidden=True)] = -1,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of words.")] = False,
) -> None:
    r"""Run the control plane: hosts' records in, API and console out.

    The first start prints the password of the user `admin`, once. Hosts enrol with a token.

    \b
    Examples:
      ringfence server --state /var/lib/ringfence --listen 10.0.0.5:8443
      ringfence server --state /var/lib/ringfence --enrolment-token --uses 50
    """
    os.umask(_PRIVATE_UMASK)
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="ringfence server: %(levelname)s: %(message)s")
    asked = [
        word
        for word, is_asked in (
            ("enrolment-token", enrolment_token),
            ("add-user", add_user),
            ("reset-password", reset_password),
            ("api-token", api_token),
        )
        if is_asked
    ]
    if len(asked) > 1:
        raise UsageRefused(f"--{asked[0]} and --{asked[1]} cannot go together", "ask for one thing at a time")
    if not asked:
        _serve(open_state(state), listen_at, tuple(name or ()), ready_fd, accept_clock=accept_clock, as_json=as_json)
        return
    makers: dict[str, Callable[[Database, int], Awaitable[str]]] = {
        "enrolment-token": lambda database, now: _enrolment_token(database, now, uses, hours),
        "add-user": lambda database, now: _add_user(database, now, add_user, role),
        "reset-password": lambda database, now: _reset_password(database, now, reset_password),
        "api-token": lambda database, now: _api_token(database, now, api_token),
    }
    secret = asyncio.run(_made(open_state(state), makers[asked[0]]))
    print(json.dumps({asked[0].replace("-", "_"): secret}) if as_json else secret)


def _serve(
    state: ServerState, listen_at: str, names: tuple[str, ...], ready_fd: int, *, accept_clock: bool, as_json: bool
) -> None:
    """Serve until a signal."""
    # The address comes first: a port in use is said at once, before anything is loaded or changed.
    listener = listen(*parse_address(listen_at))
    from ringfence.control.serve import ServeOptions, serve  # noqa: PLC0415

    def announce(started: "Started") -> None:
        _announce(started, as_json=as_json)
        if ready_fd >= 0:
            os.write(ready_fd, b"1")
            os.close(ready_fd)

    serve(ServeOptions(state, listener, names, accept_clock), announce)


def _announce(started: "Started", *, as_json: bool) -> None:
    """Say where the server is and, at the first start, how to log in."""
    if as_json:
        print(
            json.dumps(
                {
                    "address": started.address,
                    "listen": started.listen,
                    "ca_certificate": started.ca_certificate,
                    "first_user": "admin" if started.first_password else None,
                    "first_password": started.first_password,
                }
            ),
            flush=True,
        )
        return
    print(f"console: {started.address}", flush=True)
    if started.first_password:
        print(f"first login: user admin, password {started.first_password} (shown only this once)", flush=True)


async def _made(state: ServerState, make: "Callable[[Database, int], Awaitable[str]]") -> str:
    """Open the database, make one thing and return its secret.  A running server need not stop."""
    from ringfence.control.clock import wall_clock  # noqa: PLC0415  # loaded only where the database is
    from ringfence.control.migrate import migrate  # noqa: PLC0415
    from ringfence.control.serve import opened_database  # noqa: PLC0415

    migrate(state.database)
    async with opened_database(state) as database:
        return await make(database, wall_clock())


async def _enrolment_token(database: "Database", now_unix_ms: int, uses: int, hours: int) -> str:
    """A token that enrols `uses` hosts within `hours`."""
    from ringfence.control import enrolment  # noqa: PLC0415

    return await enrolment.create_token(
        database, label="command line", life_ms=hours * _HOUR_MS, uses=uses, now_unix_ms=now_unix_ms
    )


async def _add_user(database: "Database", now_unix_ms: int, name: str, role: str) -> str:
    """A new user's password."""
    from ringfence.control import users  # noqa: PLC0415
    from ringfence.control.views import Role  # noqa: PLC0415

    if role not in tuple(Role):
        raise UsageRefused(f"{role!r} is no role", f"choose one of {', '.join(Role)}")
    password = users.new_password()
    await users.create_user(database, name=name, password=password, role=Role(role), now_unix_ms=now_unix_ms)
    return password


async def _reset_password(database: "Database", now_unix_ms: int, name: str) -> str:
    """A user's new password."""
    from ringfence.control import users  # noqa: PLC0415

    return await users.reset_password(database, name=name, now_unix_ms=now_unix_ms)


async def _api_token(database: "Database", now_unix_ms: int, name: str) -> str:
    """A token that acts as a user."""
    from ringfence.control import users  # noqa: PLC0415

    return await users.create_api_token(
        database, name=name, label="command line", life_ms=API_TOKEN_LIFE_MS, now_unix_ms=now_unix_ms
    )
