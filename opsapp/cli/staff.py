"""`opsapp staff`: sign-ins for demonstrations, and the first account of a real installation."""

import json
import os
import secrets
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from opsapp import create_app
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import transaction
from opsapp.kernel.errors import OpsError
from opsapp.kernel.wheels import write_private
from opsapp.programs import issuing
from opsapp.staff import inviting, seeding
from opsapp.staff.inviting import NewAccount
from opsapp.staff.rules import Role

ACCOUNTS_FILE = "accounts.json"
_BY = Actor("cli", "staff")


@click.group()
def staff() -> None:
    """Accounts of the people who use the console."""


@staff.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list instead of a table.")
@click.pass_obj
def seed(data_dir: Path, as_json: bool) -> None:
    """One sign-in per role (demo and test mode only); the passwords stay the same.

    The API key of OPSAPP_API_KEY becomes good, too.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    passwords = _passwords(data_dir / ACCOUNTS_FILE)
    try:
        with create_app().app_context(), transaction():
            seeding.seed(passwords, by=_BY)
            if secret := os.environ.get("OPSAPP_API_KEY"):
                issuing.seed(secret, by=_BY)
    except OpsError as error:
        raise click.ClickException(str(error)) from error
    accounts = [
        {
            "role": role.value,
            "email": seeding.email_of(role),
            "password": password,
            "totp_secret": None,
        }
        for role, password in passwords.items()
    ]
    if as_json:
        click.echo(json.dumps(accounts))
        return
    table = Table("role", "e-mail", "password")
    for account in accounts:
        table.add_row(*(str(account[key]) for key in ("role", "email", "password")))
    Console().print(table)


@staff.command()
@click.argument("email")
@click.option("--name", required=True)
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True)
@click.password_option(help="At least 12 characters; asked for when not given.")
def add(email: str, name: str, role: str, password: str) -> None:
    """Create an account."""
    try:
        with create_app().app_context(), transaction():
            inviting.create_account(NewAccount(email, name, Role(role), password), by=_BY)
    except OpsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{email} may sign in as {role}.")


def _passwords(file: Path) -> dict[Role, str]:
    """Made once and kept, so that a restart changes no sign-in."""
    known: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    complete = {role.value: known.get(role.value) or secrets.token_urlsafe(15) for role in Role}
    if complete != known:
        write_private(file, json.dumps(complete, indent=1))
    return {role: complete[role.value] for role in Role}
