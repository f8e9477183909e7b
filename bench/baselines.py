"""What a billing run is compared with, in the same PostgreSQL and at the same sandbox."""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bench.installation import Installation, contract, tree_cpu_s, write_rows

JOB_WORKERS = 4
LIMIT_S = 600


@dataclass(frozen=True, slots=True)
class Baseline:
    """Charges a second between the first and the last tenth, and CPU of its own processes."""

    rate: float
    cpu_ms: float


@contextmanager
def in_scratch_database(house: Installation, name: str) -> Iterator[dict[str, str]]:
    """The environment of a second shop on the servers of the first: migrated and empty."""
    database = f"{name}_{secrets.token_hex(4)}"
    _alter(house, f"CREATE DATABASE {database}")
    environment = house.environment | {
        "DATABASE_URL": _at(house.ready["database_url"], database),
        "REDIS_URL": _at(house.ready["redis_url"], "1"),
        "OPSAPP_TOSS_SECRET_KEY": f"test_sk_{database}",
        "OPSAPP_DATA_DIR": str(house.folder / database),
    }
    try:
        _run(environment, "opsapp.cli", "migrate")
        yield environment
    finally:
        _alter(house, f"DROP DATABASE {database} WITH (FORCE)")


def by_jobs(house: Installation, count: int, *, latency_ms: int) -> Baseline:
    """The product itself with one attempt in each job, on RQ's forking worker (bench.forking)."""
    with in_scratch_database(house, "jobs") as environment:
        alone = environment | {"OPSAPP_CHUNK_SIZE": "1"}
        with psycopg.connect(alone["DATABASE_URL"], autocommit=True) as connection:
            house.faults(latency_ms={"fixed": 0})
            _import_due(house, alone, connection, count)
            house.faults(latency_ms={"fixed": latency_ms})
            workers = [_start(alone, "bench.forking") for _ in range(JOB_WORKERS)]
            try:
                before = _cpu_s(workers)
                _wait_until_paid(connection, count)
                spent = _cpu_s(workers) - before
            finally:
                for worker in workers:
                    worker.kill()
                    worker.wait(30)
            rows = connection.execute(
                "SELECT extract(epoch FROM recorded_at)::float8 FROM audit_entries"
                " WHERE action = 'payment.paid' ORDER BY recorded_at"
            ).fetchall()
    return Baseline(_rate([moment for (moment,) in rows]), spent * 1000 / count)


def by_threads(house: Installation, count: int, *, latency_ms: int) -> Baseline:
    """A pool of threads in a process of its own (bench.threads)."""
    database = f"threads_{secrets.token_hex(4)}"
    _alter(house, f"CREATE DATABASE {database}")
    house.faults(latency_ms={"fixed": latency_ms})
    try:
        printed = _run(
            house.environment,
            "bench.threads",
            *("--count", str(count)),
            *("--database-url", _at(house.ready["database_url"], database)),
            *("--gateway-url", house.ready["sandbox_url"]),
        )
    finally:
        _alter(house, f"DROP DATABASE {database} WITH (FORCE)")
    told = json.loads(printed)
    return Baseline(_rate(told["moments"]), told["cpu_s"] * 1000 / count)


def _import_due(
    house: Installation,
    environment: Mapping[str, str],
    connection: psycopg.Connection,
    count: int,
) -> None:
    [(day_on, day)] = connection.execute(
        "SELECT to_char(now() AT TIME ZONE 'Asia/Seoul' + interval '1 day', 'YYYY-MM-DD'),"
        " extract(day FROM now() AT TIME ZONE 'Asia/Seoul' + interval '1 day')::int"
    ).fetchall()
    file = house.folder / "single.csv"
    rows = [contract(f"J{n:05d}", n, anchor_day=day, started_on=day_on) for n in range(count)]
    write_rows(file, rows)
    _run(environment, "opsapp.cli", "import", "subscriptions", str(file))
    _run(environment, "opsapp.cli", "clock", "advance", "1d")
    ordered = int(_run(environment, "bench.forking", "order").split()[-1])
    assert ordered == count, f"{ordered} of {count} were planned"


def _wait_until_paid(connection: psycopg.Connection, count: int) -> None:
    give_up_at = time.monotonic() + LIMIT_S
    paid = "SELECT count(*) FROM payments WHERE status = 'paid'"
    while connection.execute(paid).fetchone() != (count,):
        if time.monotonic() > give_up_at:
            raise RuntimeError("one job per charge did not end in time")
        time.sleep(0.5)


def _start(environment: Mapping[str, str], module: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _cpu_s(processes: list[subprocess.Popen[bytes]]) -> float:
    return sum(tree_cpu_s(process.pid) for process in processes)


def _run(environment: Mapping[str, str], *words: str) -> str:
    command = [sys.executable, "-m", *words]
    done = subprocess.run(
        command, env=environment, check=False, capture_output=True, text=True, timeout=LIMIT_S
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr[-2000:]}")
    return done.stdout


def _alter(house: Installation, sql: Any) -> None:
    with psycopg.connect(house.ready["database_url"], autocommit=True) as connection:
        connection.execute(sql)


def _at(url: str, place: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{place}"))


def _rate(moments: list[float]) -> float:
    early, late = moments[len(moments) // 10], moments[len(moments) * 9 // 10]
    return len(moments) * 0.8 / (late - early)
