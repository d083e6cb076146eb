"""`ringfence up`: the sensor and the control plane on this machine, in one command, until Ctrl-C."""

import os
import select
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from ringfence.control.state import open_state
from ringfence.host import boot_level, operator_socket
from ringfence.host.places import resolve_all, resolve_closed
from ringfence.host.sensor import Baseline, Sensor, Wanted
from ringfence.host.sensor_state import SensorState
from ringfence.host.service_manager import is_up
from ringfence.model.boot import Level
from ringfence.model.errors import (
    ContentRefused,
    DiskFull,
    InternalError,
    NoAnswer,
    PathRefused,
    PrivilegeMissing,
    RingfenceError,
    UsageRefused,
)
from ringfence.model.limits import (
    BOOT_LOOK_MS,
    BOOT_OVERDUE_S,
    BOOT_SETTLE_S,
    RESTART_BACKOFF_MS_MAX,
    WARDEN_DEATHS_MAX,
)
from ringfence.model.verdict import Mode
from ringfence.programs.embedded_server import EmbeddedServer, NoServer
from ringfence.programs.host_load import load
from ringfence.programs.release_file import read_release
from ringfence.programs.starter_content import starter_release, version_of


def command(
    state: Annotated[Path, typer.Option(help="Where alerts, content and keys are kept.", show_default=False)],
    protect: Annotated[
        list[str],
        typer.Option(help="A directory or mount; `filesystem:PATH` for its whole file system.  May be repeated.",
                     show_default=False),
    ],
    listen: Annotated[str, typer.Option(help="HOST:PORT of the console; port 0 takes a free one.")] = "127.0.0.1:8443",
    mode: Annotated[str, typer.Option(help="observe (alert only) or enforce (refuse malicious files).")] = "enforce",
    content: Annotated[
        Path | None,
        typer.Option(help="A release to try, as `ringfence host load` does; at the first start, to use at once.",
                     show_default=False),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Ask at every open too: also sees reads through mappings, costs more.")
    ] = False,
    fail_closed: Annotated[
        list[str] | None,
        typer.Option(help="Refuse files below this path when there is no verdict in time.  May be repeated."),
    ] = None,
    allow_unproven: Annotated[
        bool,
        typer.Option("--allow-unproven", help="Take releases that nobody has proven with `ringfence content prove`."),
    ] = False,
    no_console: Annotated[
        bool, typer.Option("--no-console", help="Only protect: start no control plane; alerts wait in the spool.")
    ] = False,
    boot_order: Annotated[
        Path | None,
        typer.Option(help="Where the boot guard leaves its order for this boot; the service's unit names it.",
                     show_default=False),
    ] = None,
) -> None:
    """Protect directories of this machine and open the console, until Ctrl-C.

    Prints the console's address (and, once, how to log in), and `ready` when the kernel's questions are being answered.

    Example: ringfence up --state /var/lib/ringfence --protect /srv/www --protect /home --mode observe
    """
    _require_root_and(mode)
    order = None if boot_order is None else boot_level.take(str(boot_order)).order
    if order is not None and order.level is Level.OFF:
        print("ringfence: the sensor is off until somebody says `ringfence host sensor on`", file=sys.stderr)
        return
    directory = state.absolute()
    places, binds = resolve_all(protect)
    closed = resolve_closed(fail_closed or [], places)
    if any(directory == Path(place.path) or Path(place.path) in directory.parents for place in places):
        raise PathRefused(
            f"{directory}: the state directory lies inside what is to be protected",
            "choose a state directory outside, so that the sensor never waits for itself",
        )
    given = None if content is None else read_release(content)
    stopping = _stop_on_signals()
    if order is not None and order.careful and not _machine_is_up(stopping):
        return
    open_state(directory)
    sensor_state = SensorState(directory)
    sensor_state.prepare()
    sensor_state.unbind()
    level = Level.NORMAL if order is None else order.level
    wanted = Wanted(tuple(places), strict, closed, Mode[mode.upper()], level, allow_unproven=allow_unproven)
    server = NoServer() if no_console else EmbeddedServer(directory, listen)
    try:
        sensor_state.bind(binds)
        _run(sensor_state, wanted, given, server, stopping, is_service=boot_order is not None)
    finally:
        sensor_state.unbind(binds)
        server.stop()


