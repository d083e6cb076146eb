"""The real server with a clock that a test can move and, on wish, a sudden death around the commit of a batch.

    python -m tests.control.steered_server STATE READY_FD CLOCK_FILE FAULT

CLOCK_FILE holds the milliseconds to add to the wall clock.  FAULT is `none`, `die_before_commit` or `die_after_commit`:
the process kills itself with SIGKILL when the first batch of records is at that point.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from ringfence.control import gateway, ingest
from ringfence.control.clock import wall_clock
from ringfence.control.database import Database
from ringfence.control.ingest import Stored
from ringfence.control.listening import listen
from ringfence.control.serve import ServeOptions, Started, serve
from ringfence.control.state import open_state
from ringfence.model.errors import RingfenceError
from ringfence.model.records import NumberedRecord


async def _store_and_die(
    database: Database, host_id: str, epoch: str, records: Sequence[NumberedRecord], *, now_unix_ms: int
) -> Stored:
    await ingest.store_batch(database, host_id, epoch, records, now_unix_ms=now_unix_ms)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


async def _die_inside(
    _connection: AsyncConnection, _host_id: str, _new: Sequence[NumberedRecord], _now_unix_ms: int
) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


def main(state: str, ready_fd: str, clock_file: str, fault: str) -> int:
    """Serve as `ringfence server` does."""
    if fault == "die_after_commit":
        setattr(gateway, "store_batch", _store_and_die)  # noqa: B010  # mypy rightly forbids the plain way
    elif fault == "die_before_commit":
        setattr(ingest, "_update_host", _die_inside)  # noqa: B010  # as above

    def wall() -> int:
        return wall_clock() + int(Path(clock_file).read_text() or 0)

    def announce(started: Started) -> None:
        sys.stdout.write(json.dumps({"address": started.address, "first_password": started.first_password}) + "\n")
        sys.stdout.flush()
        os.write(int(ready_fd), b"1")
        os.close(int(ready_fd))

    try:
        listener = listen("127.0.0.1", 0)
        serve(ServeOptions(open_state(Path(state)), listener, (), accept_clock=False, wall=wall), announce)
    except RingfenceError as error:
        sys.stderr.write(error.operator_text() + "\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
