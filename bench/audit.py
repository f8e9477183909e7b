"""What sealing costs the writers of the log, and how fast the log verifies.

`python -m bench.audit [--seconds 4] [--rounds 3] [--rows 100000] [--json FILE]`

Eight threads write one entry per transaction, first into a copy of the log's table without any
chain, then into the log itself beside a sealer that runs every 250 ms, then into a copy whose
trigger links each row to the one before under an advisory lock held to commit. The three take
turns, round by round, on one database. Uses DATABASE_URL's server, or an embedded one.
"""

import argparse
import json
import multiprocessing
import os
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from opsapp import create_app
from opsapp.audit import sealing, verifying
from opsapp.kernel import schema
from opsapp.kernel.db import transaction
from opsapp.kernel.embedded import start_postgres
from opsapp.settings import Settings, current

WRITERS = 8
SEAL_EVERY_S = 0.25
KEY = "A" * 43 + "="

INSERT = (
    "INSERT INTO {table} (actor, action, subject_type, subject_id, from_state, to_state, because,"
    " detail) VALUES ('worker:payments.execute_attempts', 'attempt.succeeded', 'attempt', %s,"
    " 'inflight', 'succeeded', 'the gateway approved', %s)"
)
DETAIL = json.dumps({"approval_number": "00012345", "trace_id": "0123456789abcdef0123456789abcdef"})

# The two baselines: copies of the log's table, and the trigger of the chained one.
COPIES = """
CREATE TABLE unchained (LIKE audit_entries INCLUDING ALL);
CREATE TABLE chained (LIKE audit_entries INCLUDING ALL, link bytea);
CREATE TABLE chain_head (id int PRIMARY KEY, link bytea NOT NULL);
INSERT INTO chain_head VALUES (1, '');
CREATE FUNCTION link_row() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
  PERFORM pg_advisory_xact_lock(42);
  NEW.link := sha256((SELECT link FROM chain_head) || convert_to(NEW::text, 'UTF8'));
  UPDATE chain_head SET link = NEW.link;
  RETURN NEW;
END$$;
CREATE TRIGGER link_row BEFORE INSERT ON chained FOR EACH ROW EXECUTE FUNCTION link_row();
"""


def measure(*, seconds: float = 4, rounds: int = 3, rows: int = 100_000) -> dict[str, Any]:
    """Run everything once; the result has the fields every bench writes."""
    with _installation() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(COPIES)
        rates: dict[str, list[float]] = {"sealed": [], "unchained": [], "global_lock_chain": []}
        for number in range(rounds):
            for name in list(rates)[number % 3 :] + list(rates)[: number % 3]:
                rates[name].append(_rate(url, name, seconds))
        verified = _verify(url, rows)
    figure = statistics.median(rates["sealed"])
    baselines = {
        name: {
            "figure": round(statistics.median(values)),
            "ratio": round(figure / statistics.median(values), 2),
        }
        for name, values in rates.items()
        if name != "sealed"
    }
    return {
        "name": "audit",
        "work": f"{WRITERS} writers, one entry per transaction, {rounds} rounds of {seconds:g} s",
        "figure": round(figure),
        "unit": "entries/s",
        "baselines": baselines,
        "cpu_ms_per_unit": {"sealer": verified.pop("sealing_cpu_ms")},
        "curve": [
            {"round": n, **{name: round(r[n]) for name, r in rates.items()}} for n in range(rounds)
        ],
        "verify": verified,
    }


@contextmanager
def _installation() -> Iterator[str]:
    """A migrated database of its own, with an application context on it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = os.environ.get("DATABASE_URL")
        if server is None:
            running = start_postgres(folder / "data")
            stack.callback(running.stop)
            server = running.url
        name = f"opsapp_bench_{secrets.token_hex(4)}"
        admin = stack.enter_context(psycopg.connect(server, autocommit=True))
        admin.execute(f"CREATE DATABASE {name}")
        stack.callback(admin.execute, f"DROP DATABASE {name} WITH (FORCE)")
        url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        schema.migrate(url)
        app = create_app(_settings(url, anchors_dir=str(folder / "anchors")))
        stack.enter_context(app.app_context())
        yield url


def _settings(url: str, *, anchors_dir: str = "") -> Settings:
    return Settings(
        mode="test",
        database_url=url,
        redis_url="redis://127.0.0.1:1/0",
        secret_key="s" * 32,
        encryption_keys=f"k1:{KEY}",
        blind_index_key=KEY,
        seal_key=KEY,
        anchors_dir=anchors_dir,
    )


def _rate(url: str, name: str, seconds: float) -> float:
    """Entries a second that the writers commit; the sealer runs beside them if there is one."""
    table = {"sealed": "audit_entries", "global_lock_chain": "chained"}.get(name, name)
    with _sealer(url) if name == "sealed" else nullcontext():
        counts = [0] * WRITERS
        began = time.monotonic()

        def write(number: int) -> None:
            with psycopg.connect(url, autocommit=True) as connection:
                statement = INSERT.format(table=table)
                while time.monotonic() < began + seconds:
                    connection.execute(statement, [number, DETAIL])
                    counts[number] += 1

        writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        return sum(counts) / (time.monotonic() - began)


@contextmanager
def _sealer(url: str) -> Iterator[None]:
    """A process of its own, as in production: it must not share an interpreter with writers."""
    spawn = multiprocessing.get_context("spawn")
    ready, stop = spawn.Event(), spawn.Event()
    process = spawn.Process(target=_keep_sealing, args=(url, ready, stop))
    process.start()
    ready.wait(60)
    yield
    stop.set()
    process.join()


def _keep_sealing(url: str, ready: Event, stop: Event) -> None:
    with create_app(_settings(url)).app_context():
        _seal()
        ready.set()
        while not stop.wait(SEAL_EVERY_S):
            _seal()


def _verify(url: str, rows: int) -> dict[str, Any]:
    """Fill the log up to `rows`, seal, anchor and verify it all."""
    with psycopg.connect(url, autocommit=True) as connection:
        filling = INSERT.format(table="audit_entries").replace("VALUES (", "SELECT ").rstrip(")")
        for start in range(0, rows, 5000):
            connection.execute(
                f"{filling} FROM generate_series(1, %s)", [start, DETAIL, min(5000, rows - start)]
            )
    began_s, sealed = time.process_time(), 0
    while count := _seal():
        sealed += count
    sealing_cpu_ms = (time.process_time() - began_s) * 1000 / sealed
    sealing.anchor()
    began = time.perf_counter()
    report = verifying.verify(anchors_dir=current().anchors_dir, is_anchored=True)
    elapsed_s = time.perf_counter() - began
    assert report.finding is None, report
    return {
        "entries": report.entry_count,
        "seals": report.seal_count,
        "entries_per_s": round(report.entry_count / elapsed_s),
        "sealing_cpu_ms": round(sealing_cpu_ms, 4),
    }


def _seal() -> int:
    with transaction():
        return sealing.seal()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.audit")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    result = measure(seconds=chosen.seconds, rounds=chosen.rounds, rows=chosen.rows)
    print(json.dumps(result, indent=1))
    if chosen.json:
        chosen.json.write_text(json.dumps(result))


if __name__ == "__main__":
    main()
