"""`opsapp simulate`: months of subscriptions lived in minutes, on a scratch database."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from opsapp.cli.application import CannotRun, refusals_told
from opsapp.kernel.embedded import start_postgres
from opsapp.kernel.wheels import EmbeddedError
from opsapp.simulation.judging import CLASSES
from opsapp.simulation.living import Outcome, Wish, live
from opsapp.simulation.luck import PROFILES


@click.command()
@click.option("--subscriptions", type=click.IntRange(1, 20_000), default=500, show_default=True)
@click.option("--months", type=click.IntRange(1, 60), default=24, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same one, the same end.")
@click.option(
    "--faults",
    type=click.Choice(sorted(PROFILES)),
    default="all",
    show_default=True,
    help="What goes wrong.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def simulate(ctx: click.Context, /, *, as_json: bool, **wished: Any) -> None:
    """Exit 0 if every invariant holds and the sums add up, 1 if not.

    The verbs are the product's own; clock, queue, gateway and messages are simulated. It runs on a
    database of its own, which is dropped in the end: on the server of DATABASE_URL, or on one that
    is started for it.
    """
    wish = Wish(**wished)
    began = time.monotonic()
    with refusals_told(), _one_core(), _server() as url:
        outcome = live(wish, server_url=url)
    took_s = time.monotonic() - began
    if as_json:
        click.echo(json.dumps(_as_json(outcome, took_s), ensure_ascii=False))
    else:
        _print(outcome, took_s)
    ctx.exit(1 if outcome.violations else 0)


@contextmanager
def _one_core() -> Iterator[None]:
    """This process and its server's speak by turns: on two cores one sleeps until the other has
    woken it, which was a tenth of a simulation. Linux only.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    given = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(given)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, given)


@contextmanager
def _server() -> Iterator[str]:
    """Nothing is flushed to disk on a server of its own: the data dies with the run."""
    if url := os.environ.get("DATABASE_URL"):
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="opsapp-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's user is another one when root runs this
        try:
            server = start_postgres(folder, fsync=False)
        except EmbeddedError as error:
            raise CannotRun(str(error)) from error
        with server:
            yield server.url


def _as_json(outcome: Outcome, took_s: float) -> dict[str, Any]:
    finding = outcome.finding
    return {
        "wish": asdict(outcome.wish),
        "hash": finding.hash,
        "due": finding.due,
        "sums": finding.sums,
        "months": finding.by_month,
        "figures": outcome.figures,
        "broken_promises": finding.violations,
        "troubles": outcome.troubles,
        "rows": [asdict(row) for row in outcome.probes],
        "violations": outcome.violations,
        "took_s": round(took_s, 1),
    }


def _print(outcome: Outcome, took_s: float) -> None:
    wish, finding, console = outcome.wish, outcome.finding, Console()
    console.print(_months(finding.by_month, finding.sums, finding.due))
    table = Table("", "invariant", "violations", "examples")
    for row in outcome.probes:
        style = "red" if row.violations else "green"
        said = "\n".join(row.examples) or row.note
        table.add_row(row.id, row.name, f"[{style}]{row.violations}[/]", said)
    console.print(table)
    for name, figures in outcome.figures.items():
        told = ", ".join(f"{what} {count}" for what, count in sorted(figures.items()))
        console.print(f"{name}: {told or 'none'}", markup=False)
    for sentence in (*finding.violations, *outcome.troubles):
        console.print(f"broken: {sentence}", markup=False)
    sums = " + ".join(f"{finding.sums[name]} {name}" for name in CLASSES)
    console.print(f"due {finding.due} = {sums}")
    console.print(
        f"{wish.subscriptions} subscriptions, {wish.months} months, seed {wish.seed}, faults "
        f"{wish.faults}: {outcome.violations} violations in {took_s:.0f} s, hash {finding.hash}"
    )


def _months(by_month: dict[str, dict[str, int]], sums: dict[str, int], due: int) -> Table:
    table = Table("month", "due", *CLASSES)
    for month, row in sorted(by_month.items()):
        table.add_row(month, str(sum(row.values())), *(str(row[name]) for name in CLASSES))
    table.add_row("all", str(due), *(str(sums[name]) for name in CLASSES), style="bold")
    return table
