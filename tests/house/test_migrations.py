from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

from opsapp.kernel import schema
from opsapp.kernel.db import Base
from opsapp.reactions import TABLES


def test_models_and_migrations_agree(database_url):
    assert TABLES
    with create_engine(database_url, poolclass=NullPool).connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_the_migrated_database_is_known_as_current(database_url):
    assert schema.is_current(database_url)
