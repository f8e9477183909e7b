"""Databases cloned from a migrated template, one for each test."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.pq import ExecStatus


class Clones:
    """Never makes or drops a database while a test runs: that would hold back the oldest
    transaction of the whole server, which decides what the shop's events may tell.
    """

    def __init__(
        self, making: psycopg.Connection, dropping: psycopg.Connection, template: str
    ) -> None:
        self._making, self._dropping = making, dropping
        # Copying files ends with a checkpoint: quick only where nothing is flushed.
        row = making.execute("SELECT current_setting('fsync')").fetchone()
        strategy = "FILE_COPY" if row == ("off",) else "WAL_LOG"
        self._origin = f"TEMPLATE {template} STRATEGY {strategy}"
        self._used: list[str] = []

    def take(self) -> str:
        """A new one; the last one is dropped at the same time."""
        name = f"opsapp_test_{secrets.token_hex(4)}"
        dropped = self._used.pop() if self._used else None
        if dropped:
            _send(self._dropping, f"DROP DATABASE {dropped} WITH (FORCE)")
        _send(self._making, f"CREATE DATABASE {name} {self._origin}")
        try:
            _await(self._making)
        finally:
            if dropped:
                _await(self._dropping)
        return name

    def give_back(self, name: str) -> None:
        self._used.append(name)

    def drop_all(self) -> None:
        while self._used:
            self._dropping.execute(f"DROP DATABASE {self._used.pop()} WITH (FORCE)")


@contextmanager
def open_clones(url: str, template: str) -> Iterator[Clones]:
    with (
        psycopg.connect(url, autocommit=True) as making,
        psycopg.connect(url, autocommit=True) as dropping,
    ):
        clones = Clones(making, dropping, template)
        yield clones
        clones.drop_all()


def named(url: str, database: str) -> str:
    """The same server's other database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _send(connection: psycopg.Connection, statement: str) -> None:
    connection.pgconn.send_query(statement.encode())


def _await(connection: psycopg.Connection) -> None:
    while result := connection.pgconn.get_result():
        if result.status != ExecStatus.COMMAND_OK:
            raise RuntimeError(result.error_message.decode())
