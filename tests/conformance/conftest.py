import pytest

from opsapp.gateways import http


@pytest.fixture(scope="session", autouse=True)
def no_pauses() -> None:
    """A page of a list is asked for again at once."""
    http.PAGE_PAUSES_S = (0, 0, 0)
