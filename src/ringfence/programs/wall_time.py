"""The wall clock as signed metadata wants it: whole seconds, UTC."""

import time
from datetime import UTC, datetime


def wall_time() -> datetime:
    """Now."""
    return datetime.fromtimestamp(int(time.time()), UTC)
