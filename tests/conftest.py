"""Real parts for every test: PostgreSQL, Redis and the sandbox gateway over sockets.

DATABASE_URL and REDIS_URL name real servers; otherwise embedded ones are started once a run.
Each test gets a database of its own, cloned from a migrated template.
"""

import base64
import gc
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from redis import Redis

from opsapp import create_app
from opsapp.kernel import schema
from opsapp.kernel.db import db
from opsapp.settings import Settings
from tests import compiled_once
from tests.clones import Clones, named, open_clones
from tests.servers import Servers, start_servers

KEY = base64.b64encode(bytes(32)).decode()


def pytest_collection_finish() -> None:
    """What was imported stays: looking through it for garbage again and again finds none."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def compiled() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patches:
        compiled_once.remember(patches)
        yield


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with start_servers(tmp_path_factory) as started:
        yield started


@pytest.fixture(scope="session")
def template(servers: Servers) -> Iterator[str]:
    """The name of a migrated database that tests are cloned from."""
    name = f"opsapp_template_{secrets.token_hex(4)}"
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        schema.migrate(named(servers.database_url, name))
        yield name
        connection.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def clones(servers: Servers, template: str) -> Iterator[Clones]:
    with open_clones(servers.database_url, template) as opened:
        yield opened


@pytest.fixture
def database_url(servers: Servers, clones: Clones) -> Iterator[str]:
    """A fresh database, as its owner sees it."""
    name = clones.take()
    yield named(servers.database_url, name)
    clones.give_back(name)


@pytest.fixture
def owner(database_url: str) -> Iterator[psycopg.Connection]:
    """What a superuser or an attacker with the owner's rights could do."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def redis(servers: Servers) -> Iterator[Redis]:
    connection = Redis.from_url(servers.redis_url)
    connection.flushdb()
    yield connection
    connection.close()


@pytest.fixture
def settings(
    database_url: str, redis: Redis, servers: Servers, sandbox_url: str, tmp_path: Path
) -> Settings:
    merchant = secrets.token_hex(8)
    return Settings(
        mode="test",
        database_url=database_url,
        redis_url=servers.redis_url,
        secret_key="s" * 32,
        encryption_keys=f"k1:{KEY}",
        blind_index_key=KEY,
        seal_key=KEY,
        anchors_dir=str(tmp_path / "anchors"),
        toss_url=sandbox_url,
        # Each test is a merchant of its own at the gateway.
        toss_secret_key=f"test_sk_{merchant}",
        toss_client_key=f"test_ck_{merchant}",
        toss_window_url=f"{sandbox_url}/_sandbox/window",
        gateway_timeout_s=2,
        gateway_inquiry_timeout_s=2,
        lease_margin_s=10,  # a busy machine must not make a call too late for its lease
        chunk_size=20,
    )


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application inside its context, on a database and a Redis of its own."""
    application = create_app(settings)
    with application.app_context():
        yield application
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(scope="session")
def sandbox_url(servers: Servers) -> str:
    """The sandbox gateway, a process of its own."""
    return servers.sandbox_url


@pytest.fixture
def environment(settings: Settings) -> Callable[[], dict[str, str]]:
    """The environment of a child process that belongs to this test's installation."""

    def build() -> dict[str, str]:
        values = {
            f"OPSAPP_{name.upper()}": str(getattr(value, "get_secret_value", lambda v=value: v)())
            for name, value in settings
        }
        return (
            os.environ
            | values
            | {
                "DATABASE_URL": settings.database_url,
                "REDIS_URL": settings.redis_url,
                "TZ": "UTC",
            }
        )

    return build
