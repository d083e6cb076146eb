"""The newest moment on record decides whether the clock may be believed."""

import asyncio
from pathlib import Path

import pytest
from tests.unit.control.opened import NOW_UNIX_MS, opened

from ringfence.control import queries
from ringfence.control.server_time import record_time, steady_clock
from ringfence.model.errors import ClockWentBack
from ringfence.model.limits import CLOCK_BACK_TOLERANCE_MS


def _started_with(directory: Path, wall_unix_ms: int, *, accept_clock: bool) -> tuple[int, list[str]]:
    async def scene() -> tuple[int, list[str]]:
        async with opened(directory) as (services, _):
            await record_time(services.database, NOW_UNIX_MS)
            clock = await steady_clock(services.database, lambda: wall_unix_ms, accept_clock=accept_clock)
            log = await queries.audit_log(services.database)
            return clock(), [entry.action for entry in log.rows]

    return asyncio.run(scene())


@pytest.mark.parametrize("accept_clock", [False, True])
def test_a_clock_a_little_behind_starts_at_the_moment_on_record(tmp_path: Path, *, accept_clock: bool) -> None:
    behind = NOW_UNIX_MS - CLOCK_BACK_TOLERANCE_MS
    assert _started_with(tmp_path, behind, accept_clock=accept_clock) == (NOW_UNIX_MS, [])


def test_a_clock_far_behind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClockWentBack, match="2027-01-15 08:00:00 UTC"):
        _started_with(tmp_path, 5, accept_clock=False)


def test_a_clock_far_behind_that_is_accepted_is_believed_and_written_down(tmp_path: Path) -> None:
    assert _started_with(tmp_path, 5, accept_clock=True) == (5, ["server:clock:accepted"])
