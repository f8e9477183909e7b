"""PostgreSQL and Redis from wheels for one test run."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from opsapp.kernel.embedded import start_postgres, start_redis

# A database is a thousand files, and every test gets one: in memory that takes a fifth of the time.
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of a random name is made in it
MEMORY_MIN_BYTES = 3 * 1024**3
# Whoever waits longer than any test takes has been forgotten, and would hold up the whole run.
LIMITS = {
    "lock_timeout": "60s",
    "idle_in_transaction_session_timeout": "120s",
    "transaction_timeout": "240s",
}


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a superuser. Nothing is flushed to disk: the data dies with the run."""
    with (
        reachable_folder(_in_memory()) as folder,
        start_postgres(folder, fsync=False) as server,
    ):
        with psycopg.connect(server.url, autocommit=True) as connection:
            for name, value in LIMITS.items():
                connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
            connection.execute("SELECT pg_reload_conf()")
        yield server.url


@contextmanager
def redis() -> Iterator[str]:
    with reachable_folder() as folder, start_redis(folder) as server:
        yield server.url


def _in_memory() -> Path | None:
    """Where files need no disk, if there is room for them; a container may have none."""
    is_usable = MEMORY.is_dir() and os.access(MEMORY, os.W_OK | os.X_OK)
    has_room = is_usable and shutil.disk_usage(MEMORY).free >= MEMORY_MIN_BYTES
    return MEMORY if has_room else None


@contextmanager
def reachable_folder(within: Path | None = None) -> Iterator[Path]:
    """Open to the user who runs the servers when root runs the tests; pytest's own folder is not.

    Short, too: a Unix socket's path has a limit.
    """
    with tempfile.TemporaryDirectory(prefix="opsapp-", dir=within) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
