"""Alembic's entry: migrations run as the user of DATABASE_URL, who owns the tables."""

from alembic import context
from sqlalchemy import NullPool, create_engine, func, select

from opsapp.kernel.db import Base
from opsapp.reactions import TABLES

MIGRATION_LOCK = 0xA1E3B1C

EVERY_TABLE = TABLES  # importing them has filled the metadata

with create_engine(
    context.config.attributes["database_url"], poolclass=NullPool
).connect() as connection:
    context.configure(
        connection=connection, target_metadata=Base.metadata, compare_server_default=False
    )
    with context.begin_transaction():
        # Two programs that start at once migrate one after the other; the second finds it done.
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        context.run_migrations()
