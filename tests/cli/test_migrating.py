import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from opsapp.kernel import schema
from tests.cli.conftest import Run
from tests.servers import Servers


@pytest.fixture
def empty_database(servers: Servers) -> Iterator[str]:
    name = f"opsapp_test_{secrets.token_hex(4)}"
    with psycopg.connect(servers.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield urlunsplit(urlsplit(servers.database_url)._replace(path=f"/{name}"))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_an_empty_database_is_filled_and_filling_it_again_changes_nothing(
    opsapp: Run, empty_database: str
) -> None:
    assert not schema.is_current(empty_database)
    for _ in range(2):
        done = opsapp("migrate", DATABASE_URL=empty_database)
        assert (done.exit_code, done.output) == (0, "The database is up to date.\n")
    assert schema.is_current(empty_database)


def test_two_programs_that_migrate_at_once_do_not_disturb_each_other(
    environment: Callable[[], dict[str, str]], empty_database: str
) -> None:
    command = [sys.executable, "-m", "opsapp.cli", "migrate"]
    variables = environment() | {"DATABASE_URL": empty_database}
    programs = [
        subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    said = [program.communicate(timeout=60)[0].decode() for program in programs]
    assert said == ["The database is up to date.\n"] * 3


def test_no_address_is_refused(opsapp: Run) -> None:
    for url in ("", "mysql://x"):
        refused = opsapp("migrate", DATABASE_URL=url)
        assert refused.exit_code == 2
        assert "DATABASE_URL is missing" in refused.output


def test_a_database_that_does_not_exist_is_refused(opsapp: Run, servers: Servers) -> None:
    url = urlunsplit(urlsplit(servers.database_url)._replace(path="/nowhere"))
    refused = opsapp("migrate", DATABASE_URL=url)
    assert refused.exit_code == 2
    assert 'database "nowhere" does not exist' in refused.output
    assert "was created" in refused.output


def test_a_database_of_a_newer_program_is_left_alone(
    opsapp: Run, owner: psycopg.Connection, database_url: str
) -> None:
    owner.execute("UPDATE alembic_version SET version_num = '9999'")
    refused = opsapp("migrate")
    assert refused.exit_code == 2
    assert "revision 9999, which this program does not know" in refused.output
    assert not schema.is_current(database_url)


def test_a_user_who_may_not_migrate_is_told_what_is_missing(
    opsapp: Run, empty_database: str
) -> None:
    poor = f"poor_{secrets.token_hex(4)}"
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {poor} LOGIN PASSWORD 'poor'")
        try:
            host = urlsplit(empty_database).netloc.rpartition("@")[2]
            url = urlunsplit(urlsplit(empty_database)._replace(netloc=f"{poor}:poor@{host}"))
            refused = opsapp("migrate", DATABASE_URL=url)
        finally:
            connection.execute(f"DROP OWNED BY {poor}")
            connection.execute(f"DROP ROLE {poor}")
    assert refused.exit_code == 2
    assert "may not do what the migrations need" in refused.output
