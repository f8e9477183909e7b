"""`opsapp check`: the money invariants against database, Redis and gateway."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from opsapp.cli.application import running
from opsapp.insights.probing import Row, run_probes


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Exit 0 if all invariants hold, 1 if one does not, 2 if that cannot be known now."""
    data_dir: Path = ctx.obj
    with running():
        rows = run_probes(logs_dir=data_dir / "logs")
    violations = sum(row.violations for row in rows)
    if as_json:
        shown = {"violations": violations, "rows": [asdict(row) for row in rows]}
        click.echo(json.dumps(shown, ensure_ascii=False))
    else:
        Console().print(_table(rows))
    ctx.exit(1 if violations else 0)


def _table(rows: list[Row]) -> Table:
    table = Table("", "invariant", "violations", "examples")
    for row in rows:
        style = "red" if row.violations else "green"
        said = "\n".join(row.examples) or row.note
        table.add_row(row.id, row.name, f"[{style}]{row.violations}[/]", said)
    return table
