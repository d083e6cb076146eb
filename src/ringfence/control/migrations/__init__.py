"""Alembic's migrations, packaged: the server brings its own database up to date when it starts."""
