from collections.abc import Iterator

import pytest
from sqlalchemy import event

from opsapp.failures import loading
from opsapp.kernel.db import db
from tests.payments.conftest import gateway as gateway


@pytest.fixture(autouse=True)
def own_dictionary() -> Iterator[None]:
    """Whatever a test makes a code mean, the next one begins with what the program came with."""
    loading.forget()
    yield
    loading.forget()


@pytest.fixture
def statements(app) -> Iterator[list[str]]:
    """Every SQL statement that is sent, in order."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    yield sent
    event.remove(db.engine, "before_cursor_execute", note)
