"""Every list of the console on ever more payments, beside Flask-Admin on the same table.

`BENCH_ROWS=10000,300000` takes other sizes than 10 k, 1 M and 5 M payments. Each size is a database
of its own, served by the real application under gunicorn as `opsapp up` runs it, asked over four
connections without a pause. What a page costs is told by the server: wall time, CPU of its thread,
SQL statements. Flask-Admin (as it comes, and with its pager that counts nothing) answers beside it.
"""

import base64
import http.client
import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
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
from opsapp.kernel.embedded import free_port, start_postgres, start_redis
from opsapp.settings import Settings
from opsapp.staff.inviting import NewAccount, create_account
from opsapp.staff.rules import Role

SIZES = (10_000, 1_000_000, 5_000_000)
CONNECTIONS = 4
REQUESTS = 60  # of each page, after WARM
WARM = 8
P95_MS_MAX, STATEMENTS_MAX, RATIO_MIN, FLAT_MAX = 60, 6, 10, 1.5
SLOW_S = 30  # Flask-Admin: no more requests are sent once it took so long
EMAIL = "bench@example.com"
TODAY = datetime.now(UTC).date()
MONTH = {"since": TODAY - timedelta(days=30), "until": TODAY}
LONG_AGO = {"since": TODAY - timedelta(days=330), "until": TODAY - timedelta(days=300)}
QUARTER = {"since": TODAY - timedelta(days=90), "until": TODAY}

# The filters that each list's address knows (opsapp/insights/listing_*.py: read_wish).
LISTS: Mapping[str, tuple[str, list[dict[str, Any]]]] = {
    "payments": ("/console/payments/", [
        {"tab": "approved"}, {"tab": "failed"}, {"tab": "refunded"}, {"tab": "awaiting"},
        {"tab": "uncertain"}, {"status": "cancelled"}, {"method": "virtual_account"},
        {"method": "mobile"}, {"gateway": "stripe"}, {"gateway": "portone"}, {"kind": "one_off"},
        {"failure": "gateway_error"}, {"failure": "fraud_suspected"}, {"amount_from": 9_000_000},
        {"amount_from": 99_000_000}, {"amount_to": 10_000}, {"basis": "paid"}, MONTH, LONG_AGO,
        {"tab": "failed", **QUARTER}, {"basis": "paid", "gateway": "stripe"},
        {"q": "SHOP-000000300"}, {"q": "김래원"}, {"q": "ㄱㄹㅇ"}, {"q": "민서"}, {"q": "5678"},
        {"q": "433012"}, {"q": "00000017"}, {"q": "buyer77"}, {"q": "없는이름"},
    ]),
    "refunds": ("/console/refunds/", [
        {"status": "succeeded"}, {"status": "unknown"}, {"status": "refused"}, MONTH, LONG_AGO,
    ]),
    "orders": ("/console/orders/?tab=orders", [
        {"q": "SHOP-000000300"}, {"q": "김래원"}, {"method": "virtual_account"},
        {"method": "mobile"}, MONTH, LONG_AGO,
    ]),
    "links": ("/console/orders/?tab=links", [{"status": "expired"}, {"status": "open"}, MONTH]),
    "subscriptions": ("/console/subscriptions/", [
        {"tab": "active"}, {"tab": "past_due"}, {"tab": "suspended"}, {"q": "김래원"},
        {"method": "card"}, {"method": "virtual_account"}, {"expiring": "yes"}, {"plan": 3},
        {"since": TODAY, "until": TODAY + timedelta(days=7)},
    ]),
    "customers": ("/console/customers/", [
        {"q": "김래원"}, {"q": "ㄱㄹㅇ"}, {"q": "ㄱㄹ"}, {"q": "민서"}, {"q": "김"},
        {"q": "5678"}, {"q": "buyer77"},
    ]),
    "deposits": ("/console/deposits/?tab=awaiting", [{"gateway": "stripe"}, MONTH]),
    "cases": ("/console/deposits/?tab=unmatched", [{"reason": "short"}, {"reason": "late"}, MONTH]),
    "cash_receipts": ("/console/cash-receipts/", [
        {"status": "failed"}, {"status": "wanted"}, {"q": "000000077"},
    ]),
    "tickets": ("/console/tickets/?tab=all", [{"tab": "unassigned"}, {"tab": "resolved"}]),
    "notifications": ("/console/notifications/", [
        {"status": "failed"}, {"status": "queued"}, {"channel": "email"}, {"channel": "webpush"},
        {"kind": "payment_failed"}, {"kind": "price_change"}, MONTH, LONG_AGO,
    ]),
    "webhooks": ("/console/webhooks/", [
        {"status": "needs_human"}, {"status": "stored"}, {"gateway": "stripe"}, MONTH,
        LONG_AGO, {"q": "dlv_77"}, {"q": "gw_77"},
    ]),
    "points": ("/console/points/", [{"q": "김래원"}]),
    "uncertain": ("/console/payments/uncertain/", []),
    "recovery": ("/console/recovery/?view=list", []),
    "audit": ("/console/audit/", [
        {"actor": "staff:1"}, {"subject": "payment", "number": 7}, MONTH, LONG_AGO,
    ]),
}  # fmt: skip
SEARCHES = (
    "김래원", "ㄱㄹㅇ", "ㄱㄹ", "민서", "김", "5678", "433012", "pay_77", "ord_77", "gw_77",
    "SHOP-000000300", "0000300", "00000077", "buyer77@naver.com", "buyer77", "없는이름", "ㅋㅋㅋ",
    "nosuchnumber", "77",
)  # fmt: skip


