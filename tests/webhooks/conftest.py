import pytest
from redis import Redis

from tests.factories import webhooks


@pytest.fixture
def settings(settings):
    """All three gateways are in use."""
    values = settings.model_dump() | webhooks.SETTINGS
    return type(settings)(**values)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.fixture
def contents(owner):
    """A fingerprint of each table: what a refused message may not change."""

    def read() -> dict[str, tuple]:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {
            name: owner.execute(
                f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t"  # noqa: S608 - a table's name
            ).fetchone()
            for (name,) in tables.fetchall()
        }

    return read


@pytest.fixture
def refusals(redis: Redis):
    """How often each gateway's messages were refused, and why."""

    def read() -> dict[str, int]:
        found = redis.hgetall("opsapp:counters")
        return {name.decode(): int(count) for name, count in found.items()}

    return read
