"""Alembic runs this file: it migrates the connection that `control/migrate.py` passes in, in one transaction."""

from alembic import context

from ringfence.control.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=False,
    render_as_batch=True,  # SQLite changes a column by making the table anew
)
with context.begin_transaction():
    context.run_migrations()
