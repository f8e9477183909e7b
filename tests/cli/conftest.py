"""Commands run in this process, on the test's own installation."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from opsapp.cli import main

Run = Callable[..., Result]


@pytest.fixture
def opsapp(environment: Callable[[], dict[str, str]]) -> Run:
    def run(*words: str, **changed: str | None) -> Result:
        variables: dict[str, str | None] = {**environment(), **changed}
        return CliRunner().invoke(main, words, env=variables)

    return run
