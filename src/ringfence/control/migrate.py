"""Brings the database file up to this program's schema, before anything else opens it.

1. A file that is up to date is recognised by one SELECT; Alembic, which is slow to load, stays out.
2. A file of an older schema is migrated in one transaction: it is either as it was or as it should be.
3. A file of a newer or unknown schema is refused: `StateVersionForeign`.
"""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Final

from ringfence.control.schema import SCHEMA_REVISION
from ringfence.model.errors import DiskFull, StateVersionForeign
from ringfence.model.limits import DATABASE_BUSY_MS

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_DATABASE_MODE: Final = 0o600


def migrate(file: Path) -> None:
    """Create or migrate the database at `file`.

    Raises `StateVersionForeign` for a schema this program does not know, `DiskFull` when there is no room.
    """
    # Made by us first, so that it is never readable by others, not even for a moment.
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _DATABASE_MODE))
    try:
        revision = _revision(file)
        if revision != SCHEMA_REVISION:
            _upgrade(file, revision)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise StateVersionForeign(
                f"{file} is not a database", "restore it from a copy, or choose another --state directory"
            ) from error
        if error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
            raise DiskFull(f"no room to write {file}", "free some space on that file system and start again") from error
        raise


def _revision(file: Path) -> str | None:
    """The schema revision that the file says it has; None for an empty file."""
    with contextlib.closing(sqlite3.connect(file, timeout=DATABASE_BUSY_MS / 1000)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None
        if "alembic_version" not in tables:
            raise StateVersionForeign(
                f"{file} holds tables that are not Ringfence's", "choose another --state directory"
            )
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return found[0] if found else None


def _upgrade(file: Path, revision: str | None) -> None:
    """Run the migrations from `revision` to `SCHEMA_REVISION`."""
    # Loaded here only: most starts find the schema up to date and do not pay for it.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415
    from sqlalchemy import URL, create_engine  # noqa: PLC0415
    from sqlalchemy.exc import DatabaseError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        if revision is not None:
            ScriptDirectory.from_config(config).get_revision(revision)
    except CommandError as error:
        raise StateVersionForeign(
            f"{file} has the schema {revision!r}, which this program does not know",
            "start the newer version that wrote it, or choose another --state directory",
        ) from error
    engine = create_engine(URL.create("sqlite", database=str(file)))
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            config.attributes["connection"] = connection
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            command.upgrade(config, "head")
            connection.commit()
    except DatabaseError as error:
        if isinstance(error.orig, sqlite3.DatabaseError):
            raise error.orig from error
        raise
    finally:
        engine.dispose()
