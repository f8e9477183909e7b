"""`opsapp states`: the state machines as Mermaid, printed or written as pages."""

from pathlib import Path

import click

from opsapp import reactions  # noqa: F401 - loads every room's states
from opsapp.kernel.states import MACHINES, StateMachine


def page_of(machine: StateMachine) -> str:
    """The whole text of docs/states/<machine>.md."""
    title = machine.subject_type.replace("_", " ").capitalize()
    return (
        f"# {title}\n\nDrawn by `make states` from `opsapp/*/states.py`; a test compares them.\n\n"
        f"```mermaid\n{machine.as_mermaid()}\n```\n"
    )


@click.command()
@click.argument("machine", required=False)
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write one page per machine into this folder instead of printing.",
)
def states(machine: str | None, folder: Path | None) -> None:
    """Print each state machine, or one, as a Mermaid diagram."""
    known = ", ".join(sorted(MACHINES))
    if machine is not None and machine not in MACHINES:
        raise click.UsageError(f"There is no machine {machine!r}. Choose one of {known}.")
    chosen = [MACHINES[name] for name in ([machine] if machine else sorted(MACHINES))]
    if folder is None:
        click.echo("\n\n".join(f"%% {one.subject_type}\n{one.as_mermaid()}" for one in chosen))
        return
    folder.mkdir(parents=True, exist_ok=True)
    for one in chosen:
        (folder / f"{one.subject_type}.md").write_text(page_of(one), encoding="utf-8")