def run() -> dict[str, Any]:
    sizes = [int(rows) for rows in os.environ.get("BENCH_ROWS", "").split(",") if rows] or SIZES
    with tempfile.TemporaryDirectory(prefix="opsapp-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with (
            start_postgres(folder, fsync=False) as postgres,
            start_redis(folder) as redis,
        ):
            curve = [measure(postgres.url, redis.url, size) for size in sizes]
    last, first = curve[-1], curve[0]
    flat = round(last["ours"]["payments"]["p95_ms"] / first["ours"]["payments"]["p95_ms"], 2)
    worst = max(last["ours"].values(), key=lambda told: told["p95_ms"])
    too_many = [t["page"] for t in last["ours"].values() if t["statements"] > STATEMENTS_MAX]
    slow = [t["page"] for t in last["ours"].values() if t["p95_ms"] > P95_MS_MAX]
    baselines = {
        name: {"figure": told["p95_ms"], "ratio": last["ratio"][name]}
        for name, told in last["twin"].items()
    }
    return {
        "name": "pages",
        "work": f"{len(last['ours'])} pages of lists at {sizes[-1]:,} payments, the slowest "
        f"{worst['page']}; {flat} x its time at {sizes[0]:,}; too slow: {slow or 'none'}",
        "figure": worst["p95_ms"],
        "unit": f"ms at the server, p95 of the slowest page (at most {P95_MS_MAX})",
        "baselines": baselines,
        "cpu_ms_per_unit": {"web": worst["cpu_ms"]},
        "flatness": flat,
        "curve": curve,
        "is_met": not slow
        and not too_many
        and flat <= FLAT_MAX
        and baselines["flask_admin"]["ratio"] >= RATIO_MIN,
    }


def measure(server_url: str, redis_url: str, payments: int) -> dict[str, Any]:
    """One size: fill, serve, ask."""
    name = f"pages_{payments}"
    database_url = urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    quoted = sql.Identifier(name)
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(quoted))
        try:
            schema.migrate(database_url)
            began = time.monotonic()
            rows = fill(database_url, payments)
            took = round(time.monotonic() - began, 1)
            with _served(database_url, redis_url) as port:
                asked = ask(port)
            return {"payments": payments, "rows": rows, "fill_s": took, **asked}
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted))


def ask(port: int) -> dict[str, Any]:
    cookie = _sign_in(port)
    ours = {}
    for name, (path, filters) in LISTS.items():
        joint = "&" if "?" in path else "?"
        queries = [{}, {"cursor": _deep(port, cookie, path)}, *filters]
        for query in queries:
            if query == {"cursor": ""}:
                continue  # all of it stands on one page
            page = f"{path}{joint if query else ''}{urlencode(query)}"
            told = _load(port, page, cookie)
            label = "deep" if "cursor" in query else " ".join(f"{k}={v}" for k, v in query.items())
            ours[f"{name} {label}".strip()] = {**told, "page": f"{name} {label}".strip()}
    for text in SEARCHES:
        told = _load(port, f"/console/search/hits?{urlencode({'q': text})}", cookie)
        ours[f"search {text}"] = {**told, "page": f"search {text}"}
    first = ours["payments"]
    twin = {
        "flask_admin": _load(port, "/twin/plain/", "", most_s=SLOW_S),
        "flask_admin_simple_pager": _load(port, "/twin/simple/", "", most_s=SLOW_S),
    }
    ratio = {
        name: round(first["rate"] and first["rate"] / told["rate"], 1)
        for name, told in twin.items()
    }
    return {"ours": ours, "twin": twin, "ratio": ratio}


