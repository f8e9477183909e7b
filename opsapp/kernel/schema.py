"""Bring the database to the schema of this program, or say why that cannot be done."""

from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from opsapp.kernel.errors import OpsError

MIGRATIONS = Path(__file__).parents[2] / "migrations"


class DatabaseAway(OpsError):
    code = "database_away"
    http_status = 503
    message = "The database cannot be used ({reason})."
    remedy = "Check DATABASE_URL, that the server runs and that the database was created."


class DatabaseNewer(OpsError):
    code = "database_newer"
    message = "The database stands at revision {revision}, which this program does not know."
    remedy = "Install the newer version of the program that made it."


class RightsMissing(OpsError):
    code = "rights_missing"
    message = "The user of DATABASE_URL may not do what the migrations need ({reason})."
    remedy = (
        "Give it CREATEROLE and CREATE on the database, or let a superuser run "
        "CREATE ROLE opsapp_app NOLOGIN and GRANT opsapp_app TO that user WITH ADMIN OPTION."
    )


def migrate(database_url: str) -> None:
    """Apply every migration that is missing, as the user of the URL, who owns the tables.

    Raises DatabaseAway, DatabaseNewer, RightsMissing.
    """
    try:
        found, known = _revision(database_url), _scripts(database_url)
        if found is not None and found not in {
            script.revision for script in known.walk_revisions()
        }:
            raise DatabaseNewer(revision=found)
        command.upgrade(_config(database_url), "head")
    except OperationalError as error:
        raise DatabaseAway(reason=_first_line(error)) from error
    except ProgrammingError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise RightsMissing(reason=_first_line(error)) from error
        raise


def is_current(database_url: str) -> bool:
    """Whether the database stands exactly where this program expects it."""
    return _revision(database_url) == _scripts(database_url).get_current_head()


def _revision(database_url: str) -> str | None:
    engine = create_engine(database_url)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def _scripts(database_url: str) -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(database_url))


def _first_line(error: OperationalError | ProgrammingError) -> str:
    return str(error.orig).strip().partition("\n")[0]


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["database_url"] = database_url
    return config
