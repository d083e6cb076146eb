"""The first page: is the fleet protected, what came in, what needs a person."""

from starlette.responses import Response

from ringfence.control import queries
from ringfence.control.console import reads
from ringfence.control.console.visit import Visit
from ringfence.model.limits import CONSOLE_CHART_BUCKETS


async def overview_page(visit: Visit) -> Response:
    """The overview of the last day."""
    database, now_unix_ms = visit.services.database, visit.now_unix_ms
    width_ms = queries.DAY_MS // CONSOLE_CHART_BUCKETS
    # Whole steps of the clock, so that the bars stay where they are from one look to the next.
    until_unix_ms = (now_unix_ms // width_ms + 1) * width_ms
    return visit.page(
        "overview.html",
        overview=await queries.overview(database, now_unix_ms=now_unix_ms),
        posture=await reads.posture(database, now_unix_ms=now_unix_ms),
        attention=await reads.attention(database, now_unix_ms=now_unix_ms),
        series=await queries.alert_series(
            database,
            since_unix_ms=until_unix_ms - queries.DAY_MS,
            until_unix_ms=until_unix_ms,
            buckets=CONSOLE_CHART_BUCKETS,
        ),
        bucket_ms=width_ms,
    )
