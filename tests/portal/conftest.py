from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from opsapp import create_app
from opsapp.kernel.db import db
from opsapp.settings import Settings
from tests.console.conftest import gateway as gateway  # a fixture
from tests.factories.checkouts import Shopper


def with_window(settings: Settings, sandbox_url: str) -> Settings:
    """The window is the sandbox's page, under the client key of the same merchant."""
    key = settings.toss_secret_key.get_secret_value().replace("_sk_", "_ck_")
    window = {"toss_window_url": f"{sandbox_url}/_sandbox/window", "toss_client_key": key}
    return settings.model_copy(update=window)


@pytest.fixture
def settings(settings: Settings, sandbox_url: str) -> Settings:
    return with_window(settings, sandbox_url)


@pytest.fixture
def house(settings: Settings) -> Iterator[Flask]:
    """Its context closed: each request has its own."""
    application = create_app(settings)
    yield application
    with application.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def open_link(house: Flask, gateway: object) -> Callable[..., Shopper]:
    return lambda **more: Shopper(house, **more)


@pytest.fixture
def shopper(open_link: Callable[..., Shopper]) -> Shopper:
    return open_link()
