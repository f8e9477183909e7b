"""PostgreSQL and Valkey out of wheels: started, killed, refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from opsapp.kernel import wheels
from opsapp.kernel.embedded import (
    RunningServer,
    prepare_postgres,
    refuse_without_hangul,
    start,
    start_postgres,
    start_redis,
)
from opsapp.kernel.wheels import NOBODY, EmbeddedError
from tests.embedded_servers import reachable_folder

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another")


@pytest.fixture
def folder() -> Iterator[Path]:
    with reachable_folder() as made:
        yield made


@pytest.fixture
def postgres(folder: Path) -> Iterator[RunningServer]:
    with start_postgres(folder, fsync=False) as server:
        yield server


def test_a_search_for_part_of_a_korean_name_has_trigrams_to_go_by(postgres: RunningServer) -> None:
    refuse_without_hangul(postgres.url)


def test_a_database_that_knows_no_hangul_is_refused(postgres: RunningServer) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE narrow TEMPLATE template0 LC_CTYPE 'C'")
    with pytest.raises(EmbeddedError, match="Korean"):
        refuse_without_hangul(psycopg.conninfo.make_conninfo(postgres.url, dbname="narrow"))


def test_postgres_listens_on_loopback_alone_and_asks_for_the_password(
    postgres: RunningServer,
) -> None:
    with psycopg.connect(postgres.url) as connection:
        row = connection.execute("SHOW listen_addresses").fetchone()
    assert row == ("127.0.0.1",)
    wrong = psycopg.conninfo.conninfo_to_dict(postgres.url) | {"password": "wrong"}
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(**wrong)


def test_postgres_killed_comes_back_at_the_same_address_with_what_was_committed(
    folder: Path,
) -> None:
    with start_postgres(folder) as first, psycopg.connect(first.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS figure")
        connection.commit()
        first.process.kill()
        first.process.wait(30)
        with start_postgres(folder) as second:
            assert second.url == first.url
            with psycopg.connect(second.url) as again:
                assert again.execute("SELECT figure FROM kept").fetchone() == (7,)


def test_redis_killed_comes_back_at_the_same_address_with_what_it_was_told(folder: Path) -> None:
    with start_redis(folder) as first, Redis.from_url(first.url) as client:
        client.set("kept", "7")
        first.process.kill()
        first.process.wait(30)
        with start_redis(folder) as second, Redis.from_url(second.url) as again:
            assert second.url == first.url
            assert again.get("kept") == b"7"


def test_the_passwords_are_readable_by_their_owner_alone(folder: Path) -> None:
    prepare_postgres(folder, fsync=False)
    assert (folder / "postgres.json").stat().st_mode & 0o777 == 0o600
    assert (folder / "postgres").stat().st_mode & 0o777 == 0o700


@needs_root
def test_an_ordinary_user_runs_both_as_himself(folder: Path) -> None:
    os.chown(folder, NOBODY, NOBODY)
    # The interpreter itself may lie below root's home: everything is loaded before root is left.
    program = (
        "import encodings.idna, os, sys; from pathlib import Path\n"
        "from opsapp.kernel import embedded\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "folder = Path(sys.argv[1])\n"
        "with embedded.start_postgres(folder, fsync=False) as database:\n"
        "    embedded.refuse_without_hangul(database.url)\n"
        "with embedded.start_redis(folder): pass\n"
        "print('both answered')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("both answered\n", 0), done.stderr


@needs_root
def test_below_a_private_home_root_keeps_the_data_where_the_server_can_reach_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "STATE_FOLDER", folder / "state")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with start_postgres(home, fsync=False) as server:
        refuse_without_hangul(server.url)
    elsewhere = Path((home / "servers-elsewhere").read_text().strip())
    assert elsewhere.parent == folder / "state"
    assert (elsewhere / "postgres" / "PG_VERSION").exists()


@needs_root
def test_server_files_that_the_user_cannot_reach_are_copied_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "CACHE_FOLDER", folder / "cache")
    monkeypatch.setattr(wheels, "_can_run", lambda _binary, _user: False)
    with start_postgres(folder, fsync=False) as server, start_redis(folder):
        assert str(folder / "cache") in server.spec.argv[0]
        refuse_without_hangul(server.url)
    made = {path: path.stat().st_mtime_ns for path in (folder / "cache").iterdir()}
    prepare_postgres(folder)
    assert made == {path: path.stat().st_mtime_ns for path in (folder / "cache").iterdir()}


def test_a_taken_port_is_refused_before_anything_starts(
    folder: Path, postgres: RunningServer
) -> None:
    taken = psycopg.conninfo.conninfo_to_dict(postgres.url)["port"]
    with pytest.raises(EmbeddedError, match=f"Port {taken}, wanted for Redis, is in use"):
        start_redis(folder, port=int(str(taken)))


def test_a_remembered_port_that_somebody_else_took_is_exchanged(
    folder: Path, postgres: RunningServer
) -> None:
    taken = psycopg.conninfo.conninfo_to_dict(postgres.url)["port"]
    (folder / "redis.json").write_text(f'{{"port": {taken}, "password": "p"}}')
    with start_redis(folder) as server:
        assert f":{taken}/" not in server.url


def test_files_of_another_major_version_are_refused(folder: Path) -> None:
    prepare_postgres(folder, fsync=False)
    (folder / "postgres" / "PG_VERSION").write_text("19\n")
    with pytest.raises(EmbeddedError, match="written by PostgreSQL 19 and this is 1"):
        prepare_postgres(folder)


def test_a_second_server_on_the_same_files_is_refused(
    folder: Path, postgres: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsapp.kernel.embedded.OLD_SERVER_GONE_WITHIN_S", 0)
    with pytest.raises(EmbeddedError, match=f"Another PostgreSQL .pid {postgres.process.pid}"):
        prepare_postgres(folder)


def test_the_lock_of_a_killed_server_whose_pid_went_to_somebody_else_is_no_obstacle(
    folder: Path,
) -> None:
    server = prepare_postgres(folder, fsync=False)
    lock = folder / "postgres" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{folder / 'postgres'}\n")
    prepare_postgres(folder)
    assert not lock.exists()
    with start(server, folder) as running:
        assert running.process.poll() is None


def test_a_machine_without_a_wheel_is_told_what_to_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "POSTGRES_PACKAGES", ("no_such_package",))
    with pytest.raises(EmbeddedError, match="set DATABASE_URL"):
        prepare_postgres(folder)


def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be written"):
        prepare_postgres(folder / "file" / "data")


def test_a_server_that_ends_at_once_is_told_with_its_last_line(folder: Path) -> None:
    server = prepare_postgres(folder, fsync=False)
    (folder / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedError, match=r"postgres did not start: .*pg_control"):
        start(server, folder)


def test_a_stopped_server_has_flushed_and_left(postgres: RunningServer) -> None:
    postgres.stop()
    assert postgres.process.returncode == 0
    assert postgres.spec.stop_signal == signal.SIGINT
