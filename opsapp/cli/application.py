"""The application inside a command, and its refusals as one sentence.

Exit 1 belongs to the commands (violations, a broken log, work left); what keeps a command from
being carried out at all ends it with exit 2.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import psycopg
from flask import Flask
from pydantic import ValidationError
from sqlalchemy.exc import OperationalError, ProgrammingError

from opsapp import create_app
from opsapp.kernel.db import db
from opsapp.kernel.errors import OpsError

# What a database says whose schema is older than the program.
MISSING = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
)


class CannotRun(click.ClickException):
    exit_code = 2


@contextmanager
def running() -> Iterator[Flask]:
    """An application context on the settings of the environment. Raises CannotRun."""
    try:
        app = create_app()
    except ValidationError as error:
        raise CannotRun(_wrong_settings(error)) from error
    with app.app_context(), refusals_told():
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()


@contextmanager
def refusals_told() -> Iterator[None]:
    """A refusal, or a database that cannot be used, becomes CannotRun."""
    try:
        yield
    except OpsError as error:
        raise CannotRun(str(error)) from error
    except OperationalError as error:
        raise CannotRun(
            f"The database cannot be used ({first_line(error)}). "
            "Check DATABASE_URL and that the server runs."
        ) from error
    except ProgrammingError as error:
        if not isinstance(error.orig, MISSING):
            raise
        raise CannotRun(
            f"The database does not have what this program expects ({first_line(error)}). "
            "Run `opsapp migrate`."
        ) from error


def first_line(error: OperationalError | ProgrammingError) -> str:
    return str(error.orig).strip().partition("\n")[0]


def _wrong_settings(error: ValidationError) -> str:
    """Names and reasons only: the values may be secrets."""
    wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
    return (
        f"Settings are missing or wrong ({'; '.join(wrong)}). Start the installation with "
        "`opsapp up`, name its folder with --data-dir, or set the environment."
    )
