from pathlib import Path

import pytest
from click.testing import CliRunner

from opsapp.cli import main
from opsapp.cli.states import page_of
from opsapp.kernel.states import MACHINES

PAGES = Path(__file__).parents[2] / "docs" / "states"


def test_every_machine_has_its_page_and_no_page_is_left_over() -> None:
    assert {page.stem for page in PAGES.glob("*.md")} == set(MACHINES)


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_a_page_is_what_the_table_says(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert page == page_of(MACHINES[name]), "run `make states`"


def test_one_machine_or_all_are_printed() -> None:
    one = CliRunner().invoke(main, ["states", "refund"])
    every = CliRunner().invoke(main, ["states"])
    assert one.output.splitlines()[1] == "stateDiagram-v2"
    assert every.output.count("stateDiagram-v2") == len(MACHINES)
    assert one.output.strip() in every.output


def test_an_unknown_machine_is_refused_with_the_known_ones() -> None:
    refused = CliRunner().invoke(main, ["states", "nothing"])
    assert refused.exit_code == 2
    assert "refund" in refused.output