def _require_root_and(mode: str) -> None:
    if os.geteuid() != 0:
        raise PrivilegeMissing("only root may answer the kernel's questions", "run it again with sudo or as a service")
    if mode.upper() not in Mode.__members__:
        raise UsageRefused(f"{mode!r} is no mode", "say `observe` or `enforce`")


def _run(
    state: SensorState,
    wanted: Wanted,
    given: bytes | None,
    server: EmbeddedServer | NoServer,
    stopping: int,
    *,
    is_service: bool,
) -> None:
    """Start the sensor, say ready, and keep it alive until told to stop.

    A service protects even if its control plane does not start: nobody sits there to mend that before the machine is
    up.
    """
    # both start at once; the sensor needs no server to protect, so the server may be the slower of the two
    sensor = _protected(state, wanted, given)
    try:
        try:
            for line in server.wait_ready(state.identity):
                print(line, flush=True)
        except (SystemExit, RingfenceError) as error:
            if not is_service:
                raise
            said = error.operator_text() if isinstance(error, RingfenceError) else "ringfence: it has said why above"
            print(f"{said}\nringfence: protection goes on without the control plane", file=sys.stderr, flush=True)
            server.put_off()
        print("ready", flush=True)
        _watch(sensor, server, stopping)
    finally:
        sensor.stop()
        sensor.close()


def _protected(state: SensorState, wanted: Wanted, given: bytes | None) -> Sensor:
    """A sensor that is ready, with the release that its record names, or the baseline; what was given is tried then.

    At the first start there is nothing to compare it with, so it runs at once, and a release that is refused ends the
    start with its error.  Later a refusal costs a warning, never the protection.
    """
    is_first = not state.activation_record.exists()
    baseline = starter_release()
    sensor = Sensor(state, wanted, Baseline(operator_socket.sealed(baseline), version_of(baseline)))
    sensor.wait_ready()
    if given is None and state.inherited_release.exists():
        given, is_first = read_release(state.inherited_release), False
    if given is None:
        return sensor
    try:
        load(state.directory, given, at_once=is_first)
        state.inherited_release.unlink(missing_ok=True)
    except (ContentRefused, DiskFull, NoAnswer) as refused:
        if is_first:
            sensor.stop()
            sensor.close()
            raise
        print(f"ringfence: the release given is not taken ({refused})", file=sys.stderr, flush=True)
    return sensor


def _watch(sensor: Sensor, server: EmbeddedServer | NoServer, stopping: int) -> None:
    """Until a signal.  A warden or a server that dies is started again; only the server for ever."""
    deaths = 0
    while True:
        poll = select.poll()
        for descriptor in (stopping, sensor.fileno(), *server.descriptors()):
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(server.wait_ms())}
        if stopping in ready:
            return
        for line in server.attend(ready):
            print(f"ringfence: {line}", file=sys.stderr, flush=True)
        if sensor.fileno() in ready and not sensor.hear():
            deaths += 1
            if deaths > WARDEN_DEATHS_MAX:
                raise InternalError(
                    f"the warden died {deaths} times",
                    "the machine goes on unprotected; report what `journalctl` or the terminal shows",
                )
            print("ringfence: the warden died; the host is free, starting it again", file=sys.stderr, flush=True)
            _pause(stopping, deaths)
            sensor.start_again()
            sensor.wait_ready()
            print("ready", flush=True)


def _machine_is_up(stopping: int) -> bool:
    """Wait until the machine has come up without the sensor, or has had the time for it; False: told to stop.

    That is what a boot guard demands that does not know how the last boots went, see `decide/boot_guard.py`.
    """
    print("ringfence: the boot guard cannot count; waiting until the machine is up", file=sys.stderr, flush=True)
    poll = select.poll()
    poll.register(stopping, select.POLLIN)
    waited_ms = up_ms = 0
    while waited_ms < BOOT_OVERDUE_S * 1000 and up_ms < BOOT_SETTLE_S * 1000:
        if poll.poll(BOOT_LOOK_MS):
            return False
        waited_ms += BOOT_LOOK_MS
        up_ms = up_ms + BOOT_LOOK_MS if is_up() else 0
    return True


def _pause(stopping: int, deaths: int) -> None:
    """Wait a little longer after each death, and not at all for somebody who wants to stop."""
    poll = select.poll()
    poll.register(stopping, select.POLLIN)
    poll.poll(min(100 * 2**deaths, RESTART_BACKOFF_MS_MAX))


def _stop_on_signals() -> int:
    """A descriptor that becomes readable when SIGINT or SIGTERM comes."""
    readable, writable = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return readable
