"""A shop of a given size behind gunicorn, and somebody who asks for its pages without a pause."""

import base64
import http.client
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from re import search as search_text
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from bench.filling_pages import DAYS, fill
from opsapp import create_app
from opsapp.kernel import schema
from opsapp.kernel.actors import Actor
from opsapp.kernel.db import db, transaction
from opsapp.kernel.embedded import free_port
from opsapp.settings import Settings
from opsapp.staff.inviting import NewAccount, create_account
from opsapp.staff.rules import Role

WORKERS, CONNECTIONS = 2, 4
REQUESTS, WARM = 120, 12
PAGE_S_MAX = 15  # a page that takes longer is asked less often
READY_WITHIN_S = 120
EMAIL = "bench@example.com"
Connection = http.client.HTTPConnection


@dataclass(frozen=True)
class Shop:
    """Its connections are spread evenly over the server's processes."""

    rows: Mapping[str, int]
    connections: list[Connection]
    cookie: str

    def address(self, path: str, query: Mapping[str, Any] | None) -> str | None:
        """Of a list's page; without a query of one deep down, None if there is no second page."""
        if query is None:
            cursor = self._find_deep(path)
            if not cursor:
                return None
            query = {"cursor": cursor}
        address, _, fixed = path.partition("?")
        args = urlencode(dict(pair.split("=") for pair in fixed.split("&") if pair) | {**query})
        return f"{address}?{args}" if args else address

    def ask(self, page: str, *, most_s: float = PAGE_S_MAX) -> dict[str, Any]:
        """All connections ask for the same page as often as they are answered."""
        told: list[Any] = []
        sizes: list[int] = []
        lock = threading.Lock()
        give_up_at = time.monotonic() + most_s

        def ask_on(connection: Connection, times: int, *, is_kept: bool) -> None:
            for _ in range(times):
                body, headers = _get(connection, page, self.cookie)
                with lock:
                    told.extend([headers] if is_kept else [])
                    sizes.append(len(body.encode()))
                if time.monotonic() > give_up_at:
                    return

        lasted = 0.0
        for times, is_kept in ((WARM // CONNECTIONS, False), (REQUESTS // CONNECTIONS, True)):
            began = time.monotonic()
            with ThreadPoolExecutor(CONNECTIONS) as pool:
                asked = [
                    pool.submit(ask_on, connection, times, is_kept=is_kept)
                    for connection in self.connections
                ]
                for each in asked:
                    each.result()
            lasted = time.monotonic() - began
        wall = sorted(float(headers["X-Wall-Ms"]) for headers in told)
        cpu = sorted(float(headers["X-Cpu-Ms"]) for headers in told)
        return {
            "p50_ms": wall[len(wall) // 2],
            "p95_ms": wall[int(len(wall) * 0.95)],
            "cpu_ms": cpu[len(cpu) // 2],
            "statements": max(int(headers["X-Statements"]) for headers in told),
            "kb": round(max(sizes) / 1000, 1),
            "rate": round(len(told) / lasted, 2),
            "requests": len(told),
        }

    def _find_deep(self, path: str) -> str:
        """The cursor of a place four fifths down the list; "" if it has one page only."""
        page, _ = _get(self.connections[0], path, self.cookie)
        found = search_text(r'rel="next" href="[^"]*cursor=([^"&]+)', page)
        if not found:
            return ""
        padded = found[1] + "=" * (-len(found[1]) % 4)
        way, *moments, last = json.loads(base64.urlsafe_b64decode(padded))
        back = timedelta(days=DAYS * 4 // 5)
        earlier = [(datetime.fromisoformat(moment) - back).isoformat() for moment in moments]
        packed = json.dumps([way, *earlier, max(last // 5, 40)]).encode()
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")


@contextmanager
def filled_shop(server_url: str, redis_url: str, payments: int, folder: Path) -> Iterator[Shop]:
    """Its database is dropped again afterwards; what the server prints goes to a file in folder."""
    name = f"pages_{payments}"
    database_url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    quoted = sql.Identifier(name)
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(quoted))
        schema.migrate(database_url)
        rows = fill(database_url, payments)
        server.execute("CHECKPOINT")  # of the filling, not while pages are asked
        try:
            with _served(database_url, redis_url, folder / f"{name}.log") as (port, password):
                yield Shop(rows, _connect_evenly(port), _sign_in(port, password))
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted))


@contextmanager
def _served(database_url: str, redis_url: str, log: Path) -> Iterator[tuple[int, str]]:
    def key() -> str:
        return base64.b64encode(secrets.token_bytes(32)).decode()

    port, password = free_port(), secrets.token_urlsafe(24)
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OPSAPP_MODE": "test",
        "OPSAPP_SECRET_KEY": secrets.token_urlsafe(48),
        "OPSAPP_ENCRYPTION_KEYS": f"k1:{key()}",
        "OPSAPP_BLIND_INDEX_KEY": key(),
        "OPSAPP_SEAL_KEY": key(),
    }
    _create_account(settings, password)
    command = [sys.executable, "-m", "gunicorn", "bench.serving_pages:app"]
    command += ["--bind", f"127.0.0.1:{port}", "--worker-class", "gthread", "--threads", "16"]
    command += ["--workers", str(WORKERS), "--timeout", "600", "--keep-alive", "600"]
    command += ["--no-control-socket"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=os.environ | settings, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(port, process, log)
            yield port, password
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)


def _create_account(settings: Mapping[str, str], password: str) -> None:
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        with create_app(Settings()).app_context():
            with transaction():
                wish = NewAccount(EMAIL, "Bench", Role.ADMIN, password)
                create_account(wish, by=Actor("cli", "bench"))
            db.engine.dispose()
    finally:
        os.environ.clear()
        os.environ.update(before)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            _get(Connection("127.0.0.1", port, timeout=60), "/healthz", "")
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > give_up_at:
                last = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"the server does not answer: {last}") from error
            time.sleep(0.2)


def _connect_evenly(port: int) -> list[Connection]:
    """A connection stays with the process that took it, and one may take all."""
    kept: list[Connection] = []
    taken: Counter[str] = Counter()
    give_up_at = time.monotonic() + READY_WITHIN_S  # the other process may still be starting
    while time.monotonic() < give_up_at:
        connection = Connection("127.0.0.1", port, timeout=600)
        _, headers = _get(connection, "/healthz", "")
        if taken[headers["X-Worker"]] < CONNECTIONS // WORKERS:
            taken[headers["X-Worker"]] += 1
            kept.append(connection)
            if len(kept) == CONNECTIONS:
                return kept
        else:
            connection.close()
            time.sleep(0.02)
    raise RuntimeError(f"the connections do not spread: {taken}")


def _sign_in(port: int, password: str) -> str:
    connection = Connection("127.0.0.1", port, timeout=60)
    page, headers = _get(connection, "/console/sign-in", "")
    token = search_text(r'name="csrf_token" value="([^"]+)"', page)
    assert token, "the sign-in page has no form"
    cookie = headers["Set-Cookie"].split(";")[0]
    form = {"email": EMAIL, "password": password, "csrf_token": token[1]}
    connection.request(
        "POST",
        "/console/sign-in",
        urlencode(form),
        {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"},
    )
    answer = connection.getresponse()
    answer.read()
    given = [value.split(";")[0] for value in answer.headers.get_all("Set-Cookie") or []]
    assert any(each.startswith("opsapp_sign_in=") for each in given), answer.status
    return "; ".join(given)


def _get(connection: Connection, page: str, cookie: str) -> tuple[str, Any]:
    """Raises RuntimeError for anything but a page."""
    connection.request("GET", page, headers={"Cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    if answer.status != 200:
        raise RuntimeError(f"{page} answered {answer.status}: {body[:300]}")
    return body, answer.headers
