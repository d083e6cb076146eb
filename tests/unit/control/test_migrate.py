"""The migrations make exactly the tables of `schema.py`."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from ringfence.control.migrate import MIGRATIONS, migrate
from ringfence.control.schema import METADATA, SCHEMA_REVISION
from ringfence.model.errors import StateVersionForeign


def test_the_revision_named_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_REVISION


def test_the_migrations_make_the_tables_of_the_schema(tmp_path: Path) -> None:
    migrate(tmp_path / "a.db")
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()


def test_a_migrated_file_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    migrate(file)
    before = file.read_bytes()
    migrate(file)
    assert file.read_bytes() == before


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE holidays (day TEXT)")
    with pytest.raises(StateVersionForeign, match="not Ringfence's"):
        migrate(file)
