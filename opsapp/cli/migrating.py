"""`opsapp migrate`: bring the database to this program's schema."""

import os

import click

from opsapp.cli.application import CannotRun, refusals_told
from opsapp.kernel import schema


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
    click.echo("The database is up to date.")
