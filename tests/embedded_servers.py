"""PostgreSQL and Redis from wheels for one test run."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opsapp.kernel.embedded import start_postgres, start_redis


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a superuser. Nothing is flushed to disk: the data dies with the run."""
    with reachable_folder() as folder, start_postgres(folder, fsync=False) as server:
        yield server.url


@contextmanager
def redis() -> Iterator[str]:
    with reachable_folder() as folder, start_redis(folder) as server:
        yield server.url


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """Open to the user who runs the servers when root runs the tests; pytest's own folder is not.

    Short, too: a Unix socket's path has a limit.
    """
    with tempfile.TemporaryDirectory(prefix="opsapp-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
