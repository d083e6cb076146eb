"""A real, migrated database in a file, a clock that a test moves, and services on top of both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ringfence.control.authentication import Authentication
from ringfence.control.broker import Broker
from ringfence.control.database import Database
from ringfence.control.enrolment import create_token, enrol
from ringfence.control.migrate import migrate
from ringfence.control.services import ConsoleServices
from ringfence.model.records import HostFacts

NOW_UNIX_MS = 1_800_000_000_000
FACTS = HostFacts("web-1", "m" * 32, "6.1.0", "Debian 12", "x86_64", "0.1.0")


@dataclass
class FakeClock:
    """A clock that stands still until it is moved."""

    now_unix_ms: int = NOW_UNIX_MS

    def __call__(self) -> int:
        return self.now_unix_ms


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[tuple[ConsoleServices, FakeClock]]:
    """Services on a new database below `directory`."""
    file = directory / "ringfence.db"
    migrate(file)
    clock, database = FakeClock(), Database(file)
    try:
        yield ConsoleServices(database, Broker(), Authentication(database, clock), clock), clock
    finally:
        await database.close()


async def new_host(services: ConsoleServices, name: str = "web-1") -> str:
    """Enrol a host; returns its id."""
    token = await create_token(services.database, label="test", life_ms=1_000, uses=1, now_unix_ms=services.clock())
    facts = HostFacts(name, FACTS.machine_id, FACTS.kernel, FACTS.distribution, FACTS.architecture, "0.1.0")
    enrolled = await enrol(services.database, token=token, facts=facts, address="::1", now_unix_ms=services.clock())
    return enrolled.host_id
