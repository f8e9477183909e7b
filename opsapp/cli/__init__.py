"""The `opsapp` commands. A new command is a module here and a line in COMMANDS."""

import importlib
from pathlib import Path

import click

from opsapp.cli import environment

# Name -> module and attribute, looked up when the command is used: `opsapp up` and `opsapp doctor`
# do not load what the others need.
COMMANDS = {
    "audit": "opsapp.cli.audit:audit",
    "check": "opsapp.cli.checking:check",
    "clock": "opsapp.cli.clock:clock",
    "doctor": "opsapp.cli.doctor:doctor",
    "idle": "opsapp.cli.idling:idle",
    "import": "opsapp.cli.importing:import_",
    "migrate": "opsapp.cli.migrating:migrate",
    "simulate": "opsapp.cli.simulating:simulate",
    "runs": "opsapp.cli.billing_runs:runs",
    "staff": "opsapp.cli.staff:staff",
    "states": "opsapp.cli.states:states",
    "up": "opsapp.cli.up:up",
}


class CommandTable(click.Group):
    """Finds its commands in COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{module}:{attribute} is not a click command")
        return command


@click.group(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".data"),
    envvar="OPSAPP_DATA_DIR",
    show_default=True,
    help="The folder of the `opsapp up` that the command talks to.",
)
@click.version_option(package_name="opsapp")
@click.pass_context
def main(ctx: click.Context, data_dir: Path) -> None:
    """Payment operations: run it, check it, feed it."""
    ctx.obj = data_dir
    if ctx.invoked_subcommand != "up":
        environment.load(data_dir)
