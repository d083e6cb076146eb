"""The control plane's database: SQLite in WAL mode behind SQLAlchemy's async engine.

Rules:

1. One writer.  `writing()` is a transaction on the only connection that can write (`BEGIN IMMEDIATE`), so writers of
   this process queue up in order and never meet SQLITE_BUSY; another process waits up to `DATABASE_BUSY_MS`.
2. Readers never wait for the writer: `reading()` is a read-only connection on a snapshot.
3. A commit is on the disk when it returns (`synchronous=FULL`): only then may a host be told "accepted".
4. A full disk is `DiskFull`, whichever statement meets it; the transaction is rolled back and nothing was accepted.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, CursorResult, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from ringfence.model.errors import DiskFull, InternalError
from ringfence.model.limits import DATABASE_BUSY_MS, DATABASE_CONNECTION_WAIT_S, DATABASE_READERS_MAX

_FULL_CODES: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE})
_COMMON_PRAGMAS: Final = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={DATABASE_BUSY_MS}",
    "trusted_schema=OFF",
    "cell_size_check=ON",
)


class Database:
    """The engine for one database file.  Make it with an existing, migrated file; `close()` it at the end."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._writer = _engine(file, begin="BEGIN IMMEDIATE", pragmas=_COMMON_PRAGMAS, connections=1)
        self._readers = _engine(
            file, begin="BEGIN", pragmas=(*_COMMON_PRAGMAS, "query_only=ON"), connections=DATABASE_READERS_MAX
        )

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one moment of the database and cannot change it.

        Raises `DiskFull` when there is no room even for the reader's index of the log.
        """
        try:
            async with self._readers.connect() as connection:
                yield connection
        except DatabaseError as error:
            raise_if_full(error, self.file)
            raise

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed, durably, when the block ends; rolled back when it raises.

        Raises `DiskFull` when the disk has no room for it.
        """
        try:
            async with self._writer.begin() as connection:
                yield connection
        except DatabaseError as error:
            raise_if_full(error, self.file)
            raise

    async def close(self) -> None:
        """Close every connection; the last one folds the log into the database."""
        await self._readers.dispose()
        await self._writer.dispose()


def raise_if_full(error: DatabaseError, file: Path) -> None:
    """Raise `DiskFull` if that is what `error` means."""
    if getattr(error.orig, "sqlite_errorcode", None) in _FULL_CODES:
        raise DiskFull(
            f"no room to write {file}", "free some space on that file system; nothing that was accepted is lost"
        ) from error


def _engine(file: Path, *, begin: str, pragmas: tuple[str, ...], connections: int) -> AsyncEngine:
    """An engine whose connections are set up by `pragmas` and whose transactions start with `begin`."""
    engine = create_async_engine(
        URL.create("sqlite+aiosqlite", database=str(file)),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=DATABASE_CONNECTION_WAIT_S,
    )

    def set_up(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver must not start transactions by itself: `begin` decides when and how.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def start(connection: Any) -> None:  # noqa: ANN401  # SQLAlchemy's event passes its own, unnamed type
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", set_up)
    event.listen(engine.sync_engine, "begin", start)
    return engine


def new_row_number(written: CursorResult[Any]) -> int:
    """The number that the database gave to the row just inserted."""
    if written.inserted_primary_key is None:
        raise InternalError("an insert returned no key", "this is our bug: please report it")
    return int(written.inserted_primary_key[0])
