"""`opsapp idle`: wait until nothing that is due at the clock's present time is left to do."""

import time

import click

from opsapp.cli.application import running
from opsapp.insights import queries
from opsapp.kernel.db import transaction

POLL_S = 0.2


@click.command()
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Seconds to wait at most.",
)
@click.pass_context
def idle(ctx: click.Context, timeout_s: float) -> None:
    """Exit 0 as soon as nothing due is left; exit 1 at the time-out, with what is left."""
    give_up_at = time.monotonic() + timeout_s
    with running():
        while left := _list_left():
            if time.monotonic() >= give_up_at:
                click.echo(f"Still left after {timeout_s:g} s:", err=True)
                for name, count in left.items():
                    click.echo(f"  {name}: {count}", err=True)
                ctx.exit(1)
            time.sleep(POLL_S)
    click.echo("idle")


def _list_left() -> dict[str, int]:
    with transaction():
        left = queries.list_left()
        return left | ({"demo_running": 1} if queries.is_demo_running() else {})
