"""`opsapp migrate`: bring the database to this program's schema."""

import os

import click
from pydantic import ValidationError

from opsapp.cli.application import CannotRun, refusals_told, running
from opsapp.kernel import schema
from opsapp.kernel.db import transaction
from opsapp.programs import installing
from opsapp.settings import Settings


@click.command()
def migrate() -> None:
    """Create or update the tables, as the user of DATABASE_URL."""
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgresql://"):
        raise CannotRun(
            "DATABASE_URL is missing or is not postgresql://user:password@host/database: set it."
        )
    with refusals_told():
        schema.migrate(url)
    _claim()
    click.echo("The database is up to date.")


def _claim() -> None:
    """Whether it holds real money or trials is settled as soon as the settings are whole."""
    try:
        Settings()
    except ValidationError:
        return
    with running(), transaction():
        installing.claim()
