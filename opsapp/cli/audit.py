"""`opsapp audit verify`: the whole log against its chain of seals and the anchors outside."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from opsapp.audit.verifying import Report, verify
from opsapp.cli.application import running
from opsapp.settings import current


@click.group()
def audit() -> None:
    """The log and its seals."""


@audit.command("verify")
@click.option(
    "--anchors",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the anchors file.  [default: this installation's own]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify_(ctx: click.Context, anchors: Path | None, as_json: bool) -> None:
    """Exit 0 if every entry, seal and anchor agree; exit 1 and name the first that does not."""
    with running():
        report = verify(
            anchors_dir=anchors or current().anchors_dir, is_anchored=anchors is not None
        )
    click.echo(json.dumps(asdict(report)) if as_json else _sentences(report))
    ctx.exit(1 if report.finding else 0)


def _sentences(report: Report) -> str:
    seen = (
        f"{report.entry_count:,} entries in {report.seal_count:,} seals agree"
        f" with {report.anchor_count:,} anchors; {report.unsealed_count:,} entries wait for a seal."
    )
    if report.finding is None:
        return seen if report.anchor_count else f"{seen} Without anchors a rewritten log can pass."
    found = report.finding
    before = f"Up to there {report.entry_count:,} entries in {report.seal_count:,} seals agree."
    return f"BROKEN: {found.place}: {found.breach}: {found.because}. {before}"
