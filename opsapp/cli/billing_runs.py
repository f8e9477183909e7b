"""`opsapp runs`: what the billing runs of a month brought in, day by day."""

import json
from datetime import date, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from opsapp.cli.application import running
from opsapp.insights import listing_runs
from opsapp.insights.listing_runs import RunRow
from opsapp.kernel import clock
from opsapp.kernel.db import transaction
from opsapp.subscriptions.states import RunStatus
from opsapp.subscriptions.tallying import Part, Tally

_GOING = ("under_way", "uncertain", "awaiting_deposit", "retrying")


@click.command()
@click.option(
    "--month",
    type=click.DateTime(["%Y-%m"]),
    help="2026-11; without it the present month, in Seoul.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def runs(month: datetime | None, *, as_json: bool) -> None:
    """Every billing run of a month with what has become of its payments by now."""
    with running(), transaction():
        now = clock.now()
        first = (month.date() if month else clock.seoul_date(now)).replace(day=1)
        rows = listing_runs.list_runs(first, now=now, afresh=True)
    if as_json:
        click.echo(json.dumps(_as_json(first, rows), ensure_ascii=False))
    else:
        Console().print(_table(first, rows))


def _as_json(month: date, rows: list[RunRow]) -> dict[str, Any]:
    return {
        "month": month.strftime("%Y-%m"),
        "runs": [
            {"run_on": row.run_on.isoformat(), "status": row.status} | _figures(row.tally)
            for row in rows
        ],
        "total": _figures(listing_runs.total(rows)),
    }


def _figures(tally: Tally) -> dict[str, Any]:
    """Sums are in minor units."""
    made = {"count": tally.made.count, "sum_minor": tally.made.sum_minor}
    return {"made": made} | tally.as_report()


def _table(month: date, rows: list[RunRow]) -> Table:
    table = Table(title=f"Billing runs of {month:%Y-%m}: payments, won", pad_edge=False)
    table.add_column("day", no_wrap=True)
    for head in ("made", "paid", "open", "failed", "given up", "refunded"):
        table.add_column(head, justify="right")
    for row in rows:
        day = row.run_on.isoformat() + ("" if row.status == RunStatus.DONE else f" {row.status}")
        table.add_row(day, *_cells(row.tally))
    table.add_section()
    table.add_row("total", *_cells(listing_runs.total(rows)))
    return table


def _cells(tally: Tally) -> list[str]:
    """Open: under way, uncertain, waiting for a deposit or for a retry."""
    going = [tally.part(outcome) for outcome in _GOING]
    open_ = Part(sum(part.count for part in going), sum(part.sum_minor for part in going))
    parts = (
        tally.made, tally.part("paid"), open_, tally.part("failed"), tally.part("cancelled"),
    )  # fmt: skip
    told = [f"{part.count:,}\n{part.sum_minor:,}" if part.count else "–" for part in parts]
    return [*told, f"{tally.refunded_minor:,}"]
