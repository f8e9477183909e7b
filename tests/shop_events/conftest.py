from collections.abc import Iterator

import pytest
from flask import Flask

from opsapp import create_app
from opsapp.kernel.db import db
from opsapp.settings import Settings
from tests.fakes.shop import Shop, shop


@pytest.fixture
def receiver() -> Iterator[Shop]:
    """An address of the shop."""
    with shop() as taking:
        yield taking


@pytest.fixture
def app(settings: Settings, receiver: Shop) -> Iterator[Flask]:
    trusting = settings.model_copy(update={"webhooks_trusted_origins": receiver.origin})
    application = create_app(trusting)
    with application.app_context():
        yield application
        db.session.remove()
        db.engine.dispose()