@contextmanager
def _served(database_url: str, redis_url: str) -> Iterator[int]:
    def key() -> str:
        return base64.b64encode(secrets.token_bytes(32)).decode()

    port = free_port()
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "OPSAPP_MODE": "test",
        "OPSAPP_SECRET_KEY": secrets.token_urlsafe(48),
        "OPSAPP_ENCRYPTION_KEYS": f"k1:{key()}",
        "OPSAPP_BLIND_INDEX_KEY": key(),
        "OPSAPP_SEAL_KEY": key(),
    }
    with _environment(settings):
        with create_app(Settings()).app_context():
            with transaction():
                wish = NewAccount(EMAIL, "Bench", Role.ADMIN, settings["OPSAPP_SECRET_KEY"])
                create_account(wish, by=Actor("cli", "bench"))
            db.engine.dispose()
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "bench.serving_pages:app"),
                *(
                    "--bind",
                    f"127.0.0.1:{port}",
                    "--worker-class",
                    "gthread",
                    "--no-control-socket",
                ),
                *("--workers", "2", "--threads", "16", "--timeout", "600"),
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _wait_for(port: int) -> None:
    give_up_at = time.monotonic() + 120
    while True:
        try:
            _get(http.client.HTTPConnection("127.0.0.1", port, timeout=60), "/healthz", "")
            return
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.2)


def _sign_in(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    page, headers = _get(connection, "/console/sign-in", "")
    token = search_text(r'name="csrf_token" value="([^"]+)"', page)
    assert token, "the sign-in page has no form"
    cookie = headers["Set-Cookie"].split(";")[0]
    form = {"email": EMAIL, "password": os.environ["OPSAPP_SECRET_KEY"], "csrf_token": token[1]}
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


def _deep(port: int, cookie: str, path: str) -> str:
    """A place four fifths down the list; "" if it has one page only."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    page, _ = _get(connection, path, cookie)
    found = search_text(r'rel="next" href="[^"]*cursor=([^"&]+)', page)
    if not found:
        return ""
    way, *moments, last = json.loads(
        base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4))
    )
    earlier = [
        (datetime.fromisoformat(moment) - timedelta(days=DAYS * 4 // 5)).isoformat()
        for moment in moments
    ]
    packed = json.dumps([way, *earlier, max(last // 5, 40)]).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _load(port: int, page: str, cookie: str, *, most_s: float = 600) -> dict[str, Any]:
    """Four connections ask for the same page without a pause."""
    lock = threading.Lock()
    told: list[Any] = []
    sizes: list[int] = []
    left = [REQUESTS]
    give_up_at = time.monotonic() + most_s

    def ask_on() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
        while True:
            with lock:
                if not left[0] or (told and time.monotonic() > give_up_at):
                    return
                left[0] -= 1
            body, headers = _get(connection, page, cookie)
            with lock:
                told.append(headers)
                sizes.append(len(body))

    warm = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    for _ in range(WARM):
        _get(warm, page, cookie)
        if time.monotonic() > give_up_at:
            break
    began = time.monotonic()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for done in [pool.submit(ask_on) for _ in range(CONNECTIONS)]:
            done.result()
    lasted = time.monotonic() - began
    wall = sorted(float(headers["X-Wall-Ms"]) for headers in told)
    cpu = sorted(float(headers["X-Cpu-Ms"]) for headers in told)
    return {
        "p50_ms": wall[len(wall) // 2],
        "p95_ms": wall[int(len(wall) * 0.95)],
        "cpu_ms": cpu[len(cpu) // 2],
        "statements": max(int(headers["X-Statements"]) for headers in told),
        "kb": round(max(sizes) / 1024, 1),
        "rate": round(len(told) / lasted, 2),
    }


def _get(connection: http.client.HTTPConnection, page: str, cookie: str) -> tuple[str, Any]:
    """Raises RuntimeError for anything but a page."""
    connection.request("GET", page, headers={"Cookie": cookie} if cookie else {})
    answer = connection.getresponse()
    body = answer.read().decode()
    if answer.status != 200:
        raise RuntimeError(f"{page} answered {answer.status}: {body[:300]}")
    return body, answer.headers
